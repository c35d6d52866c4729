/// What the launcher tells of a run: Sources/Plugins/ChrootSandboxInit/launcher.h has its lines.
public struct RunReport: Sendable, Equatable {
  public enum End: Sendable, Equatable {
    case exited(status: Int)
    case signalled(Int)
    case limit(String)

    var word: String {
      switch self {
      case .exited: "exited"
      case .signalled: "signalled"
      case .limit(let name): name
      }
    }
    var status: Int? { if case .exited(let status) = self { status } else { nil } }
    var signal: Int? { if case .signalled(let number) = self { number } else { nil } }
  }

  public static let bytesMax = 1 << 16
  private static let limits = ["wall", "cpu", "memory", "processes", "disk", "transcript"]

  public let end: End
  public let wallNanoseconds: UInt64
  public let cpuNanoseconds: UInt64?
  public let memoryPeakBytes: UInt64?
  /// What the writable mounts hold came with it.
  public let isPacked: Bool

  /// - Throws: The launcher's own fault, or ``Fault/Code/io`` for what is no report.
  public init(parsing text: String) throws {
    var end: End?
    var numbers: [String: UInt64] = [:]
    var isPacked = false
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      switch words[0] {
      case "fault" where words.count == 3: throw Self.fault(words[1], words[2])
      case "end" where end == nil: end = try Self.end(words)
      case "wall", "cpu", "memory":
        guard words.count == 2, numbers[words[0]] == nil, let number = UInt64(words[1]) else { throw Self.unfit(line) }
        numbers[words[0]] = number
      case "packed" where words.count == 1 && !isPacked: isPacked = true
      default: throw Self.unfit(line)
      }
    }
    guard let end, let wall = numbers["wall"] else {
      throw Fault(.io, "The launcher's report says nothing of how the run ended")
    }
    (self.end, wallNanoseconds, self.isPacked) = (end, wall, isPacked)
    (cpuNanoseconds, memoryPeakBytes) = (numbers["cpu"], numbers["memory"])
  }

  private static func end(_ words: [String]) throws -> End {
    if words.count == 2, limits.contains(words[1]) { return .limit(words[1]) }
    guard words.count == 3, let number = Int(words[2]) else { throw unfit(words.joined(separator: " ")) }
    switch words[1] {
    case "exited" where (0...255).contains(number): return .exited(status: number)
    case "signalled" where (1...64).contains(number): return .signalled(number)
    default: throw unfit(words.joined(separator: " "))
    }
  }

  /// The launcher has its codes from the node's plugin errors.
  private static func fault(_ code: String, _ sentence: String) -> Fault {
    let codes: [String: Fault.Code] = ["1": .unavailable, "4": .invalid, "5": .io, "6": .cancelled]
    return Fault(codes[code] ?? .io, sentence)
  }

  private static func unfit(_ line: some StringProtocol) -> Fault {
    Fault(.io, "The launcher's report has a line that is not understood: '\(line.prefix(100))'")
  }
}
