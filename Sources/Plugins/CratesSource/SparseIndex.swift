import FoundationEssentials
import SourceTools
import SyncProof
import SyncRuntime
import Synchronization

/// A registry's index, read file by file over HTTP and kept on disk, where each is asked for again only if changed.
///
/// Thread: any; calls and processes may share the folder, since files are replaced as a whole.
final class SparseIndex: Sendable {
  let base: RegistryURL
  let client: RegistryClient
  private let directory: String
  private let configuration = Mutex<(dl: String, read: ContinuousClock.Instant)?>(nil)

  /// How long the registry's configuration is believed, in seconds.
  private static let configurationSeconds: Int64 = 300
  /// Index servers say so of names that nobody has.
  private static let missing = [404, 410, 451]

  /// - Parameter cacheDirectory: Shared by registries; each has its own folder there.
  init(base: RegistryURL, client: RegistryClient, cacheDirectory: String) {
    (self.base, self.client) = (base, client)
    directory = "\(cacheDirectory)/index/\(SHA256.hash([UInt8](base.text.utf8)).hex.prefix(16))"
  }

  /// The template of the archives' addresses.
  ///
  /// - Throws: ``PluginError/Code/authenticationRequired`` for a registry that says so.
  func downloadTemplate() async throws(PluginError) -> String {
    if let known = configuration.withLock({ $0 }),
      ContinuousClock.now - known.read < .seconds(Self.configurationSeconds)
    {
      return known.dl
    }
    struct Configuration: Decodable {
      let dl: String
      let authRequired: Bool?
      enum CodingKeys: String, CodingKey {
        case dl
        case authRequired = "auth-required"
      }
    }
    guard let bytes = try await file("config.json", bytesMax: client.limits.configBytesMax) else {
      throw PluginError(.invalid, "\(base.place) has no config.json; is it the address of a sparse registry?")
    }
    guard let read = try? JSONDecoder().decode(Configuration.self, from: Data(bytes)), !read.dl.isEmpty else {
      throw PluginError(.invalid, "The config.json of \(base.place) names no 'dl'; is it a registry?")
    }
    guard read.authRequired != true else {
      throw PluginError(
        .authenticationRequired,
        "\(base.place) wants a token for every request, and builders have none; use an open registry")
    }
    configuration.withLock { $0 = (read.dl, ContinuousClock.now) }
    return read.dl
  }

  /// Every version of a crate; none when the registry has no such crate.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for a file that is about another crate, or names a version twice.
  func entries(of name: String) async throws(PluginError) -> [IndexEntry] {
    let path = RegistryLayout.indexPath(name)
    guard let bytes = try await file(path, bytesMax: client.limits.indexBytesMax) else { return [] }
    var seen: Set<String> = []
    var entries: [IndexEntry] = []
    for line in bytes.split(separator: 0x0a) {
      guard let entry = IndexEntry(line: line) else { continue }
      guard entry.name.lowercased() == name.lowercased() else {
        throw PluginError(.invalid, "The index of \(base.place) tells of \(entry.name) where it should of \(name)")
      }
      guard seen.insert(entry.vers).inserted else {
        throw PluginError(.invalid, "The index of \(base.place) names \(name) \(entry.vers) twice; which is it?")
      }
      if entry.name == name { entries.append(entry) }
    }
    return entries
  }

  /// `nil` when the registry has no such file.
  private func file(_ path: String, bytesMax: Int) async throws(PluginError) -> [UInt8]? {
    let cached = "\(directory)/\(path)"
    let kept = read(cached, bytesMax: bytesMax)
    let url = try RegistryURL(base.text + path, allowsPlainHTTP: client.allowsPlainHTTP)
    let answer = try await client.get(url, bytesMax: bytesMax, known: kept?.validator ?? RegistryValidator())
    switch answer.status {
    case 200:
      let lines = "\(answer.validator.etag ?? "")\n\(answer.validator.lastModified ?? "")\n"
      try CrateFiles.makeFolder(String(cached[..<(cached.lastIndex(of: "/") ?? cached.endIndex)]))
      try CrateFiles.write([UInt8](lines.utf8) + answer.body, to: cached)
      return answer.body
    case 304:
      if let kept { return kept.body }
    case let status where Self.missing.contains(status):
      return nil
    default: break
    }
    throw PluginError(.invalid, "\(base.place) answers \(answer.status) for \(path); is it a sparse registry?")
  }

  /// Two lines, the validators, and the file. What cannot be read is fetched anew.
  private func read(_ path: String, bytesMax: Int) -> (validator: RegistryValidator, body: [UInt8])? {
    guard let bytes = try? CrateFiles.read(path, bytesMax: bytesMax + 2_048) else { return nil }
    let parts = bytes.split(separator: 0x0a, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let lines = parts[0..<2].map { String(decoding: $0, as: UTF8.self) }
    return (
      RegistryValidator(etag: lines[0].isEmpty ? nil : lines[0], lastModified: lines[1].isEmpty ? nil : lines[1]),
      Array(parts[2])
    )
  }
}
