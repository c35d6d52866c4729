import SyncLedger
import SyncProof

/// The group and its members, for those above the runtime, who need not know the ledger.
public typealias Group = SyncLedger.Group
public typealias GroupMember = SyncLedger.GroupMember
public typealias LogAudit = SyncLedger.LogAudit
public typealias MisbehaviourRecord = SyncLedger.MisbehaviourRecord
public typealias PolicyChange = SyncLedger.PolicyChange

/// What a builder hands to whoever creates the group: its name, where it is reached, and its public keys.
///
/// The text is a group file's lines for one member behind the line `synchronicity-member/v1`.
public struct MemberCard: Sendable, Equatable {
  public static let bytesMax = 4_096
  private static let header = "synchronicity-member/v1\n"
  // A card is read by the group file's own parser: the lines of a group of one stand before the member's.
  private static let frame = """
    synchronicity-group/v1
    origin card.invalid
    epoch 0
    reproducers 1
    commit-seconds 1
    reveal-seconds 1

    """

  public let member: GroupMember

  /// Makes a card from the public halves of a signer's keys.
  public init(name: Text, address: Text, gateway: Text?, signer: any Signer) throws(PluginError) {
    member = GroupMember(
      name: name, address: address, gateway: gateway, logKey: try signer.publicKey(for: .log),
      cosignerKey: try signer.publicKey(for: .cosigner), builderKey: try signer.publicKey(for: .builder),
      consensusKey: try signer.publicKey(for: .consensus), transportKey: try signer.publicKey(for: .transport))
    // The rules for names and addresses are those of the group that the card will be part of.
    let member = member
    _ = try PluginError.refusing { () throws(ProofError) in try MemberCard.group(of: member) }
  }

  public init(parsing bytes: [UInt8]) throws(ProofError) {
    let header = [UInt8](MemberCard.header.utf8)
    guard bytes.starts(with: header) else {
      throw ProofError(.unsupportedVersion, "A member card begins with the line synchronicity-member/v1", at: 0)
    }
    let group = try Group(parsing: [UInt8](MemberCard.frame.utf8) + bytes.dropFirst(header.count))
    guard group.members.count == 1 else {
      throw ProofError(.malformed, "A member card holds one member; this one holds \(group.members.count)")
    }
    member = group.members[0]
  }

  public func encode() -> [UInt8] {
    guard let group = try? MemberCard.group(of: member) else {
      preconditionFailure("A card's member was checked when the card was made")
    }
    return [UInt8](MemberCard.header.utf8) + group.encode().dropFirst(MemberCard.frame.utf8.count)
  }

  private static func group(of member: GroupMember) throws(ProofError) -> Group {
    try Group(
      origin: "card.invalid", epoch: 0, reproducers: 1, commitSeconds: 1, revealSeconds: 1, members: [member])
  }
}
