import SyncConsensus
import SyncProof

/// What a block must be that an honest replica votes for, V2 with it, from the published rules and apart from the
/// production code.
struct VoteOracle {
  /// What of a block the voting rules look at.
  private struct Header {
    let author: UInt16
    let epoch: UInt64
    let view: UInt64
    let parent: BlockInfo
    let qc: Certificate
    let tc: TimeoutCertificate?
  }

  let certificates: CertificateOracle
  private let group: FixtureGroup
  private let leaders: LeaderOracle
  private var cache = CertificateOracle.Cache()
  private var headers: [Digest: Header] = [:]
  /// Who has failed behind each block whose ancestors were all seen.
  private var failed: [Digest: [UInt16]]

  init(group: FixtureGroup) {
    self.group = group
    certificates = CertificateOracle(group: group)
    leaders = LeaderOracle(count: group.set.count)
    failed = [certificates.genesis.proposed.id: []]
  }

  /// Takes note of the blocks that anyone has sent.
  mutating func saw(_ message: Message) {
    switch message.body {
    case .proposal(let proposal): note(proposal.block)
    case .blocks(let answer): for block in answer.blocks { note(block) }
    default: break
    }
  }

  private mutating func note(_ block: Block) {
    headers[block.id] = Header(
      author: block.author.rawValue, epoch: block.epoch, view: block.view, parent: block.parentCertificate.proposed,
      qc: block.parentCertificate, tc: block.timeoutCertificate)
  }

  /// What is wrong with a vote of an honest replica's; `nil` for nothing, or where its block was not seen yet.
  mutating func problem(of statement: VoteStatement) -> String? {
    guard let header = headers[statement.proposed.id] else { return nil }
    if let problem = problem(of: header) { return "votes in view \(header.view) for a block which \(problem)" }
    guard statement.parent == header.parent, statement.proposed.view == header.view,
      statement.proposed.epoch == group.set.epoch
    else { return "votes for another place than its block has" }
    return nil
  }

  mutating func problem(of certificate: Certificate) -> String? { certificates.problem(of: certificate, &cache) }
  mutating func problem(of certificate: TimeoutCertificate) -> String? {
    certificates.problem(of: certificate, &cache)
  }

  private mutating func problem(of header: Header) -> String? {
    guard header.epoch == group.set.epoch else { return "is of epoch \(header.epoch)" }
    if let failed = failed(behind: header.parent.id) {
      guard header.author == leaders.leader(of: header.view, failed: failed) else {
        return "its view's leader did not make"
      }
    } else {
      // An ancestor was never sent: whoever it is, at most f are passed over.
      let behind = (UInt64(header.author) + UInt64(leaders.count) - header.view % UInt64(leaders.count))
      guard behind % UInt64(leaders.count) <= UInt64(leaders.faultyMax) else { return "no leader of its view made" }
    }
    if let problem = problem(of: header.qc) { return "has a parent's certificate that \(problem)" }
    guard let tc = header.tc else {
      return header.qc.proposed.view + 1 == header.view ? nil : "skips views without a timeout certificate"
    }
    if let problem = problem(of: tc) { return "has a timeout certificate that \(problem)" }
    guard tc.view + 1 == header.view else { return "has another view's timeout certificate" }
    guard tc.shares.allSatisfy({ $0.highQCView <= header.qc.proposed.view }) else {
      return "extends an older block than its view's quorum had seen"
    }
    return header.qc.proposed.view + 1 < header.view ? nil : "explains its view twice"
  }

  /// `nil` where an ancestor was never sent.
  private mutating func failed(behind id: Digest) -> [UInt16]? {
    var path: [(Digest, Header)] = []
    var at = id
    while failed[at] == nil {
      guard let header = headers[at] else { return nil }
      path.append((at, header))
      at = header.parent.id
    }
    for (id, header) in path.reversed() {
      failed[id] = leaders.failed(behind: (header.view, header.qc), failed: failed[header.parent.id] ?? [])
    }
    return failed[id]
  }
}
