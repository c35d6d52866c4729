import Dispatch
import Foundation
import Glibc
import SyncConsensus
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization

/// A group in one process, over queues in memory: no encryption, no network, real signatures, and real journals where
/// it is durable.
final class BenchGroup: Sendable {
  struct Options: Sendable {
    var replicas = 4
    /// Entries that wait at once: each lane submits its next one when the last is decided where it was submitted.
    var lanes = 4
    var entryBytes = 256
    var isDurable = true
    /// Replicas that submit; lanes take turns.
    var submitters = 4
    /// Whether lanes go on by themselves.
    var isClosedLoop = true
    /// Whether each entry ends with a signature that every replica checks, as entries of the ledger do.
    var signsEntries = false
    /// Whether each durable write is noted.
    var notesWrites = false
  }

  private struct Progress {
    var next: [UInt64]
    /// Of the first submitter's decisions: when, monotonic nanoseconds, and how many entries each had.
    var decisions: [(at: UInt64, entries: Int)] = []
    var isFlowing = true
    var writes: [(start: UInt64, end: UInt64)] = []
    /// When a replica gave up on a view.
    var timeouts: [UInt64] = []
    /// Of each replica's last decided block.
    var heights: [UInt64]
    /// When each replica voted last, monotonic nanoseconds.
    var votes: [UInt64]
  }

  let options: Options
  let folder: String
  private let fixture: FixtureGroup
  private let progress: Mutex<Progress>
  private let members = Mutex<[BenchReplica?]>([])
  private let signatures = Tally()
  private let checks = Tally()
  private let arrived = DispatchSemaphore(value: 0)

  var lanes: Int { options.lanes }

  init(_ options: Options, folder: String) throws {
    (self.options, self.folder) = (options, folder)
    fixture = try FixtureGroup(replicas: options.replicas)
    progress = Mutex(
      Progress(
        next: [UInt64](repeating: 0, count: options.lanes), heights: [UInt64](repeating: 0, count: options.replicas),
        votes: [UInt64](repeating: 0, count: options.replicas)))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let all = try (0..<options.replicas).map { index in
      try BenchReplica(index, of: self, journal: journal(of: index))
    }
    members.withLock { $0 = all }
    for replica in all { replica.start() }
  }

  private func journal(of index: Int) -> String? { options.isDurable ? "\(folder)/\(index).sqlite" : nil }

  func configuration(of index: Int) throws -> Configuration {
    var configuration = try fixture.configuration(of: index, timeoutBaseNanoseconds: 250_000_000)
    configuration.acceptsSignature = { [self] (key, signature, message) in
      checks.time { key.accepts(signature, on: message) }
    }
    return configuration
  }

  func others(than index: Int) -> [Int] { (0..<options.replicas).filter { $0 != index } }

  func sign(_ message: [UInt8], as index: Int) -> Signature {
    signatures.time { fixture.keys[index].sign(message) }
  }

  func signsVote(_ index: Int) {
    let at = DispatchTime.now().uptimeNanoseconds
    progress.withLock { $0.votes[index] = at }
  }

  func signsTimeout() {
    let at = DispatchTime.now().uptimeNanoseconds
    progress.withLock { $0.timeouts.append(at) }
  }

  /// When a replica gave up on a view, monotonic nanoseconds.
  var timeouts: [UInt64] { progress.withLock { $0.timeouts } }

  func wrote(from start: UInt64, to end: UInt64) {
    if options.notesWrites { progress.withLock { $0.writes.append((start, end)) } }
  }

  /// Where they are noted: each durable write of a journal, in monotonic nanoseconds.
  var writes: [(start: UInt64, end: UInt64)] { progress.withLock { $0.writes } }

  func deliver(_ bytes: [UInt8], from sender: Int, to peer: Int) {
    members.withLock { $0[peer] }?.push(.message(from: ReplicaIndex(rawValue: UInt16(sender)), bytes))
  }

  /// What the lanes of this replica submit next.
  func decided(_ entries: [LaneLog.Entry], height: UInt64, by index: Int) -> [[UInt8]] {
    progress.withLock { $0.heights[index] = height }
    if index == 0, !entries.isEmpty {
      let at = DispatchTime.now().uptimeNanoseconds
      progress.withLock { $0.decisions.append((at, entries.count)) }
    }
    let own = entries.filter { $0.lane % options.submitters == index }
    guard options.isClosedLoop else {
      for _ in own { arrived.signal() }
      return []
    }
    return own.compactMap { next(of: $0.lane) }
  }

  private func next(of lane: Int) -> [UInt8]? {
    let number: UInt64? = progress.withLock { progress in
      guard progress.isFlowing else { return nil }
      progress.next[lane] += 1
      return progress.next[lane]
    }
    return number.map { number in
      let entry = LaneLog.Entry(lane: lane, number: number)
      guard options.signsEntries else { return entry.bytes(size: options.entryBytes) }
      let bytes = entry.bytes(size: options.entryBytes - Signature.byteCount)
      return bytes + sign(bytes, as: lane % options.submitters).bytes
    }
  }

  /// Whether an entry is signed by its lane's submitter; with a memory of its own, as a node's ledger has one.
  func entryCheck() -> (@Sendable ([UInt8]) -> Bool)? {
    guard options.signsEntries else { return nil }
    let (known, keys, lanes) = (AcceptedSignatures(), fixture.keys.map(\.publicKey), options.lanes)
    let submitters = options.submitters
    return { [checks] bytes in
      guard bytes.count > Signature.byteCount, let entry = LaneLog.Entry(bytes, lanes: lanes),
        let signature = Signature(bytes: bytes.suffix(Signature.byteCount))
      else { return false }
      let (key, message) = (keys[entry.lane % submitters], Array(bytes.dropLast(Signature.byteCount)))
      return known.accepts(key, signature, message) { checks.time { key.accepts(signature, on: message) } }
    }
  }

  /// Submits a lane's next entry.
  func submit(lane: Int) {
    guard let entry = next(of: lane) else { return }
    members.withLock { $0[lane % options.submitters] }?.push(.submit([entry]))
  }

  /// Without a closed loop: waits until an entry is decided where it was submitted.
  func waitForEntry() { arrived.wait() }

  func kill(_ index: Int) {
    let victim = members.withLock { members in
      defer { members[index] = nil }
      return members[index]
    }
    victim?.stop()
  }

  /// Starts one that was killed again, on its journal.
  func revive(_ index: Int) throws {
    let replica = try BenchReplica(index, of: self, journal: journal(of: index))
    let peers = members.withLock { members in
      members[index] = replica
      return others(than: index).compactMap { members[$0] }
    }
    replica.start()
    for other in peers { other.push(.peerConnected(ReplicaIndex(rawValue: UInt16(index)))) }
  }

  /// The height of each replica's last decided block.
  var heights: [UInt64] { progress.withLock { $0.heights } }

  /// When a replica voted last, monotonic nanoseconds.
  func lastVote(of index: Int) -> UInt64 { progress.withLock { $0.votes[index] } }

  /// Lets the lanes submit no more.
  func pause() { progress.withLock { $0.isFlowing = false } }

  func stop() {
    pause()
    for index in 0..<options.replicas { kill(index) }
  }

  /// How often something was done, and what that took of the processor, by the clock of each thread that did it.
  private final class Tally: Sendable {
    private let count = Atomic<Int>(0)
    private let nanoseconds = Atomic<Int>(0)

    func time<Result>(_ body: () -> Result) -> Result {
      let start = Self.now()
      let result = body()
      nanoseconds.add(Self.now() - start, ordering: .relaxed)
      count.add(1, ordering: .relaxed)
      return result
    }

    var all: (count: Int, seconds: Double) {
      (count.load(ordering: .relaxed), Double(nanoseconds.load(ordering: .relaxed)) / 1e9)
    }

    private static func now() -> Int {
      var passed = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &passed)
      return passed.tv_sec * 1_000_000_000 + passed.tv_nsec
    }
  }

  struct Counts {
    var entries: Int
    var signed: Int
    var checked: Int
    /// What they took of the processor.
    var signSeconds: Double
    var checkSeconds: Double
  }

  var counts: Counts {
    let (signed, checked) = (signatures.all, checks.all)
    return Counts(
      entries: progress.withLock { $0.decisions.reduce(0) { $0 + $1.entries } }, signed: signed.count,
      checked: checked.count, signSeconds: signed.seconds, checkSeconds: checked.seconds)
  }

  /// Monotonic nanoseconds of the decisions that had entries.
  var decisionTimes: [UInt64] { progress.withLock { $0.decisions.map(\.at) } }
}
