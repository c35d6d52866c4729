import SyncProof

/// What a proof says of itself, unverified.
struct InspectionReport: Encodable {
  struct Builder: Encodable {
    let name: String
    let outcome: String
    let sandbox: String?
    let processor: String?
    let kernel: String?

    init(_ line: BuilderLine, of evidence: Evidence) {
      name = line.name.string
      switch line {
      case .revealed(_, let number, _, let statement, _):
        outcome = "revealed outcome \(number + 1), \(evidence.outcomes[number].digest.hex)"
        (sandbox, processor, kernel) = (
          statement.sandbox.string, statement.processor.string, statement.kernel.string
        )
      case .absent(_, let absence):
        outcome = "absent: \(absence.text.string)"
        (sandbox, processor, kernel) = (nil, nil, nil)
      }
    }
  }
  struct Source: Encodable {
    let purl: String
    let tree: String
    let claimedChecksum: String?
    let origin: String
  }

  let log: String
  let index: UInt64
  let treeSize: UInt64
  let signatures: [String]
  let package: String
  let job: String
  let toolchain: String
  let submitter: String
  let verdict: String
  let agreeing: Int
  let reproducers: Int
  let height: UInt64
  let timeMilliseconds: UInt64
  let sources: [Source]
  let artifacts: [String: String]
  let builders: [Builder]

  init(parsing bytes: [UInt8]) throws(ProofError) {
    let inspection = try Verifier.inspect(proof: bytes)
    let (proof, evidence) = (inspection.proof, inspection.evidence)
    let checkpoint = proof.checkpoint
    log = checkpoint.origin.string
    index = proof.index
    treeSize = checkpoint.treeSize
    signatures = proof.note.signatures.map(\.name.string)
    package = evidence.spec.package.string
    job = evidence.spec.jobID.hex
    toolchain = evidence.spec.toolchain.hex
    submitter = evidence.submitter.string
    verdict = evidence.verdict.text.string
    agreeing = evidence.agreeing
    reproducers = evidence.reproducers
    height = evidence.height
    timeMilliseconds = evidence.timeMilliseconds
    sources = evidence.spec.sources.map {
      Source(purl: $0.purl.string, tree: $0.tree.hex, claimedChecksum: $0.claim?.hex, origin: $0.origin.string)
    }
    var files: [String: String] = [:]
    for artifact in evidence.artifacts { files[artifact.path.string] = artifact.sha256.hex }
    artifacts = files
    builders = evidence.builders.map { Builder($0, of: evidence) }
  }

  var lines: [String] {
    var lines = [
      "NOT VERIFIED: the file says this of itself. Check: synchronicity verify --policy POLICY --proof FILE ARTIFACT",
      "",
      "package    \(package)",
      "job        \(job)",
      "toolchain  \(toolchain)",
      "verdict    \(verdict), \(agreeing) of \(builders.count) builders agree, \(reproducers) wanted",
      "log        \(log), index \(index), tree of \(treeSize) leaves, decided block \(height)",
      "signed by  \(signatures.joined(separator: ", "))",
      "",
      "sources",
    ]
    for source in sources { lines.append("  \(source.purl)  tree \(source.tree)  from \(source.origin)") }
    lines.append("artifacts")
    for path in artifacts.keys.sorted() { lines.append("  \(artifacts[path] ?? "")  \(path)") }
    lines.append("builders")
    for builder in builders {
      let host = [builder.sandbox, builder.processor, builder.kernel].compactMap(\.self).joined(separator: "; ")
      lines.append("  \(builder.name)  \(builder.outcome)\(host.isEmpty ? "" : "  (\(host))")")
    }
    return lines
  }
}
