import Hummingbird
import Testing

@testable import SyncGateway

struct BrowserGuardTests {
  static let authorities: [(text: String, host: String?, port: Int?)] = [
    ("localhost", "localhost", nil), ("LocalHost:80", "localhost", 80), ("127.0.0.1:8080", "127.0.0.1", 8080),
    ("[::1]:8080", "::1", 8080), ("[::1]", "::1", nil), ("a.example", "a.example", nil), ("", nil, nil),
    (":80", nil, nil), ("a:", nil, nil), ("a:b", nil, nil), ("a:65536", nil, nil), ("a:1:2", nil, nil),
    ("::1", nil, nil), ("[::1", nil, nil), ("[a]", nil, nil), ("[127.0.0.1]", nil, nil), ("[::1]80", nil, nil),
    ("user@a", nil, nil), ("a b", nil, nil), ("a/b", nil, nil), ("ä.example", nil, nil),
  ]

  @Test(arguments: authorities)
  func readsAuthorities(_ row: (text: String, host: String?, port: Int?)) {
    let authority = Authority(row.text)
    #expect(authority?.host == row.host)
    #expect(authority?.port == row.port)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let bound: String, method: HTTPRequest.Method, host: String
    var origin: String?
    let code: String?
    var testDescription: String { "\(bound) \(method) \(host) \(origin ?? "-")" }
  }

  static let rows: [Row] = [
    Row(bound: "127.0.0.1", method: .get, host: "127.0.0.1:8080", code: nil),
    Row(bound: "127.0.0.1", method: .get, host: "localhost:9000", code: nil),
    Row(bound: "127.0.0.1", method: .get, host: "[::1]:8080", code: nil),
    Row(bound: "127.0.0.1", method: .get, host: "node.example", code: nil),
    Row(bound: "127.0.0.1", method: .get, host: "rebound.example:8080", code: "foreign_host"),
    Row(bound: "127.0.0.1", method: .get, host: "localhost.rebound.example", code: "foreign_host"),
    Row(bound: "127.0.0.1", method: .get, host: "192.0.2.7", code: "foreign_host"),
    Row(bound: "localhost", method: .get, host: "rebound.example", code: "foreign_host"),
    Row(bound: "::1", method: .head, host: "rebound.example", code: "foreign_host"),
    // A name that begins like a loopback address is a name.
    Row(bound: "127.example", method: .get, host: "other.example", code: nil),
    Row(bound: "0.0.0.0", method: .get, host: "anything.example", code: nil),
    Row(bound: "0.0.0.0", method: .post, host: "anything.example", code: "foreign_host"),
    Row(bound: "0.0.0.0", method: .post, host: "192.0.2.7:8080", code: nil),
    Row(bound: "192.0.2.7", method: .post, host: "192.0.2.7:8080", code: nil),
    Row(bound: "192.0.2.7", method: .post, host: "192.0.2.8:8080", code: "foreign_host"),
    Row(bound: "192.0.2.7", method: .post, host: "localhost", code: "foreign_host"),
    Row(bound: "127.0.0.1", method: .post, host: "localhost:8080", origin: "http://localhost:8080", code: nil),
    Row(bound: "127.0.0.1", method: .post, host: "node.example", origin: "https://node.example", code: nil),
    Row(
      bound: "127.0.0.1", method: .post, host: "localhost:8080", origin: "http://localhost:3000",
      code: "foreign_origin"),
    Row(
      bound: "127.0.0.1", method: .post, host: "localhost:8080", origin: "http://evil.example", code: "foreign_origin"),
    Row(bound: "127.0.0.1", method: .post, host: "localhost:8080", origin: "null", code: "foreign_origin"),
    Row(bound: "127.0.0.1", method: .post, host: "localhost", origin: "file://localhost", code: "foreign_origin"),
    Row(bound: "127.0.0.1", method: .post, host: "localhost", origin: "", code: "foreign_origin"),
    Row(bound: "127.0.0.1", method: .get, host: "", code: "bad_request"),
    Row(bound: "127.0.0.1", method: .get, host: "user@localhost", code: "bad_request"),
  ]

  @Test(arguments: rows)
  func checks(_ row: Row) {
    let browserGuard = BrowserGuard(GatewayConfiguration(host: row.bound, hostNames: ["Node.example"]))
    var head = HTTPRequest(method: row.method, scheme: "http", authority: row.host, path: "/")
    if let origin = row.origin { head.headerFields[.origin] = origin }
    var code: String?
    do { try browserGuard.check(head) } catch { code = error.code }
    #expect(code == row.code)
  }

  static let messages: [(message: String, isPublic: Bool)] = [
    ("pkg:cargo/itoa@9.9.9 is not in the source; check the version.", true), ("either/or", true), ("", true),
    ("Cannot open /var/lib/node/cache", false), ("(/etc/passwd)", false), ("“/root”", false), ("path=/x", false),
    ("~/x", false), ("/x", false), ("https://mirror.example/x", false), ("two\nlines", false),
    (String(repeating: "x", count: 1_001), false),
  ]

  @Test(arguments: messages)
  func keepsHostPathsBack(_ row: (message: String, isPublic: Bool)) {
    #expect(APIError.isPublic(row.message) == row.isPublic)
  }
}
