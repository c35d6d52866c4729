import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import SyncGateway

/// What is refused, with which status and code; every refusal has the one shape.
struct RefusalTests {
  struct Row: Sendable {
    let name: String, method: String, target: String
    var fields: [String] = []
    var body = ""
    var host: String?
    let status: Int, code: String
  }

  static let json = ["Content-Type: application/json"]
  static let octets = ["Content-Type: application/octet-stream"]
  static let zeros = String(repeating: "0", count: 64)

  static let addresses: [Row] = [
    Row(name: "root", method: "GET", target: "/", status: 404, code: "not_found"),
    Row(name: "unknown", method: "GET", target: "/v1/nothing", status: 404, code: "not_found"),
    Row(name: "unknown member", method: "GET", target: "/v1/nothing/x", status: 404, code: "not_found"),
    Row(name: "slash behind", method: "GET", target: "/v1/status/", status: 404, code: "not_found"),
    Row(name: "double slash", method: "GET", target: "//v1/status", status: 404, code: "not_found"),
    Row(name: "case", method: "GET", target: "/V1/status", status: 404, code: "not_found"),
    Row(name: "percent-encoding", method: "GET", target: "/v1/%73tatus", status: 404, code: "not_found"),
    Row(name: "dots", method: "GET", target: "/v1/../v1/status", status: 404, code: "not_found"),
    Row(name: "dots to a file", method: "GET", target: "/v1/artifacts/../../etc", status: 404, code: "not_found"),
    Row(name: "encoded dots", method: "GET", target: "/v1/artifacts/%2e%2e", status: 400, code: "bad_request"),
    Row(name: "asterisk", method: "OPTIONS", target: "*", status: 400, code: "bad_request"),
    Row(name: "short job", method: "GET", target: "/v1/jobs/ab", status: 400, code: "bad_request"),
    Row(name: "empty job", method: "GET", target: "/v1/jobs/", status: 400, code: "bad_request"),
    Row(
      name: "upper-case job", method: "GET", target: "/v1/jobs/A" + zeros.dropFirst(), status: 400,
      code: "bad_request"),
    Row(name: "unknown job", method: "GET", target: "/v1/jobs/" + zeros, status: 404, code: "not_found"),
    Row(name: "proof of a file", method: "GET", target: "/v1/proofs/\(zeros).txt", status: 400, code: "bad_request"),
    Row(
      name: "two suffixes", method: "GET", target: "/v1/proofs/\(zeros).tlog-proof.tlog-proof",
      status: 400, code: "bad_request"),
    Row(name: "unknown epoch", method: "GET", target: "/v1/handovers/7", status: 404, code: "not_found"),
    Row(name: "epoch with zero", method: "GET", target: "/v1/handovers/00", status: 400, code: "bad_request"),
    Row(name: "epoch signed", method: "GET", target: "/v1/handovers/+0", status: 400, code: "bad_request"),
    Row(
      name: "epoch too large", method: "GET", target: "/v1/handovers/18446744073709551616", status: 400,
      code: "bad_request"),
    Row(name: "unknown proposal", method: "GET", target: "/v1/proposals/" + zeros, status: 404, code: "not_found"),
    Row(
      name: "hand-over as JSON", method: "POST", target: "/v1/handovers", fields: json, body: "{}", status: 415,
      code: "unsupported_media_type"),
    Row(
      name: "hand-over of a form", method: "POST", target: "/v1/handovers", fields: ["Content-Type: text/plain"],
      body: "x", status: 415, code: "unsupported_media_type"),
    Row(
      name: "no entry", method: "POST", target: "/v1/handovers", fields: octets, body: "x", status: 400,
      code: "bad_request"),
    Row(
      name: "large entry", method: "POST", target: "/v1/handovers", fields: octets,
      body: String(repeating: "x", count: 72 * 1024 + 1), status: 413, code: "too_large"),
    Row(name: "unknown artifact", method: "GET", target: "/v1/artifacts/" + zeros, status: 404, code: "not_found"),
    Row(name: "query where none is", method: "GET", target: "/v1/status?x=1", status: 400, code: "bad_request"),
    Row(name: "bare question mark", method: "GET", target: "/checkpoint?", status: 400, code: "bad_request"),
    Row(name: "empty query", method: "GET", target: "/v1/jobs?", status: 400, code: "bad_request"),
    Row(name: "unknown query", method: "GET", target: "/v1/jobs?after=1", status: 400, code: "bad_request"),
    Row(name: "limit 0", method: "GET", target: "/v1/jobs?limit=0", status: 400, code: "bad_request"),
    Row(name: "limit 1001", method: "GET", target: "/v1/jobs?limit=1001", status: 400, code: "bad_request"),
    Row(name: "limit with zero", method: "GET", target: "/v1/jobs?limit=07", status: 400, code: "bad_request"),
    Row(name: "limit signed", method: "GET", target: "/v1/jobs?limit=+7", status: 400, code: "bad_request"),
    Row(name: "limit empty", method: "GET", target: "/v1/jobs?limit=", status: 400, code: "bad_request"),
    Row(name: "limit twice", method: "GET", target: "/v1/jobs?limit=1&limit=2", status: 400, code: "bad_request"),
    Row(name: "before is no job", method: "GET", target: "/v1/jobs?before=1", status: 400, code: "bad_request"),
    Row(name: "before is unknown", method: "GET", target: "/v1/jobs?before=" + zeros, status: 404, code: "not_found"),
    Row(name: "delete", method: "DELETE", target: "/v1/jobs", status: 405, code: "method_not_allowed"),
    Row(name: "post to status", method: "POST", target: "/v1/status", status: 405, code: "method_not_allowed"),
    Row(name: "preflight", method: "OPTIONS", target: "/v1/jobs", status: 405, code: "method_not_allowed"),
    Row(name: "put a tile", method: "PUT", target: "/tile/0/000", status: 405, code: "method_not_allowed"),
    Row(
      name: "foreign host", method: "GET", target: "/v1/status", host: "rebound.example",
      status: 403, code: "foreign_host"),
    Row(
      name: "malformed host", method: "GET", target: "/v1/status", host: "a b", status: 400, code: "bad_request"),
    Row(
      name: "two hosts", method: "GET", target: "/v1/status", fields: ["Host: localhost"],
      status: 400, code: "bad_request"),
  ]

  static let submissions: [Row] = [
    submission("no type", fields: [], #"{"package":"pkg:cargo/a@1"}"#, 415, "unsupported_media_type"),
    submission("form", fields: ["Content-Type: text/plain"], "{}", 415, "unsupported_media_type"),
    submission("type like JSON", fields: ["Content-Type: application/jsonx"], "{}", 415, "unsupported_media_type"),
    submission(
      "foreign charset", fields: ["Content-Type: application/json; charset=utf-16"], "{}", 415,
      "unsupported_media_type"),
    submission("two types", fields: json + ["Content-Type: text/plain"], "{}", 415, "unsupported_media_type"),
    submission("foreign origin", fields: json + ["Origin: http://evil.example"], "{}", 403, "foreign_origin"),
    submission("null origin", fields: json + ["Origin: null"], "{}", 403, "foreign_origin"),
    submission("empty", ""), submission("not JSON", "package"), submission("truncated", #"{"package":"pkg:a""#),
    submission("two values", #"{"package":"pkg:cargo/a@1"}{}"#), submission("list", "[]"), submission("number", "1"),
    submission("null", "null"), submission("no package", "{}"), submission("null package", #"{"package":null}"#),
    submission("package is a number", #"{"package":1}"#), submission("empty package", #"{"package":""}"#),
    submission("no package URL", #"{"package":"itoa"}"#), submission("space", #"{"package":"pkg:cargo/a b"}"#),
    submission("line feed", #"{"package":"pkg:cargo/a\n"}"#), submission("not ASCII", #"{"package":"pkg:cargo/ä"}"#),
    submission("long package", #"{"package":"pkg:\#(String(repeating: "a", count: 509))"}"#),
    submission("unknown field", #"{"package":"pkg:cargo/a@1","toolchain":"x"}"#),
    submission("misspelt field", #"{"package":"pkg:cargo/a@1","Features":[]}"#),
    submission("features is a string", #"{"package":"pkg:cargo/a@1","features":"std"}"#),
    submission("feature is a number", #"{"package":"pkg:cargo/a@1","features":[1]}"#),
    submission("profile is a list", #"{"package":"pkg:cargo/a@1","profile":["dev"]}"#),
    submission("profile is empty", #"{"package":"pkg:cargo/a@1","profile":""}"#),
    submission("target with a space", #"{"package":"pkg:cargo/a@1","target":"x86 64"}"#),
    submission("defaultFeatures is a string", #"{"package":"pkg:cargo/a@1","defaultFeatures":"no"}"#),
    submission("programs is a string", #"{"package":"pkg:cargo/a@1","programs":"a"}"#),
    submission("empty program", #"{"package":"pkg:cargo/a@1","programs":[""]}"#),
    submission("library is a number", #"{"package":"pkg:cargo/a@1","library":1}"#),
    submission("toolchain is no digest", #"{"package":"pkg:cargo/a@1","toolchain":"rust"}"#),
    submission("bin, as the command line spells it", #"{"package":"pkg:cargo/a@1","bin":["a"]}"#),
    submission("empty feature", #"{"package":"pkg:cargo/a@1","features":[""]}"#),
    submission(
      "257 features",
      #"{"package":"pkg:cargo/a@1","features":["a"\#(String(repeating: #","a""#, count: 256))]}"#),
    submission("negative rebuild", #"{"package":"pkg:cargo/a@1","rebuild":-1}"#),
    submission("broken rebuild", #"{"package":"pkg:cargo/a@1","rebuild":1.5}"#),
    submission("rebuild beyond 64 bits", #"{"package":"pkg:cargo/a@1","rebuild":18446744073709551616}"#),
    submission("rebuild is a string", #"{"package":"pkg:cargo/a@1","rebuild":"1"}"#),
    submission("normalise is a string", #"{"package":"pkg:cargo/a@1","normalise":"clock"}"#),
    submission("unknown normalisation", #"{"package":"pkg:cargo/a@1","normalise":["clock","weather"]}"#),
    submission("two names in one", #"{"package":"pkg:cargo/a@1","normalise":["clock random"]}"#),
    submission(
      "257 normalisations",
      #"{"package":"pkg:cargo/a@1","normalise":["clock"\#(String(repeating: #","clock""#, count: 256))]}"#),
    submission("priority above", #"{"package":"pkg:cargo/a@1","priority":101}"#),
    submission("priority below", #"{"package":"pkg:cargo/a@1","priority":-101}"#),
    submission("broken priority", #"{"package":"pkg:cargo/a@1","priority":0.5}"#),
    submission("zero byte", "{\u{0}\"package\":\"pkg:cargo/a@1\"}"),
    submission("deep", String(repeating: "[", count: 60_000)),
    submission("query", target: "/v1/jobs?limit=1", #"{"package":"pkg:cargo/a@1"}"#, 400, "bad_request"),
    submission("too large", "{\"package\":\"pkg:\(String(repeating: "a", count: 65_536))\"}", 413, "too_large"),
  ]

  static func submission(
    _ name: String, target: String = "/v1/jobs", fields: [String] = json, _ body: String, _ status: Int = 400,
    _ code: String = "bad_request"
  ) -> Row {
    Row(name: name, method: "POST", target: target, fields: fields, body: body, status: status, code: code)
  }

  private struct Body: Decodable {
    struct Detail: Decodable { let code: String, message: String }
    let error: Detail
  }

  /// One gateway for all rows: after each refusal it must still answer the next request.
  @Test func everyRefusalHasItsStatusAndSentence() async throws {
    var view = NodeDouble()
    view.onSubmit = { _ throws(PluginError) in throw PluginError(.io, "a refused submission reached the node") }
    try await withGateway(view) { port in
      for row in Self.addresses + Self.submissions {
        let reply = try await request(
          port, row.method, row.target, fields: row.fields, body: Array(row.body.utf8), host: row.host)
        #expect(reply.status == row.status, "\(row.name): \(reply.text)")
        #expect(reply["content-type"] == "application/json; charset=utf-8", "\(row.name)")
        #expect(reply["cache-control"] == "no-store", "\(row.name)")
        #expect(reply["x-content-type-options"] == "nosniff", "\(row.name)")
        let body = try JSONDecoder().decode(Body.self, from: Data(reply.body))
        #expect(body.error.code == row.code, "\(row.name)")
        #expect(body.error.message.last == "." && body.error.message.count > 20, "\(row.name)")
        if row.status == 405 { #expect(reply["allow"]?.hasPrefix("GET, HEAD") == true, "\(row.name)") }
      }
    }
  }

  static let troubles: [(error: PluginError, status: Int, text: String)] = [
    (PluginError(.invalid, "The feature std does not exist; leave it out."), 400, "The feature std does not exist"),
    (PluginError(.invalid, "Cannot read /srv/secret"), 400, "The node refuses this request"),
    (PluginError(.notFound, "itoa has no version 9; choose another."), 404, "itoa has no version 9"),
    (PluginError(.notFound, "Cannot open /srv/secret/x"), 404, "The node's source does not have this"),
    (PluginError(.unavailable, "secret"), 503, "The node cannot do this now"),
    (PluginError(.io, "secret"), 503, "The node cannot do this now"),
    (PluginError(.checksumMismatch, "secret"), 503, "The node cannot do this now"),
    (PluginError(.cancelled, "secret"), 503, "The node cannot do this now"),
    (PluginError(.yanked, "util 1.3.0 was withdrawn; ask for another."), 400, "util 1.3.0 was withdrawn"),
    (PluginError(.compilerTooOld, "See /srv/secret"), 400, "The package cannot be prepared"),
    (PluginError(.unreachable, "secret"), 503, "The node cannot do this now"),
    (PluginError(PluginError.Code(rawValue: 99), "secret"), 503, "The node cannot do this now"),
  ]

  @Test(arguments: troubles)
  func theNodesTroublesStayWithTheNode(_ row: (error: PluginError, status: Int, text: String)) async throws {
    try await withGateway(NodeDouble(trouble: row.error)) { port in
      let replies = [
        try await post(port, #"{"package":"pkg:cargo/a@1"}"#), try await get(port, "/tile/0/000"),
        try await get(port, "/tile/entries/000"), try await get(port, "/v1/proofs/\(NodeDouble.id(1).hex)"),
      ]
      for reply in replies {
        #expect(reply.status == row.status)
        #expect(reply.text.contains(row.text))
        #expect(!reply.text.contains("secret"))
        #expect((reply["retry-after"] == "1") == (row.status == 503))
      }
    }
  }

  @Test func aLogWithoutCheckpointHasNone() async throws {
    let reply = try await withGateway(NodeDouble(hasCheckpoint: false)) { try await get($0, "/checkpoint") }
    #expect(reply.status == 404)
  }
}
