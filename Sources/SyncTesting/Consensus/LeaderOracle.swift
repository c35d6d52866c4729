import SyncConsensus

/// Whose turn it is, from the published rule and apart from the production code.
package struct LeaderOracle {
  let count: Int
  var faultyMax: Int { (count - 1) / 3 }

  /// - Parameter count: Replicas of the set.
  package init(count: Int) { self.count = count }

  /// The order in which replicas are asked to lead a view; the f that failed first move behind the others.
  package func leader(of view: UInt64, failed: [UInt16]) -> UInt16 {
    let order = (0..<UInt64(count)).map { UInt16((view % UInt64(count) + $0) % UInt64(count)) }
    return order.first { !failed.prefix(faultyMax).contains($0) } ?? order[0]
  }

  /// Who has failed behind a block, and has not signed since.
  ///
  /// - Parameter failed: Who had behind its parent.
  package func failed(behind block: (view: UInt64, certificate: Certificate), failed: [UInt16]) -> [UInt16] {
    guard faultyMax > 0 else { return [] }
    let signers = Set(block.certificate.shares.map(\.signer.rawValue))
    var next = failed.filter { !signers.contains($0) }
    var view = block.certificate.proposed.view + 1
    if block.view > UInt64(count) { view = max(view, block.view - UInt64(count)) }
    while view < block.view {
      let late = leader(of: view, failed: failed)
      next = next.contains(late) ? next : next + [late]
      view += 1
    }
    return next
  }
}
