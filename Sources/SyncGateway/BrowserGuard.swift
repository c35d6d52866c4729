import Hummingbird
import NIOCore

/// A host and, where one is given, a port, as they stand in `Host` and `Origin`.
struct Authority: Equatable, Sendable {
  /// Lower case, without the brackets of an IPv6 literal.
  let host: String
  let port: Int?

  /// - Returns: `nil` for user information, spaces, empty names and anything else that RFC 9110 §7.2 does not take.
  init?(_ text: some StringProtocol) {
    var rest = Substring(text)
    if rest.first == "[" {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      host = rest[rest.index(after: rest.startIndex)..<end].lowercased()
      guard Authority.isAddress(host), host.contains(":") else { return nil }
      rest = rest[rest.index(after: end)...]
    } else {
      let name = rest.prefix { $0 != ":" }
      let allowed = name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || [0x2d, 0x2e, 0x5f].contains(byte)
      }
      guard allowed, (1...255).contains(name.utf8.count) else { return nil }
      host = name.lowercased()
      rest = rest[name.endIndex...]
    }
    if rest.isEmpty {
      port = nil
    } else {
      let digits = rest.dropFirst()
      guard rest.first == ":", (1...5).contains(digits.utf8.count),
        digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = Int(digits),
        value <= 65_535
      else { return nil }
      port = value
    }
  }

  static func isAddress(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 0)) != nil }
}

/// Keeps web pages from using a visitor's browser to reach a node that listens on the visitor's own machine.
///
/// Two ways lead there. A page may send a cross-origin POST: the browser tells on it with `Origin`. Or its owner may
/// let the page's own name point at 127.0.0.1 after it was loaded (DNS rebinding), which makes every request
/// same-origin: then `Host` still has that foreign name.
struct BrowserGuard: Sendable {
  private let hosts: Set<String>
  private let takesAnyAddress: Bool
  /// Reading is public where the operator has opened the gateway to others; submitting never is by accident.
  private let readsFromAnyHost: Bool

  init(_ configuration: GatewayConfiguration) {
    let bound = configuration.host.lowercased()
    let isLoopback =
      bound == "localhost" || bound == "::1" || (bound.hasPrefix("127.") && Authority.isAddress(bound))
    let isWildcard = bound == "0.0.0.0" || bound == "::"
    var hosts = Set(configuration.hostNames.map { $0.lowercased() })
    hosts.insert(bound)
    if isLoopback || isWildcard { hosts.formUnion(["localhost", "127.0.0.1", "::1"]) }
    self.hosts = hosts
    // Rebinding needs a name: a page whose host is an address has that address as its origin.
    takesAnyAddress = isWildcard
    readsFromAnyHost = !isLoopback
  }

  func check(_ head: HTTPRequest) throws(APIError) {
    // The first Host header is the authority; a second one stays among the fields.
    guard let text = head.authority, let authority = Authority(text),
      !head.headerFields.contains(where: { $0.name.canonicalName == "host" })
    else {
      throw .badRequest("The request needs exactly one Host header with a name or address, and a port if any.")
    }
    let changes = head.method != .get && head.method != .head
    guard (readsFromAnyHost && !changes) || knows(authority) else {
      throw APIError(
        status: .forbidden, code: "foreign_host",
        message: "This gateway is not known by that Host; use the address it listens on, or have its operator add the "
          + "name to its host names.")
    }
    if changes { try checkOrigin(head.headerFields, authority) }
  }

  private func checkOrigin(_ fields: HTTPFields, _ authority: Authority) throws(APIError) {
    for field in fields where field.name == .origin {
      let refused = APIError(
        status: .forbidden, code: "foreign_origin",
        message: "Submissions from web pages of another origin are refused; submit from this gateway's own pages or "
          + "from a program that sends no Origin header.")
      guard let scheme = ["http://", "https://"].first(where: { field.value.hasPrefix($0) }),
        let origin = Authority(field.value.dropFirst(scheme.count)), origin == authority
      else { throw refused }
    }
  }

  private func knows(_ authority: Authority) -> Bool {
    hosts.contains(authority.host) || (takesAnyAddress && Authority.isAddress(authority.host))
  }
}
