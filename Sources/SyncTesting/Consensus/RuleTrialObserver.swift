import SyncConsensus
import SyncProof

extension RuleTrial {
  /// A replica whose records may be an older copy, before an honest proposal and when its view's time is up.
  ///
  /// - Returns: What it signed all the same, or what another replica in its place did not; `nil` for neither.
  package static func observer() throws -> String? {
    if try signs(isRestored: true, isLate: false) { return "a replica that may have forgotten votes" }
    if try signs(isRestored: true, isLate: true) { return "a replica that may have forgotten gives up a view" }
    guard try signs(isRestored: false, isLate: false) else { return "an honest proposal gets no vote" }
    guard try signs(isRestored: false, isLate: true) else { return "a view whose time is up is not given up" }
    return nil
  }

  private static func signs(isRestored: Bool, isLate: Bool) throws -> Bool {
    let group = try FixtureGroup(replicas: 4)
    var configuration = try group.configuration(of: 3)
    configuration.isRestored = isRestored
    var replica = try Replica(configuration: configuration, genesis: AppendLog())
    let now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)
    var effects = replica.step(.start, now: now)
    if isLate {
      effects += replica.step(.submit([[1]]), now: now)
      let late = Instant(monotonicNanoseconds: 61_000_000_000, wallMilliseconds: 61_000)
      effects += replica.step(.wakeUp, now: late)
    } else {
      let genesis = CertificateOracle(group: group).genesis
      let leader = group.set.turn(of: 1)
      let block = Block(
        epoch: group.set.epoch, view: 1, height: 1, author: leader, timeMilliseconds: 1_000, entries: [],
        parentCertificate: genesis, timeoutCertificate: nil)
      let info = BlockInfo(
        epoch: group.set.epoch, view: 1, height: 1, id: block.id, logSize: genesis.proposed.logSize,
        logRoot: genesis.proposed.logRoot)
      let statement = VoteStatement(proposed: info, parent: genesis.proposed)
      let signature = group.keys[Int(leader.rawValue)].sign(statement.signedBytes(chainID: group.chainID))
      let proposal = Proposal(block: block, vote: Vote(statement: statement, author: leader, signature: signature))
      let sync = SyncInfo(highQC: genesis, highTC: nil, finality: nil)
      let message = Message(epoch: group.set.epoch, sync: sync, body: .proposal(proposal)).encode()
      effects += replica.step(.message(from: leader, message), now: now)
    }
    return effects.contains(where: isSigning)
  }

  private static func isSigning(_ effect: Effect<AppendLog>) -> Bool {
    switch effect {
    case .sign: true
    case .persist(_, let then): then.contains(where: isSigning)
    default: false
    }
  }
}
