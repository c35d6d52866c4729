import Dispatch
import Foundation
import Logging
import NIOPosix
import SQLiteStorage
import SodiumSigner
import SyncConsensus
import SyncProof
import SyncRuntime
import SyncTesting

/// How long a builder's start takes behind a long history: ledger, log, job board and all, on an SQLite journal.
struct NodeRestart {
  private static let names = ["alder", "birch", "cedar", "elm"]

  let folder: String
  private let signers: [SodiumSigner]
  private let group: Group
  private let storagePath: String
  private var history: DecidedHistory

  var height: UInt64 { history.head.height }

  /// Writes the journal of the group's first builder behind so many jobs.
  init(jobs: Int, folder: String) throws {
    self.folder = folder
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    signers = try (1...4).map { try SodiumSigner(seed: [UInt8](repeating: $0, count: 32)) }
    group = try Group(
      origin: "bench.example", epoch: 0, commitSeconds: 600, revealSeconds: 60,
      members: try zip(Self.names, signers).map { name, signer in
        try MemberCard(name: Text(name), address: "127.0.0.1:7600", gateway: nil, signer: signer).member
      })
    storagePath = folder + "/journal.sqlite"
    history = try DecidedHistory(group: group, signers: signers)
    try add(jobs: jobs)
  }

  /// Writes the records of so many jobs more.
  mutating func add(jobs: Int) throws {
    let storage = try SQLiteStorage(path: storagePath)
    defer { storage.close() }
    let before = history.logSize
    var batch = StorageBatch()
    for _ in 0..<jobs {
      for record in try history.append(Self.spec) {
        guard let value = record.value else { continue }
        batch.changes.append(.put(key: Journal.key(.consensus, record.key), value: value))
      }
      if batch.changes.count > 4_096 {
        try storage.apply(batch, durable: false)
        batch = StorageBatch()
      }
    }
    try storage.apply(batch, durable: true)
    precondition(history.logSize == before + UInt64(jobs), "Every job has its leaf")
  }

  /// As large as a small crate's.
  private static let spec = BuildSpec(
    package: "pkg:cargo/itoa@1.0.1", rebuild: 0, toolchain: SHA256.hash(Array("toolchain".utf8)),
    target: "x86_64-unknown-linux-gnu", profile: "release", features: [],
    sources: (0..<8).map { number in
      SourceItem(
        purl: number == 0 ? "pkg:cargo/itoa@1.0.1" : Text("pkg:cargo/source\(number)@1.0.\(number)"),
        tree: SHA256.hash(Array("tree".utf8)),
        claim: SHA256.hash(Array("claim".utf8)),
        origin: Text("pkg:deb/debian/librust-source\(number)-dev@1.0.\(number)-1?arch=amd64"))
    },
    lock: nil, environment: [EnvironmentVariable(name: "SOURCE_DATE_EPOCH", value: "0")],
    limits: Limits(
      wallSeconds: 600, cpuSeconds: 1200, memoryBytes: 1 << 31, processes: 256, diskBytes: 1 << 32,
      transcriptBytes: 1 << 20),
    recipe: [UInt8](repeating: UInt8(ascii: "#"), count: 2_000), artifacts: ["lib/libitoa.rlib"])

  /// Milliseconds from opening the journal to a builder that takes part.
  func start() throws -> Double {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var logger = Logger(label: "bench")
    logger.logLevel = .critical
    let started = DispatchSemaphore(value: 0)
    let begin = DispatchTime.now().uptimeNanoseconds
    let storage = try SQLiteStorage(path: storagePath)
    let node = try Node(
      configuration: NodeConfiguration(name: Text(Self.names[0]), group: group, dataDirectory: folder + "/data"),
      plugins: NodePlugins(
        storage: storage, transport: LoopbackNetwork(names: Self.names).transport(of: Self.names[0]),
        signer: signers[0], sandbox: EchoSandbox(who: Self.names[0]), source: EchoSource(recipes: [:]),
        eventLoop: loops.next()),
      logger: logger
    ) { event in
      if case .started = event { started.signal() }
    }
    let run = Task { try await node.run() }
    started.wait()
    let end = DispatchTime.now().uptimeNanoseconds
    let ended = DispatchSemaphore(value: 0)
    Task {
      run.cancel()
      _ = try? await run.value
      await node.close()
      ended.signal()
    }
    ended.wait()
    try loops.syncShutdownGracefully()
    return Double(end - begin) / 1e6
  }
}
