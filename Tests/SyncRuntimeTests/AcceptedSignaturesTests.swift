import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

@Suite struct AcceptedSignaturesTests {
  private let key = FixtureKey(7)

  @Test func `answers are those of the key, at first and ever after`() {
    let known = AcceptedSignatures()
    let message = [UInt8]("a job".utf8)
    let signature = key.sign(message)
    for _ in 0..<3 { #expect(known.accepts(key.publicKey, signature, message)) }
    #expect(known.count == 1)
    // Each bit of all that is asked about: a memory that leaves out a part of it would say yes.
    for bit in 0..<(8 * message.count) {
      var changed = message
      changed[bit / 8] ^= 1 << (bit % 8)
      #expect(!known.accepts(key.publicKey, signature, changed))
    }
    for bit in 0..<(8 * Signature.byteCount) {
      var changed = signature.bytes
      changed[bit / 8] ^= 1 << (bit % 8)
      #expect(Signature(bytes: changed).map { known.accepts(key.publicKey, $0, message) } != true)
    }
    #expect(!known.accepts(FixtureKey(8).publicKey, signature, message))
    #expect(!known.accepts(key.publicKey, signature, message + [0]))
    #expect(!known.accepts(key.publicKey, signature, []))
    #expect(known.count == 1, "what is refused is not remembered")
  }

  @Test func `what came first gives way, and is checked anew`() {
    let known = AcceptedSignatures()
    let max = AcceptedSignatures.countMax
    let all = (0..<max + 3).map { number in
      let message = [UInt8]("\(number)".utf8)
      return (message, key.sign(message))
    }
    for (message, signature) in all { #expect(known.accepts(key.publicKey, signature, message)) }
    #expect(known.count == max)
    for (message, signature) in all.prefix(5) { #expect(known.accepts(key.publicKey, signature, message)) }
    #expect(known.count == max)
    // The last ones stayed, and the first three had gone: asking them again pushed out what then was the oldest.
    let first = AcceptedSignatures()
    for (message, signature) in all { _ = first.accepts(key.publicKey, signature, message) }
    let remembered = all.map { first.remembers(key.publicKey, $1, $0) }
    #expect(remembered.prefix(3).allSatisfy { !$0 } && remembered.dropFirst(3).allSatisfy { $0 })
  }

  @Test func `what is remembered is not checked again`() {
    let known = AcceptedSignatures()
    let message = [UInt8]("a job".utf8)
    let signature = key.sign(message)
    var checks = 0
    for _ in 0..<3 {
      #expect(
        known.accepts(key.publicKey, signature, message) {
          checks += 1; return true
        })
    }
    #expect(checks == 1)
    for _ in 0..<3 {
      #expect(
        !known.accepts(key.publicKey, signature, message + [0]) {
          checks += 1; return false
        })
    }
    #expect(checks == 4)
  }
}
