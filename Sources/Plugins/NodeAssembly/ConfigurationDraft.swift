import SyncRuntime

/// A configuration that is put together setting by setting, where no text is: for programs that have theirs as fields.
/// What is not set is as in a text that does not say it.
public struct ConfigurationDraft: Sendable {
  private var entries: [String: ConfigurationValue] = [:]
  private var sections: [String: [String: ConfigurationValue]] = [:]
  /// By the plugins' names.
  private var settings: [String: [String: ConfigurationValue]] = [:]

  public init() {}

  /// - Parameter key: The setting's name, with its section's and a dot before it if it has one.
  public mutating func set(_ key: String, to value: String) { put(.text(value), key) }

  public mutating func set(_ key: String, to value: Int) { put(.number(value), key) }

  public mutating func set(_ key: String, to value: Bool) { put(.flag(value), key) }

  public mutating func set(_ key: String, to values: [String]) { put(.list(values.map { .text($0) }), key) }

  /// One of a plugin's own settings.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for one that is set already.
  public mutating func set(plugin: String, _ name: String, to value: String) throws(PluginError) {
    guard settings[plugin]?[name] == nil else {
      throw PluginError(.invalid, "settings.\(plugin).\(name) is given twice")
    }
    settings[plugin, default: [:]][name] = .text(value)
  }

  private mutating func put(_ value: ConfigurationValue, _ key: String) {
    let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
    if parts.count == 2 { sections[parts[0], default: [:]][parts[1]] = value } else { entries[key] = value }
  }

  /// Reads what was set as a text is read, with the same errors.
  ///
  /// - Parameters: As of ``ConfigurationFile/init(_:path:folder:plugins:)``.
  public func configuration(path: String, folder: String, plugins: PluginRegistry = .shipped) throws(PluginError)
    -> ConfigurationFile
  {
    var all = entries
    for (name, section) in sections { all[name] = .table(section) }
    if !settings.isEmpty { all["settings"] = .table(settings.mapValues { .table($0) }) }
    return try ConfigurationFile(all, path: path, folder: folder, plugins: plugins)
  }
}
