import Foundation
import SodiumSigner
import SyncProof
import SyncRuntime

/// Four builders on loopback: folders, keys, ports and processes.
final class DemoGroup {
  struct Builder {
    let name: String
    let folder: String
    let gateway: String
    let process: Process
  }

  private static let names = ["alder", "birch", "cedar", "elm"]
  private static let origin = "demo.synchronicity.example"
  private static let marker = ".synchronicity-demo"
  /// How long a builder may take to answer after its start, and to end after SIGTERM.
  private static let startSeconds = 60
  private static let stopSeconds = 20

  let output: String
  let folder: String
  let policy: String
  private(set) var builders: [Builder] = []

  init(output: String, toolchain: String, firstPort: Int?, registry: String?) throws {
    self.output = output
    folder = output + "/builders"
    policy = output + "/policy"
    let archive = URL(fileURLWithPath: toolchain).resolvingSymlinksInPath().path
    Console.line("Hashing the toolchain …")
    let digest = try FileDigest.sha256(path: archive).digest
    Console.line("Toolchain \(digest.hex)")
    let ports = try Ports(first: firstPort, count: 8)
    try DemoGroup.empty(output)
    try makeGroup(toolchain: digest, archive: archive, ports: ports, registry: registry)
  }

  /// Only a folder that a demo made before is emptied.
  private static func empty(_ path: String) throws {
    let files = FileManager.default
    if let contents = try? files.contentsOfDirectory(atPath: path), !contents.isEmpty {
      guard contents.contains(marker) else {
        throw CommandFailure(
          .usage, "\(path) is not empty and no demo made it; choose another folder with --output")
      }
      for name in contents { try files.removeItem(atPath: path + "/" + name) }
    }
    try BoundedFile.makeFolder(path)
    try BoundedFile.write([], to: path + "/" + marker)
  }

  private func makeGroup(toolchain: Digest, archive: String, ports: Ports, registry: String?) throws {
    // Builders look for a toolchain by its digest's name.
    let toolchains = folder + "/toolchains"
    try BoundedFile.makeFolder(toolchains)
    try FileManager.default.createSymbolicLink(
      atPath: "\(toolchains)/\(toolchain.hex).tar", withDestinationPath: archive)

    var cards: [String] = []
    for (number, name) in DemoGroup.names.enumerated() {
      let builder = BuilderFolder(
        name: name, address: "127.0.0.1:\(ports[number])", gateway: "127.0.0.1:\(ports[4 + number])",
        directory: "\(folder)/\(name)",
        extra: """
          [toolchain]
          digest = "\(toolchain.hex)"
          directories = ["../toolchains"]

          """)
      try builder.make(showMnemonic: false)
      cards.append(builder.card)
    }
    let group = try GroupCommand.Create.make(
      origin: DemoGroup.origin, reproducers: nil, commitSeconds: 3_600, revealSeconds: 600, cards: cards)
    try BoundedFile.write(group.policy().encode(), to: policy)
    for (number, name) in DemoGroup.names.enumerated() {
      let home = "\(folder)/\(name)"
      try BoundedFile.write(group.encode(), to: home + "/group.txt")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      process.arguments =
        ["node", "run", "--stop-with-parent", "--config", home + "/config.toml"]
        + (registry.map { ["--registry", $0] } ?? [])
      builders.append(
        Builder(
          name: name, folder: home, gateway: "http://127.0.0.1:\(ports[4 + number])", process: process))
    }
    Console.line(
      "Group \(DemoGroup.origin): \(DemoGroup.names.joined(separator: ", ")); quorum \(group.quorum),"
        + " reproducers \(group.reproducers)")
  }

  /// Starts the four processes and waits until each sees a quorum of the others.
  func start() async throws {
    for builder in builders {
      try BoundedFile.write([], to: builder.folder + "/log.txt")
      let log = FileHandle(forWritingAtPath: builder.folder + "/log.txt")
      builder.process.standardInput = FileHandle.nullDevice
      builder.process.standardOutput = log
      builder.process.standardError = log
      try builder.process.run()
      Console.line("  \(builder.name): process \(builder.process.processIdentifier), gateway \(builder.gateway)")
    }
    let deadline = ContinuousClock.now + .seconds(DemoGroup.startSeconds)
    for builder in builders {
      while true {
        try checkAlive()
        if let status = try? await GatewayClient(builder.gateway).status(),
          status.connectedPeers.count + 1 >= status.quorum
        {
          break
        }
        guard ContinuousClock.now < deadline else {
          throw CommandFailure(.environment, "\(builder.name) does not answer; see \(builder.folder)/log.txt")
        }
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    Console.line("Four builders are connected.\n")
  }

  /// - Throws: ``CommandFailure`` with the last line of the log of a builder that has ended.
  func checkAlive() throws {
    for builder in builders where !builder.process.isRunning {
      let log = (try? String(contentsOfFile: builder.folder + "/log.txt", encoding: .utf8)) ?? ""
      let last = log.split(separator: "\n").last.map(String.init) ?? "it said nothing"
      throw CommandFailure(.environment, "\(builder.name) has stopped: \(last)")
    }
  }

  /// Ends the four processes, by their ids.
  func stop() async {
    for builder in builders where builder.process.isRunning { builder.process.terminate() }
    let deadline = ContinuousClock.now + .seconds(DemoGroup.stopSeconds)
    for builder in builders {
      while builder.process.isRunning {
        if ContinuousClock.now > deadline { kill(builder.process.processIdentifier, SIGKILL) }
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  deinit {
    for builder in builders where builder.process.isRunning { kill(builder.process.processIdentifier, SIGKILL) }
  }
}

/// Ports of this machine's loopback.
private struct Ports {
  private let numbers: [Int]

  init(first: Int?, count: Int) throws {
    if let first {
      guard (1...65_535 - count).contains(first) else {
        throw CommandFailure(.usage, "--port \(first) leaves no room for \(count) ports")
      }
      numbers = (0..<count).map { first + $0 }
    } else {
      numbers = try Ports.free(count)
    }
  }

  subscript(_ index: Int) -> Int { numbers[index] }

  /// Ports in a row that nobody listens on, below those that the kernel gives to outgoing connections: inside that
  /// range a builder can find its port taken by another builder's connection.
  private static func free(_ count: Int) throws -> [Int] {
    let end = LocalPorts.outgoing()?.lowerBound ?? 32_768
    for _ in 0..<1_000 where end - count > 10_000 {
      let first = Int.random(in: 10_000..<end - count)
      if (first..<first + count).allSatisfy(LocalPorts.isFree) { return Array(first..<first + count) }
    }
    throw CommandFailure(
      .environment, "No \(count) free ports in a row on loopback below \(end); choose some with --port")
  }
}
