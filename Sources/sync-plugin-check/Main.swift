import ArgumentParser
import Foundation
import NativePluginCheck
import NativePlugins
import PluginSuites
import SyncRuntime

/// Loads a plugin as a node does and runs the conformance suite of its kind.
@main
struct PluginCheck: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync-plugin-check",
    abstract: "Checks that a plugin, a shared object, keeps the promises of its kind, by calling it as a node does.",
    discussion: """
      A sandbox wants --toolchain, an archive such as scripts/toolchain tiny makes; a source wants --package. A
      transport gets loopback addresses with ports that are free.

      Exit codes: 0 all checks passed; 1 one did not; 2 wrong usage, or no plugin; 3 environment.
      """)

  @Argument(help: "The shared object.")
  var path: String
  @Option(name: .customLong("setting"), help: "NAME=VALUE, as [settings.PLUGIN] in a configuration; repeatable.")
  var settings: [String] = []
  @Option(help: "For a sandbox: a tar archive with /bin/sh, bash, coreutils and busybox.")
  var toolchain: String?
  @Flag(help: "For a sandbox: also every attempt to leave it; compiled here by cc, and made as root of this host.")
  var escapes = false
  @Option(
    name: .customLong("allow"), help: "NAME=REASON: an attempt that may succeed, and why that does no harm; repeatable."
  )
  var allowed: [String] = []
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
    if plugin.kind == .sandbox, toolchain == nil {
      throw ValidationError("A sandbox is checked with --toolchain ARCHIVE")
    }
    if plugin.kind == .source, package == nil {
      throw ValidationError("A source is checked with --package PURL")
    }
    let given = NativeSuite.Given(
      settings: try pairs(settings, "--setting"), toolchain: toolchain, package: package,
      escapes: escapes ? try pairs(allowed, "--allow") : nil)
    let findings = try await NativeSuite(plugin, given).run()
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let lines = findings.map { Line(name: $0.name, hasPassed: $0.hasPassed, detail: $0.detail) }
      print(String(decoding: try encoder.encode(lines), as: UTF8.self))
    } else {
      print(NativeSuite.report(findings, on: plugin), terminator: "")
    }
    if findings.contains(where: { !$0.hasPassed }) { throw ExitCode(1) }
  }

  private func pairs(_ texts: [String], _ option: String) throws -> [String: String] {
    var pairs: [String: String] = [:]
    for text in texts {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw ValidationError("\(option) is a name, '=' and a text; this one is '\(text)'")
      }
      pairs[String(text[..<equals])] = String(text[text.index(after: equals)...])
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
