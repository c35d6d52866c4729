import SyncProof
import Synchronization

/// Remembers which signatures were checked and are good, so that an entry costs a node one check: it is asked about
/// when it comes, when a block with it is voted for, and when that is applied.
///
/// The answers are those of ``PublicKey/accepts(_:on:)``, whatever is remembered. Only good ones are, so that what
/// strangers send pushes nothing out. Thread: any.
package final class AcceptedSignatures: Sendable {
  /// Beyond it, what came first is forgotten; some 640 KiB.
  package static let countMax = 8_192

  private struct Known {
    var digests: Set<Digest> = []
    /// The same in the order in which they came, from `oldest` on and around.
    var order: [Digest] = []
    var oldest = 0
  }

  private let known = Mutex(Known())

  package init() {}

  /// How many are remembered.
  package var count: Int { known.withLock { $0.digests.count } }

  package func accepts(_ key: PublicKey, _ signature: Signature, _ message: [UInt8]) -> Bool {
    accepts(key, signature, message) { key.accepts(signature, on: message) }
  }

  /// - Parameter check: Answers what is not remembered.
  package func accepts(_ key: PublicKey, _ signature: Signature, _ message: [UInt8], check: () -> Bool) -> Bool {
    let digest = Self.digest(key, signature, message)
    if known.withLock({ $0.digests.contains(digest) }) { return true }
    guard check() else { return false }
    known.withLock { known in
      guard known.digests.insert(digest).inserted else { return }
      guard known.order.count == AcceptedSignatures.countMax else { return known.order.append(digest) }
      known.digests.remove(known.order[known.oldest])
      known.order[known.oldest] = digest
      known.oldest = (known.oldest + 1) % AcceptedSignatures.countMax
    }
    return true
  }

  func remembers(_ key: PublicKey, _ signature: Signature, _ message: [UInt8]) -> Bool {
    let digest = Self.digest(key, signature, message)
    return known.withLock { $0.digests.contains(digest) }
  }

  /// Two fields of fixed size before the message: no two questions have the same bytes.
  private static func digest(_ key: PublicKey, _ signature: Signature, _ message: [UInt8]) -> Digest {
    var stream = SHA256.Stream()
    stream.update(key.bytes)
    stream.update(signature.bytes)
    stream.update(message)
    return stream.finish()
  }
}
