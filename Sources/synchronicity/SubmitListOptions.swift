import ArgumentParser
import SyncRuntime

/// What `submit` is told of a list.
struct SubmitListOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A list of packages; - is standard input.", valueName: "file"))
  var from: String?
  @Option(help: ArgumentHelp("With --from: what was accepted, to go on from after an interruption.", valueName: "file"))
  var state: String?
  @Option(help: "With --from: how many packages the node is asked for at once.")
  var parallel = 4

  func validate(package: String?) throws {
    if from == nil, package == nil { throw ValidationError("Name a package, or a list of them with --from.") }
    if from != nil, package != nil { throw ValidationError("Name a package or a list with --from, not both.") }
    if from == nil, state != nil { throw ValidationError("--state belongs to --from.") }
    guard (1...16).contains(parallel) else { throw ValidationError("--parallel is 1 to 16, not \(parallel).") }
  }

  func run(client: GatewayClient, rebuild: UInt64?, waits: Bool, patience: Duration, isJSON: Bool) throws -> SubmitRun {
    Console.isReservedForJSON.withLock { $0 = isJSON }
    let from = from ?? "-"
    let (path, name) = from == "-" ? ("/dev/stdin", "standard input") : (from, from)
    let bytes = try BoundedFile.read(path, what: "list of packages", bytesMax: SubmitList.bytesMax)
    let items = try SubmitList.parse(bytes, name: name, rebuild: rebuild)
    let state = try state.map { path throws(CommandFailure) in try SubmitState(path: path) }
    let book = SubmitBook(
      items, known: state?.jobs ?? [:], offersMax: parallel, waits: waits, patience: patience)
    return SubmitRun(client: client, book: book, state: state, isJSON: isJSON)
  }
}
