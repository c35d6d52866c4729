import CVerifyFiles
import SyncProof

/// The arguments of `synchronicity-verify`, which has no library to read them. `version` comes from the build script.
struct Arguments {
  static let help: Text = """
    USAGE: synchronicity-verify --policy <file> [--handover <file> ...] [--proof <file>] [--package <purl>]
               [--allow-extra] [--json] <artifact> ...
           synchronicity-verify --policy <file> [--handover <file> ...] --proof <file> --sha256 <hex>
               [--package <purl>] [--json]

    Checks offline that artifacts were rebuilt by the builders of a policy: files, folders, or - for standard input.

    OPTIONS:
      --policy <file>   The trust policy.
      --handover <file> A hand-over, by which others took the place of the policy's builders. Repeat it in order.
      --epoch <number>  The policy's epoch, which the first hand-over must end; without it any.
      --proof <file>    The proof. Without it, the proof inside the artifact is taken, or ARTIFACT.tlog-proof beside it.
      --sha256 <hex>    The artifact's digest, in place of the artifact.
      --package <purl>  The package that must be proven, such as pkg:cargo/itoa@1.0.1; without @… any version.
      --allow-extra     Let a folder hold more than what is proven.
      --json            Print one JSON object on a line for each artifact.
      --version         Show the version.
      -h, --help        Show this help.

    Exit codes: 0 verified; 1 not verified; 2 wrong usage or malformed input; 3 environment.

    """

  private var left: ArraySlice<[UInt8]>
  private var policy: [UInt8]?
  private var request = VerifyRequest(policy: [], proof: nil, sha256: nil, artifacts: [])

  private init(_ arguments: [[UInt8]]) { left = arguments[...] }

  static func run(_ arguments: [[UInt8]]) -> Int32 {
    var reading = Arguments(arguments)
    while let argument = reading.left.popFirst() {
      if argument == Text("--").utf8 {
        reading.request.artifacts += reading.left
        break
      }
      guard argument.first == UInt8(ascii: "-"), argument != VerifyRequest.standardInput else {
        reading.request.artifacts.append(argument)
        continue
      }
      if argument == Text("--help").utf8 || argument == Text("-h").utf8 { return say(help, to: 1) }
      if argument == Text("--version").utf8 {
        return say("\(version)\n", to: 1)
      }
      if let problem = reading.option(argument) { return fail(problem) }
    }
    guard let policy = reading.policy else { return fail("Name the trust policy with --policy") }
    reading.request.policy = policy
    return VerifyRun.perform(reading.request).rawValue
  }

  /// - Returns: What is wrong with the option.
  private mutating func option(_ argument: [UInt8]) -> Text? {
    let parts = argument.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    let name = Text(utf8: [UInt8](parts[0]))
    switch name {
    case "--json", "--allow-extra":
      guard parts.count == 1 else { return "\(shown(name.utf8)) takes no value" }
      if name == "--json" { request.isJSON = true } else { request.allowsExtra = true }
    case "--policy", "--handover", "--epoch", "--proof", "--sha256", "--package":
      var value = parts.count == 2 ? [UInt8](parts[1]) : nil
      if value == nil, let next = left.first, next.first != UInt8(ascii: "-") { value = left.popFirst() }
      guard let value, !value.isEmpty else { return "A value for \(shown(name.utf8)) is missing; see --help" }
      // Of two policies, nobody could say which one was meant to be trusted.
      let isGiven: Bool
      switch name {
      case "--policy": (isGiven, policy) = (policy != nil, value)
      case "--handover":
        request.handovers.append(value)
        isGiven = false
      case "--epoch": (isGiven, request.epoch) = (request.epoch != nil, value)
      case "--proof": (isGiven, request.proof) = (request.proof != nil, value)
      case "--package": (isGiven, request.package) = (request.package != nil, value)
      default: (isGiven, request.sha256) = (request.sha256 != nil, value)
      }
      if isGiven { return "\(shown(name.utf8)) is given twice; name one" }
    default: return "\(shown(argument)) is no option; see --help"
    }
    return nil
  }

  private static func say(_ text: Text, to descriptor: Int32) -> Int32 {
    let written = text.utf8.withUnsafeBytes { vf_write(descriptor, $0.baseAddress, $0.count) }
    return written < 0 ? VerifyStatus.environment.rawValue : VerifyStatus.verified.rawValue
  }

  private static func fail(_ problem: Text) -> Int32 {
    _ = say("error: \(problem)\n", to: 2)
    return VerifyStatus.malformed.rawValue
  }
}

/// The program's beginning, as C calls it.
@_cdecl("main")
func main(_ count: Int32, _ values: UnsafePointer<UnsafePointer<CChar>?>) -> Int32 {
  vf_ignore_broken_pipes()
  var arguments: [[UInt8]] = []
  for i in 1..<max(1, Int(count)) {
    guard let value = values[i] else { break }
    arguments.append(bytes(of: value))
  }
  return Arguments.run(arguments)
}
