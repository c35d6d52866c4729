import SyncConsensus
import SyncProof

/// What an adversary keeps of what it received, and how often it may act, so that a group that stands still in time
/// is not flooded for ever.
package struct AdversaryMemory: Sendable {
  /// The newest certificates, ascending by view.
  package private(set) var certificates: [Certificate] = []
  /// The newest timeout certificate.
  package private(set) var newestTC: TimeoutCertificate?
  /// Timeouts of one view, by author.
  private var timeouts: [Timeout] = []
  private var actedAt: (wall: UInt64, view: UInt64, count: Int) = (0, 0, 0)

  package init() {}

  package mutating func note(_ message: Message, by context: AdversaryContext) {
    note(message.sync.highQC)
    if let tc = message.sync.highTC { note(tc) }
    switch message.body {
    case .proposal(let proposal):
      note(proposal.block.parentCertificate)
      if let tc = proposal.block.timeoutCertificate { note(tc) }
    case .timeout(let timeout): note(timeout, by: context)
    default: break
    }
  }

  private mutating func note(_ certificate: Certificate) {
    guard !certificates.contains(certificate) else { return }
    certificates.append(certificate)
    certificates.sort { ($0.view, $0.digest) < ($1.view, $1.digest) }
    if certificates.count > 8 { certificates.remove(at: 1) }
  }

  private mutating func note(_ tc: TimeoutCertificate) {
    note(tc.highQC)
    if tc.view >= newestTC?.view ?? 0 { newestTC = tc }
  }

  /// Makes the certificate itself from a quorum's timeouts: it may be the first to have it.
  private mutating func note(_ timeout: Timeout, by context: AdversaryContext) {
    note(timeout.content.highQC)
    if let tc = timeout.content.lastTC { note(tc) }
    guard timeout.view >= timeouts.first?.view ?? 0 else { return }
    if timeouts.first?.view != timeout.view { timeouts = [] }
    guard !timeouts.contains(where: { $0.author == timeout.author }) else { return }
    timeouts.append(timeout)
    timeouts.sort { $0.author < $1.author }
    guard timeouts.count >= context.group.set.quorum,
      let highest = timeouts.map(\.content.highQC).max(by: { $0.view < $1.view })
    else { return }
    note(
      TimeoutCertificate(
        epoch: context.epoch, view: timeout.view, highQC: highest,
        shares: timeouts.map {
          TimeoutCertificate.Share(signer: $0.author, highQCView: $0.content.highQC.view, signature: $0.signature)
        }))
  }

  /// The highest view that any certificate leads into.
  package var view: UInt64 { max(certificates.last?.view ?? 0, newestTC?.view ?? 0) + 1 }

  /// The timeout certificate that leads into a view.
  package func tc(into view: UInt64) -> TimeoutCertificate? { newestTC.flatMap { $0.view + 1 == view ? $0 : nil } }

  /// What an honest replica with these certificates would show.
  package var sync: SyncInfo? {
    guard let newest = certificates.last else { return nil }
    let tc = newestTC.flatMap { $0.view > newest.view ? $0 : nil }
    return SyncInfo(highQC: newest, highTC: tc, finality: nil)
  }

  /// At most twice for each view and instant.
  package mutating func mayAct(by context: AdversaryContext) -> Bool {
    if actedAt.wall != context.wallMilliseconds || actedAt.view != view {
      actedAt = (context.wallMilliseconds, view, 0)
    }
    actedAt.count += 1
    return actedAt.count <= 2
  }
}
