import SyncProof

/// One builder of a group: where it is reached, and its five keys, each for one role.
public struct GroupMember: Hashable, Sendable {
  /// Lower-case letters, digits and `-`, 1...64 bytes, neither beginning nor ending in `-`.
  public let name: Text
  /// `host:port` of the replica's transport: a host name, an IPv4 address or an IPv6 address in brackets.
  public let address: Text
  /// Where the member's gateway serves the log: `http://` or `https://`, host, maybe port and path.
  public let gateway: Text?
  /// Signs tree heads as the log, under the group's origin.
  public let logKey: PublicKey
  /// Cosigns tree heads, under `<name>.<origin>`.
  public let cosignerKey: PublicKey
  /// Signs submissions, commitments, abstentions and reveals.
  public let builderKey: PublicKey
  /// Signs votes and timeouts.
  public let consensusKey: PublicKey
  /// Is pinned in the transport's handshake.
  public let transportKey: PublicKey

  public init(
    name: Text, address: Text, gateway: Text? = nil, logKey: PublicKey, cosignerKey: PublicKey,
    builderKey: PublicKey, consensusKey: PublicKey, transportKey: PublicKey
  ) {
    self.name = name
    self.address = address
    self.gateway = gateway
    self.logKey = logKey
    self.cosignerKey = cosignerKey
    self.builderKey = builderKey
    self.consensusKey = consensusKey
    self.transportKey = transportKey
  }

  /// All five, in the order of the group file.
  var keys: [PublicKey] { [logKey, cosignerKey, builderKey, consensusKey, transportKey] }

  func validate() throws(ProofError) {
    guard HostRules.isMemberName(name.utf8) else {
      throw ProofError(
        .malformed,
        "The member name \"\(name.string)\"; take 1 to \(LedgerLimits.memberNameBytesMax) of a-z, 0-9 and '-', with no"
          + " '-' at either end")
    }
    guard HostRules.isHostAndPort(address.utf8) else {
      throw ProofError(.malformed, "The address \"\(address.string)\" of \(name.string); write host:port")
    }
    if let gateway, !HostRules.isGateway(gateway.utf8) {
      throw ProofError(
        .malformed,
        "The gateway \"\(gateway.string)\" of \(name.string); write http://host:port or https://host, with no '/' at"
          + " the end")
    }
  }
}

/// Which names, hosts and addresses a group file may hold. All are ASCII.
enum HostRules {
  /// A label of a host name: lower-case letters, digits, `-` not at the ends.
  private static func isLabel(_ bytes: ArraySlice<UInt8>, max countMax: Int) -> Bool {
    guard (1...countMax).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-")
    else { return false }
    return bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  static func isMemberName(_ bytes: [UInt8]) -> Bool {
    isLabel(bytes[...], max: LedgerLimits.memberNameBytesMax)
  }

  /// Labels with single dots between, at most 253 bytes (RFC 1035 §2.3.4); an IPv4 address passes as well.
  static func isHostName(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.count <= 253
      && bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        .allSatisfy { isLabel($0, max: 63) }
  }

  /// `host:port` or `[address]:port`.
  static func isHostAndPort(_ bytes: [UInt8]) -> Bool {
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return false }
    return isPort(bytes[(colon + 1)...]) && isHost(bytes[..<colon])
  }

  static func isGateway(_ bytes: [UInt8]) -> Bool {
    let schemes: [Text] = ["http://", "https://"]
    guard bytes.count <= 255, bytes.last != UInt8(ascii: "/"),
      let scheme = schemes.first(where: { bytes.starts(with: $0.utf8) })
    else { return false }
    let rest = bytes[scheme.utf8.count...]
    let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    let authority = [UInt8](rest[..<slash])
    guard rest[slash...].allSatisfy({ (0x21...0x7E).contains($0) }) else { return false }
    return isHost(authority[...]) || isHostAndPort(authority)
  }

  private static func isHost(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]") else { return isHostName(bytes) }
    let inside = bytes.dropFirst().dropLast()
    return (2...45).contains(inside.count) && inside.contains(UInt8(ascii: ":"))
      && inside.allSatisfy {
        isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) || $0 == UInt8(ascii: ":")
          || $0 == UInt8(ascii: ".")
      }
  }

  /// 1...65,535 without leading zeros.
  private static func isPort(_ digits: ArraySlice<UInt8>) -> Bool {
    guard (1...5).contains(digits.count), digits.first != UInt8(ascii: "0"), digits.allSatisfy(isDigit) else {
      return false
    }
    return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 65_535
  }
}
