import FoundationEssentials
import SyncRuntime

/// An address that requests of a registry may go to: https, or http where that is allowed.
package struct RegistryURL: Sendable, Hashable {
  package static let bytesMax = 2_048

  package let text: String
  /// For messages, which other people may read: host and port alone.
  package let place: String
  package let isSecure: Bool

  /// - Throws: ``PluginError/Code/invalid`` with what is wrong with the address.
  package init(_ text: String, allowsPlainHTTP: Bool) throws(PluginError) {
    guard text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
      let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(), let host = parts.host,
      !host.isEmpty, ["http", "https"].contains(scheme)
    else {
      throw PluginError(.invalid, "'\(text.prefix(200))' is not the address of a registry; write https://HOST/PATH/")
    }
    guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
      throw PluginError(.invalid, "The address of \(host) holds a user, a password or a fragment; leave them out")
    }
    (self.text, isSecure) = (text, scheme == "https")
    place = parts.port.map { "\(host):\($0)" } ?? host
    guard isSecure || allowsPlainHTTP || Self.isLoopback(host) else {
      throw PluginError(
        .invalid, "\(place) would be asked over plain http, which anyone on the way can change; use https, or allow it")
    }
  }

  /// Where a redirect leads.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for a step from https to http.
  package func redirected(to location: String, allowsPlainHTTP: Bool) throws(PluginError) -> RegistryURL {
    guard location.utf8.count <= Self.bytesMax, let base = URL(string: text),
      let target = URL(string: location, relativeTo: base)
    else { throw PluginError(.invalid, "\(place) redirects to something that is no address") }
    let next = try RegistryURL(target.absoluteString, allowsPlainHTTP: allowsPlainHTTP)
    guard next.isSecure || !isSecure else {
      throw PluginError(.invalid, "\(place) redirects from https to http (\(next.place)), which is refused")
    }
    return next
  }

  private static func isLoopback(_ host: String) -> Bool {
    if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
