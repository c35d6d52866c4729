import Foundation
import NativePlugins
import SodiumSigner
import SyncProof
import SyncRuntime
import SyncTesting
import Synchronization

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
    let made = Mutex<[ForeignSigner]>([])
    let make: @Sendable () throws(PluginError) -> ForeignSigner = {
      let signer = try wait { () throws(PluginError) in
        try await ForeignSigner(plugin, node: "checked", stateDirectory: folder + "/state", settings: settings)
      }
      made.withLock { $0.append(signer) }
      return signer
    }
    let findings = await SignerCompatTest(make: make).run()
    let first = made.withLock { $0.first }
    for signer in made.withLock({ $0 }) { await signer.close() }
    return findings + [await comesBack(first, make)]
  }

  /// Whether an instance that is made when no other is left has the keys of those before, and signs.
  private func comesBack(_ first: ForeignSigner?, _ make: () throws(PluginError) -> ForeignSigner) async
    -> CompatFinding
  {
    let name = "once all have ended, another one has the same keys"
    guard let first else { return CompatFinding(name: name, hasPassed: false, detail: "none could be made before") }
    do throws(PluginError) {
      let signer = try make()
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

  func checkTransport() async -> [CompatFinding] {
    let book = AddressBook()
    let make: @Sendable (String, [String], SodiumSigner, String) async throws -> ForeignTransport = {
      name, peers, signer, group in
      let others = try peers.map { peer in
        ForeignTransport.Peer(
          name: peer, address: try book.address(of: peer), key: try AddressBook.signer(peer).publicKey(for: .transport))
      }
      return try await ForeignTransport(
        plugin, node: name, stateDirectory: "\(folder)/\(name)", settings: settings,
        listen: try book.address(of: name), group: SHA256.hash([UInt8](group.utf8)), peers: others, signer: signer)
    }
    let honest: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer($0), "a group") }
    let keyless: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer("another"), "a group") }
    let foreign: TransportCompatTest.Make = { try await make($0, $1, try AddressBook.signer($0), "another group") }
    let findings = await TransportCompatTest(impostor: keyless, make: honest).run()
    return findings + [await TransportCompatTest(make: honest).keepsApart(foreign)]
  }

  /// - Parameter escapes: What may leave it, with the reasons; `nil`: nothing tries to.
  func checkSandbox(_ archive: String, escapes: [String: String]?) async throws -> [CompatFinding] {
    let path = URL(fileURLWithPath: archive).standardizedFileURL.path
    let digest = try FileDigest.sha256(path: path).digest
    let scratch = folder + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    let sandbox = try await ForeignSandbox(
      plugin, node: "checked", stateDirectory: folder + "/state", settings: settings)
    _ = try await sandbox.removeLeftovers()
    let suite = SandboxCompatTest(sandbox: sandbox, toolchain: digest, archive: path, scratchDirectory: scratch)
    var findings = await suite.run()
    if let escapes { findings += await suite.escapes(allowing: escapes) }
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

/// Keys and loopback addresses of the replicas that a transport is checked with.
private final class AddressBook: Sendable {
  private let ports = Mutex<[String: UInt16]>([:])

  /// The same for a replica that comes back.
  func address(of name: String) throws(PluginError) -> String {
    if let port = ports.withLock({ $0[name] }) { return "127.0.0.1:\(port)" }
    let port = try AddressBook.freePort()
    ports.withLock { $0[name] = port }
    return "127.0.0.1:\(port)"
  }

  /// For these checks alone: everybody knows the seed.
  static func signer(_ name: String) throws(PluginError) -> SodiumSigner {
    try SodiumSigner(seed: SHA256.hash([UInt8](name.utf8)).bytes)
  }

  private static func freePort() throws(PluginError) -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw PluginError(.unavailable, "No socket can be made: \(reason())") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failure = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, size) != 0 || getsockname(descriptor, pointer, &size) != 0
      }
    }
    guard !failure else { throw PluginError(.unavailable, "No port of 127.0.0.1 is free: \(reason())") }
    return UInt16(bigEndian: address.sin_port)
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
