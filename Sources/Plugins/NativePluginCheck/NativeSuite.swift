import Foundation
import NativePlugins
import PluginSuites
import SodiumSigner
import SyncProof
import SyncRuntime
import Synchronization

/// The conformance suite of a plugin's kind, with the plugin called as a node calls it.
///
/// It works in a folder of its own below the one for temporary files, which is gone behind ``run()``. Thread: any.
package struct NativeSuite: Sendable {
  /// What the suites cannot know.
  package struct Given: Sendable {
    /// As `[settings.PLUGIN]` of a configuration.
    package var settings: [String: String]
    /// For a sandbox: the path of a tar archive with /bin/sh, bash, coreutils and busybox.
    package var toolchain: String?
    /// For a source: the purl of a package that it has, with its version.
    package var package: String?
    /// For a sandbox: what may leave it, by its words, with the reasons; `nil`: nothing tries to.
    package var escapes: [String: String]?

    package init(
      settings: [String: String] = [:], toolchain: String? = nil, package: String? = nil,
      escapes: [String: String]? = nil
    ) {
      (self.settings, self.toolchain, self.package, self.escapes) = (settings, toolchain, package, escapes)
    }
  }

  private let plugin: NativePlugin
  private let given: Given
  private let folder: String

  package init(_ plugin: NativePlugin, _ given: Given) {
    (self.plugin, self.given) = (plugin, given)
    folder = NSTemporaryDirectory() + "sync-plugin-check-\(getpid())-\(UInt64.random(in: 0 ... .max))"
  }

  /// Runs the suite: seconds, for a sandbox minutes.
  ///
  /// - Throws: ``PluginError/Code/invalid`` where something is not given that the kind wants, and what kept the checks
  ///   from being made; what a plugin does wrong is a finding.
  package func run() async throws(PluginError) -> [CompatFinding] {
    // Nobody else's, where there is a folder for temporary files; a program of others' may be started in it, whatever
    // this process takes away from the modes of what it makes.
    guard mkdir(folder, 0o755) == 0, chmod(folder, 0o755) == 0 else {
      throw PluginError(.io, "Cannot make \(folder), which TMPDIR chooses: \(String(cString: strerror(errno)))")
    }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    switch plugin.kind {
    case .signer: return await checkSigner()
    case .storage: return try await checkStorage()
    case .transport: return await checkTransport()
    case .sandbox: return try await checkSandbox()
    case .source: return try await checkSource()
    }
  }

  /// A line for each finding, and a last one with their number. A line stays one, whatever a plugin says.
  package static func report(_ findings: [CompatFinding], on plugin: NativePlugin) -> String {
    let passed = findings.count { $0.hasPassed }
    let lines =
      findings.map { "\($0)" } + [
        "\(plugin.name) \(plugin.version), a \(plugin.kind.rawValue): \(passed) of \(findings.count) checks passed"
      ]
    return lines.map { line in
      String(String.UnicodeScalarView(line.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
        + "\n"
    }.joined()
  }

  private func checkSigner() async -> [CompatFinding] {
    let made = Mutex<[ForeignSigner]>([])
    let make: @Sendable () async throws(PluginError) -> ForeignSigner = { () async throws(PluginError) in
      let signer = try await ForeignSigner(
        plugin, node: "checked", stateDirectory: folder + "/state", settings: given.settings)
      made.withLock { $0.append(signer) }
      return signer
    }
    let findings = await SignerCompatTest(make: make).run()
    let first = made.withLock { $0.first }
    for signer in made.withLock({ $0 }) { await signer.close() }
    return findings + [await comesBack(first, make)]
  }

  /// Whether an instance that is made when no other is left has the keys of those before, and signs.
  private func comesBack(_ first: ForeignSigner?, _ make: () async throws(PluginError) -> ForeignSigner) async
    -> CompatFinding
  {
    let name = "once all have ended, another one has the same keys"
    guard let first else { return CompatFinding(name: name, hasPassed: false, detail: "none could be made before") }
    do throws(PluginError) {
      let signer = try await make()
      let problem: String
      do throws(PluginError) { problem = try difference(first, signer) } catch { problem = error.message }
      await signer.close()
      return CompatFinding(name: name, hasPassed: problem.isEmpty, detail: problem)
    } catch {
      return CompatFinding(name: name, hasPassed: false, detail: error.message)
    }
  }

  /// What is wrong with the second one's keys and signatures; empty for nothing.
  private func difference(_ first: ForeignSigner, _ second: ForeignSigner) throws(PluginError) -> String {
    for role in KeyRole.allCases {
      let key = try second.publicKey(for: role)
      if try first.publicKey(for: role) != key { return "the \(role.rawValue) key changed" }
      if !key.accepts(try second.sign([6], as: role), on: [6]) { return "\(role.rawValue): refused" }
    }
    return ""
  }

  private func checkStorage() async throws(PluginError) -> [CompatFinding] {
    // The suite waits for each answer, on a thread that nothing else wants.
    let findings = await BlockingThread.run { () throws(PluginError) in
      StorageCompatTest { place in
        try wait { () throws(PluginError) in
          try await ForeignStorage(
            plugin, node: "checked", stateDirectory: "\(folder)/\(place)", settings: given.settings)
        }
      }.run()
    }
    return try findings.get()
  }

  private func checkTransport() async -> [CompatFinding] {
    let book = AddressBook()
    let make: @Sendable (String, [String], SodiumSigner, String) async throws -> ForeignTransport = {
      name, peers, signer, group in
      let others = try peers.map { peer in
        ForeignTransport.Peer(
          name: peer, address: try book.address(of: peer), key: try AddressBook.signer(peer).publicKey(for: .transport))
      }
      return try await ForeignTransport(
        plugin, node: name, stateDirectory: "\(folder)/\(name)", settings: given.settings,
        listen: try book.address(of: name), group: SHA256.hash([UInt8](group.utf8)), peers: others, signer: signer)
    }
    let honest: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer($0), "a group") }
    let keyless: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer("another"), "a group") }
    let foreign: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer($0), "another group") }
    let findings = await TransportCompatTest(impostor: keyless, make: honest).run()
    return findings + [await TransportCompatTest(make: honest).keepsApart(foreign)]
  }

  private func checkSandbox() async throws(PluginError) -> [CompatFinding] {
    guard let archive = given.toolchain else {
      throw PluginError(.invalid, "A sandbox is checked with a toolchain, the path of a tar archive; there is none")
    }
    let path = URL(fileURLWithPath: archive).standardizedFileURL.path
    let digest = try FileDigest.sha256(path: path).digest
    let scratch = try makeScratch()
    let sandbox: ForeignSandbox
    do throws(PluginError) {
      sandbox = try await ForeignSandbox(
        plugin, node: "checked", stateDirectory: folder + "/state", settings: given.settings)
    } catch {
      return [NativeSuite.unmade(error)]
    }
    var findings: [CompatFinding] = []
    do throws(PluginError) {
      _ = try await sandbox.removeLeftovers()
      let suite = SandboxCompatTest(sandbox: sandbox, toolchain: digest, archive: path, scratchDirectory: scratch)
      findings = await suite.run()
      if let escapes = given.escapes { findings += await suite.escapes(allowing: escapes) }
    } catch {
      findings = [CompatFinding(name: "leftovers are removed", hasPassed: false, detail: error.message)]
    }
    await sandbox.close()
    return findings
  }

  private static func unmade(_ error: PluginError) -> CompatFinding {
    CompatFinding(name: "an instance is made", hasPassed: false, detail: error.message)
  }

  private func checkSource() async throws(PluginError) -> [CompatFinding] {
    guard let package = given.package else {
      throw PluginError(.invalid, "A source is checked with a package that it has; none is given")
    }
    guard let at = package.lastIndex(of: "@"), let slash = package.lastIndex(of: "/"), slash < at else {
      throw PluginError(
        .invalid, "The package is a purl with a version, such as pkg:cargo/itoa@1.0.1; this one is \(package)")
    }
    let scratch = try makeScratch()
    let source: ForeignSource
    do throws(PluginError) {
      source = try await ForeignSource(
        plugin, node: "checked", stateDirectory: folder + "/state", settings: given.settings)
    } catch {
      return [NativeSuite.unmade(error)]
    }
    let asked = SourceCompatTest.Package(
      purl: package, unknownPurl: "\(package[...slash])no-such-package-\(getpid())@1.0.0",
      unknownVersionPurl: "\(package[..<at])@999.0.0", toolchain: SHA256.hash([UInt8]("toolchain".utf8)))
    let findings = await SourceCompatTest(
      source: source, sandbox: EchoSandbox(who: "checked"), package: asked, scratchDirectory: scratch
    ).run()
    await source.close()
    return findings
  }

  private func makeScratch() throws(PluginError) -> String {
    let scratch = folder + "/scratch"
    do {
      try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    } catch {
      throw PluginError(.io, "Cannot make \(scratch): \(error.localizedDescription)")
    }
    return scratch
  }

  /// For a suite whose functions wait, on a thread that is not the pool's.
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
