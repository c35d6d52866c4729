import SyncProof
import Testing

@Suite struct RevealTests {
  @Test func itIsReadBackAndEveryFlippedBitIsRefusedOrAnother() throws {
    let reveal = try Sample.reveal("ada", Sample.built())
    let key = Sample.key("ada", "builder")
    let signature = key.sign(reveal.signedBytes())
    let bytes = reveal.encode()
    #expect(try Reveal(parsing: bytes) == reveal)
    #expect(key.publicKey.accepts(signature, on: reveal.signedBytes()))
    for bit in 0..<bytes.count * 8 {
      guard let other = try? Reveal(parsing: bytes.flipping(bit: bit)) else { continue }
      #expect(other.encode() == bytes.flipping(bit: bit), "bit \(bit)")
      #expect(!key.publicKey.accepts(signature, on: other.signedBytes()), "bit \(bit)")
    }
  }

  /// Group, job, builder, outcome and nonce are bound; what a builder says of itself is not.
  @Test func theCommitmentBindsTheOpening() throws {
    let spec = Sample.spec()
    let reveal = try Sample.reveal("ada", Sample.built())
    let outcome = Sample.built()
    let rows: [(String, Reveal)] = try [
      (
        "group",
        Reveal(
          group: "other.example", job: spec.jobID, builder: "ada", outcome: outcome, nonce: reveal.nonce,
          statement: reveal.statement)
      ),
      (
        "job",
        Reveal(
          group: Sample.origin, job: .zero, builder: "ada", outcome: outcome, nonce: reveal.nonce,
          statement: reveal.statement)
      ),
      (
        "builder",
        Reveal(
          group: Sample.origin, job: spec.jobID, builder: "bob", outcome: outcome, nonce: reveal.nonce,
          statement: reveal.statement)
      ),
      (
        "outcome",
        Reveal(
          group: Sample.origin, job: spec.jobID, builder: "ada", outcome: .failed(.disk), nonce: reveal.nonce,
          statement: reveal.statement)
      ),
      (
        "nonce",
        Reveal(
          group: Sample.origin, job: spec.jobID, builder: "ada", outcome: outcome, nonce: reveal.nonce.flipping(bit: 0),
          statement: reveal.statement)
      ),
    ]
    for (name, other) in rows { #expect(other.commitment != reveal.commitment, "\(name)") }
    let boast = try BuilderStatement(sandbox: "docker/1", processor: "p", kernel: "k")
    let other = try Reveal(
      group: Sample.origin, job: spec.jobID, builder: "ada", outcome: outcome, nonce: reveal.nonce, statement: boast)
    #expect(other.commitment == reveal.commitment && other.signedBytes() != reveal.signedBytes())
  }

  @Test(arguments: ["", " a", "a ", "a|b", "a\nb", "\u{e9}", String(repeating: "a", count: 33)])
  func statementsAreBounded(_ text: String) throws {
    #expect(code { _ = try BuilderStatement(sandbox: Text(text), processor: "p", kernel: "k") } == .malformed)
    let made = BuilderStatement(reportedSandbox: Text(text), processor: "p", kernel: "k")
    #expect(
      try BuilderStatement(sandbox: made.sandbox, processor: made.processor, kernel: made.kernel) == made)
  }

  @Test func namesAndNoncesAreChecked() throws {
    let statement = try BuilderStatement(sandbox: "s", processor: "p", kernel: "k")
    let nonce = [UInt8](repeating: 1, count: 32)
    for (group, builder, nonce) in [
      ("Demo.example", "ada", nonce), ("demo..example", "ada", nonce), ("-demo", "ada", nonce), ("", "ada", nonce),
      ("demo.example", "a.b", nonce), ("demo.example", "", nonce), ("demo.example", "a b", nonce),
      ("demo.example", String(repeating: "a", count: 65), nonce), ("demo.example", "ada", nonce + [1]),
    ] {
      #expect(
        code {
          _ = try Reveal(
            group: Text(group), job: .zero, builder: Text(builder), outcome: .failed(.disk), nonce: nonce,
            statement: statement)
        } == .malformed, "\(group) \(builder)")
    }
  }
}
