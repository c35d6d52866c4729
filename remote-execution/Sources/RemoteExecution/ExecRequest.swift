import Foundation

/// What the node sends: one JSON object on one line, `synchronicity-exec/1`. docs/EXEC_SANDBOX.md says what each member
/// means.
public struct ExecRequest: Decodable, Sendable, Equatable {
  public static let protocolName = "synchronicity-exec/1"
  public static let bytesMax = 64 << 20

  public enum Verb: String, Decodable, Sendable, CaseIterable { case probe, prepare, run, clean }

  public struct Toolchain: Decodable, Sendable, Equatable {
    public let digest: String
    public let folder: String
  }

  public struct Variable: Decodable, Sendable, Equatable {
    public let name: String
    public let value: String
  }

  public struct Mount: Decodable, Sendable, Equatable {
    public let source: String
    public let target: String
    public let writable: Bool
  }

  public struct Bounds: Decodable, Sendable, Equatable {
    public let wallSeconds: UInt64
    public let cpuSeconds: UInt64
    public let memoryBytes: UInt64
    public let processes: UInt64
    public let diskBytes: UInt64
    public let transcriptBytes: UInt64
  }

  public let `protocol`: String
  public let verb: Verb
  public let runID: String
  public let resultFile: String
  public let scratchFolder: String
  public let toolchain: Toolchain?
  public let archive: String?
  public let command: [String]?
  public let environment: [Variable]?
  public let workingDirectory: String?
  public let mounts: [Mount]?
  public let limits: Bounds?
  public let hostName: String?

  /// - Throws: ``Fault/Code/invalid`` for what is no request of this protocol's, or has not what its verb wants.
  public init(parsing line: Data, verb: Verb) throws {
    do { self = try JSONDecoder().decode(ExecRequest.self, from: line) } catch {
      throw Fault(.invalid, "Standard input is no request of Synchronicity's: \(error)")
    }
    guard `protocol` == Self.protocolName, self.verb == verb else {
      throw Fault(
        .invalid,
        "The request is '\(self.verb.rawValue)' of \(`protocol`), not '\(verb.rawValue)' of"
          + " \(Self.protocolName)")
    }
    let isWhole =
      switch verb {
      case .probe, .clean: true
      case .prepare: toolchain != nil && archive != nil
      case .run:
        toolchain != nil && command?.isEmpty == false && environment != nil && workingDirectory != nil && mounts != nil
          && limits != nil && hostName != nil
      }
    guard isWhole else { throw Fault(.invalid, "The request '\(verb.rawValue)' lacks a member") }
  }
}

/// What this program answers in the result file.
public enum ExecAnswer: Sendable, Equatable {
  public struct Finding: Encodable, Sendable, Equatable {
    public let name: String
    public let met: Bool
    public let detail: String

    public init(_ name: String, _ met: Bool, _ detail: String) {
      (self.name, self.met, self.detail) = (name, met, detail)
    }
  }

  case findings([Finding])
  case ready
  case cleaned
  case ended(RunReport)
  case fault(Fault)

  private struct Members: Encodable {
    let `protocol` = ExecRequest.protocolName
    let verb: String
    let runID: String
    var findings: [Finding]?
    var ready: Bool?
    var cleaned: Bool?
    var end: String?
    var status: Int?
    var signal: Int?
    var wallNanoseconds: UInt64?
    var cpuNanoseconds: UInt64?
    var memoryPeakBytes: UInt64?
    var fault: String?
    var message: String?
  }

  /// Writes it so that it appears whole or not at all.
  public func write(for request: ExecRequest) throws {
    var members = Members(verb: request.verb.rawValue, runID: request.runID)
    switch self {
    case .findings(let findings): members.findings = findings
    case .ready: members.ready = true
    case .cleaned: members.cleaned = true
    case .fault(let fault): (members.fault, members.message) = (fault.code.rawValue, fault.message)
    case .ended(let report):
      (members.end, members.status, members.signal) = (report.end.word, report.end.status, report.end.signal)
      members.wallNanoseconds = report.wallNanoseconds
      (members.cpuNanoseconds, members.memoryPeakBytes) = (report.cpuNanoseconds, report.memoryPeakBytes)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(members)
    try data.write(to: URL(fileURLWithPath: request.resultFile), options: .atomic)
  }
}
