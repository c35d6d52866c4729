import ArgumentParser
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

extension LogCommand {
  /// `log audit`: replays a whole log.
  struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Replays the whole log from its tiles and checks everything.",
      discussion: """
        From the first leaf on: the checkpoint's signatures and quorum, the root, every tile of hashes, every leaf's \
        evidence, its verdict and the signature of each of the policy's builders. Proofs of misbehaviour are leaves \
        too; their signatures are checked where --group names the group file of their epoch. So are hand-overs: give \
        the policy of the log's beginning, and with --handover those that lead from it to who signs the log today. \
        The log is read from a node, or from a folder with the same files (checkpoint, tile/…). With --earlier, a \
        checkpoint that was kept from before, the log must be that one's continuation.

        Exit: 0 all is right; 1 something is not, which is then said; 3 the log cannot be read.
        """)

    @OptionGroup var node: NodeOption
    @Option(help: ArgumentHelp("The trust policy.", valueName: "file"))
    var policy: String
    @Option(help: ArgumentHelp("A hand-over from that policy on. Repeat it in order.", valueName: "file"))
    var handover: [String] = []
    @Option(
      help: ArgumentHelp(
        "The policy's epoch, 0 for a group's first; a log that holds hand-overs wants it.", valueName: "number"))
    var epoch: UInt64?
    @Option(
      help: ArgumentHelp(
        "A group file, for the leaves about misbehaviour in its epoch. Repeat it for each epoch.", valueName: "file"))
    var group: [String] = []
    @Option(help: ArgumentHelp("A folder with the log's files, in place of a node.", valueName: "folder"))
    var mirror: String?
    @Option(help: ArgumentHelp("A checkpoint of the same log that was kept from before.", valueName: "file"))
    var earlier: String?
    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
      guard handover.isEmpty || epoch != nil else {
        throw ValidationError("--handover wants the epoch that the policy is of: --epoch 0 for a group's first policy")
      }
      var trust = PolicyChain(try PolicyFile.read(policy), epoch: epoch)
      for path in handover { _ = try HandoverFile.follow(path, &trust) }
      let groups = try group.map { try GroupFile.read($0) }
      let files = LogFiles(mirror: mirror, client: mirror == nil ? try node.client : nil)
      let noteBytes = try await files.read("checkpoint", bytesMax: NoteFile.bytesMax)
      let earlierNote = try earlier.map { try NoteFile.read($0) }
      var audit: LogAudit
      do throws(ProofError) {
        audit = try LogAudit(
          note: try SignedNote(parsing: noteBytes), earlier: earlierNote, policies: trust, groups: groups)
      } catch {
        throw CommandFailure(.notVerified, error.message)
      }
      var live = LiveLines()
      let clock = ContinuousClock()
      var shown = clock.now
      while let bundle = audit.nextBundle {
        let bytes = try await files.read(bundle.path.string, bytesMax: LogAudit.bundleBytesMax)
        let tiles: [LogAudit.ExpectedTile]
        do throws(ProofError) {
          tiles = try audit.take(bundle: bytes)
        } catch {
          throw CommandFailure(.notVerified, "\(bundle.path.string): \(error.message)")
        }
        for expected in tiles {
          let served = try await files.read(expected.tile.path.string, bytesMax: Tile.fullWidth * Digest.byteCount)
          guard served == expected.bytes else {
            throw CommandFailure(
              .notVerified,
              "\(expected.tile.path.string) is not the hashes of the log's leaves; whoever serves it has a false tree"
            )
          }
        }
        if Console.isTerminal, !json, clock.now - shown > .milliseconds(200) || audit.nextBundle == nil {
          shown = clock.now
          let share = audit.replayed * 30 / max(1, audit.size)
          let bar = String(repeating: "█", count: Int(share)) + String(repeating: "░", count: 30 - Int(share))
          live.show([("log", "\(bar) \(audit.replayed) of \(audit.size) leaves", "")])
        }
      }
      live.settle()
      try report(audit)
    }

    private struct Result: Encodable {
      struct Finding: Encodable { let index: UInt64, code: String, message: String }
      let origin: String
      let size: UInt64
      let root: String
      let cosigners: [String]
      let verdicts: [String: UInt64]
      let handovers: UInt64
      let misbehaviours: UInt64
      let uncheckedMisbehaviours: UInt64
      let continues: UInt64?
      let findings: [Finding]
      let findingsCount: UInt64
    }

    private func report(_ audit: LogAudit) throws {
      let checkpoint = audit.head.checkpoint
      let verdicts = audit.verdicts.map { ($0.key.text.string, $0.value) }.sorted { $0.0 < $1.0 }
      if json {
        try Console.json(
          Result(
            origin: checkpoint.origin.string, size: audit.size, root: checkpoint.root.hex,
            cosigners: audit.head.cosigners.map(\.name.string),
            verdicts: Dictionary(uniqueKeysWithValues: verdicts), handovers: audit.handovers,
            misbehaviours: audit.misbehaviours, uncheckedMisbehaviours: audit.uncheckedMisbehaviours,
            continues: audit.earlier?.checkpoint.treeSize,
            findings: audit.findings.map {
              .init(index: $0.index, code: "\($0.error.code)", message: $0.error.message)
            },
            findingsCount: audit.findingsCount))
      } else {
        Console.line("\(checkpoint.origin.string): \(audit.size) leaves, root \(checkpoint.root.hex)")
        Console.line("  cosigned by  \(audit.head.cosigners.map(\.name.string).joined(separator: ", "))")
        for (verdict, count) in verdicts { Console.line("  \(verdict)  \(count)") }
        if audit.handovers > 0 { Console.line("  handed over  \(audit.handovers)") }
        if audit.misbehaviours > 0 { Console.line("  misbehaved  \(audit.misbehaviours), proven") }
        if audit.uncheckedMisbehaviours > 0 {
          Console.line("  misbehaved  \(audit.uncheckedMisbehaviours), not checked: give their group files as --group")
        }
        if let earlier = audit.earlier { Console.line("  continues the log of \(earlier.checkpoint.treeSize) leaves") }
        for finding in audit.findings {
          Console.line(Console.paint("  leaf \(finding.index): \(finding.error.message)", .red))
        }
      }
      guard audit.findingsCount == 0 else {
        throw CommandFailure(
          .notVerified, "\(audit.findingsCount) of \(audit.size) leaves are not what the policy's builders signed")
      }
    }
  }
}

/// A log's files, wherever they are.
private struct LogFiles {
  let mirror: String?
  let client: GatewayClient?

  func read(_ path: String, bytesMax: Int) async throws(CommandFailure) -> [UInt8] {
    if let client { return try await client.file(path, bytesMax: bytesMax) }
    return try BoundedFile.read("\(mirror ?? ".")/\(path)", what: "log's file", bytesMax: bytesMax)
  }
}

/// A signed note in a file.
enum NoteFile {
  static let bytesMax = 1 << 20

  static func read(_ path: String) throws(CommandFailure) -> SignedNote {
    let bytes = try BoundedFile.read(path, what: "checkpoint", bytesMax: bytesMax)
    do {
      return try SignedNote(parsing: bytes)
    } catch {
      throw CommandFailure(.usage, "\(path): \(error.message)")
    }
  }
}
