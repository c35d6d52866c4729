import Foundation
import SyncProof
import Testing

/// The formats, byte by byte. SYNC_REWRITE_GOLDENS=1 writes the files anew: read the difference like code.
@Suite struct GoldenTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens")

  private static let goldens: [(String, @Sendable () throws -> [UInt8])] = [
    ("spec.txt", { Sample.spec().encode() }),
    ("outcome-built.txt", { Sample.built().encode() }),
    ("outcome-failed.txt", { Outcome.failed(.exitStatus(101)).encode() }),
    ("reveal.txt", { try Sample.reveal("ada", Sample.built()).signedBytes() }),
    ("evidence.txt", { try Sample.evidence().encode() }),
    ("handover.txt", { try Epoch.one.handover(to: Epoch.two.policy()).encode() }),
    (
      "handover-approval.txt",
      {
        Handover.signedBytes(
          group: Sample.origin, epoch: 1, policy: SHA256.hash(try Epoch.two.policy().encode()), builder: "ada")
      }
    ),
    // What Tests/CABI/handover.c follows: a policy, its hand-over, a proof from before and one from behind it.
    ("handover.policy", { try Epoch.one.policy().encode() }),
    ("handover.tlog-proof", { try Epoch.one.handoverProof(to: Epoch.two.policy()) }),
    ("handover-before.tlog-proof", { try Epoch.one.proof(of: Epoch.one.evidence().encode()).encode() }),
    ("handover-behind.tlog-proof", { try Epoch.two.proof(of: Epoch.two.evidence().encode()).encode() }),
    ("checkpoint.txt", { try Sample.proof().note.encode() }),
    ("proof.tlog-proof", { try Sample.proof().encode() }),
    ("policy.txt", { try Sample.policy().encode() }),
    ("policy-tlog.txt", { try Sample.policy().exportTlogPolicy() }),
    ("report-verification.json", { Report.verification(try ReportTests.verification()) + [0x0a] }),
    ("report-verification.txt", { lines(Report.verificationLines(try ReportTests.verification())) }),
    ("report-inspection.json", { Report.inspection(try Verifier.inspect(proof: Sample.proof().encode())) + [0x0a] }),
    ("report-inspection.txt", { lines(Report.inspectionLines(try Verifier.inspect(proof: Sample.proof().encode()))) }),
    (
      "identities.txt",
      {
        let reveal = try Sample.reveal("ada", Sample.built())
        return [UInt8](
          """
          job \(Sample.spec().jobID)
          outcome \(Sample.built().digest)
          outcome-failed \(Outcome.failed(.exitStatus(101)).digest)
          commitment \(reveal.commitment)
          leaf \(Merkle.leafHash(try Sample.evidence().encode()))

          """)
      }
    ),
  ]

  private static func lines(_ lines: [[UInt8]]) -> [UInt8] { lines.flatMap { $0 + [0x0a] } }

  @Test(arguments: goldens.indices) func golden(_ index: Int) throws {
    let (name, make) = Self.goldens[index]
    let bytes = try make()
    let file = Self.folder.appending(path: name)
    if ProcessInfo.processInfo.environment["SYNC_REWRITE_GOLDENS"] == "1" {
      try Data(bytes).write(to: file)
    }
    #expect([UInt8](try Data(contentsOf: file)) == bytes, "\(name) changed; is the format meant to?")
  }

  /// The examples in the documentation are these files, so that they cannot grow old.
  @Test func theDocumentationShowsTheGoldens() throws {
    let path = Vectors.packageRoot.appending(path: "docs/FORMATS.md")
    let formats = try String(contentsOf: path, encoding: .utf8)
    for name in [
      "spec.txt", "outcome-built.txt", "outcome-failed.txt", "reveal.txt", "evidence.txt", "checkpoint.txt",
      "policy.txt", "policy-tlog.txt", "identities.txt", "handover.txt", "handover-approval.txt",
    ] {
      let golden = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
      #expect(formats.contains(golden), "docs/FORMATS.md does not show \(name)")
    }
  }
}
