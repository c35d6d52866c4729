import Foundation
import Logging
import NIOPosix
import SQLiteStorage
import SodiumSigner
import SyncProof
import SyncRuntime
import SyncTesting
import TCPTransport

/// A lone job on an idle group of four: from `submit` to the decided block at another replica.
///
/// Everything is real but the build: TLS on loopback, SQLite with full syncs, Ed25519. The floor in the same run is
/// what no agreement over these parts can go below: three syncs one after another (proposal, vote, decision) and
/// three messages one after another on loopback.
@main
enum SyncBench {
  static let jobs = 40
  static let names = ["alder", "birch", "cedar", "elm"]

  static func main() async {
    do { try await measure(Array(CommandLine.arguments.dropFirst())) } catch {
      FileHandle.standardError.write(Data("SyncBench: \(error)\n".utf8))
      exit(1)
    }
  }

  private static func measure(_ words: [String]) async throws {
    if words.count == 5, words[0] == "calls", let artifact = Digest(hex: words[4]) {
      let isKept = try await Calls.compare(folder: words[1], policy: words[2], proof: words[3], artifact: artifact)
      exit(isKept ? 0 : 1)
    }
    guard words.isEmpty else {
      FileHandle.standardError.write(Data("usage: SyncBench [calls FOLDER POLICY PROOF SHA256]\n".utf8))
      exit(2)
    }
    let folder = NSTemporaryDirectory() + "/sync-bench-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let nodes = try await BenchGroup(folder: folder)
    var samples: [Double] = []
    for number in 0..<jobs {
      let spec = EchoSource.spec(
        name: "job\(number)", recipe: "echo out \(number)", toolchain: SHA256.hash([1]))
      let start = ContinuousClock.now
      let job = try await nodes.nodes[number % 4].submit(spec)
      while await nodes.nodes[(number + 1) % 4].job(job) == nil { try await Task.sleep(for: .microseconds(100)) }
      samples.append(milliseconds(ContinuousClock.now - start))
      // The group is idle again once the job is over.
      while await nodes.nodes[0].job(job)?.phase != .cosigned { try await Task.sleep(for: .milliseconds(5)) }
      try await Task.sleep(for: .milliseconds(50))
    }
    await nodes.stop()
    let sync = try syncMedian(folder)
    let hop = try await hopMedian()
    let floor = 3 * sync + 3 * hop
    let median = samples.sorted()[jobs / 2]
    print("lone job, submit to decided at another replica (\(jobs) jobs, idle group of 4):")
    print(
      String(
        format: "  p50 %.2f ms  p95 %.2f ms  max %.2f ms", median, samples.sorted()[jobs * 95 / 100], samples.max() ?? 0
      ))
    print(
      String(
        format: "  floor %.2f ms = 3 syncs of %.2f ms + 3 hops of %.3f ms;  ratio p50/floor %.1f", floor, sync, hop,
        median / floor))
  }

  static func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1e3 + Double(duration.components.attoseconds) / 1e15
  }

  /// Median of appending 4 KiB to a file and syncing it.
  private static func syncMedian(_ folder: String) throws -> Double {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = folder + "/sync"
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    let block = [UInt8](repeating: 1, count: 4_096)
    var times: [Double] = []
    for _ in 0..<100 {
      let start = ContinuousClock.now
      guard write(descriptor, block, block.count) == block.count, fdatasync(descriptor) == 0 else {
        throw PluginError(.io, "Cannot write \(path)")
      }
      times.append(milliseconds(ContinuousClock.now - start))
    }
    return times.sorted()[50]
  }

  /// Half of the median round trip of 256 bytes over a socket pair.
  private static func hopMedian() async throws -> Double {
    var pair: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else {
      throw PluginError(.io, "No socket pair")
    }
    let (near, far) = (pair[0], pair[1])
    let echo = Thread {
      var buffer = [UInt8](repeating: 0, count: 256)
      while read(far, &buffer, 256) == 256 { _ = write(far, buffer, 256) }
      close(far)
    }
    echo.start()
    var buffer = [UInt8](repeating: 0, count: 256)
    var times: [Double] = []
    for _ in 0..<1_000 {
      let start = ContinuousClock.now
      _ = write(near, buffer, 256)
      _ = read(near, &buffer, 256)
      times.append(milliseconds(ContinuousClock.now - start) / 2)
    }
    close(near)
    return times.sorted()[500]
  }
}

/// Four nodes of one process over real sockets and real journals.
final class BenchGroup {
  private(set) var nodes: [Node] = []
  private var tasks: [Task<Void, any Error>] = []

  init(folder: String) async throws {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 4)
    let signers = try (0..<4).map { try SodiumSigner(seed: [UInt8](repeating: UInt8($0 + 1), count: 32)) }
    let first = 20_000 + Int(getpid()) % 20_000
    let members = try zip(SyncBench.names, signers).enumerated().map { number, pair in
      try MemberCard(
        name: Text(pair.0), address: Text("127.0.0.1:\(first + number)"), gateway: nil, signer: pair.1
      ).member
    }
    let group = try Group(
      origin: "bench.example", epoch: 0, commitSeconds: 60, revealSeconds: 60, members: members)
    for (number, name) in SyncBench.names.enumerated() {
      let home = "\(folder)/\(name)"
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
      let peers = members.enumerated().filter { $0.offset != number }.map {
        TCPTransport.Peer(
          name: $0.element.name.string, host: "127.0.0.1", port: first + $0.offset, key: $0.element.transportKey)
      }
      var logger = Logger(label: name)
      logger.logLevel = .error
      let node = try Node(
        configuration: NodeConfiguration(name: Text(name), group: group, dataDirectory: home),
        plugins: NodePlugins(
          storage: try SQLiteStorage(path: home + "/journal.sqlite"),
          transport: try TCPTransport(
            TCPTransport.Configuration(
              listenHost: "127.0.0.1", listenPort: first + number, group: group.chainID, peers: peers),
            signer: signers[number]), signer: signers[number], sandbox: EchoSandbox(who: name),
          source: EchoSource(recipes: [:]), eventLoop: loops.next()),
        logger: logger)
      nodes.append(node)
      tasks.append(Task { try await node.run() })
    }
    for node in nodes {
      while await node.status().connectedPeers.count < 3 { try await Task.sleep(for: .milliseconds(20)) }
    }
  }

  func stop() async {
    for task in tasks { task.cancel() }
    for task in tasks { _ = try? await task.value }
  }
}
