import SyncConsensus
import SyncProof
import SyncTesting

/// Makes signed statements, certificates and blocks by hand, so that each rule is tested at its boundary.
struct Workbench {
  let group: FixtureGroup
  let genesis: BlockInfo

  init(replicas: Int = 4, epoch: UInt64 = 1) throws {
    group = try FixtureGroup(replicas: replicas, epoch: epoch)
    genesis = BlockInfo.genesis(chainID: group.chainID, epoch: epoch, logSize: 0, logRoot: .zero)
  }

  var genesisQC: Certificate { .genesis(genesis) }

  func info(view: UInt64, height: UInt64, epoch: UInt64 = 1, salt: UInt8 = 0) -> BlockInfo {
    BlockInfo(
      epoch: epoch, view: view, height: height, id: SHA256.hash([salt, UInt8(truncatingIfNeeded: view)]),
      logSize: height, logRoot: SHA256.hash([7, salt]))
  }

  func vote(_ proposed: BlockInfo, on parent: BlockInfo, by author: Int) -> Vote {
    let statement = VoteStatement(proposed: proposed, parent: parent)
    return Vote(
      statement: statement, author: ReplicaIndex(rawValue: UInt16(author)),
      signature: group.keys[author].sign(statement.signedBytes(chainID: group.chainID)))
  }

  func certificate(_ proposed: BlockInfo, on parent: BlockInfo, by authors: [Int]? = nil) -> Certificate {
    let authors = authors ?? Array(0..<group.set.quorum)
    let statement = VoteStatement(proposed: proposed, parent: parent)
    return Certificate(
      proposed: proposed, parent: parent, commit: statement.commit,
      shares: authors.map {
        Certificate.Share(
          signer: ReplicaIndex(rawValue: UInt16($0)), signature: vote(proposed, on: parent, by: $0).signature)
      })
  }

  func timeout(_ view: UInt64, _ highQC: Certificate, _ lastTC: TimeoutCertificate? = nil, by author: Int) -> Timeout {
    let content = UnsignedTimeout(view: view, highQC: highQC, lastTC: lastTC)
    return Timeout(
      content: content, author: ReplicaIndex(rawValue: UInt16(author)),
      signature: group.keys[author].sign(content.statement.signedBytes(chainID: group.chainID)))
  }

  /// - Parameter views: Each signer's own highest certificate's view, from replica 0 on.
  func timeoutCertificate(_ view: UInt64, highQC: Certificate, views: [UInt64], epoch: UInt64 = 1) -> TimeoutCertificate
  {
    TimeoutCertificate(
      epoch: epoch, view: view, highQC: highQC,
      shares: views.enumerated().map { (i, highQCView) in
        let statement = TimeoutStatement(epoch: epoch, view: view, highQCView: highQCView)
        return TimeoutCertificate.Share(
          signer: ReplicaIndex(rawValue: UInt16(i)), highQCView: highQCView,
          signature: group.keys[i].sign(statement.signedBytes(chainID: group.chainID)))
      })
  }

  func block(
    view: UInt64, on qc: Certificate, tc: TimeoutCertificate? = nil, entries: [[UInt8]] = [], time: UInt64 = 1_000
  ) -> Block {
    Block(
      epoch: group.set.epoch, view: view, height: qc.proposed.height + 1, author: group.set.turn(of: view),
      timeMilliseconds: time, entries: entries, parentCertificate: qc, timeoutCertificate: tc)
  }

  /// What an empty chain's next block leads to under ``AppendLog``.
  func outcome(of block: Block, on state: AppendLog = AppendLog()) -> BlockInfo {
    var state = state
    _ = state.apply(entries: block.entries, height: block.height, timeMilliseconds: block.timeMilliseconds)
    return BlockInfo(
      epoch: block.epoch, view: block.view, height: block.height, id: block.id, logSize: state.logSize,
      logRoot: state.logRoot)
  }

  /// A leader's proposal of a block on `parent`.
  func proposal(_ block: Block, parent: BlockInfo? = nil, on state: AppendLog = AppendLog()) -> Proposal {
    Proposal(
      block: block,
      vote: vote(outcome(of: block, on: state), on: parent ?? genesis, by: Int(block.author.rawValue)))
  }

  func message(_ body: Message.Body, highQC: Certificate? = nil, epoch: UInt64? = nil) -> [UInt8] {
    Message(
      epoch: epoch ?? group.set.epoch, sync: SyncInfo(highQC: highQC ?? genesisQC, highTC: nil, finality: nil),
      body: body
    ).encode()
  }

  func replica(_ index: Int, records: [[UInt8]: [UInt8]] = [:]) throws -> Replica<AppendLog> {
    try Replica(
      configuration: try group.configuration(of: index), genesis: AppendLog(),
      recovered: RecoveredRecords(records.map { (key: $0.key, value: $0.value) }))
  }
}

let noon = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)

extension Instant {
  func later(milliseconds: UInt64) -> Instant {
    Instant(
      monotonicNanoseconds: monotonicNanoseconds + milliseconds * 1_000_000,
      wallMilliseconds: wallMilliseconds + milliseconds)
  }
}

/// What a list of effects contains, whatever stands inside a `persist`.
struct Flattened {
  var records: [StoredRecord] = []
  var signs: [SigningRequest] = []
  var bareSigns = 0
  var messages: [Message] = []
  var decided: [DecidedBlock<AppendLog>] = []
  var bareDecided = 0
  var misbehaviours: [Misbehaviour] = []
  var loads: [LoadRequest] = []
  var halts: [ConsensusError] = []
  var observations: [ObservationChange] = []

  init(_ effects: [Effect<AppendLog>]) { add(effects, isHeld: false) }

  private mutating func add(_ effects: [Effect<AppendLog>], isHeld: Bool) {
    for effect in effects {
      switch effect {
      case .persist(let some, let then):
        records += some
        add(then, isHeld: true)
      case .sign(let request):
        signs.append(request)
        bareSigns += isHeld ? 0 : 1
      case .send(_, let bytes), .broadcast(let bytes):
        if let message = try? Message(decoding: bytes) { messages.append(message) }
      case .decided(let block):
        decided.append(block)
        bareDecided += isHeld ? 0 : 1
      case .misbehaviour(let proof): misbehaviours.append(proof)
      case .load(let request): loads.append(request)
      case .observation(let change): observations.append(change)
      case .halted(let error): halts.append(error)
      }
    }
  }

  var votes: [Vote] {
    messages.compactMap {
      switch $0.body {
      case .vote(let vote): vote
      case .proposal(let proposal): proposal.vote
      default: nil
      }
    }
  }
  var timeouts: [Timeout] { messages.compactMap { if case .timeout(let timeout) = $0.body { timeout } else { nil } } }
  var proposals: [Proposal] { messages.compactMap { if case .proposal(let it) = $0.body { it } else { nil } } }
}
