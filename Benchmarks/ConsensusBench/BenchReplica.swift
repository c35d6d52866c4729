import Dispatch
import Foundation
import Glibc
import SQLiteStorage
import SyncConsensus
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization

/// One replica on a thread of its own, with a journal of its own, as a node drives it: all that has come is stepped,
/// all records of the round become durable in one transaction, then the effects are performed.
final class BenchReplica: Sendable {
  private struct Inbox {
    var inputs: [Input] = []
    var isStopped = false
  }

  private let index: Int
  private let group: BenchGroup
  private let storage: SQLiteStorage?
  private let inbox = Mutex(Inbox())
  private let bell = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  /// - Parameter journal: The path of an SQLite journal, or `nil` for none: nothing is stored.
  init(_ index: Int, of group: BenchGroup, journal: String?) throws {
    (self.index, self.group) = (index, group)
    storage = try journal.map { path throws(PluginError) in try SQLiteStorage(path: path) }
  }

  func push(_ input: Input) {
    let isFirst = inbox.withLock { inbox in
      // What was submitted and still waits leaves in one message.
      if case .submit(let entries) = input, case .submit(let waiting)? = inbox.inputs.last {
        inbox.inputs[inbox.inputs.count - 1] = .submit(waiting + entries)
        return false
      }
      inbox.inputs.append(input)
      return inbox.inputs.count == 1
    }
    if isFirst { bell.signal() }
  }

  /// As a kill does: what waits is gone.
  func stop() {
    inbox.withLock { $0.isStopped = true }
    bell.signal()
    ended.wait()
    storage?.close()
  }

  func start() {
    let thread = Thread { [self] in
      do {
        try run()
      } catch {
        FileHandle.standardError.write(Data("replica \(index): \(error)\n".utf8))
        exit(1)
      }
      ended.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Opens the records of an earlier life; for what that takes.
  func recover() throws -> Replica<LaneLog> {
    let scan: RecoveredRecords.Scan = { [storage] (prefix, from, limit) throws(ConsensusError) in
      do throws(PluginError) {
        let found = try storage?.scan(prefix: prefix, from: from, limit: limit) ?? []
        return found.map { StoredRecord(key: $0.key, value: $0.value) }
      } catch {
        throw ConsensusError(.storage, error.message)
      }
    }
    return try Replica(
      configuration: group.configuration(of: index), genesis: LaneLog(lanes: group.lanes, accepts: group.entryCheck()),
      recovered: RecoveredRecords(scan: scan)
    ) { _ throws(ConsensusError) in }
  }

  private func run() throws {
    var replica = try recover()
    var own: [Input] = [.start] + group.others(than: index).map { .peerConnected(ReplicaIndex(rawValue: UInt16($0))) }
    while true {
      let now = Self.now()
      var inputs = own
      own = []
      if let at = replica.nextWakeUp, at <= now.monotonicNanoseconds { inputs.append(.wakeUp) }
      let isStopped = inbox.withLock { inbox in
        inputs += inbox.inputs
        inbox.inputs = []
        return inbox.isStopped
      }
      if isStopped { return }
      guard !inputs.isEmpty else {
        let deadline = replica.nextWakeUp.map { DispatchTime(uptimeNanoseconds: $0) } ?? .distantFuture
        _ = bell.wait(timeout: deadline)
        continue
      }
      var effects: [Effect<LaneLog>] = []
      for input in inputs { effects += replica.step(input, now: now) }
      try write(effects)
      perform(effects, &own)
    }
  }

  private func write(_ effects: [Effect<LaneLog>]) throws {
    guard let storage else { return }
    var changes: [StorageChange] = []
    for case .persist(let records, _) in effects {
      for record in records {
        changes.append(record.value.map { .put(key: record.key, value: $0) } ?? .delete(key: record.key))
      }
    }
    guard !changes.isEmpty else { return }
    let start = DispatchTime.now().uptimeNanoseconds
    try storage.apply(StorageBatch(changes), durable: true)
    group.wrote(from: start, to: DispatchTime.now().uptimeNanoseconds)
  }

  private func perform(_ effects: [Effect<LaneLog>], _ own: inout [Input]) {
    for effect in effects {
      switch effect {
      case .persist(_, let then): perform(then, &own)
      case .sign(let request):
        if case .timeout = request.subject { group.signsTimeout() } else { group.signsVote(index) }
        own.append(.signed(request, group.sign(request.message, as: index)))
      case .send(let peer, let bytes): group.deliver(bytes, from: index, to: Int(peer.rawValue))
      case .broadcast(let bytes):
        for peer in group.others(than: index) { group.deliver(bytes, from: index, to: peer) }
      case .decided(let block):
        let next = group.decided(block.events, height: block.block.height, by: index)
        if !next.isEmpty { own.append(.submit(next)) }
      case .load(let request):
        let found = (try? storage?.scan(prefix: request.prefix, from: request.from, limit: request.limit)) ?? []
        own.append(.loaded(request, found.map { StoredRecord(key: $0.key, value: $0.value) }))
      case .misbehaviour, .observation: break
      case .halted(let error): preconditionFailure("Replica \(index) has stopped: \(error)")
      }
    }
  }

  static func now() -> Instant {
    var wall = timespec()
    clock_gettime(CLOCK_REALTIME, &wall)
    return Instant(
      monotonicNanoseconds: DispatchTime.now().uptimeNanoseconds,
      wallMilliseconds: UInt64(wall.tv_sec) * 1_000 + UInt64(wall.tv_nsec) / 1_000_000)
  }
}
