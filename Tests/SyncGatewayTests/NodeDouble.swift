import Foundation
import Logging
import Synchronization
import SyncProof
import SyncRuntime

@testable import SyncGateway

/// A tree built from RFC 6962's definition, leaf by leaf.
struct Tree: Sendable {
  let leaves: [[UInt8]]
  /// `levels[k][i]` is the hash of the i-th complete subtree of 2ᵏ leaves.
  let levels: [[Digest]]

  /// The example of C2SP tlog-tiles, “Partial Tiles”: 273 full tiles and one of 112 at level 0, and so on.
  static let ofSpecification = Tree(size: 70_000)

  init(size: Int) {
    leaves = (0..<size).map { Array("leaf \($0)\n".utf8) }
    var levels = [leaves.map { SHA256.hash([0] + $0) }]
    while let below = levels.last, below.count >= 2 {
      levels.append((0..<below.count / 2).map { Tree.node(below[2 * $0], below[2 * $0 + 1]) })
    }
    self.levels = levels
  }

  static func node(_ left: Digest, _ right: Digest) -> Digest { SHA256.hash([1] + left.bytes + right.bytes) }

  /// MTH(D[from..<to]), by the recursive definition.
  func root(_ from: Int, _ to: Int) -> Digest {
    let count = to - from
    if count == 1 { return levels[0][from] }
    var split = 1
    while split * 2 < count { split *= 2 }
    return Tree.node(root(from, from + split), root(from + split, to))
  }

  func tile(level: Int, index: UInt64, width: Int) -> [UInt8]? {
    guard 8 * level < levels.count, index < 1 << 40 else { return nil }
    let hashes = levels[8 * level]
    let start = Int(index) * 256
    guard width > 0, start + width <= hashes.count else { return nil }
    return hashes[start..<start + width].flatMap(\.bytes)
  }

  func bundle(index: UInt64, width: Int) -> [UInt8]? {
    guard index < 1 << 40, Int(index) * 256 + width <= leaves.count else { return nil }
    return leaves[Int(index) * 256..<Int(index) * 256 + width].flatMap {
      [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0
    }
  }
}

/// A node that has what it is given; it answers at once, unless a test makes it wait or fail.
struct NodeDouble: NodeView {
  var tree = Tree(size: 300)
  var peers = ["beta", "gamma"]
  var list: [JobStatus] = (1...120).reversed().map { NodeDouble.job(UInt8($0)) }
  var artifacts: [Digest: String] = [:]
  var reports: [ReportFile: String] = [:]
  /// Of the job 5, by attempt.
  var transcripts: [Int: String] = [:]
  var hasCheckpoint = true
  var trouble: PluginError?
  var onSubmit: @Sendable (SubmitRequest) async throws(PluginError) -> Digest = { _ in NodeDouble.id(1) }

  static func id(_ number: UInt8) -> Digest { SHA256.hash([number]) }

  static func job(_ number: UInt8) -> JobStatus {
    JobStatus(
      id: id(number).hex, package: "pkg:cargo/itoa@1.0.\(number)", submitter: "alpha",
      phase: number > 110 ? .commit : .cosigned,
      builders: [BuilderProgress(builder: "alpha", step: number > 110 ? .waiting : .revealed)],
      verdict: number > 110 ? nil : "reproduced", agreeing: number > 110 ? nil : 3,
      index: number > 110 ? nil : UInt64(number), artifacts: [], orderedMilliseconds: 1_700_000_000_000,
      verdictMilliseconds: nil)
  }

  func status() async -> NodeStatus {
    NodeStatus(
      name: "alpha", origin: "demo.synchronicity.example", version: "0.1.0", epoch: 1, view: 7, height: 6,
      logSize: UInt64(tree.leaves.count), checkpointSize: UInt64(tree.leaves.count), openJobs: 10,
      connectedPeers: peers, replicas: 4, quorum: 3, misbehaved: [], viewsGivenUp: 2)
  }

  func misbehaviours() async -> [MisbehaviourStatus] {
    [MisbehaviourStatus(member: "beta", kind: "votes", place: "view 7 of epoch 1", proof: "text\n")]
  }

  func handovers() async -> HandoverList {
    HandoverList(
      epoch: 1, phase: .open, approvalsWanted: 3,
      proposals: [
        HandoverStatus(id: NodeDouble.id(9).hex, proposer: "alpha", approvals: ["alpha"])
      ])
  }

  func proposal(_ id: Digest) async -> [UInt8]? { id == NodeDouble.id(9) ? Array("a group\n".utf8) : nil }

  func handover(epoch: UInt64) async throws(PluginError) -> [UInt8]? {
    if let trouble { throw trouble }
    return epoch == 0 ? Array("a hand-over\n".utf8) : nil
  }

  func submitHandover(_ entry: [UInt8]) async throws(PluginError) {
    if let trouble { throw trouble }
    guard entry.first == 1 else { throw PluginError(.invalid, "This is no entry of a hand-over.") }
  }

  func submit(_ request: SubmitRequest) async throws(PluginError) -> Digest {
    if let trouble { throw trouble }
    return try await onSubmit(request)
  }

  func jobs(limit: Int, before: Digest?) async -> [JobStatus] {
    let start = before.flatMap { id in list.firstIndex { $0.id == id.hex } }.map { $0 + 1 } ?? 0
    return Array(list[start...].prefix(limit))
  }

  func job(_ id: Digest) async -> JobStatus? { list.first { $0.id == id.hex } }

  func checkpoint() async -> [UInt8]? {
    guard hasCheckpoint else { return nil }
    let root = Data(tree.root(0, tree.leaves.count).bytes).base64EncodedString()
    return Array("demo.synchronicity.example\n\(tree.leaves.count)\n\(root)\n\n— name c2ln\n".utf8)
  }

  func tile(level: Int, index: UInt64, width: Int) async throws(PluginError) -> [UInt8]? {
    if let trouble { throw trouble }
    return tree.tile(level: level, index: index, width: width)
  }

  func entryBundle(index: UInt64, width: Int) async throws(PluginError) -> [UInt8]? {
    if let trouble { throw trouble }
    return tree.bundle(index: index, width: width)
  }

  func proof(job: Digest) async throws(PluginError) -> [UInt8]? {
    if let trouble { throw trouble }
    guard let status = list.first(where: { $0.id == job.hex }), status.phase == .cosigned else { return nil }
    return Array("c2sp.org/tlog-proof@v1\n".utf8)
  }

  func artifactPath(_ sha256: Digest) async -> String? { artifacts[sha256] }

  func transcriptPath(job: Digest, attempt: Int?) async -> String? {
    job == NodeDouble.id(5) ? transcripts[attempt ?? transcripts.keys.max() ?? 0] : nil
  }

  func reportPath(job: Digest, _ file: ReportFile) async -> String? {
    job == NodeDouble.id(5) ? reports[file] : nil
  }
}

/// Runs a gateway on a free port for as long as `body` takes.
func withGateway<T: Sendable>(
  _ view: NodeDouble = NodeDouble(), _ change: (inout GatewayConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (_ port: Int) async throws -> T
) async throws -> T {
  var configuration = GatewayConfiguration(port: 0)
  change(&configuration)
  let (ports, continuation) = AsyncStream<Int>.makeStream()
  let gateway = Gateway(view: view, configuration: configuration, logger: quiet) { continuation.yield($0) }
  return try await withThrowingTaskGroup(of: T?.self) { group in
    group.addTask {
      try await gateway.run()
      return nil
    }
    group.addTask {
      for await port in ports { return try await body(port) }
      return nil
    }
    while let result = try await group.next() {
      if let result {
        group.cancelAll()
        return result
      }
    }
    throw HTTPClient.Failure(description: "the gateway ended before the test")
  }
}

let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

/// A folder that is gone with the last reference.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let file = path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }
}
