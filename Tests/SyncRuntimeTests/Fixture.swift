import Foundation
import Logging
import NIOPosix
import SodiumSigner
import SyncProof
import SyncTesting
import Synchronization
import Testing

@testable import SyncRuntime

/// A folder that is gone after the test.
final class Scratch {
  let path = NSTemporaryDirectory() + "/sync-runtime-\(UInt64.random(in: 0...UInt64.max))"
  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Keys and members of a small group; seeds are the builders' numbers.
struct Keys {
  static let names = ["alder", "birch", "cedar", "elm"]
  let signers: [SodiumSigner]
  let group: Group

  init(commitSeconds: UInt64 = 60, revealSeconds: UInt64 = 60) throws {
    signers = try (0..<4).map { try SodiumSigner(seed: [UInt8](repeating: UInt8($0 + 1), count: 32)) }
    let members = try zip(Keys.names, signers).map { name, signer in
      try MemberCard(name: Text(name), address: "127.0.0.1:7600", gateway: nil, signer: signer).member
    }
    group = try Group(
      origin: "test.example", epoch: 0, commitSeconds: commitSeconds, revealSeconds: revealSeconds, members: members)
  }

  func share(_ number: Int, _ checkpoint: Checkpoint, wantsAnswer: Bool = true) throws -> CheckpointShare {
    let body = checkpoint.body()
    return CheckpointShare(
      wantsAnswer: wantsAnswer, treeSize: checkpoint.treeSize, root: checkpoint.root,
      logSignature: try signers[number].sign(body, as: .log), timestamp: 1_700_000_000,
      cosignature: try signers[number].sign(
        Cosignature.message(timestamp: 1_700_000_000, body: body), as: .cosigner))
  }
}

/// Four nodes in one process, on storage that outlives them.
final class World {
  static let toolchain = SHA256.hash([UInt8]("a toolchain".utf8))
  static let loops = MultiThreadedEventLoopGroup(numberOfThreads: 4)

  let scratch: Scratch
  let keys: Keys
  let network = LoopbackNetwork(names: Keys.names)
  let storages = (0..<4).map { _ in FaultyStorage() }
  private let recipes: [String: String]
  private var running: [Int: (node: Node, task: Task<Void, any Error>)] = [:]

  /// Builders whose sandbox fails whatever the recipe is.
  var faulty: Set<Int> = []
  /// What `who` writes on a builder, where it is not the builder's name.
  var whos: [Int: String] = [:]
  /// Builders that neither ask for artifacts nor give any.
  let silent = Silence()
  var divergence: DivergencePolicy = {
    var policy = DivergencePolicy()
    policy.answerTimeout = .seconds(5)
    policy.roundPauses = [.milliseconds(100), .milliseconds(500)]
    return policy
  }()
  var dataPolicy = DataPolicy()

  init(recipes: [String: String], commitSeconds: UInt64 = 60, revealSeconds: UInt64 = 60) throws {
    scratch = try Scratch()
    keys = try Keys(commitSeconds: commitSeconds, revealSeconds: revealSeconds)
    self.recipes = recipes
  }

  func start(_ numbers: [Int] = [0, 1, 2, 3], isRestored: Bool = false) throws {
    for number in numbers {
      let name = Keys.names[number]
      var logger = Logger(label: "test")
      logger.logLevel = .critical
      let node = try Node(
        configuration: NodeConfiguration(
          name: Text(name), group: keys.group, dataDirectory: "\(scratch.path)/\(name)", toolchain: World.toolchain,
          dataPolicy: dataPolicy, faultPauses: [.milliseconds(50), .milliseconds(50)], timeoutBaseMilliseconds: 100,
          divergence: divergence, isRestored: isRestored, snapshotBlocks: 4),
        plugins: NodePlugins(
          storage: storages[number],
          transport: QuietTransport(inner: network.transport(of: name), name: name, silence: silent),
          signer: keys.signers[number],
          sandbox: EchoSandbox(who: whos[number] ?? name, isFaulty: faulty.contains(number)),
          source: EchoSource(recipes: recipes),
          eventLoop: World.loops.next()),
        logger: logger)
      running[number] = (node, Task { try await node.run() })
    }
  }

  func node(_ number: Int) throws -> Node { try #require(running[number]).node }

  /// Ends nodes; what a node threw is given back.
  @discardableResult
  func stop(_ numbers: [Int] = [0, 1, 2, 3]) async -> [any Error] {
    var errors: [any Error] = []
    for number in numbers {
      guard let (_, task) = running.removeValue(forKey: number) else { continue }
      task.cancel()
      do { try await task.value } catch { errors.append(error) }
    }
    return errors
  }

  /// The first status of the job for which `condition` holds, seen from node `number`.
  func wait(
    _ job: Digest, on number: Int, seconds: Int = 120, until condition: (JobStatus) -> Bool
  ) async throws -> JobStatus {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var last: JobStatus?
    while ContinuousClock.now < deadline {
      last = await (try node(number)).job(job)
      if let last, condition(last) { return last }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Timeout(last: last)
  }

  struct Timeout: Error {
    let last: JobStatus?
  }
}

/// Builders whose messages about artifacts are lost.
final class Silence: Sendable {
  private let names = Mutex<Set<String>>([])

  func set(_ isSilent: Bool, _ name: String) {
    names.withLock { names in
      if isSilent { names.insert(name) } else { names.remove(name) }
    }
  }

  func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
}

private struct QuietTransport: Transport {
  let inner: any Transport
  let name: String
  let silence: Silence

  func start(deliver: @escaping @Sendable (TransportEvent) -> Void) async throws(PluginError) {
    try await inner.start(deliver: deliver)
  }

  func send(_ message: [UInt8], to peer: String) {
    if message.first != MessageRoom.artifact.rawValue || !silence.contains(name) { inner.send(message, to: peer) }
  }

  func stop() async { await inner.stop() }
}
