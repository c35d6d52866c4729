import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

/// `inspect`: what a proof says of itself, without a policy, hence without a verdict.
struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Shows what a proof says. It verifies nothing: use verify for that.",
    discussion: """
      The leaf of a proof is the evidence of a rebuild, a hand-over to the builders of the next epoch, or a record of \
      a member's misbehaviour. A file of 'misbehaviour get' is shown too.
      """)

  @Flag(help: "Print the whole as JSON.")
  var json = false

  @Argument(help: "The proof.")
  var proof: String

  func run() async throws {
    let bytes = try BoundedFile.read(proof, what: "proof", bytesMax: ProofLimits.proofBytesMax)
    do throws(ProofError) {
      if MisbehaviourRecord.isNamed(by: bytes) {
        return show(MisbehaviourInspection(try MisbehaviourRecord(parsing: bytes), in: nil))
      }
      let leaf = try Proof(parsing: bytes).leaf
      if Handover.isNamed(by: leaf) {
        return show(HandoverInspection(try Verifier.inspectHandover(proof: bytes)))
      }
      if MisbehaviourRecord.isNamed(by: leaf) {
        let proof = try Proof(parsing: bytes)
        try Merkle.verifyInclusion(
          leafHash: Merkle.leafHash(leaf), index: proof.index, treeSize: proof.checkpoint.treeSize, path: proof.path,
          root: proof.checkpoint.root)
        return show(MisbehaviourInspection(try MisbehaviourRecord(parsing: leaf), in: proof))
      }
      show(try Verifier.inspect(proof: bytes))
    } catch {
      throw CommandFailure(.usage, "\(proof): \(error.message)")
    }
  }

  private func show(_ inspection: Inspection) {
    var lines = json ? [Report.inspection(inspection)] : Report.inspectionLines(inspection)
    add(Normalisation.named(in: inspection.evidence.spec), to: &lines)
    for line in lines { Console.write(String(decoding: line, as: UTF8.self) + "\n", to: STDOUT_FILENO) }
  }

  /// What the build's recipe holds, where it holds anything: a line behind the toolchain's, a member of the object.
  private func add(_ normalisations: [String], to lines: inout [[UInt8]]) {
    guard !normalisations.isEmpty, !lines.isEmpty else { return }
    if json {
      // Printable ASCII without spaces, but the names are the file's: it may hold a quotation mark.
      guard let list = try? JSONEncoder().encode(normalisations) else { return }
      lines[0] = Array(lines[0].dropLast()) + Array(",\"normalise\":".utf8) + Array(list) + [UInt8(ascii: "}")]
    } else {
      let at = lines.firstIndex { $0.starts(with: "toolchain ".utf8) }.map { $0 + 1 } ?? lines.endIndex
      lines.insert(Array("normalise  \(normalisations.joined(separator: " "))".utf8), at: at)
    }
  }

  private func show(_ inspection: some LeafInspection) {
    if json { return (try? Console.jsonLine(inspection)) ?? () }
    for line in inspection.lines { Console.line(line) }
  }
}

/// What a leaf that is no evidence says of itself.
private protocol LeafInspection: Encodable {
  var lines: [String] { get }
}

/// Where in a log a leaf is, by the file's own word.
private struct LogPlace: Encodable {
  struct Signature: Encodable {
    let name: String
    /// Unix seconds; left out where the signature has no time.
    let timeSeconds: UInt64?
  }
  let origin: String
  let index: UInt64
  let treeSize: UInt64
  let signatures: [Signature]

  init(_ proof: Proof) {
    (origin, index, treeSize) = (proof.checkpoint.origin.string, proof.index, proof.checkpoint.treeSize)
    signatures = proof.note.signatures.map {
      Signature(name: $0.name.string, timeSeconds: Cosignature(parsing: $0.blob)?.timestamp)
    }
  }

  var lines: [String] {
    [
      "log        \(visible(origin)), index \(index), tree of \(treeSize) leaves",
      "signatures on the tree head",
    ] + signatures.map { "  \(visible($0.name))" }
  }
}

private struct HandoverInspection: LeafInspection {
  let verified = false
  let leaf = "handover"
  let group: String
  let epoch: UInt64
  let nextEpoch: UInt64
  let policySHA256: String
  /// Left out if it is not UTF-8.
  let policy: String?
  let approvals: [String]
  let log: LogPlace

  init(_ inspected: InspectedHandover) {
    let handover = inspected.handover
    (group, epoch, nextEpoch) = (handover.group.string, handover.epoch, handover.epoch + 1)
    policySHA256 = handover.policyDigest.hex
    policy = String(validating: handover.policy.encode(), as: UTF8.self)
    approvals = handover.approvals.map(\.builder.string)
    log = LogPlace(inspected.proof)
  }

  var lines: [String] {
    [
      // Never with the file's own epoch: that would let an old hand-over lead back.
      "NOT VERIFIED: the file says this of itself. Check: synchronicity policy follow --epoch N POLICY FILE",
      "N is the epoch of your POLICY, from where you keep it, and not from this file",
      "",
      "hand-over  of \(visible(group)), epoch \(epoch) to \(nextEpoch)",
      "policy     \(policySHA256), of epoch \(nextEpoch)",
    ]
      + (policy ?? "").split(separator: "\n").map { "  \(visible(String($0)))" }
      + ["approved by"] + approvals.map { "  \(visible($0))" } + log.lines
  }
}

private struct MisbehaviourInspection: LeafInspection {
  let verified = false
  let leaf = "misbehaviour"
  let chainID: String
  let member: String
  let kind: String
  /// Bytes of each.
  let statementBytes: [Int]
  /// Left out for a file that is no proof of a leaf.
  let log: LogPlace?

  init(_ record: MisbehaviourRecord, in proof: Proof?) {
    (chainID, member, kind) = (record.chainID.hex, record.member.string, record.kind.rawValue)
    statementBytes = record.statements.map(\.count)
    log = proof.map { LogPlace($0) }
  }

  var lines: [String] {
    [
      log == nil
        ? "NOT VERIFIED: the file says this of itself. Check: synchronicity misbehaviour check --group GROUP FILE"
        : "NOT VERIFIED: the file says this of itself. Check the whole log: synchronicity log audit --group GROUP",
      "",
      "member     \(visible(member))",
      "kind       \(kind)",
      "chain      \(chainID)",
      "statements \(statementBytes.map(String.init).joined(separator: " and ")) bytes",
    ] + (log?.lines ?? [])
  }
}

/// Names are a file's: nothing in them may move a terminal's cursor.
private func visible(_ text: String) -> String { PolicyCommand.shown(Text(text)) }
