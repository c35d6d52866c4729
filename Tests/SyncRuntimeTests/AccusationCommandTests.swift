import Foundation
import Logging
import SyncConsensus
import SyncGateway
import SyncLedger
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

extension World {
  /// Two votes of one view, signed with that member's key, as messages. An idle group is in view 1 for as long as
  /// nothing is to be ordered.
  func contradictingVotes(of number: Int) throws -> [[UInt8]] {
    let group = keys.group
    let genesis = BlockInfo.genesis(
      chainID: group.chainID, epoch: 0, logSize: 0, logRoot: Ledger(group: group).logRoot)
    let member = try #require(group.members.firstIndex { $0.name.string == Keys.names[number] })
    return try ([1, 2] as [UInt8]).map { salt in
      let block = BlockInfo(
        epoch: 0, view: 1, height: 1, id: SHA256.hash([salt]), logSize: 0, logRoot: genesis.logRoot)
      let statement = VoteStatement(proposed: block, parent: genesis)
      let vote = Vote(
        statement: statement, author: ReplicaIndex(rawValue: UInt16(member)),
        signature: try keys.signers[number].sign(statement.signedBytes(chainID: group.chainID), as: .consensus))
      let sync = SyncInfo(highQC: Certificate.genesis(genesis), highTC: nil, finality: nil)
      return MessageRoom.consensus.frame(Message(epoch: 0, sync: sync, body: .vote(vote)).encode())
    }
  }
}

/// A member has voted twice: what everybody else sees of it at the terminal, and what whoever has the group file proves
/// with it, without a node.
@Suite struct AccusationCommandTests {
  @Test(.timeLimit(.minutes(5))) func `who votes twice is shown by status, and the proof holds offline`() async throws {
    let world = try World(recipes: ["x": "echo out same"], commitSeconds: 2, revealSeconds: 2)
    try world.start([0, 1, 2])
    let liar = world.network.transport(of: "elm")
    try await liar.start { _ in }
    let votes = try world.contradictingVotes(of: 3)
    let node = try world.node(1)
    while await node.misbehaviours().first?.index == nil {
      // Until the nodes are up, what is sent to them is lost.
      // It sees neither of them itself, and has all from the log.
      for vote in votes { liar.send(vote, to: "alder") }
      try await Task.sleep(for: .milliseconds(50))
    }
    let job = try await node.submit(SubmitRequest(package: "pkg:echo/x@1"))
    _ = try await world.wait(job, on: 1) { $0.phase == .cosigned }

    let folder = world.scratch.path
    try Data(world.keys.group.encode()).write(to: URL(filePath: folder + "/group.txt"))
    try Data(world.keys.group.policy().encode()).write(to: URL(filePath: folder + "/policy"))
    try Data(try Keys(commitSeconds: 61).group.encode()).write(to: URL(filePath: folder + "/other.txt"))
    let (ports, bound) = AsyncStream<Int>.makeStream()
    let gateway = Gateway(
      view: node, configuration: GatewayConfiguration(port: 0),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { bound.yield($0) }
    let serving = Task { try await gateway.run() }
    let port = try #require(await ports.first { _ in true })
    let url = "http://127.0.0.1:\(port)"

    let status = try await Self.run(["status", "--node", url], in: folder)
    #expect(status.code == 0 && status.said.contains("misbehaved: elm, votes in view 1 of epoch 0"), "\(status)")
    let got = try await Self.run(["misbehaviour", "get", "--node", url, "--output", "."], in: folder)
    #expect(got.code == 0 && got.said.contains("elm-votes.misbehaviour"), "\(got)")
    let audit = try await Self.run(
      ["log", "audit", "--policy", "policy", "--group", "group.txt", "--node", url], in: folder)
    #expect(audit.code == 0 && audit.said.contains("misbehaved  1, proven"), "\(audit)")
    serving.cancel()
    _ = try? await serving.value
    await liar.stop()
    await world.stop()

    // Nobody is asked any more.
    let check = ["misbehaviour", "check", "--group"]
    let proven = try await Self.run(check + ["group.txt", "elm-votes.misbehaviour"], in: folder)
    #expect(proven.code == 0 && proven.said.contains("proven  elm: votes in view 1 of epoch 0"), "\(proven)")
    let object = try await Self.run(check + ["group.txt", "--json", "elm-votes.misbehaviour"], in: folder)
    #expect(object.code == 0 && object.said.contains(#""member":"elm""#), "\(object)")
    let foreign = try await Self.run(check + ["other.txt", "elm-votes.misbehaviour"], in: folder)
    #expect(foreign.code == 1, "\(foreign)")
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: folder + "/elm-votes.misbehaviour")))
    let place = try #require(bytes.indices.dropLast(40).last)
    bytes[place] = bytes[place] == 0x41 ? 0x42 : 0x41
    try Data(bytes).write(to: URL(filePath: folder + "/changed"))
    let changed = try await Self.run(check + ["group.txt", "changed"], in: folder)
    #expect([1, 2].contains(changed.code) && !changed.said.contains("proven  elm"), "\(changed)")
  }

  private struct Answer {
    let code: Int32
    let said: String
  }

  /// The command line that was built beside these tests.
  private static func run(_ words: [String], in folder: String) async throws -> Answer {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: try program())
    process.arguments = words
    process.currentDirectoryURL = URL(filePath: folder)
    (process.standardOutput, process.standardError) = (output, output)
    return try await withCheckedThrowingContinuation { continuation in
      // A node in this process answers it meanwhile: none of its threads may wait here.
      Thread {
        continuation.resume(
          with: Result {
            try process.run()
            let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return Answer(code: process.terminationStatus, said: said)
          })
      }.start()
    }
  }

  private static func program() throws -> String {
    var folders = CommandLine.arguments.filter { $0.contains("PackageTests") }.map {
      URL(filePath: $0).deletingLastPathComponent().path
    }
    folders += folders.map { $0 + "/../.." } + folders.map { $0 + "/../../.." } + [Bundle.main.bundlePath]
    return try #require(folders.map { $0 + "/synchronicity" }.first { access($0, X_OK) == 0 })
  }
}
