/// Who is passed over when leaders take their turns, as one chain of blocks tells it.
///
/// A replica whose view was given up is passed over until it has signed in a certificate again. Everything it goes by
/// stands in the blocks themselves, so that whoever has a block's ancestors knows who may have proposed it: no clock,
/// no count of one's own, no record. See docs/decisions/0029-leaders-that-failed-are-passed-over.md.
package struct Standing: Hashable, Sendable {
  /// Who has failed and signed in no certificate since, the oldest failure first; each once.
  package private(set) var failed: [ReplicaIndex] = []

  package init(failed: [ReplicaIndex] = []) { self.failed = failed }

  /// Who is passed over, the oldest failure first; at most ``ReplicaSet/faultyMax``, so that a quorum always leads.
  ///
  /// Who has been silent for longest is the likeliest to be gone: one that was slow once does not bring it back.
  func passedOver(in set: ReplicaSet) -> ArraySlice<ReplicaIndex> { failed.prefix(set.faultyMax) }

  /// Who leads `view` on top of the block that this standing is of: the one whose turn it is, or the first behind it
  /// that is not passed over.
  func leader(of view: UInt64, in set: ReplicaSet) -> ReplicaIndex {
    var leader = set.turn(of: view)
    let passedOver = passedOver(in: set)
    while passedOver.contains(leader) { leader = set.next(after: leader) }
    return leader
  }

  /// Goes on from the parent's standing to the block's.
  ///
  /// The parent's certificate is older than the views that were given up after it: its signers come back first.
  mutating func follow(_ block: Block, in set: ReplicaSet) {
    let certificate = block.parentCertificate
    let late = givenUp(from: certificate.view, to: block.view, in: set)
    if !failed.isEmpty {
      failed.removeAll { index in certificate.shares.contains { $0.signer == index } }
    }
    for leader in late where !failed.contains(leader) { failed.append(leader) }
  }

  /// Leaders of the views between a parent's and its block's; of many views, the last `n`.
  private func givenUp(from parent: UInt64, to view: UInt64, in set: ReplicaSet) -> [ReplicaIndex] {
    guard set.faultyMax > 0, view > parent, view - parent > 1 else { return [] }
    let first = max(parent + 1, view - min(UInt64(set.count), view))
    return (first..<view).map { leader(of: $0, in: set) }
  }
}
