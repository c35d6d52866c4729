import SyncProof
import SyncRuntime
import Synchronization
import TOMLKit

/// What a configuration says, free of the library that has read it.
enum ConfigurationValue: Sendable {
  case text(String)
  case number(Int)
  case flag(Bool)
  case list([ConfigurationValue])
  case table([String: ConfigurationValue])
  /// Of a kind that no setting has, such as a date.
  case other

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var number: Int? { if case .number(let number) = self { number } else { nil } }
  var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
  var list: [ConfigurationValue]? { if case .list(let list) = self { list } else { nil } }
  var table: [String: ConfigurationValue]? { if case .table(let table) = self { table } else { nil } }

  fileprivate init(_ value: any TOMLValueConvertible) {
    switch value.type {
    case .string: self = value.string.map { .text($0) } ?? .other
    case .int: self = value.int.map { .number($0) } ?? .other
    case .bool: self = value.bool.map { .flag($0) } ?? .other
    case .array: self = value.array.map { .list($0.map { ConfigurationValue($0) }) } ?? .other
    case .table: self = value.table.map { .table(ConfigurationValue.entries(of: $0)) } ?? .other
    default: self = .other
    }
  }

  private static func entries(of table: TOMLTable) -> [String: ConfigurationValue] {
    var entries: [String: ConfigurationValue] = [:]
    for key in table.keys { entries[key] = table[key].map { ConfigurationValue($0) } }
    return entries
  }
}

/// Reads configurations' texts. Thread: any.
///
/// The library never gives back what it has made of a text; so the last texts are kept, and not read again: a program
/// that makes node after node of its configurations does not grow.
enum ConfigurationText {
  private struct Known: Sendable {
    let digest: Digest
    let entries: [String: ConfigurationValue]
  }

  /// The one that was asked for last stands last.
  private static let known = Mutex<[Known]>([])
  private static let countMax = 32
  private static let bytesMax = 65_536

  /// - Throws: ``PluginError/Code/invalid`` for what is not TOML.
  static func entries(of bytes: [UInt8], path: String) throws(PluginError) -> [String: ConfigurationValue] {
    let digest = SHA256.hash(bytes)
    let before: Known? = known.withLock { known in
      guard let place = known.firstIndex(where: { $0.digest == digest }) else { return nil }
      let found = known.remove(at: place)
      known.append(found)
      return found
    }
    if let before { return before.entries }
    try TOMLScreen.check(bytes, path: path)
    let table: TOMLTable
    do {
      table = try TOMLTable(string: String(decoding: bytes, as: UTF8.self))
    } catch {
      throw PluginError(.invalid, "\(path) is not TOML: \(error)")
    }
    guard let entries = ConfigurationValue(table).table else { return [:] }
    guard bytes.count <= bytesMax else { return entries }
    known.withLock { known in
      guard !known.contains(where: { $0.digest == digest }) else { return }
      if known.count == countMax { known.removeFirst() }
      known.append(Known(digest: digest, entries: entries))
    }
    return entries
  }
}
