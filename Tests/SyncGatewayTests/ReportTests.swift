import Foundation
import SyncRuntime
import Testing

@testable import SyncGateway

/// Reports on divergences and transcripts: bytes that builds made, served so that they can do nothing.
struct ReportTests {
  private static let hostile = [UInt8]("<script>alert(1)</script>\u{1B}]0;title\u{7}\u{202E}\r\n".utf8) + [0xFF]
  private static let harmless = "<script>alert(1)</script>^[]0;title^G<U+202E>^M\n\u{FFFD}"

  private func view(_ folder: TemporaryFolder) throws -> NodeDouble {
    var view = NodeDouble()
    view.reports = [
      .summary: try folder.write([UInt8]("{\"version\":1}\n".utf8), "summary.json"),
      .text: try folder.write(Self.hostile, "diffoscope.txt"), .html: try folder.write(Self.hostile, "diffoscope.html"),
    ]
    // Longer than one chunk, with a character across its end.
    let long = [UInt8](repeating: 0x41, count: GatewayLimits.chunkBytes - 1) + [UInt8]("ü\u{9B}".utf8)
    view.transcripts = [1: try folder.write(Self.hostile, "1.txt"), 2: try folder.write(long, "2.txt")]
    return view
  }

  @Test func reportsAreServedSoThatTheyCanDoNothing() async throws {
    let folder = try TemporaryFolder()
    try await withGateway(try view(folder)) { port in
      let base = "/v1/jobs/\(NodeDouble.id(5).hex)/divergence"
      let summary = try await get(port, base)
      #expect(summary.status == 200 && summary.text == "{\"version\":1}\n")
      #expect(summary["content-type"] == "application/json; charset=utf-8")
      #expect(summary["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox")
      let text = try await get(port, base + ".txt")
      #expect(text.status == 200 && text.text == Self.harmless)
      #expect(text["content-type"] == "text/plain; charset=utf-8")
      let page = try await get(port, base + ".html")
      #expect(page.status == 200 && page.body == Self.hostile)
      #expect(page["content-type"] == "text/html; charset=utf-8")
      let policy = try #require(page["content-security-policy"])
      #expect(policy.hasPrefix("default-src 'none'; ") && policy.hasSuffix("; sandbox"))
      #expect(!policy.contains("script") && !policy.contains("allow-"))
      for reply in [summary, text, page] {
        #expect(reply["x-content-type-options"] == "nosniff")
        #expect(reply["cache-control"] == "no-store")
      }
    }
  }

  @Test func transcriptsAreTextOfOneAttempt() async throws {
    let folder = try TemporaryFolder()
    try await withGateway(try view(folder)) { port in
      let base = "/v1/jobs/\(NodeDouble.id(5).hex)/transcript"
      let newest = try await get(port, base)
      #expect(newest.status == 200 && newest.text.hasSuffix("AAAü<U+009B>"))
      #expect(newest.text.utf8.count == GatewayLimits.chunkBytes - 1 + 2 + 8)
      #expect(newest["content-type"] == "text/plain; charset=utf-8")
      #expect(newest["x-content-type-options"] == "nosniff")
      #expect(try await get(port, base + "/1").text == Self.harmless)
      #expect(try await get(port, base + "/2").body == newest.body)
    }
  }

  @Test func whatIsNotThereHasASentence() async throws {
    let folder = try TemporaryFolder()
    let (job, other, unknown) = (NodeDouble.id(5).hex, NodeDouble.id(6).hex, NodeDouble.id(200).hex)
    try await withGateway(try view(folder)) { port in
      for (path, status, words) in [
        ("/v1/jobs/\(other)/divergence", 404, "no such report"), ("/v1/jobs/\(other)/transcript", 404, "attempts"),
        ("/v1/jobs/\(job)/transcript/3", 404, "no such transcript"),
        ("/v1/jobs/\(unknown)/transcript", 404, "no such job"),
        ("/v1/jobs/\(unknown)/divergence.txt", 404, "no such job"), ("/v1/jobs/\(job)/transcript/0", 400, "from 1 on"),
        ("/v1/jobs/\(job)/transcript/01", 400, "from 1 on"), ("/v1/jobs/\(job)/transcript/x", 400, "from 1 on"),
        ("/v1/jobs/\(job)/transcript/", 400, "from 1 on"), ("/v1/jobs/\(job)/divergence.xml", 404, "Nothing is served"),
        ("/v1/jobs/\(job)/divergence/1", 404, "Nothing is served"), ("/v1/jobs/x/divergence", 400, "64"),
        ("/v1/jobs/\(job)/transcript?attempt=1", 400, "no query"),
      ] as [(String, Int, String)] {
        let reply = try await get(port, path)
        #expect(reply.status == status && reply.text.contains(words), "\(path): \(reply.status) \(reply.text)")
        #expect(!reply.text.contains(folder.path))
      }
    }
  }
}
