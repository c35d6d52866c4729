import Foundation
import SyncProof
import SyncRuntime
import Synchronization
import Testing

@testable import SyncGateway

/// Every path of docs/HTTP.md, over a real socket.
struct EndpointTests {
  static let immutable = "public, max-age=31536000, immutable"

  @Test func checkpointIsTheNoteAndShortLived() async throws {
    let view = NodeDouble()
    let reply = try await withGateway(view) { try await get($0, "/checkpoint") }
    #expect(reply.status == 200)
    #expect(reply.body == (await view.checkpoint()))
    #expect(reply["content-type"] == "text/plain; charset=utf-8")
    #expect(reply["cache-control"] == "public, max-age=1")
    #expect(reply["x-content-type-options"] == "nosniff")
    #expect(reply["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox")
    #expect(reply["referrer-policy"] == "no-referrer")
    #expect(reply["cross-origin-resource-policy"] == "same-origin")
    #expect(reply["server"] == nil)
  }

  /// What C2SP tlog-tiles lists for a tree of 70,000, and what lies just outside.
  static let tiles: [(path: String, bytes: Int?)] = [
    ("/tile/0/000", 8_192), ("/tile/0/272", 8_192), ("/tile/0/273.p/112", 3_584), ("/tile/1/000", 8_192),
    ("/tile/1/001.p/17", 544), ("/tile/2/000.p/1", 32), ("/tile/0/273", nil), ("/tile/0/273.p/113", nil),
    ("/tile/1/001", nil), ("/tile/1/001.p/18", nil), ("/tile/2/000", nil), ("/tile/2/000.p/2", nil),
    ("/tile/3/000.p/1", nil), ("/tile/5/000", nil), ("/tile/0/x018/x446/744", nil), ("/tile/63/000", nil),
    ("/tile/entries/273", nil), ("/tile/entries/273.p/113", nil), ("/tile/0/0", nil), ("/tile/", nil), ("/tile", nil),
  ]

  @Test func servesTheTilesOfThePublishedTreeOnly() async throws {
    try await withGateway(NodeDouble(tree: .ofSpecification)) { port in
      for row in Self.tiles {
        let reply = try await get(port, row.path)
        #expect(reply.status == (row.bytes == nil ? 404 : 200), "\(row.path)")
        guard let bytes = row.bytes else {
          #expect(reply["cache-control"] == "no-store", "\(row.path)")
          continue
        }
        #expect(reply.body.count == bytes, "\(row.path)")
        #expect(reply["content-type"] == "application/octet-stream")
        #expect(reply["cache-control"] == Self.immutable)
      }
    }
  }

  @Test func tilesLeadToTheRootAndBundlesToTheTiles() async throws {
    let tree = Tree.ofSpecification
    try await withGateway(NodeDouble(tree: tree)) { port in
      let rightmost = try await ["/tile/2/000.p/1", "/tile/1/001.p/17", "/tile/0/273.p/112"].asyncMap {
        try await get(port, $0).body
      }
      let root = Self.root(rightmost)
      #expect(root == tree.root(0, 70_000))
      for tile in rightmost.indices {
        var flipped = rightmost
        flipped[tile][0] ^= 1
        #expect(Self.root(flipped) != root)
      }
      var bundle = try await get(port, "/tile/entries/273.p/112").body[...]
      var hashes: [UInt8] = []
      while bundle.count >= 2 {
        let count = Int(bundle.removeFirst()) << 8 | Int(bundle.removeFirst())
        hashes += SHA256.hash([0] + bundle.prefix(count)).bytes
        bundle = bundle.dropFirst(count)
      }
      #expect(bundle.isEmpty)
      #expect(hashes == rightmost[2])
    }
  }

  /// The root from the rightmost tiles, highest level first: the complete subtrees from left to right, folded from the
  /// right.
  private static func root(_ tiles: [[UInt8]]) -> Digest? {
    var subtrees: [Digest] = []
    for tile in tiles {
      var hashes = Self.hashes(tile)[...]
      while !hashes.isEmpty {
        let part = Array(hashes.prefix(1 << (Int.bitWidth - 1 - hashes.count.leadingZeroBitCount)))
        hashes = hashes.dropFirst(part.count)
        subtrees.append(Self.fold(part))
      }
    }
    return subtrees.popLast().map { last in subtrees.reversed().reduce(last) { Tree.node($1, $0) } }
  }

  private static func hashes(_ tile: [UInt8]) -> [Digest] {
    stride(from: 0, to: tile.count, by: 32).compactMap { Digest(bytes: tile[$0..<$0 + 32]) }
  }

  /// The root of a power of two of neighbours.
  private static func fold(_ hashes: [Digest]) -> Digest {
    var hashes = hashes
    while hashes.count > 1 {
      hashes = stride(from: 0, to: hashes.count, by: 2).map { Tree.node(hashes[$0], hashes[$0 + 1]) }
    }
    return hashes[0]
  }

  /// A client that trusts the checkpoint alone proves the last entry from three tiles and a bundle.
  @Test func aClientProvesAnEntryFromTiles() async throws {
    let tree = Tree.ofSpecification
    var frontier = MerkleFrontier()
    for hash in tree.levels[0] { frontier.append(leafHash: hash) }
    let root = frontier.root
    #expect(root == tree.root(0, 70_000))
    try await withGateway(NodeDouble(tree: tree)) { port in
      let tiles = try await ["/tile/0/273.p/112", "/tile/1/001.p/17", "/tile/2/000.p/1"].asyncMap {
        Self.hashes(try await get(port, $0).body)
      }
      let starts: [UInt64] = [273 * 256, 256, 0]
      let path = MerkleProver.inclusionPath(index: 69_999, treeSize: 70_000) { level, index in
        let tile = level / 8
        let first = Int(index << UInt64(level % 8) - starts[tile])
        return Self.fold(Array(tiles[tile][first..<first + 1 << (level % 8)]))
      }
      let bundle = try await get(port, "/tile/entries/273.p/112").body
      let leaf = Array(bundle.suffix(tree.leaves[69_999].count))
      let hash = Merkle.leafHash(leaf)
      try Merkle.verifyInclusion(leafHash: hash, index: 69_999, treeSize: 70_000, path: path, root: root)
      #expect(throws: ProofError.self) {
        try Merkle.verifyInclusion(leafHash: hash, index: 69_998, treeSize: 70_000, path: path, root: root)
      }
    }
  }

  @Test func submitHandsTheRequestToTheNode() async throws {
    let seen = Recorder()
    var view = NodeDouble()
    view.onSubmit = { request in
      seen.append(request)
      return NodeDouble.id(9)
    }
    try await withGateway(view) { port in
      let reply = try await post(
        port,
        #"{"package":"pkg:cargo/itoa@1.0.1","features":["std"],"normalise":["random","clock"],"rebuild":2,"#
          + #""priority":-100}"#)
      #expect(reply.status == 202)
      #expect(reply.text == "{\"id\":\"\(NodeDouble.id(9).hex)\"}\n")
      #expect(reply["location"] == "/v1/jobs/\(NodeDouble.id(9).hex)")
      #expect(reply["cache-control"] == "no-store")
      let plain = try await request(
        port, "POST", "/v1/jobs",
        fields: ["Content-Type: Application/JSON; charset=UTF-8", "Origin: http://localhost"],
        body: Array(#"{"package":"pkg:cargo/itoa@1.0.1"}"#.utf8), host: "localhost")
      #expect(plain.status == 202)
    }
    #expect(
      seen.requests == [
        SubmitRequest(
          package: "pkg:cargo/itoa@1.0.1", features: ["std"], rebuild: 2, normalise: ["random", "clock"],
          priority: -100),
        SubmitRequest(package: "pkg:cargo/itoa@1.0.1"),
      ])
  }

  @Test func jobsArePagedFromTheNewest() async throws {
    struct Page: Decodable { let jobs: [JobStatus], next: String? }
    let view = NodeDouble()
    try await withGateway(view) { port in
      var seen: [JobStatus] = []
      var target = "/v1/jobs"
      var pages = 0
      while pages < 10 {
        let reply = try await get(port, target)
        #expect(reply.status == 200)
        let page = try JSONDecoder().decode(Page.self, from: Data(reply.body))
        seen += page.jobs
        pages += 1
        guard let next = page.next else { break }
        target = "/v1/jobs?limit=50&before=\(next)"
      }
      #expect(pages == 3)
      #expect(seen == view.list)
      let one = try await get(port, "/v1/jobs?limit=1")
      #expect(one.text.hasPrefix(#"{"jobs":[{"artifacts":[],"builders":[{"builder":"alpha","step":"waiting"}],"id":"#))
    }
  }

  @Test func oneJobAndItsProof() async throws {
    try await withGateway { port in
      let (done, open, unknown) = (NodeDouble.id(5).hex, NodeDouble.id(115).hex, NodeDouble.id(200).hex)
      let job = try await get(port, "/v1/jobs/\(done)")
      #expect(try JSONDecoder().decode(JobStatus.self, from: Data(job.body)) == NodeDouble.job(5))
      #expect(try await get(port, "/v1/jobs/\(unknown)").status == 404)
      for target in ["/v1/proofs/\(done)", "/v1/proofs/\(done).tlog-proof"] {
        let proof = try await get(port, target)
        #expect(proof.status == 200)
        #expect(proof.text == "c2sp.org/tlog-proof@v1\n")
        #expect(proof["content-type"] == "text/plain; charset=utf-8")
        #expect(proof["cache-control"] == "no-cache")
        #expect(proof["content-disposition"] == "attachment; filename=\"\(done).tlog-proof\"")
      }
      let early = try await get(port, "/v1/proofs/\(open)")
      #expect(early.status == 404)
      #expect(early.text.contains(#""code":"not_yet""#))
      let missing = try await get(port, "/v1/proofs/\(unknown)")
      #expect(missing.status == 404)
      #expect(missing.text.contains(#""code":"not_found""#))
    }
  }

  @Test func artifactsAreStreamedWholeAndInParts() async throws {
    let folder = try TemporaryFolder()
    let bytes = (0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let digest = SHA256.hash(bytes)
    let (link, empty) = (NodeDouble.id(1), NodeDouble.id(2))
    var view = NodeDouble()
    view.artifacts = [
      digest: try folder.write(bytes, "artifact"), empty: try folder.write([], "empty"), link: folder.path + "/link",
      NodeDouble.id(3): folder.path, NodeDouble.id(4): folder.path + "/gone",
    ]
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: "artifact")
    try await withGateway(view) { port in
      let target = "/v1/artifacts/\(digest.hex)"
      let tag = "\"\(digest.hex)\""
      let whole = try await get(port, target)
      #expect(whole.status == 200)
      #expect(whole.body == bytes)
      #expect(whole["content-length"] == "1000003")
      #expect(whole["etag"] == tag)
      #expect(whole["cache-control"] == Self.immutable)
      #expect(whole["content-disposition"] == "attachment; filename=\"\(digest.hex)\"")
      let part = try await get(port, target, "Range: bytes=200000-799999", "If-Range: \(tag)")
      #expect(part.status == 206)
      #expect(part.body == Array(bytes[200_000..<800_000]))
      #expect(part["content-range"] == "bytes 200000-799999/1000003")
      #expect(try await get(port, target, "Range: bytes=0-9", "If-Range: \"other\"").status == 200)
      let outside = try await get(port, target, "Range: bytes=1000003-")
      #expect(outside.status == 416)
      #expect(outside["content-range"] == "bytes */1000003")
      for match in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
        let reply = try await get(port, target, "If-None-Match: \(match)")
        #expect(reply.status == 304, "\(match)")
        #expect(reply["etag"] == tag)
      }
      #expect(try await get(port, target, "If-None-Match: \"x\"").status == 200)
      let none = try await get(port, "/v1/artifacts/\(empty.hex)")
      #expect(none.status == 200)
      #expect(none["content-length"] == "0")
      for absent in [link, NodeDouble.id(3), NodeDouble.id(4), NodeDouble.id(5)] {
        let reply = try await get(port, "/v1/artifacts/\(absent.hex)")
        #expect(reply.status == 404)
        #expect(!reply.text.contains(folder.path))
      }
    }
  }

  @Test func headSaysWhatGetWould() async throws {
    let folder = try TemporaryFolder()
    var view = NodeDouble()
    view.artifacts[NodeDouble.id(1)] = try folder.write([1, 2, 3], "artifact")
    try await withGateway(view) { port in
      let id = NodeDouble.id(1).hex
      let targets = [
        "/checkpoint", "/tile/0/000", "/tile/entries/001.p/44", "/v1/jobs", "/v1/jobs/\(id)", "/v1/proofs/\(id)",
        "/v1/artifacts/\(id)", "/v1/status", "/v1/misbehaviours", "/v1/handovers",
        "/v1/handovers/0", "/v1/handovers/7", "/v1/proposals/\(NodeDouble.id(9).hex)", "/livez", "/readyz", "/nothing",
      ]
      for target in targets {
        let got = try await get(port, target)
        let head = try await request(port, "HEAD", target)
        #expect(head.body.isEmpty, "\(target)")
        #expect(head.status == got.status, "\(target)")
        #expect(head["content-length"] == String(got.body.count), "\(target)")
        #expect(head["content-type"] == got["content-type"], "\(target)")
      }
    }
  }

  @Test func statusAndProbes() async throws {
    try await withGateway { port in
      let status = try await get(port, "/v1/status")
      let view = NodeDouble()
      #expect(try JSONDecoder().decode(NodeStatus.self, from: Data(status.body)) == (await view.status()))
      #expect(status.text.hasPrefix(#"{"checkpointSize":300,"connectedPeers":["beta","gamma"],"epoch":1,"#))
      // As a node of before tells it.
      let before = status.text.replacing(#","viewsGivenUp":2"#, with: "")
      #expect(before != status.text)
      #expect(try JSONDecoder().decode(NodeStatus.self, from: Data(before.utf8)).viewsGivenUp == nil)
      #expect(
        try await get(port, "/v1/misbehaviours").text
          == #"{"misbehaviours":[{"kind":"votes","member":"beta","place":"view 7 of epoch 1","proof":"text\n"}]}"#
          + "\n")
      #expect(try await get(port, "/livez").text == "{\"live\":true}\n")
      #expect(try await get(port, "/readyz").text == "{\"ready\":true,\"reasons\":[]}\n")
    }
    let reply = try await withGateway(NodeDouble(peers: ["beta"])) { try await get($0, "/readyz") }
    #expect(reply.status == 503)
    let reason = "Connected to 1 other replicas, but a quorum of 3 needs 2"
    #expect(reply.text.hasPrefix(#"{"ready":false,"reasons":["\#(reason)"#))
  }

  @Test func handovers() async throws {
    let bytes = ["Content-Type: application/octet-stream"]
    try await withGateway { port in
      let list = #"{"approvalsWanted":3,"epoch":1,"phase":"open","proposals":[{"approvals":["alpha"],"id":"#
      #expect(try await get(port, "/v1/handovers").text.hasPrefix(list))
      let proof = try await get(port, "/v1/handovers/0")
      #expect(proof.text == "a hand-over\n" && proof["cache-control"] == "public, max-age=31536000, immutable")
      #expect(try await get(port, "/v1/proposals/\(NodeDouble.id(9).hex)").text == "a group\n")
      let taken = try await request(port, "POST", "/v1/handovers", fields: bytes, body: [1, 6])
      #expect(taken.status == 202 && taken.text.hasPrefix(list))
    }
  }

  @Test func keepAliveAndPipelining() async throws {
    try await withGateway { port in
      let statuses = try await blocking {
        let client = try HTTPClient(port: port)
        let one = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let first = [client.send(one), client.send(one + one)]
        var bytes: [UInt8] = []
        while String(decoding: bytes, as: UTF8.self).components(separatedBy: "{\"live\":true}").count < 4 {
          guard let more = client.receive(), !more.isEmpty else { break }
          bytes += more
        }
        return (first, String(decoding: bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 200 OK").count - 1)
      }
      #expect(statuses.0 == [true, true])
      #expect(statuses.1 == 3)
    }
  }
}

final class Recorder: Sendable {
  private let state = Mutex<[SubmitRequest]>([])
  func append(_ request: SubmitRequest) { state.withLock { $0.append(request) } }
  var requests: [SubmitRequest] { state.withLock { $0 } }
}

extension Sequence {
  func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var out: [T] = []
    for element in self { out.append(try await transform(element)) }
    return out
  }
}
