import ServiceLifecycle
import SyncProof
import Synchronization

/// A builder over all its epochs: a node, and the one that takes its place when the epoch ends.
///
/// Whoever serves it to others sees the present node, without a gap: between two epochs the one that has ended still
/// shows what it had. Thread: any.
public final class NodeSuccession: NodeView, Service {
  private let make: @Sendable () async throws -> Node
  private let present: Mutex<Node>
  private let isEnding = Mutex(false)
  /// While the next epoch's node is made.
  private let making = Mutex<Task<Node, any Error>?>(nil)

  /// - Parameter make: Makes the node of the epoch that the storage is in; called once now, and again behind each end
  ///   of an epoch, when the node before has closed its storage.
  public init(_ make: @escaping @Sendable () async throws -> Node) async throws {
    self.make = make
    present = Mutex(try await make())
  }

  /// The node of the epoch that this builder is in.
  public var node: Node { present.withLock { $0 } }

  /// Takes part in epoch after epoch, until the service group shuts down, the task is cancelled or a node fails.
  public func run() async throws {
    while true {
      let ended = node
      try await ended.run()
      guard await ended.successor != nil, !Task.isCancelled, !Task.isShuttingDownGracefully, !ends else { return }
      let next: Node
      do { next = try await makeNext() } catch let error as PluginError where ends && error.code == .cancelled {
        return
      }
      present.withLock { $0 = next }
      // What is still asked of the one that has ended is answered, also when the event loop is no more.
      await ended.close()
      if ends { await next.finish() }
    }
  }

  private func makeNext() async throws -> Node {
    let task = Task { [make] in try await make() }
    making.withLock { $0 = task }
    defer { making.withLock { $0 = nil } }
    if ends { task.cancel() }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  private var ends: Bool { isEnding.withLock { $0 } }

  /// Ends ``run()`` without an error, now or as soon as it has begun.
  public func finish() async {
    isEnding.withLock { $0 = true }
    making.withLock { $0 }?.cancel()
    await node.finish()
  }

  public func status() async -> NodeStatus { await node.currentStatus() }
  public func submit(_ request: SubmitRequest) async throws(PluginError) -> Digest { try await node.submit(request) }
  public func jobs(limit: Int, before: Digest?) async -> [JobStatus] { await node.jobs(limit: limit, before: before) }
  public func job(_ id: Digest) async -> JobStatus? { await node.job(id) }
  public func misbehaviours() async -> [MisbehaviourStatus] { await node.misbehaviours() }
  public func checkpoint() async -> [UInt8]? { await node.checkpoint() }
  public func tile(level: Int, index: UInt64, width: Int) async throws(PluginError) -> [UInt8]? {
    try await node.tile(level: level, index: index, width: width)
  }
  public func entryBundle(index: UInt64, width: Int) async throws(PluginError) -> [UInt8]? {
    try await node.entryBundle(index: index, width: width)
  }
  public func proof(job: Digest) async throws(PluginError) -> [UInt8]? { try await node.proof(job: job) }
  public func artifactPath(_ sha256: Digest) async -> String? { await node.artifactPath(sha256) }
  public func transcriptPath(job: Digest, attempt: Int?) async -> String? {
    await node.transcriptPath(job: job, attempt: attempt)
  }
  public func reportPath(job: Digest, _ file: ReportFile) async -> String? {
    await node.reportPath(job: job, file)
  }
  public func handovers() async -> HandoverList { await node.handovers() }
  public func proposal(_ id: Digest) async -> [UInt8]? { await node.proposal(id) }
  public func handover(epoch: UInt64) async throws(PluginError) -> [UInt8]? { try await node.handover(epoch: epoch) }
  public func submitHandover(_ entry: [UInt8]) async throws(PluginError) { try await node.submitHandover(entry) }
}
