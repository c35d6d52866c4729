import SyncProof

/// The sample group in its epochs: in each a member leaves and another comes. What an epoch signs is signed by its last
/// three members, which is enough for its own policy and not for the one before.
struct Epoch {
  let number: UInt64
  let members: [String]

  static let one = Epoch(number: 1, members: Sample.members)
  static let two = Epoch(number: 2, members: ["bob", "cyd", "dee", "eve"])
  static let three = Epoch(number: 3, members: ["cyd", "dee", "eve", "fay"])
  /// Nobody of the first epoch is left.
  static let four = Epoch(number: 4, members: ["eve", "fay", "gil", "hal"])
  static let all = [one, two, three, four]

  func policy(quorum: Int = 3, reproducers: Int = 3) throws -> Policy {
    try Sample.policy(
      quorum: quorum, reproducers: reproducers, logs: [members[1], members[3]], witnesses: members, builders: members)
  }

  var signers: [String] { Array(members.suffix(3)) }

  /// Evidence of this epoch's signers.
  func evidence(epoch: UInt64? = nil, by builders: [String]? = nil, group: Text = Sample.origin) throws -> Evidence {
    var reports = try (builders ?? signers).map { try Sample.report($0, Sample.built()) }
    if builders == nil { reports.append(.absent(name: Text(members[0]), .noReveal)) }
    return try Evidence(
      group: group, epoch: epoch ?? number, height: 42, timeMilliseconds: 1_790_000_000_000,
      submitter: Text(members[0]), reproducers: 3, spec: Sample.spec(), reports: reports)
  }

  /// A leaf under a head of this epoch's log and cosigners, with none to spare.
  func proof(of leaf: [UInt8], index: UInt64 = 5, origin: Text = Sample.origin) throws -> Proof {
    try Sample.proof(leaf: leaf, index: index, origin: origin, logs: [members[1]], cosigners: signers)
  }

  func approval(
    _ member: String, of policy: Policy, epoch: UInt64? = nil, group: Text = Sample.origin, key: String? = nil
  ) -> HandoverApproval {
    let message = Handover.signedBytes(
      group: group, epoch: epoch ?? number, policy: SHA256.hash(policy.encode()), builder: Text(member))
    return HandoverApproval(builder: Text(member), signature: Sample.key(key ?? member, "builder").sign(message))
  }

  /// The hand-over to `next`, with no approval to spare.
  func handover(to next: Policy, by members: [String]? = nil, epoch: UInt64? = nil) throws -> Handover {
    try Handover(
      group: Sample.origin, epoch: epoch ?? number, policy: next,
      approvals: (members ?? signers).map { approval($0, of: next, epoch: epoch) })
  }

  func handoverProof(to next: Policy, by members: [String]? = nil, epoch: UInt64? = nil) throws -> [UInt8] {
    try proof(of: handover(to: next, by: members, epoch: epoch).encode(), index: 12).encode()
  }

  /// The proofs that lead from the first of these epochs to the last.
  static func handovers(_ epochs: [Epoch] = all) throws -> [[UInt8]] {
    try zip(epochs, epochs.dropFirst()).map { try $0.handoverProof(to: $1.policy()) }
  }

  static func chain(_ epochs: [Epoch] = all) throws -> PolicyChain {
    var chain = PolicyChain(try epochs[0].policy(), epoch: epochs[0].number)
    for proof in try handovers(epochs) { try chain.follow(proof: proof) }
    return chain
  }
}
