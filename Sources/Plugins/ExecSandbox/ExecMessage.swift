import Foundation
import SyncProof
import SyncRuntime

/// What the command reads: one JSON object on one line. docs/EXEC_SANDBOX.md says what each member means.
struct ExecMessage: Encodable {
  static let protocolName = "synchronicity-exec/1"

  enum Verb: String, Encodable { case probe, prepare, run, clean }

  struct Toolchain: Encodable {
    let digest: String
    /// The command's own: made empty before `prepare`, given again to each run.
    let folder: String
  }

  struct Variable: Encodable {
    let name: String
    let value: String
  }

  struct Mount: Encodable {
    let source: String
    let target: String
    let writable: Bool
  }

  struct Bounds: Encodable {
    let wallSeconds: UInt64
    let cpuSeconds: UInt64
    let memoryBytes: UInt64
    let processes: UInt64
    let diskBytes: UInt64
    let transcriptBytes: UInt64

    init(_ limits: SandboxLimits) {
      (wallSeconds, cpuSeconds, memoryBytes) = (limits.wallSeconds, limits.cpuSeconds, limits.memoryBytes)
      (processes, diskBytes, transcriptBytes) = (limits.processes, limits.diskBytes, limits.transcriptBytes)
    }
  }

  let `protocol` = Self.protocolName
  let verb: Verb
  /// Of the run, or of this call: the result must name it.
  let runID: String
  let resultFile: String
  let scratchFolder: String
  var toolchain: Toolchain?
  var archive: String?
  var command: [String]?
  var environment: [Variable]?
  var workingDirectory: String?
  var mounts: [Mount]?
  var limits: Bounds?
  var hostName: String?

  init(_ verb: Verb, runID: String, folder: ExecFolder) {
    (self.verb, self.runID) = (verb, runID)
    (resultFile, scratchFolder) = (folder.resultFile, folder.scratch)
  }

  /// - Parameter sources: What stands for each mount of the request, in its order.
  init(_ request: SandboxRequest, toolchain: String, folder: ExecFolder, sources: [String]) {
    self.init(.run, runID: request.runID, folder: folder)
    self.toolchain = Toolchain(digest: request.toolchain.hex, folder: toolchain)
    command = request.command
    environment = request.environment.map { Variable(name: $0.name, value: $0.value) }
    workingDirectory = request.workingDirectory
    mounts = zip(request.mounts, sources).map {
      Mount(source: $1, target: $0.insidePath, writable: $0.isWritable)
    }
    limits = Bounds(request.limits)
    hostName = request.hostName
  }

  func line() throws(PluginError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return [UInt8](try encoder.encode(self)) + [0x0A] } catch {
      throw PluginError(.invalid, "The request for the command cannot be written as JSON: \(error)")
    }
  }
}
