import SyncProof
import Synchronization

/// Signature checks that were made once: every replica of a simulation checks the same signatures, and Ed25519 would be
/// most of its time.
///
/// The whole of key, signature and message is what is looked up, so an answer is never another question's.
final class SignatureMemo: Sendable {
  private struct Question: Hashable {
    let key: PublicKey
    let signature: Signature
    let message: [UInt8]
  }

  private static let answersMax = 50_000
  private let answers = Mutex<[Question: Bool]>([:])

  func accepts(_ key: PublicKey, _ signature: Signature, _ message: [UInt8]) -> Bool {
    let question = Question(key: key, signature: signature, message: message)
    return answers.withLock { answers in
      if let known = answers[question] { return known }
      if answers.count >= SignatureMemo.answersMax { answers.removeAll(keepingCapacity: true) }
      let answer = key.accepts(signature, on: message)
      answers[question] = answer
      return answer
    }
  }
}
