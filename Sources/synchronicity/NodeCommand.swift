import ArgumentParser
import Foundation
import Logging
import NodeAssembly
import ServiceLifecycle
import SyncGateway
import SyncProof
import SyncRuntime
import ToolchainShelf

/// `node run` and `node doctor`.
struct NodeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node", abstract: "Runs a builder, or checks what this host can do.",
    subcommands: [Run.self, Join.self, Doctor.self])

  struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes part in the group until SIGTERM or SIGINT.",
      discussion: "Nothing is lost when it is stopped or killed: it comes back to the same jobs.")
    @Option(help: "The configuration that init wrote.")
    var config: String
    @Option(help: "Take crates from this sparse registry, whatever the configuration says.")
    var registry: String?
    @Flag(
      help: """
        For one start: the data folder was put back from an older copy, or is new although this builder has signed \
        before. Sign nothing until that is safe.
        """)
    var restored = false
    @Flag(
      help: """
        For one start: apply every decided block again instead of starting from the last snapshot, and say so if that \
        gives another state.
        """)
    var applyAllBlocks = false
    @Flag(help: "Stop, as after SIGTERM, when the process that started this one is gone.")
    var stopWithParent = false

    func run() async throws {
      if stopWithParent { Self.watchParent() }
      var file = try ConfigurationFile(path: config)
      if let registry {
        let others = file.source.filter { !["debian-crates", "directory", "sparse-registry"].contains($0) }
        (file.source, file.registry) = (["sparse-registry"] + others, registry)
      }
      let logger = try Self.logger(file)
      try KnownNodes(cache: file.cache).note(config)
      let node = try await AssembledNode(
        file, given: try GroupFile.read(file.group), isRestored: restored,
        appliesAllBlocks: applyAllBlocks, logger: logger)
      let gateway = Gateway(
        view: node.succession,
        configuration: GatewayConfiguration(host: file.gatewayListen.host, port: file.gatewayListen.port),
        logger: logger)
      let services = ServiceGroup(
        configuration: ServiceGroupConfiguration(
          services: [
            .init(service: node.succession, successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: gateway, successTerminationBehavior: .gracefullyShutdownGroup),
          ],
          gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
      try await services.run()
      await node.close()
    }

    private static func watchParent() {
      let parent = getppid()
      Task.detached {
        while getppid() == parent { try await Task.sleep(for: .seconds(1)) }
        kill(getpid(), SIGTERM)
      }
    }

    private static func logger(_ file: ConfigurationFile) throws(CommandFailure) -> Logger {
      guard let level = Logger.Level(rawValue: file.logLevel) else {
        throw CommandFailure(.usage, "There is no log level \(file.logLevel)")
      }
      let isJSON = file.logFormat == "json"
      var logger = Logger(label: "synchronicity") { label -> any LogHandler in
        if isJSON { return JSONLogHandler() }
        return StreamLogHandler.standardError(label: label)
      }
      logger.logLevel = level
      return logger
    }
  }

  struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks the configuration, the keys, the group and what each plugin finds on this host.")
    @Option(help: "The configuration that init wrote.")
    var config: String
    @Flag(help: "Print JSON.")
    var json = false

    private struct Finding: Encodable {
      let room: String
      let name: String
      let isMet: Bool
      let detail: String
      var isWeaker = false
      var mend: String?
    }

    func run() async throws {
      let file = try ConfigurationFile(path: config)
      let group = try GroupFile.present(file)
      let signer = try await file.makeSigner()
      try NodeConfiguration(name: Text(file.name), group: group, dataDirectory: file.data).checkKeys(signer: signer)
      var findings = [
        Finding(room: "group", name: "keys", isMet: true, detail: "are those of \(file.name) in the group file")
      ]
      findings.append(Self.ports([file.transportListen.port, file.gatewayListen.port]))
      let sandbox = try await file.makeSandbox()
      for finding in await sandbox.probe().findings {
        findings.append(
          Finding(
            room: sandbox.name, name: finding.name, isMet: finding.isMet, detail: finding.detail,
            isWeaker: finding.isWeaker, mend: finding.mend))
      }
      findings += try await Self.toolchains(file, sandbox)
      if json { try Console.json(findings) } else { for finding in findings { show(finding) } }
      if findings.contains(where: { !$0.isMet }) {
        throw CommandFailure(.environment, "This host is not ready to build; the lines marked with ✗ say why")
      }
    }

    /// What the configuration names must be here; what else is here is told.
    private static func toolchains(_ file: ConfigurationFile, _ sandbox: any Sandbox) async throws -> [Finding] {
      let items = try Shelf(directory: file.cache + "/toolchains").items()
      var findings: [Finding] = []
      for digest in Set(file.toolchainDigests + items.map(\.digest)).sorted() {
        let isNamed = file.toolchainDigests.contains(digest)
        let archives: [String] = file.toolchainDirectories.map { "\($0)/\(digest.hex).tar" }
        let archive = archives.first { (path: String) in access(path, R_OK) == 0 }
        let isReady = await sandbox.hasToolchain(digest)
        let kinds = items.first { $0.digest == digest }?.kinds ?? []
        let missing = "is missing: make it with 'synchronicity toolchain build'"
        let words = [isReady ? "is ready" : archive ?? missing, isNamed ? "" : "not named by this configuration"]
        findings.append(
          Finding(
            room: "toolchain", name: ([String(digest.hex.prefix(16))] + kinds).joined(separator: " "),
            isMet: isReady || archive != nil, detail: words.filter { !$0.isEmpty }.joined(separator: "; ")))
      }
      return findings
    }

    /// A port inside the kernel's own range works until a connection of this machine happens to have it.
    private static func ports(_ ports: [Int]) -> Finding {
      let outgoing = LocalPorts.outgoing()
      let risky = ports.filter { outgoing?.contains($0) ?? false }.map(String.init).joined(separator: " and ")
      guard let outgoing, !risky.isEmpty else {
        return Finding(room: "network", name: "ports", isMet: true, detail: "are outside the outgoing range")
      }
      return Finding(
        room: "network", name: "ports", isMet: true,
        detail: "\(risky): outgoing connections may take it (\(outgoing.lowerBound)-\(outgoing.upperBound)); "
          + "choose one below")
    }

    private func show(_ finding: Finding) {
      let mark =
        finding.isMet ? Console.paint("✓", finding.isWeaker ? .yellow : .green) : Console.paint("✗", .red)
      let weaker = finding.isWeaker ? "weaker: " : ""
      Console.line("\(mark) \(finding.room): \(finding.name): \(weaker)\(finding.detail)")
      if let mend = finding.mend { Console.line("  mend it: \(mend)") }
    }
  }
}

/// One JSON object a line on standard error.
struct JSONLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields: [String: String] = [:]
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) { fields[key] = "\(value)" }
    fields["level"] = event.level.rawValue
    fields["message"] = "\(event.message)"
    fields["time"] = Date().formatted(.iso8601)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let line = try? encoder.encode(fields) else { return }
    Console.write(String(decoding: line, as: UTF8.self) + "\n", to: STDERR_FILENO)
  }
}
