/// How far the change of an epoch has come, and what is proposed.
public struct HandoverList: Sendable, Equatable, Codable {
  public enum Phase: String, Sendable, Codable {
    /// Proposals and approvals are taken.
    case open
    /// A proposal has its approvals; open jobs are ended, new ones not taken.
    case ending
    /// The hand-over stands in the log.
    case over
  }
  public let epoch: UInt64
  public let phase: Phase
  /// Approvals that end the epoch.
  public let approvalsWanted: Int
  public let proposals: [HandoverStatus]

  public init(epoch: UInt64, phase: Phase, approvalsWanted: Int, proposals: [HandoverStatus]) {
    (self.epoch, self.phase, self.approvalsWanted, self.proposals) = (epoch, phase, approvalsWanted, proposals)
  }
}

public struct HandoverStatus: Sendable, Equatable, Codable {
  /// SHA-256 of the group file, 64 hexadecimal digits.
  public let id: String
  public let proposer: String
  /// Names of members.
  public let approvals: [String]

  public init(id: String, proposer: String, approvals: [String]) {
    (self.id, self.proposer, self.approvals) = (id, proposer, approvals)
  }
}
