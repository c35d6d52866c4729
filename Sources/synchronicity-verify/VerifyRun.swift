import CVerifyFiles
import SyncProof

/// Checks artifacts offline, from files alone.
public struct VerifyRun {
  private let policy: Policy
  /// What every artifact is checked against, taken apart or refused; `nil` where each brings its own.
  private let proof: Result<Inspection, ProofError>?
  private let allowsExtra: Bool

  private init(policy: Policy, proof: Result<Inspection, ProofError>?, allowsExtra: Bool) {
    (self.policy, self.proof, self.allowsExtra) = (policy, proof, allowsExtra)
  }

  /// Carries out a request: what holds is told on standard output, what does not in one sentence on standard error; as
  /// JSON, both on standard output.
  ///
  /// Thread: any; blocks on files. Memory: a few MiB, whatever the artifacts' sizes.
  /// - Returns: The worst of the results.
  public static func perform(_ request: VerifyRequest) -> VerifyStatus {
    let printer = VerifyPrinter(request)
    if let problem = request.problem { return printer.refused(VerifyRefusal(.malformed, problem), file: nil) }
    let policy: Policy
    do throws(VerifyRefusal) {
      policy = try readPolicy(request.policy)
    } catch {
      return printer.refused(error, file: request.policy)
    }
    var proof: Result<Inspection, ProofError>?
    if let path = request.proof {
      do throws(VerifyRefusal) {
        proof = try readProof(path)
      } catch {
        return printer.refused(error, file: path)
      }
    }
    let run = VerifyRun(policy: policy, proof: proof, allowsExtra: request.allowsExtra)
    if let sha256 = request.sha256 {
      do throws(VerifyRefusal) {
        return printer.verified(try run.check(sha256: sha256), name: sha256, file: nil)
      } catch {
        return printer.refused(error, file: nil)
      }
    }
    var worst = VerifyStatus.verified
    for path in request.artifacts {
      var status: VerifyStatus
      do throws(VerifyRefusal) {
        status = printer.verified(try run.check(path), name: path, file: path)
      } catch {
        status = printer.refused(error, file: path)
      }
      if status.rawValue > worst.rawValue { worst = status }
    }
    return worst
  }

  /// Checks one artifact and prints nothing.
  public static func check(
    policy: [UInt8], proof: [UInt8], artifact: [UInt8]
  ) throws(VerifyRefusal) -> Verification {
    let policy = try readPolicy(policy)
    return try VerifyRun(policy: policy, proof: try readProof(proof), allowsExtra: false).check(artifact)
  }

  private static func readPolicy(_ path: [UInt8]) throws(VerifyRefusal) -> Policy {
    let bytes = try InputFile.readAll(path, what: "policy", bytesMax: ProofLimits.policyBytesMax)
    do throws(ProofError) {
      return try Policy(parsing: bytes)
    } catch {
      throw VerifyRefusal(error, policy: shown(path))
    }
  }

  /// What the proof says, or why it is none; throws where it cannot be read.
  private static func readProof(_ path: [UInt8]) throws(VerifyRefusal) -> Result<Inspection, ProofError> {
    let bytes: [UInt8]
    do throws(VerifyRefusal) {
      bytes = try InputFile.readAll(path, what: "proof", bytesMax: ProofLimits.proofBytesMax)
    } catch {
      if let tooLarge = error.error { return .failure(tooLarge) }
      throw error
    }
    return inspect(bytes, name: "the proof \(shown(path))")
  }

  /// - Parameter name: For a file that is no proof: whose fault it is.
  private static func inspect(_ proof: [UInt8], name: Text) -> Result<Inspection, ProofError> {
    do throws(ProofError) {
      return .success(try Verifier.inspect(proof: proof))
    } catch {
      guard error.isMalformedInput else { return .failure(error) }
      return .failure(ProofError(error.code, "In \(name): \(error.sentence)", at: error.offset))
    }
  }

  private func check(sha256: [UInt8]) throws(VerifyRefusal) -> Verification {
    guard let digest = Digest(hex: sha256), let proof else {
      preconditionFailure("VerifyRequest.problem lets no other digest and no lack of a proof through")
    }
    return try verify(digest, by: proof, name: shown(sha256))
  }

  private func check(_ path: [UInt8]) throws(VerifyRefusal) -> Verification {
    if path == VerifyRequest.standardInput { return try checkStandardInput() }
    let file = try InputFile(opening: path, what: "artifact")
    switch file.info.kind {
    case VF_REGULAR: return try check(file, at: path)
    case VF_FOLDER: return try checkFolder(file, at: path)
    default:
      throw VerifyRefusal(
        .malformed,
        "\(file.name) is \(kindName(file.info.kind)), no regular file or folder; its bytes may come on standard input, "
          + "as the artifact -")
    }
  }

  private func check(_ file: borrowing InputFile, at path: [UInt8]) throws(VerifyRefusal) -> Verification {
    let size = file.info.size
    if let proof {
      try refuse(proof, name: file.name)
      let digest = try ArtifactContent.digest(of: file, size: size)
      do throws(VerifyRefusal) {
        return try verify(digest, by: proof, name: file.name)
      } catch {
        guard let mismatch = error.error, mismatch.code == .artifactMismatch, try ArtifactContent.isMarked(file) else {
          throw error
        }
        throw VerifyRefusal(
          ProofError(.artifactMismatch, mismatch.sentence + "; it carries a proof: check it without --proof"),
          artifact: file.name)
      }
    }
    if let embedded = try ArtifactContent.embeddedProof(of: file) {
      let own = Self.inspect(embedded.proof, name: "the proof inside it")
      try refuse(own, name: file.name)
      return try verify(try ArtifactContent.digest(of: file, size: embedded.contentSize), by: own, name: file.name)
    }
    let beside = try sidecar(of: path, name: file.name)
    try refuse(beside, name: file.name)
    return try verify(try ArtifactContent.digest(of: file, size: size), by: beside, name: file.name)
  }

  private func checkStandardInput() throws(VerifyRefusal) -> Verification {
    let name: Text = "standard input"
    if let proof {
      try refuse(proof, name: name)
      return try verify(try ArtifactContent.digest(ofStream: 0, name: name), by: proof, name: name)
    }
    guard let embedded = try ArtifactContent.embeddedProof(ofStream: 0, name: name) else {
      throw VerifyRefusal(.environment, "Standard input carries no proof; name one with --proof")
    }
    return try verify(embedded.digest, by: Self.inspect(embedded.proof, name: "the proof inside it"), name: name)
  }

  private func checkFolder(_ folder: borrowing InputFile, at path: [UInt8]) throws(VerifyRefusal) -> Verification {
    let name = folder.name
    let proof: Result<Inspection, ProofError>
    if let given = self.proof { proof = given } else { proof = try sidecar(of: path, name: name) }
    let verification: Verification
    do throws(ProofError) {
      verification = try Verifier.verifyAnyArtifact(proof: try proof.get().proof, policy: policy)
    } catch {
      throw VerifyRefusal(error, artifact: name)
    }
    var check = FolderCheck(folder, artifacts: verification.evidence.artifacts)
    try check.run(allowsExtra: allowsExtra)
    return verification
  }

  /// The proof beside an artifact that carries none.
  private func sidecar(of path: [UInt8], name: Text) throws(VerifyRefusal) -> Result<Inspection, ProofError> {
    let slash = UInt8(ascii: "/")
    let end = path.lastIndex { $0 != slash }.map { $0 + 1 } ?? 0
    let beside = path[..<end] + Text(".tlog-proof").utf8
    guard end > 0, !InputFile.isMissing([UInt8](beside)) else {
      throw VerifyRefusal(
        .environment,
        "\(name) carries no proof, and there is no \(shown([UInt8](beside))); name the proof with --proof")
    }
    return try Self.readProof([UInt8](beside))
  }

  /// Spares the reading of an artifact whose proof is none.
  private func refuse(_ proof: Result<Inspection, ProofError>, name: Text) throws(VerifyRefusal) {
    if case .failure(let error) = proof { throw VerifyRefusal(error, artifact: name) }
  }

  private func verify(
    _ digest: Digest, by proof: Result<Inspection, ProofError>, name: Text
  ) throws(VerifyRefusal) -> Verification {
    do throws(ProofError) {
      return try Verifier.verify(inspected: try proof.get(), policy: policy, artifact: digest)
    } catch {
      throw VerifyRefusal(error, artifact: name)
    }
  }
}
