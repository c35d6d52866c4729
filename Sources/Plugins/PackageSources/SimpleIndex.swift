import FoundationEssentials
import SourceTools
import SyncProof
import SyncRuntime

/// A source distribution that an index offers.
struct Distribution: Sendable, Equatable {
  let version: String
  let address: RegistryURL
  let checksum: Digest
  let isYanked: Bool
}

/// A Python package index, by the JSON form of its simple API.
///
/// Source: the Python packaging specifications, "Simple repository API" (PEP 691), and PEP 625 for file names.
struct SimpleIndex: Sendable {
  static let accepted = ["application/vnd", "pypi", "simple", "v1+json"].joined(separator: ".")
  private static let suffix = ".tar.gz"

  /// Ends with a slash.
  let base: RegistryURL
  let client: RegistryClient

  var title: String { base.place }

  /// - Parameter name: Normalized.
  /// - Returns: Those with a SHA-256, in the order of the index.
  func distributions(of name: String) async throws(PluginError) -> [Distribution] {
    let url = try RegistryURL("\(base.text)\(name)/", allowsPlainHTTP: client.allowsPlainHTTP)
    let answer = try await client.get(url, bytesMax: client.limits.indexBytesMax)
    guard answer.status == 200 else {
      guard answer.status != 404 else {
        throw PluginError(.notFound, "\(title) has no package \(name); check the name")
      }
      throw PluginError(.unreachable, "\(title) answers \(answer.status) for \(name)")
    }
    let project: Project
    do { project = try JSONDecoder().decode(Project.self, from: Data(answer.body)) } catch {
      throw PluginError(
        .invalid, "\(title) does not list \(name) in the JSON form of the simple API; is it a Python package index?")
    }
    guard project.meta.version.hasPrefix("1.") else {
      throw PluginError(.invalid, "\(title) speaks version \(project.meta.version.prefix(16)) of its API, not 1")
    }
    var found: [Distribution] = []
    for file in project.files {
      guard let version = Self.version(of: file.filename, name: name), let hex = file.hashes["sha256"],
        let checksum = Digest(hex: hex)
      else { continue }
      let bare = String(file.url.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0])
      found.append(
        Distribution(
          version: version, address: try url.redirected(to: bare, allowsPlainHTTP: client.allowsPlainHTTP),
          checksum: checksum, isYanked: file.yanked?.isTrue ?? false))
    }
    return found
  }

  /// - Parameter version: Exactly this one; the newest that is a plain release when `nil`.
  func locate(_ name: String, version: String?) async throws(PluginError) -> Distribution {
    let offered = try await distributions(of: name)
    let fitting = offered.filter { $0.version == version }
    guard let found = version == nil ? Self.newest(offered) : fitting.first(where: { !$0.isYanked }) ?? fitting.first
    else {
      let known = offered.suffix(20).map(\.version).joined(separator: ", ")
      throw PluginError(
        .notFound,
        "\(title) has no source distribution (.tar.gz) of \(name)\(version.map { " " + $0 } ?? "")"
          + (known.isEmpty ? "" : ", only of \(known)"))
    }
    guard !found.isYanked else {
      throw PluginError(
        named: .yanked, "\(name) \(found.version) was withdrawn (yanked) from \(title); ask for another version")
    }
    return found
  }

  /// Lower case, and one hyphen for any run of `-`, `_` and `.`.
  static func normalized(_ name: String) -> String {
    name.lowercased().split(whereSeparator: { "-_.".contains($0) }).joined(separator: "-")
  }

  /// The version in `NAME-VERSION.tar.gz`.
  private static func version(of file: String, name: String) -> String? {
    guard file.hasSuffix(suffix), file.utf8.count <= 255 else { return nil }
    let stem = file.dropLast(suffix.count)
    guard let hyphen = stem.lastIndex(of: "-"), normalized(String(stem[..<hyphen])) == name else { return nil }
    return String(stem[stem.index(after: hyphen)...])
  }

  private static func newest(_ offered: [Distribution]) -> Distribution? {
    func numbers(_ version: String) -> [UInt64]? {
      let parts = version.split(separator: ".", omittingEmptySubsequences: false).map { UInt64($0) }
      return parts.contains(nil) ? nil : parts.compactMap(\.self)
    }
    return offered.filter { !$0.isYanked && numbers($0.version) != nil }
      .max { (numbers($0.version) ?? []).lexicographicallyPrecedes(numbers($1.version) ?? []) }
  }

  private struct Project: Decodable {
    struct Meta: Decodable {
      let version: String
      enum CodingKeys: String, CodingKey { case version = "api-version" }
    }
    struct File: Decodable {
      let filename: String
      let url: String
      let hashes: [String: String]
      let yanked: Yanked?
    }
    /// `false`, `true`, or the reason.
    struct Yanked: Decodable {
      let isTrue: Bool
      init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
          isTrue = flag
        } else {
          isTrue = !(try value.decode(String.self)).isEmpty
        }
      }
    }
    let meta: Meta
    let files: [File]
  }
}
