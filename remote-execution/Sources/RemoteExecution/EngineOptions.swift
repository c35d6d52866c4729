import Foundation

/// Where the engine is, and what it is to be told.
public struct EngineOptions: Sendable {
  public struct Property: Sendable, Equatable {
    public let name: String
    public let value: String

    /// - Parameter text: `NAME=VALUE`.
    public init?(_ text: String) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else { return nil }
      (name, value) = (String(parts[0]), String(parts[1]))
    }
  }

  public struct Address: Sendable, Equatable {
    public let host: String
    public let port: Int
    public let isSecure: Bool

    /// - Parameter text: `grpc://HOST:PORT` in the clear, `grpcs://HOST:PORT` by TLS; an IPv6 address in brackets.
    public init?(_ text: String) {
      guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.host, !host.isEmpty,
        ["grpc", "grpcs"].contains(scheme), parts.path.isEmpty, parts.query == nil, parts.user == nil
      else { return nil }
      isSecure = scheme == "grpcs"
      let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
      (self.host, port) = (bare, parts.port ?? (isSecure ? 443 : 80))
      guard (1...65_535).contains(port) else { return nil }
    }
  }

  public let address: Address
  /// The engine's name for a part of itself; often empty.
  public var instance = ""
  /// What a worker must be: the engine's own words, such as `OSFamily=linux`.
  public var platform: [Property] = []
  /// The engine's own scale; 0 is its default.
  public var priority: Int32 = 0
  /// The program that the workers execute, for their processor.
  public var launcher: String
  /// PEM files: whom to trust in place of the host's authorities, and what to show.
  public var authorities: String?
  public var certificate: String?
  public var key: String?
  /// A file with a bearer token.
  public var token: String?

  public init(address: Address, launcher: String) { (self.address, self.launcher) = (address, launcher) }

  /// Reads a secret, which others must not be able to.
  ///
  /// - Throws: ``Fault/Code/unavailable`` when the file is missing, empty, not text or readable by others.
  package static func secret(_ path: String) throws -> String {
    let file = try Self.guarded(path)
    let data = try file.read(1 << 16)
    let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Fault(.unavailable, "\(path) holds no token: one line of visible ASCII is wanted")
    }
    return text
  }

  @discardableResult
  static func guarded(_ path: String) throws -> HostFile {
    let file: HostFile
    do { file = try HostFile(path) } catch let fault as Fault { throw Fault(.unavailable, fault.message) }
    let mode = try file.status().st_mode & 0o777
    guard mode & 0o077 == 0 else {
      throw Fault(.unavailable, "\(path) may be read by others (mode \(String(mode, radix: 8))); chmod 600 it")
    }
    return file
  }
}
