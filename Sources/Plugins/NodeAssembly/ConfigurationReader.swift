import Glibc
import NativePlugins
import SyncProof
import SyncRuntime

/// Typed look-ups with errors that name the file and the key.
struct ConfigurationReader {
  let table: [String: ConfigurationValue]
  let path: String
  let folder: String

  func resolved(_ name: String) -> String { name.hasPrefix("/") ? name : folder + "/" + name }

  private func value(_ key: String) -> ConfigurationValue? {
    let parts = key.split(separator: ".").map(String.init)
    return parts.count == 1 ? table[key] : table[parts[0]]?.table?[parts[1]]
  }

  func text(_ key: String) throws(PluginError) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.text, !text.isEmpty else {
      throw PluginError(.invalid, "\(path): \(key) must be a text that is not empty")
    }
    return text
  }

  func required(_ key: String) throws(PluginError) -> String {
    guard let text = try text(key) else { throw PluginError(.invalid, "\(path): \(key) is missing") }
    return text
  }

  func choice(_ key: String, of choices: [String], default fallback: String) throws(PluginError) -> String {
    let text = try text(key) ?? fallback
    guard choices.contains(text) else {
      throw PluginError(.invalid, "\(path): \(key) is \"\(text)\"; it can be \(choices.joined(separator: ", "))")
    }
    return text
  }

  /// One text, or a list of them; each once.
  func choices(_ key: String, of choices: [String], default fallback: String) throws(PluginError) -> [String] {
    guard value(key)?.list != nil else { return [try choice(key, of: choices, default: fallback)] }
    let texts = try list(key)
    guard !texts.isEmpty, Set(texts).count == texts.count, texts.allSatisfy(choices.contains) else {
      throw PluginError(
        .invalid, "\(path): \(key) is a list of some of these, each once: \(choices.joined(separator: ", "))")
    }
    return texts
  }

  func number(_ key: String, in range: ClosedRange<Int>) throws(PluginError) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.number, range.contains(number) else {
      throw PluginError(.invalid, "\(path): \(key) must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func bytes(_ key: String, min: UInt64 = 0) throws(PluginError) -> UInt64? {
    guard let value = value(key) else { return nil }
    let count =
      value.number.flatMap { $0 >= 0 ? ByteCount(UInt64($0)) : nil } ?? value.text.flatMap { ByteCount(parsing: $0) }
    guard let count, count.bytes >= min else {
      throw PluginError(
        .invalid,
        "\(path): \(key) must be a size such as \"20 GiB\", \"512 MiB\" or a number of bytes"
          + (min > 0 ? ", \(ByteCount(min)) at least" : ""))
    }
    return count.bytes
  }

  func flag(_ key: String) throws(PluginError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard let flag = value.flag else { throw PluginError(.invalid, "\(path): \(key) must be true or false") }
    return flag
  }

  func list(_ key: String) throws(PluginError) -> [String] {
    guard let value = value(key) else { return [] }
    guard let array = value.list else { throw PluginError(.invalid, "\(path): \(key) must be a list of texts") }
    var texts: [String] = []
    for element in array {
      guard let text = element.text else { throw PluginError(.invalid, "\(path): \(key) must be a list of texts") }
      texts.append(text)
    }
    return texts
  }

  /// `[settings.NAME]` for each plugin that wants some: texts, numbers and flags, as texts.
  func settings() throws(PluginError) -> [String: [String: String]] {
    guard let value = table["settings"] else { return [:] }
    guard let rooms = value.table else { throw PluginError(.invalid, "\(path): settings is for [settings.PLUGIN]") }
    var settings: [String: [String: String]] = [:]
    for name in rooms.keys.sorted() {
      guard let room = rooms[name]?.table else {
        throw PluginError(.invalid, "\(path): settings.\(name) is a table: write [settings.\(name)]")
      }
      settings[name] = [:]
      for key in room.keys.sorted() {
        guard let value = room[key],
          let text = value.text ?? value.number.map(String.init) ?? value.flag.map(String.init), !text.contains("\0")
        else {
          throw PluginError(.invalid, "\(path): settings.\(name).\(key) must be a text, a number, true or false")
        }
        settings[name]?[key] = text
      }
    }
    return settings
  }

  /// The plugins with those of the libraries that are named, and of the folders where a name is chosen that is not
  /// known.
  func withLibraries(_ plugins: PluginRegistry) throws(PluginError) -> PluginRegistry {
    var plugins = plugins
    for path in try list("plugins.libraries") { try plugins.add(PluginLibrary.load(resolved(path))) }
    let given = try list("plugins.folders").map(resolved)
    let folders = given.isEmpty ? ["/usr/local/lib/synchronicity", "/usr/lib/synchronicity"] : given
    for key in ["sandbox", "signer", "storage", "transport", "source"] {
      let isList = value("plugins.\(key)")?.list != nil
      let names: [String] = isList ? try list("plugins.\(key)") : try text("plugins.\(key)").map { [$0] } ?? []
      for name in names where !plugins.has(name, as: key) {
        // Anything else is no name, and is refused below.
        guard PluginRegistry.isName(name) else { continue }
        let paths: [String] = folders.map { "\($0)/\(name).so" }
        guard let path = paths.first(where: { access($0, F_OK) == 0 }) else { continue }
        try plugins.add(PluginLibrary.load(path))
      }
    }
    return plugins
  }

  func digest(_ key: String) throws(PluginError) -> Digest? {
    guard let text = try text(key) else { return nil }
    guard let digest = Digest(hex: text) else {
      throw PluginError(.invalid, "\(path): \(key) must be a SHA-256 of 64 lower-case hexadecimal digits")
    }
    return digest
  }

  func divergence() throws(PluginError) -> DivergencePolicy {
    var policy = DivergencePolicy()
    let words = DivergencePolicy.Comparing.allCases.map(\.rawValue)
    let word = try choice("divergence.compare", of: words, default: policy.comparing.rawValue)
    policy.comparing = DivergencePolicy.Comparing(rawValue: word) ?? policy.comparing
    policy.toolchain = try digest("divergence.toolchain")
    policy.wallSeconds = UInt64(try number("divergence.seconds", in: 1...86_400) ?? Int(policy.wallSeconds))
    policy.memoryBytes = try megabytes("divergence.memory-megabytes") ?? policy.memoryBytes
    return policy
  }

  func retention() throws(PluginError) -> RetentionPolicy {
    var policy = RetentionPolicy()
    policy.divergedDays = try days("retention.diverged-days") ?? policy.divergedDays
    policy.divergedBytes = try megabytes("retention.diverged-megabytes") ?? policy.divergedBytes
    policy.reportDays = try days("retention.report-days") ?? policy.reportDays
    policy.reportBytes = try megabytes("retention.report-megabytes") ?? policy.reportBytes
    policy.transcriptDays = try days("retention.transcript-days") ?? policy.transcriptDays
    policy.transcriptBytes = try megabytes("retention.transcript-megabytes") ?? policy.transcriptBytes
    return policy
  }

  private func days(_ key: String) throws(PluginError) -> Int? { try number(key, in: 1...36_500) }

  private func megabytes(_ key: String) throws(PluginError) -> UInt64? {
    try number(key, in: 1...100_000_000).map { UInt64($0) << 20 }
  }

  func endpoint(_ key: String) throws(PluginError) -> ConfigurationFile.Endpoint {
    let text = try required(key)
    guard let endpoint = ConfigurationFile.Endpoint(text) else {
      throw PluginError(.invalid, "\(path): \(key) is \"\(text)\"; it must be HOST:PORT, such as 127.0.0.1:7600")
    }
    return endpoint
  }
}
