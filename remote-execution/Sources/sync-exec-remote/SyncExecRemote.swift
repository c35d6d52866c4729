import ArgumentParser
import Foundation
import GRPCCore
import RemoteExecution

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

@main struct SyncExecRemote: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync-exec-remote",
    abstract: "Takes builds to an engine that speaks the Remote Execution API: a command for the exec sandbox.",
    discussion: """
      A node starts it, with one JSON object on standard input; docs/REMOTE_EXECUTION.md shows the configuration. Each \
      run is one action, which no cache answers for. On the worker the launcher of the chroot sandbox isolates the \
      build and holds its limits; the worker must let it make a user namespace.
      """,
    version: "0.1")

  @Option(help: ArgumentHelp("The engine: grpc://HOST:PORT, or grpcs://HOST:PORT by TLS.", valueName: "address"))
  var remote: String
  @Option(help: "The engine's name for a part of itself.")
  var instance = ""
  @Option(
    help: ArgumentHelp("What a worker must be, in the engine's words; may be repeated.", valueName: "name=value"))
  var platform: [String] = []
  @Option(help: "The priority of actions, on the engine's own scale; 0 is its default.")
  var priority: Int32 = 0
  @Option(
    help: ArgumentHelp(
      "The program that the workers execute, for their processor. Default: sync-remote-launcher beside this program.",
      valueName: "path"))
  var launcher: String?
  @Option(help: ArgumentHelp("Authorities to trust in place of the host's, in PEM.", valueName: "path"))
  var tlsAuthorities: String?
  @Option(help: ArgumentHelp("The certificate to show, in PEM.", valueName: "path"))
  var tlsCertificate: String?
  @Option(help: ArgumentHelp("Its key, in PEM; a file of mode 0600.", valueName: "path"))
  var tlsKey: String?
  @Option(help: ArgumentHelp("A file of mode 0600 with a bearer token.", valueName: "path"))
  var tokenFile: String?
  @Argument(help: "probe, prepare, run or clean; put here by the node.")
  var verb: ExecRequest.Verb

  func validate() throws {
    guard EngineOptions.Address(remote) != nil else {
      throw ValidationError("'\(remote)' is no address of an engine: grpc://HOST:PORT or grpcs://HOST:PORT is wanted")
    }
    for text in platform where EngineOptions.Property(text) == nil {
      throw ValidationError("'\(text)' is no platform property: NAME=VALUE is wanted")
    }
    guard (tlsCertificate == nil) == (tlsKey == nil) else {
      throw ValidationError("--tls-certificate and --tls-key are wanted together")
    }
  }

  private func options() throws -> EngineOptions {
    guard let address = EngineOptions.Address(remote) else { throw ValidationError("'\(remote)' is no address") }
    var options = EngineOptions(address: address, launcher: launcher ?? Self.launcherBeside())
    options.instance = instance
    options.platform = platform.compactMap { EngineOptions.Property($0) }
    options.priority = priority
    (options.authorities, options.certificate, options.key) = (tlsAuthorities, tlsCertificate, tlsKey)
    options.token = tokenFile
    return options
  }

  private static func launcherBeside() -> String {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    return own.appending(path: "sync-remote-launcher").path
  }

  func run() async throws {
    umask(0o022)
    signal(SIGPIPE, SIG_IGN)
    let request = try ExecRequest(parsing: Self.readLine(), verb: verb)
    let sandbox = RemoteSandbox(try options())
    let work = Task { () async throws -> ExecAnswer in
      switch verb {
      case .probe: return .findings(try await sandbox.probe(request))
      case .prepare:
        try await sandbox.prepare(request)
        return .ready
      case .clean:
        try await sandbox.clean(request)
        return .cleaned
      case .run: return .ended(try await sandbox.run(request) { try FileHandle.standardOutput.write(contentsOf: $0) })
      }
    }
    let lifeline = Thread {
      Self.waitForEnd()
      work.cancel()
    }
    lifeline.start()
    let answer: ExecAnswer
    do { answer = try await work.value } catch let fault as Fault { answer = .fault(fault) } catch is CancellationError
    {
      answer = .fault(Fault(.cancelled, "The call was cancelled"))
    } catch let error as RPCError {
      answer = .fault(Fault(.unavailable, "The engine: \(error.code), \(error.message)"))
    } catch { answer = .fault(Fault(.io, "\(error)")) }
    try answer.write(for: request)
    // Work may be going on at the engine whose name is still noted: with this status the node calls 'clean'.
    if case .fault(let fault) = answer,
      fault.code == .cancelled || access(request.scratchFolder + "/operation", F_OK) == 0, verb != .clean
    {
      FileHandle.standardError.write(Data("sync-exec-remote: \(fault.message)\n".utf8))
      Foundation.exit(75)
    }
    Foundation.exit(0)
  }

  /// The request: everything up to the first line's end.
  private static func readLine() throws -> Data {
    var line = Data()
    while line.last != 0x0A {
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      let count = read(0, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0, line.count < ExecRequest.bytesMax else {
        throw Fault(.invalid, "Standard input is no request of Synchronicity's; a node starts this program")
      }
      line += piece[..<count]
    }
    return line
  }

  /// Nothing is sent behind the request: what can be read of standard input is its end.
  private static func waitForEnd() {
    var byte: UInt8 = 0
    while true {
      let count = read(0, &byte, 1)
      if count == 0 || (count < 0 && errno != EINTR) { return }
    }
  }
}

extension ExecRequest.Verb: ExpressibleByArgument {}
