import SyncProof

/// Who signs what an honest member does not has it in the log: of each kind the first against each member in an epoch.
///
/// More would not prove more, and would let one member fill the log.
extension Ledger {
  func step(for record: MisbehaviourRecord) -> Step {
    guard let member = group.position(of: record.member) else { return .refuse(.stranger) }
    guard !isOver else { return .refuse(.epochEnding) }
    guard accused[member] & record.kind.bit == 0 else { return .refuse(.knownMisbehaviour) }
    guard record.chainID == chainID, isProven(record) else { return .refuse(.unproven) }
    return .accuse(record, member: member)
  }

  private func isProven(_ record: MisbehaviourRecord) -> Bool {
    guard !record.kind.isOfReplica else { return judge(record, group) }
    guard let proof = try? BuilderMisbehaviour(record, origin: group.origin),
      proof.record(chainID: chainID) == record
    else { return false }
    return proof.isProven(in: group, acceptsSignature)
  }

  mutating func keep(_ proof: BuilderMisbehaviour, of member: Int, _ block: inout Block) {
    block.events.append(.misbehaviour(proof))
    guard accused[member] & proof.kind.bit == 0 else { return }
    log(proof.record(chainID: chainID), of: member, &block)
  }

  mutating func log(_ record: MisbehaviourRecord, of member: Int, _ block: inout Block) {
    accused[member] |= record.kind.bit
    let leaf = record.encode()
    let index = log.size
    log.append(leafHash: Merkle.leafHash(leaf))
    block.events.append(.misbehaviourLogged(record, leaf: leaf, index: index))
  }
}
