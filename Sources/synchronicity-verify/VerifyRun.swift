import CVerifyFiles
import SyncProof

/// Checks artifacts offline, from files alone.
public struct VerifyRun {
  private let chain: PolicyChain
  /// What every artifact is checked against, taken apart or refused; `nil` where each brings its own.
  private let proof: Result<Inspection, ProofError>?
  private let package: [UInt8]?
  private let allowsExtra: Bool

  private init(
    chain: PolicyChain, proof: Result<Inspection, ProofError>?, package: [UInt8]? = nil, allowsExtra: Bool = false
  ) {
    (self.chain, self.proof, self.package, self.allowsExtra) = (chain, proof, package, allowsExtra)
  }

  /// What was verified, by the proof from where.
  private struct Checked {
    let verification: Verification
    let origin: Report.ProofOrigin
  }

  /// Carries out a request: what holds is told on standard output, what does not in one sentence on standard error; as
  /// JSON, both on standard output.
  ///
  /// Thread: any; blocks on files. Memory: a few MiB, whatever the artifacts' sizes.
  /// - Returns: The worst of the results.
  public static func perform(_ request: VerifyRequest) -> VerifyStatus {
    let printer = VerifyPrinter(request)
    if let problem = request.problem { return printer.misused(problem) }
    var chain: PolicyChain
    do throws(VerifyRefusal) {
      chain = PolicyChain(try readPolicy(request.policy), epoch: request.epoch.flatMap { Decimal.decode($0) })
    } catch {
      return printer.refused(error, file: request.policy)
    }
    for path in request.handovers {
      do throws(VerifyRefusal) {
        try follow(path, &chain)
      } catch {
        return printer.refused(error, file: path)
      }
    }
    var proof: Result<Inspection, ProofError>?
    if let path = request.proof {
      do throws(VerifyRefusal) {
        proof = try readProof(path)
      } catch {
        return printer.refused(error, file: path)
      }
    }
    let run = VerifyRun(
      chain: chain, proof: proof, package: request.package, allowsExtra: request.allowsExtra)
    if let sha256 = request.sha256 {
      do throws(VerifyRefusal) {
        return printer.verified(try run.check(sha256: sha256), name: sha256, file: nil, proof: .given)
      } catch {
        return printer.refused(error, file: nil)
      }
    }
    var worst = VerifyStatus.verified
    for path in request.artifacts {
      var status: VerifyStatus
      do throws(VerifyRefusal) {
        let checked = try run.check(path)
        status = printer.verified(checked.verification, name: path, file: path, proof: checked.origin)
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
    let chain = PolicyChain(try readPolicy(policy))
    return try VerifyRun(chain: chain, proof: try readProof(proof)).check(artifact).verification
  }

  private static func readPolicy(_ path: [UInt8]) throws(VerifyRefusal) -> Policy {
    let bytes = try InputFile.readAll(path, what: "policy", bytesMax: ProofLimits.policyBytesMax)
    do throws(ProofError) {
      return try Policy(parsing: bytes)
    } catch {
      throw VerifyRefusal(error, policy: shown(path))
    }
  }

  /// Goes on by the hand-over in the file.
  private static func follow(_ path: [UInt8], _ chain: inout PolicyChain) throws(VerifyRefusal) {
    let bytes = try InputFile.readAll(path, what: "hand-over", bytesMax: ProofLimits.proofBytesMax)
    do throws(ProofError) {
      try chain.follow(proof: bytes)
    } catch {
      throw VerifyRefusal(error, handover: shown(path))
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

  private func check(_ path: [UInt8]) throws(VerifyRefusal) -> Checked {
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

  private func check(_ file: borrowing InputFile, at path: [UInt8]) throws(VerifyRefusal) -> Checked {
    let size = file.info.size
    if let proof {
      try refuse(proof, name: file.name)
      let digest = try ArtifactContent.digest(of: file, size: size)
      do throws(VerifyRefusal) {
        return Checked(verification: try verify(digest, by: proof, name: file.name), origin: .given)
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
      let digest = try ArtifactContent.digest(of: file, size: embedded.contentSize)
      return Checked(verification: try verify(digest, by: own, name: file.name), origin: .embedded(fileSize: size))
    }
    let beside = try sidecar(of: path, name: file.name)
    try refuse(beside, name: file.name)
    let digest = try ArtifactContent.digest(of: file, size: size)
    return Checked(verification: try verify(digest, by: beside, name: file.name), origin: .sidecar)
  }

  private func checkStandardInput() throws(VerifyRefusal) -> Checked {
    let name: Text = "standard input"
    if let proof {
      try refuse(proof, name: name)
      let digest = try ArtifactContent.digest(ofStream: 0, name: name)
      return Checked(verification: try verify(digest, by: proof, name: name), origin: .given)
    }
    guard let embedded = try ArtifactContent.embeddedProof(ofStream: 0, name: name) else {
      throw VerifyRefusal(.environment, "Standard input carries no proof; name one with --proof")
    }
    let own = Self.inspect(embedded.proof, name: "the proof inside it")
    return Checked(
      verification: try verify(embedded.digest, by: own, name: name), origin: .embedded(fileSize: embedded.fileSize))
  }

  private func checkFolder(_ folder: borrowing InputFile, at path: [UInt8]) throws(VerifyRefusal) -> Checked {
    let name = folder.name
    let proof: Result<Inspection, ProofError>
    if let given = self.proof { proof = given } else { proof = try sidecar(of: path, name: name) }
    let verification: Verification
    do throws(ProofError) {
      verification = try chain.verifyAnyArtifact(inspected: try proof.get())
      try checkPackage(of: verification.evidence)
    } catch {
      throw VerifyRefusal(error, artifact: name)
    }
    var check = FolderCheck(folder, artifacts: verification.evidence.artifacts)
    try check.run(allowsExtra: allowsExtra)
    return Checked(verification: verification, origin: self.proof == nil ? .sidecar : .given)
  }

  /// The proof beside an artifact that carries none.
  private func sidecar(of path: [UInt8], name: Text) throws(VerifyRefusal) -> Result<Inspection, ProofError> {
    let slash = UInt8(ascii: "/")
    let end = path.lastIndex { $0 != slash }.map { $0 + 1 } ?? 0
    let start = path[..<end].lastIndex(of: slash).map { $0 + 1 } ?? 0
    let own = path[start..<end]
    guard end > 0, own != [UInt8(ascii: ".")], own != [UInt8(ascii: "."), UInt8(ascii: ".")] else {
      throw VerifyRefusal(
        .environment, "\(name) has no name that a proof beside it could bear; name the proof with --proof")
    }
    let beside = path[..<end] + Text(".tlog-proof").utf8
    guard !InputFile.isMissing([UInt8](beside)) else {
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
      let verification = try chain.verify(inspected: try proof.get(), artifact: digest)
      try checkPackage(of: verification.evidence)
      return verification
    } catch {
      throw VerifyRefusal(error, artifact: name)
    }
  }

  /// Only now: what a proof that does not hold says of itself is of no interest.
  private func checkPackage(of evidence: Evidence) throws(ProofError) {
    guard let package else { return }
    let proven = evidence.spec.package.utf8
    guard proven != package else { return }
    let rest = proven.starts(with: package) ? proven.dropFirst(package.count) : []
    // A version begins at the at sign behind the last slash; those before it are parts of names.
    if rest.first == UInt8(ascii: "@"), !rest.contains(UInt8(ascii: "/")) { return }
    throw ProofError(
      .artifactMismatch,
      "It was rebuilt as `\(evidence.spec.package)`, not as the `\(shown(package))` that --package asks for; it is "
        + "another package's artifact, or another version's")
  }
}
