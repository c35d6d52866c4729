/// What a verification or an inspection says, as JSON for programs and as lines for people.
///
/// The programs and the page that check proofs all print these bytes. JSON is one object without white space and
/// without a newline behind it, its members always in the same order; a member that may be missing is `null`. Both
/// forms are valid UTF-8 whatever the proof holds, and neither holds a control character.
public enum Report {
  /// Where the proof of a file was found.
  public enum ProofOrigin: Hashable, Sendable {
    /// The caller named it.
    case given
    /// In `NAME.tlog-proof`.
    case sidecar
    /// In the file itself, of which the artifact is the beginning.
    case embedded(fileSize: UInt64)

    var word: Text {
      switch self {
      case .given: "given"
      case .sidecar: "sidecar"
      case .embedded: "embedded"
      }
    }
  }

  /// A proof that holds: `verified` is true.
  ///
  /// - Parameters:
  ///   - file: The name under which the artifact was given. It becomes `file`, and `fileHex` where it is not UTF-8, so
  ///     that no two files are mistaken for each other; all members about the file are left out for `nil`.
  ///   - origin: Where its proof was: `proofOrigin`, and for a proof inside it the whole file's `fileSize`.
  public static func verification(
    _ verification: Verification, file: [UInt8]? = nil, proof origin: ProofOrigin = .given
  ) -> [UInt8] {
    let evidence = verification.evidence
    var json = JSONWriter()
    json.object { json in
      json.member("verified", true)
      if let file {
        name(file, in: &json)
        json.member("proofOrigin", origin.word)
        if case .embedded(let size) = origin { json.member("fileSize", size) } else { json.memberNull("fileSize") }
      }
      if let artifact = verification.artifact {
        json.member("artifact", artifact.path)
        json.member("sha256", artifact.sha256)
        json.member("size", artifact.size)
        json.member("mode", Outcome.octal(artifact.mode))
      } else {
        for key: StaticString in ["artifact", "sha256", "size", "mode"] { json.memberNull(key) }
      }
      head(evidence, checkpoint: verification.checkpoint, index: verification.index, in: &json)
      json.member("wanted", UInt64(evidence.reproducers))
      json.array("reproducers") { json in
        for name in verification.reproducers { json.string(name.utf8) }
      }
      json.array("cosigners") { json in
        for cosigner in verification.cosigners {
          json.object { json in
            json.member("name", cosigner.name)
            json.member("timeSeconds", cosigner.timestamp)
          }
        }
      }
      tail(evidence, reproducers: verification.reproducerIndices, in: &json)
    }
    return json.bytes
  }

  /// A proof's own word: `verified` is false.
  ///
  /// - Parameter file: The proof's name, as for ``verification(_:file:proof:)``.
  public static func inspection(_ inspection: Inspection, file: [UInt8]? = nil) -> [UInt8] {
    let (proof, evidence) = (inspection.proof, inspection.evidence)
    var json = JSONWriter()
    json.object { json in
      json.member("verified", false)
      if let file { name(file, in: &json) }
      head(evidence, checkpoint: proof.checkpoint, index: proof.index, in: &json)
      json.member("reproducers", UInt64(evidence.reproducers))
      json.array("signatures") { json in
        for signature in proof.note.signatures {
          json.object { json in
            json.member("name", signature.name)
            json.member("keyID", Hex.encode(NoteKey.idBytes(signature.keyID)))
            if let cosignature = Cosignature(parsing: signature.blob) {
              json.member("timeSeconds", cosignature.timestamp)
            } else {
              json.memberNull("timeSeconds")
            }
          }
        }
      }
      tail(evidence, reproducers: nil, in: &json)
    }
    return json.bytes
  }

  /// A proof or policy that is refused: `verified` is false, `code` the number of ``ProofError/Code``, `reason` the
  /// sentence and `offset` the byte of the input, or `null`.
  ///
  /// - Parameter file: As for ``verification(_:file:proof:)``.
  public static func refusal(_ error: ProofError, file: [UInt8]? = nil) -> [UInt8] {
    refusal(code: error.code.rawValue, reason: error.sentence.utf8, offset: error.offset, file: file)
  }

  /// Something that could not be checked, because it could not be read or was asked for wrongly: `code` is `null`.
  public static func failure(_ reason: Text, file: [UInt8]? = nil) -> [UInt8] {
    refusal(code: nil, reason: reason.utf8, offset: nil, file: file)
  }

  private static func refusal(code: Int32?, reason: [UInt8], offset: Int?, file: [UInt8]?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.member("verified", false)
      if let file { name(file, in: &json) }
      optional("code", code.map { UInt64(clamping: $0) }, in: &json)
      json.member("reason", reason)
      optional("offset", offset.map { UInt64(clamping: $0) }, in: &json)
    }
    return json.bytes
  }

  private static func name(_ file: [UInt8], in json: inout JSONWriter) {
    json.member("file", file)
    if VisibleText.isUTF8(file) { json.memberNull("fileHex") } else { json.member("fileHex", Hex.encode(file)) }
  }

  private static func optional(_ key: StaticString, _ value: UInt64?, in json: inout JSONWriter) {
    if let value { json.member(key, value) } else { json.memberNull(key) }
  }

  private static func head(_ evidence: Evidence, checkpoint: Checkpoint, index: UInt64, in json: inout JSONWriter) {
    let spec = evidence.spec
    json.member("package", spec.package)
    if let root = spec.root { json.member("source", root.tree) } else { json.memberNull("source") }
    json.member("toolchain", spec.toolchain)
    json.member("job", spec.jobID)
    json.member("log", checkpoint.origin)
    json.member("index", index)
    json.member("treeSize", checkpoint.treeSize)
    json.member("submitter", evidence.submitter)
    json.member("epoch", evidence.epoch)
    json.member("height", evidence.height)
    json.member("timeMilliseconds", evidence.timeMilliseconds)
    json.member("verdict", evidence.verdict.text)
    json.member("agreeing", UInt64(evidence.agreeing))
  }

  /// - Parameter reproducers: Places in ``Evidence/builders`` of those that count; `nil` where nothing is verified.
  private static func tail(_ evidence: Evidence, reproducers: [Int]?, in json: inout JSONWriter) {
    json.array("builders") { json in
      for (i, line) in evidence.builders.enumerated() {
        json.object { json in
          builder(line, of: evidence, in: &json)
          if let reproducers { json.member("reproducer", reproducers.contains(i)) }
        }
      }
    }
    let supporters = evidence.supporters
    json.array("outcomes") { json in
      for (i, listed) in evidence.outcomes.enumerated() {
        json.object { json in
          json.member("sha256", listed.digest)
          json.member("builders", UInt64(supporters[i]))
          outcome(listed.outcome, in: &json)
        }
      }
    }
    json.array("sources") { json in
      for source in evidence.spec.sources {
        json.object { json in
          json.member("purl", source.purl)
          json.member("tree", source.tree)
          if let claim = source.claim {
            json.member("claimedChecksum", claim)
          } else {
            json.memberNull("claimedChecksum")
          }
          json.member("origin", source.origin)
        }
      }
    }
    json.array("artifacts") { json in artifacts(evidence.artifacts, in: &json) }
  }

  private static func builder(_ line: BuilderLine, of evidence: Evidence, in json: inout JSONWriter) {
    json.member("name", line.name)
    json.member("outcome", describe(line, in: evidence))
    switch line {
    case .revealed(_, let number, _, let statement, _):
      json.member("state", Text("revealed"))
      json.member("outcomeIndex", UInt64(number))
      json.member("sandbox", statement.sandbox)
      json.member("processor", statement.processor)
      json.member("kernel", statement.kernel)
    case .absent(_, let absence):
      json.member("state", absence.text)
      for key: StaticString in ["outcomeIndex", "sandbox", "processor", "kernel"] { json.memberNull(key) }
    }
  }

  /// What an outcome was; both members are `null` where the evidence lists its digest alone.
  private static func outcome(_ outcome: Outcome?, in json: inout JSONWriter) {
    switch outcome {
    case .built(let files):
      json.memberNull("failure")
      json.array("artifacts") { json in artifacts(files, in: &json) }
    case .failed(let reason):
      json.member("failure", failure(reason))
      json.memberNull("artifacts")
    case nil:
      json.memberNull("failure")
      json.memberNull("artifacts")
    }
  }

  private static func artifacts(_ artifacts: [Artifact], in json: inout JSONWriter) {
    for artifact in artifacts {
      json.object { json in
        json.member("path", artifact.path)
        json.member("size", artifact.size)
        json.member("mode", Outcome.octal(artifact.mode))
        json.member("sha256", artifact.sha256)
      }
    }
  }
}
