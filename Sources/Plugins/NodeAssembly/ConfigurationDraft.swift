import SyncRuntime
import TOMLKit

/// A configuration that is put together setting by setting, where no text is: for programs that have theirs as fields.
/// What is not set is as in a text that does not say it.
public struct ConfigurationDraft {
  private let table = TOMLTable()

  public init() {}

  /// - Parameter key: The setting's name, with its section's and a dot before it if it has one.
  public func set(_ key: String, to value: String) { put(value, key) }

  public func set(_ key: String, to value: Int) { put(value, key) }

  public func set(_ key: String, to value: Bool) { put(value, key) }

  public func set(_ key: String, to values: [String]) { put(TOMLArray(values), key) }

  /// One of a plugin's own settings.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for one that is set already.
  public func set(plugin: String, _ name: String, to value: String) throws(PluginError) {
    let settings = room("settings", in: table)
    let own = room(plugin, in: settings)
    guard own[name] == nil else { throw PluginError(.invalid, "settings.\(plugin).\(name) is given twice") }
    own[name] = value
  }

  private func put(_ value: any TOMLValueConvertible, _ key: String) {
    let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
    if parts.count == 2 { room(parts[0], in: table)[parts[1]] = value } else { table[key] = value }
  }

  private func room(_ name: String, in table: TOMLTable) -> TOMLTable {
    if let room = table[name]?.table { return room }
    table[name] = TOMLTable()
    guard let room = table[name]?.table else { preconditionFailure("A table was put there") }
    return room
  }

  /// Reads what was set as a text is read, with the same errors.
  ///
  /// - Parameters: As of ``ConfigurationFile/init(_:path:folder:plugins:)``.
  public func configuration(path: String, folder: String, plugins: PluginRegistry = .shipped) throws(PluginError)
    -> ConfigurationFile
  {
    try ConfigurationFile(table, path: path, folder: folder, plugins: plugins)
  }
}
