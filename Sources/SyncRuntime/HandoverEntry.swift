import SyncLedger
import SyncProof

/// The entries by which a member proposes a hand-over and approves of one.
public enum HandoverEntry {
  public static let bytesMax = LedgerLimits.entryBytesMax

  /// - Parameters:
  ///   - next: The group of the next epoch.
  ///   - group: The present one, of which `member` is.
  ///   - signer: Holds that member's builder key.
  public static func proposal(of next: Group, in group: Group, by member: Text, signer: any Signer)
    throws(PluginError) -> [UInt8]
  {
    let text = next.encode()
    let message = Entry.proposalSignedBytes(
      proposal: SHA256.hash(text), proposer: member, chainID: group.chainID)
    return Entry.proposal(
      SignedProposal(group: text, proposer: member, signature: try signer.sign(message, as: .builder))
    ).encode()
  }

  /// The same parameters.
  public static func approval(of next: Group, in group: Group, by member: Text, signer: any Signer)
    throws(PluginError) -> [UInt8]
  {
    let digest = SHA256.hash(next.encode())
    let signature = try signer.sign(
      Handover.signedBytes(
        group: group.origin, epoch: group.epoch, policy: SHA256.hash(next.policy().encode()), builder: member),
      as: .builder)
    let message = Entry.approvalSignedBytes(
      proposal: digest, builder: member, signature: signature, chainID: group.chainID)
    return Entry.approval(
      SignedApproval(
        proposal: digest, builder: member, signature: signature,
        entrySignature: try signer.sign(message, as: .builder))
    ).encode()
  }
}
