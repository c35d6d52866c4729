import ArgumentParser
import Foundation
import NativePlugins
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization

/// Loads a plugin as a node does and runs the conformance suite of its kind.
@main
struct PluginCheck: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync-plugin-check",
    abstract: "Checks that a plugin, a shared object, keeps the promises of its kind, by calling it as a node does.",
    discussion: """
      A sandbox wants --toolchain, an archive such as scripts/toolchain tiny makes; a source wants --package.

      Exit codes: 0 all checks passed; 1 one did not; 2 wrong usage, or no plugin; 3 environment.
      """)

  @Argument(help: "The shared object.")
  var path: String
  @Option(name: .customLong("setting"), help: "NAME=VALUE, as [settings.PLUGIN] in a configuration; repeatable.")
  var settings: [String] = []
  @Option(help: "For a sandbox: a tar archive with /bin/sh, bash, coreutils and busybox.")
  var toolchain: String?
  @Option(help: "For a source: a package that it has, with its version.")
  var package: String?
  @Flag(help: "Print JSON.")
  var json = false

  private struct Line: Encodable {
    let name: String
    let hasPassed: Bool
    let detail: String
  }

  func run() async throws {
    let plugin: NativePlugin
    do throws(PluginError) {
      plugin = try PluginLibrary.load(URL(fileURLWithPath: path).standardizedFileURL.path)
    } catch {
      throw ValidationError(error.message)
    }
    let place = CheckPlace(plugin, settings: try pairs())
    defer { place.remove() }
    let findings: [CompatFinding]
    switch plugin.kind {
    case .signer: findings = await place.checkSigner()
    case .storage: findings = await place.checkStorage()
    case .sandbox:
      guard let toolchain else { throw ValidationError("A sandbox is checked with --toolchain ARCHIVE") }
      findings = try await place.checkSandbox(toolchain)
    case .source:
      guard let package else { throw ValidationError("A source is checked with --package PURL") }
      findings = try await place.checkSource(package)
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let lines = findings.map { Line(name: $0.name, hasPassed: $0.hasPassed, detail: $0.detail) }
      print(String(decoding: try encoder.encode(lines), as: UTF8.self))
    } else {
      for finding in findings { print(finding) }
      let passed = findings.count { $0.hasPassed }
      print("\(plugin.name) \(plugin.version), a \(plugin.kind.rawValue): \(passed) of \(findings.count) checks passed")
    }
    if findings.contains(where: { !$0.hasPassed }) { throw ExitCode(1) }
  }

  private func pairs() throws -> [String: String] {
    var pairs: [String: String] = [:]
    for setting in settings {
      guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
        throw ValidationError("--setting is NAME=VALUE; this one is '\(setting)'")
      }
      pairs[String(setting[..<equals])] = String(setting[setting.index(after: equals)...])
    }
    return pairs
  }

  static func main() async {
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var command = command as? AsyncParsableCommand { try await command.run() } else { try command.run() }
    } catch let code as ExitCode {
      Foundation.exit(code.rawValue)
    } catch {
      let status: Int32 = exitCode(for: error) == .success ? 0 : error is PluginError ? 3 : 2
      let text = (error as? PluginError).map { "error: \($0.message)" } ?? fullMessage(for: error)
      FileHandle(fileDescriptor: status == 0 ? 1 : 2).write(Data((text + "\n").utf8))
      Foundation.exit(status)
    }
  }
}

/// A folder for the checks, and the suites.
struct CheckPlace: Sendable {
  private let plugin: NativePlugin
  private let settings: [String: String]
  private let folder: String

  init(_ plugin: NativePlugin, settings: [String: String]) {
    (self.plugin, self.settings) = (plugin, settings)
    folder = NSTemporaryDirectory() + "sync-plugin-check-\(getpid())-\(UInt32.random(in: 0 ... .max))"
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  func checkSigner() async -> [CompatFinding] {
    await SignerCompatTest {
      try wait { () throws(PluginError) in
        try await ForeignSigner(plugin, node: "checked", stateDirectory: folder + "/state", settings: settings)
      }
    }.run()
  }

  func checkStorage() async -> [CompatFinding] {
    // The suite blocks, and what it waits for wants the pool's threads.
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          returning: StorageCompatTest { place in
            try wait { () throws(PluginError) in
              try await ForeignStorage(
                plugin, node: "checked", stateDirectory: "\(folder)/\(place)", settings: settings)
            }
          }.run())
      }
    }
  }

  func checkSandbox(_ archive: String) async throws -> [CompatFinding] {
    let path = URL(fileURLWithPath: archive).standardizedFileURL.path
    let digest = try FileDigest.sha256(path: path).digest
    let scratch = folder + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    let sandbox = try await ForeignSandbox(
      plugin, node: "checked", stateDirectory: folder + "/state", settings: settings)
    _ = try await sandbox.removeLeftovers()
    let findings = await SandboxCompatTest(
      sandbox: sandbox, toolchain: digest, archive: path, scratchDirectory: scratch
    ).run()
    await sandbox.close()
    return findings
  }

  func checkSource(_ package: String) async throws -> [CompatFinding] {
    guard let at = package.lastIndex(of: "@"), let slash = package.lastIndex(of: "/"), slash < at else {
      throw PluginError(
        .invalid, "--package is a purl with a version, such as pkg:cargo/itoa@1.0.1; this is \(package)")
    }
    let scratch = folder + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    let source = try await ForeignSource(
      plugin, node: "checked", stateDirectory: folder + "/state", settings: settings)
    let asked = SourceCompatTest.Package(
      purl: package, unknownPurl: "\(package[...slash])no-such-package-\(getpid())@1.0.0",
      unknownVersionPurl: "\(package[..<at])@999.0.0", toolchain: SHA256.hash([UInt8]("toolchain".utf8)))
    let findings = await SourceCompatTest(
      source: source, sandbox: EchoSandbox(who: "checked"), package: asked, scratchDirectory: scratch
    ).run()
    await source.close()
    return findings
  }

  /// For suites whose functions wait.
  private func wait<T: Sendable>(_ work: @escaping @Sendable () async throws(PluginError) -> T) throws(PluginError) -> T
  {
    let answer = Mutex<Result<T, PluginError>?>(nil)
    let done = DispatchSemaphore(value: 0)
    Task.detached {
      let result: Result<T, PluginError>
      do throws(PluginError) { result = .success(try await work()) } catch { result = .failure(error) }
      answer.withLock { $0 = result }
      done.signal()
    }
    done.wait()
    guard let result = answer.withLock({ $0 }) else { preconditionFailure("It was signalled with an answer") }
    return try result.get()
  }
}
