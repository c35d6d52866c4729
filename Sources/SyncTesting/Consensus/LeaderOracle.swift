import SyncConsensus

/// Whose turn it is, from the published rule and apart from the production code.
package struct LeaderOracle {
  let count: Int
  var faultyMax: Int { (count - 1) / 3 }

  /// - Parameter count: Replicas of the set.
  package init(count: Int) { self.count = count }

  /// The order in which replicas are asked to lead a view; whoever is passed over moves behind the others.
  package func leader(of view: UInt64, passingOver absent: [UInt16]) -> UInt16 {
    let order = (0..<UInt64(count)).map { UInt16((view % UInt64(count) + $0) % UInt64(count)) }
    return order.first { !absent.contains($0) } ?? order[0]
  }

  /// Who is passed over behind a block.
  ///
  /// - Parameter absent: Who was behind its parent.
  package func absent(behind block: (view: UInt64, certificate: Certificate), absent: [UInt16]) -> [UInt16] {
    var next = absent
    for share in block.certificate.shares { next = next.filter { $0 != share.signer.rawValue } }
    var view = block.certificate.proposed.view + 1
    if block.view > UInt64(count) { view = max(view, block.view - UInt64(count)) }
    while view < block.view {
      let failed = leader(of: view, passingOver: absent)
      next = next.filter { $0 != failed } + [failed]
      view += 1
    }
    return Array(next.suffix(faultyMax))
  }
}
