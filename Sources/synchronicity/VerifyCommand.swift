import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

/// `verify`: offline, from three files.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks offline that an artifact was rebuilt by the builders of a policy.",
    discussion: """
      Both thresholds are checked: the policy's quorum of cosigners on the log's tree head, and the policy's \
      reproducers, each with its own signature, on exactly this artifact. Nothing is sent anywhere. Without --proof, \
      ARTIFACT.tlog-proof is read.
      """)

  @Option(help: ArgumentHelp("The trust policy.", valueName: "file"))
  var policy: String

  @Option(help: ArgumentHelp("The proof.", valueName: "file"))
  var proof: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Argument(help: "The artifact.")
  var artifact: String

  func run() async throws {
    let report = try Self.verify(policy: policy, proof: proof ?? artifact + ".tlog-proof", artifact: artifact)
    if json { return try Console.json(report) }
    Console.line(Console.paint("verified", .green) + "  \(artifact)")
    for line in report.lines { Console.line("  " + line) }
  }

  static func verify(policy: String, proof: String, artifact: String) throws(CommandFailure) -> VerificationReport {
    let policyBytes = try BoundedFile.read(policy, what: "policy", bytesMax: ProofLimits.policyBytesMax)
    let proofBytes = try BoundedFile.read(proof, what: "proof", bytesMax: ProofLimits.proofBytesMax)
    let digest: Digest
    do {
      // The digest follows no links; a user who names a link means what it leads to.
      let real = URL(fileURLWithPath: artifact).resolvingSymlinksInPath().path
      digest = try FileDigest.sha256(path: real).digest
    } catch {
      throw CommandFailure(error.code == .invalid ? .usage : .environment, error.message)
    }
    let parsed: Policy
    do {
      parsed = try Policy(parsing: policyBytes)
    } catch {
      throw CommandFailure(.usage, "\(policy): \(error.message)")
    }
    do {
      return VerificationReport(try Verifier.verify(proof: proofBytes, policy: parsed, artifact: digest), digest)
    } catch {
      throw CommandFailure(
        error.isMalformedInput ? .usage : .notVerified, "\(artifact) is not verified: \(error.message)")
    }
  }
}

extension ProofError {
  /// Whether the input is not in its format at all, in contrast to one that does not prove what is asked.
  var isMalformedInput: Bool { code == .malformed || code == .tooLarge || code == .unsupportedVersion }
}

/// What a verified proof says, for people and programs.
struct VerificationReport: Encodable {
  let artifact: String
  let sha256: String
  let package: String
  let source: String
  let toolchain: String
  let job: String
  let log: String
  let index: UInt64
  let treeSize: UInt64
  let reproducers: [String]
  let cosigners: [String]

  init(_ verification: Verification, _ digest: Digest) {
    let spec = verification.evidence.spec
    artifact = verification.artifact?.path.string ?? ""
    sha256 = digest.hex
    package = spec.package.string
    source = spec.root?.tree.hex ?? ""
    toolchain = spec.toolchain.hex
    job = spec.jobID.hex
    log = verification.checkpoint.origin.string
    index = verification.index
    treeSize = verification.checkpoint.treeSize
    reproducers = verification.reproducers.map(\.string)
    cosigners = verification.cosigners.map(\.name.string)
  }

  /// Names without what all of them share: the origin of the group, and the role.
  func short(_ names: [String]) -> [String] {
    names.map { name in
      var name = name[...]
      for suffix in ["/cosigner", ".\(log)"] where name.hasSuffix(suffix) { name = name.dropLast(suffix.count) }
      return String(name)
    }
  }

  var lines: [String] {
    [
      "package      \(package) (\(artifact))",
      "source tree  \(source)",
      "toolchain    \(toolchain)",
      "rebuilt by   \(short(reproducers).joined(separator: ", "))",
      "logged at    \(log), index \(index), in a tree of \(treeSize) leaves",
      "cosigned by  \(short(cosigners).joined(separator: ", "))",
    ]
  }
}

/// `inspect`: what a proof says of itself, without a policy, hence without a verdict.
struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Shows what a proof says. It verifies nothing: use verify for that.")

  @Flag(help: "Print the whole as JSON.")
  var json = false

  @Argument(help: "The proof.")
  var proof: String

  func run() async throws {
    let bytes = try BoundedFile.read(proof, what: "proof", bytesMax: ProofLimits.proofBytesMax)
    let report: InspectionReport
    do {
      report = try InspectionReport(parsing: bytes)
    } catch {
      throw CommandFailure(.usage, "\(proof): \(error.message)")
    }
    if json { return try Console.json(report) }
    for line in report.lines { Console.line(line) }
  }
}
