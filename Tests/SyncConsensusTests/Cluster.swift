import SyncConsensus
import SyncProof
import SyncTesting

/// A group whose network and disks are perfect and instant but for what a test switches off.
struct Cluster {
  let group: FixtureGroup
  var replicas: [Replica<AppendLog>?]
  var disks: [[[UInt8]: [UInt8]]]
  var now = noon
  var isDown: Set<Int> = []
  /// Drops a message, by sender, receiver and content.
  var drops: (Int, Int, Message) -> Bool = { _, _, _ in false }
  var messages = 0
  var loads = 0
  var decided: [[Digest]]
  /// Over all lives of each.
  var observations: [[ObservationChange]]
  var signed: [[SigningRequest]]
  private(set) var lastStart: UInt64?
  private var queue: [(to: Int, input: Input)] = []

  init(replicas count: Int) throws {
    group = try FixtureGroup(replicas: count)
    replicas = [Replica<AppendLog>?](repeating: nil, count: count)
    disks = [[[UInt8]: [UInt8]]](repeating: [:], count: count)
    decided = [[Digest]](repeating: [], count: count)
    observations = [[ObservationChange]](repeating: [], count: count)
    signed = [[SigningRequest]](repeating: [], count: count)
    for index in 0..<count { try start(index) }
    run()
  }

  mutating func start(_ index: Int, isRestored: Bool = false, noticesUnknownSignatures: Bool = true) throws {
    isDown.remove(index)
    lastStart = (lastStart ?? 0) + 1
    var configuration = try group.configuration(of: index)
    configuration.isRestored = isRestored
    configuration.startNumber = lastStart ?? 0
    configuration.noticesUnknownSignatures = noticesUnknownSignatures
    var replayed: [Digest] = []
    replicas[index] = try Replica(
      configuration: configuration, genesis: AppendLog(),
      recovered: RecoveredRecords(disks[index].map { (key: $0.key, value: $0.value) })
    ) { block throws(ConsensusError) in replayed.append(block.info.id) }
    decided[index] = replayed
    queue.append((index, .start))
    for other in replicas.indices where other != index && !isDown.contains(other) {
      queue.append((index, .peerConnected(ReplicaIndex(rawValue: UInt16(other)))))
      queue.append((other, .peerConnected(ReplicaIndex(rawValue: UInt16(index)))))
    }
  }

  mutating func stop(_ index: Int) {
    isDown.insert(index)
    replicas[index] = nil
    queue.removeAll { $0.to == index }
  }

  mutating func submit(_ entry: [UInt8], at index: Int) {
    queue.append((index, .submit([entry])))
    run()
  }

  /// Hands entries to everybody who is up, as if a peer had sent them.
  mutating func offer(_ entries: [[UInt8]]) throws {
    for index in replicas.indices {
      guard let replica = replicas[index] else { continue }
      let sync = SyncInfo(highQC: replica.headCertificate ?? genesisQC, highTC: nil, finality: nil)
      let message = Message(epoch: group.set.epoch, sync: sync, body: .entries(entries)).encode()
      queue.append((index, .message(from: ReplicaIndex(rawValue: index == 0 ? 1 : 0), message)))
    }
    run()
  }

  /// Shows a replica a certificate, as a peer would.
  mutating func show(_ certificate: Certificate, to index: Int) {
    let sync = SyncInfo(highQC: certificate, highTC: nil, finality: nil)
    let message = Message(epoch: group.set.epoch, sync: sync, body: .status).encode()
    queue.append((index, .message(from: ReplicaIndex(rawValue: index == 0 ? 1 : 0), message)))
    run()
  }

  private var genesisQC: Certificate {
    .genesis(
      BlockInfo.genesis(
        chainID: group.chainID, epoch: group.set.epoch, logSize: 0, logRoot: AppendLog().logRoot))
  }

  /// Nothing is on its way.
  var isQuiet: Bool { queue.isEmpty }

  /// Delivers everything, or so many inputs; time stands still.
  mutating func run(stepsMax: Int = 100_000) {
    var steps = 0
    while !queue.isEmpty, steps < stepsMax {
      steps += 1
      let (to, input) = queue.removeFirst()
      guard !isDown.contains(to), let effects = replicas[to]?.step(input, now: now) else { continue }
      perform(effects, of: to)
    }
  }

  /// Lets time pass until every replica rests, at most `milliseconds`.
  mutating func settle(milliseconds: UInt64 = 60_000) {
    let end = now.later(milliseconds: milliseconds).monotonicNanoseconds
    while let next = replicas.compactMap({ $0?.nextWakeUp }).min(), next <= end {
      if next > now.monotonicNanoseconds {
        let passed = next - now.monotonicNanoseconds
        now = Instant(
          monotonicNanoseconds: next, wallMilliseconds: now.wallMilliseconds + (passed + 999_999) / 1_000_000)
      }
      for index in replicas.indices {
        if let at = replicas[index]?.nextWakeUp, at <= now.monotonicNanoseconds { queue.append((index, .wakeUp)) }
      }
      run()
    }
  }

  private mutating func perform(_ effects: [Effect<AppendLog>], of index: Int) {
    for effect in effects {
      switch effect {
      case .persist(let records, let then):
        for record in records { disks[index][record.key] = record.value }
        perform(then, of: index)
      case .sign(let request):
        signed[index].append(request)
        queue.append((index, .signed(request, group.keys[index].sign(request.message))))
      case .send(let peer, let bytes): transmit(bytes, from: index, to: Int(peer.rawValue))
      case .broadcast(let bytes):
        for peer in replicas.indices where peer != index { transmit(bytes, from: index, to: peer) }
      case .decided(let block): decided[index].append(block.info.id)
      case .load(let request):
        loads += 1
        let found = try? RecoveredRecords(disks[index].map { (key: $0.key, value: $0.value) })
          .scan(request.prefix, request.from, request.limit)
        queue.append((index, .loaded(request, found ?? [])))
      case .observation(let change): observations[index].append(change)
      case .misbehaviour, .halted: break
      }
    }
  }

  private mutating func transmit(_ bytes: [UInt8], from sender: Int, to peer: Int) {
    messages += 1
    guard let message = try? Message(decoding: bytes), !drops(sender, peer, message) else { return }
    queue.append((peer, .message(from: ReplicaIndex(rawValue: UInt16(sender)), bytes)))
  }

  /// The views in which a replica has signed a timeout.
  func givenUp(by index: Int) -> Set<UInt64> {
    Set(
      signed[index].compactMap { request in
        if case .timeout(let timeout) = request.subject { timeout.view } else { nil }
      })
  }

  var heights: [UInt64?] { replicas.map { $0?.head.height } }
}
