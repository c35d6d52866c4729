import Glibc
import SyncRuntime

/// What the command tells in its result file.
enum ExecAnswer: Equatable {
  case findings([SandboxProbe.Finding])
  case ready
  case cleaned
  case ended(ExecEnd)
  case fault(PluginError)

  static let bytesMax = 1 << 16
  static let fileName = "result.json"
  static let messageBytesMax = 1_000
  private static let findingsMax = 64

  /// Reads the one file that the folder may hold.
  ///
  /// - Throws: ``PluginError/Code/io`` with what is wrong, to be told of `who`.
  static func read(folder: String, verb: ExecMessage.Verb, runID: String, who: String) throws(PluginError)
    -> ExecAnswer
  {
    let bytes = try bytes(in: folder, who)
    do throws(Unfit) { return try parse(bytes, verb: verb, runID: runID) } catch {
      throw PluginError(.io, "\(who) gave a result for '\(verb.rawValue)' that is refused: \(error.reason)")
    }
  }

  private static func bytes(in folder: String, _ who: String) throws(PluginError) -> [UInt8] {
    guard let directory = opendir(folder) else { throw Folder.error("open", folder) }
    defer { closedir(directory) }
    var others = 0
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if ![".", "..", fileName].contains(name) { others += 1 }
    }
    let file = openat(dirfd(directory), fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      let what = errno == ENOENT ? "gave no result" : "gave a \(fileName) that cannot be opened"
      throw PluginError(.io, "\(who) \(what): a file \(fileName) in \(folder) is wanted")
    }
    defer { close(file) }
    guard others == 0 else {
      throw PluginError(.io, "\(who) gave more than one answer: \(fileName) and nothing else is wanted in \(folder)")
    }
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      throw PluginError(.io, "\(who) gave a \(fileName) that is no regular file")
    }
    var content = [UInt8](repeating: 0, count: bytesMax + 1)
    var count = 0
    while count < content.count {
      let got = content.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + count, $0.count - count) }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw Folder.error("read", "\(folder)/\(fileName)") }
      if got == 0 { break }
      count += got
    }
    guard count <= bytesMax else {
      throw PluginError(.io, "\(who) gave a \(fileName) of more than \(bytesMax) bytes")
    }
    return Array(content[..<count])
  }

  struct Unfit: Error { let reason: String }

  static func parse(_ bytes: [UInt8], verb: ExecMessage.Verb, runID: String) throws(Unfit) -> ExecAnswer {
    let json: StrictJSON
    do throws(StrictJSON.Malformed) { json = try StrictJSON(parsing: bytes) } catch {
      throw Unfit(reason: "it is no JSON that is understood, at byte \(error.offset): \(error.reason)")
    }
    guard let names = json.names else { throw Unfit(reason: "it is no JSON object") }
    try require(json["protocol"]?.text == ExecMessage.protocolName, "'protocol' is not \(ExecMessage.protocolName)")
    try require(json["verb"]?.text == verb.rawValue, "'verb' is not '\(verb.rawValue)'")
    try require(json["runID"]?.text == runID, "'runID' is not '\(runID)'")
    func only(_ more: [String]) throws(Unfit) {
      let known = ["protocol", "verb", "runID"] + more
      if let other = names.first(where: { !known.contains($0) }) { throw Unfit(reason: "'\(other)' is not known here") }
    }
    if let code = json["fault"] {
      try only(["fault", "message"])
      return .fault(try fault(code, json["message"]))
    }
    switch verb {
    case .prepare:
      try only(["ready"])
      try require(json["ready"]?.boolean == true, "'ready' is not true; what failed is told with 'fault'")
      return .ready
    case .clean:
      try only(["cleaned"])
      try require(json["cleaned"]?.boolean == true, "'cleaned' is not true; what failed is told with 'fault'")
      return .cleaned
    case .probe:
      try only(["findings"])
      return .findings(try findings(json["findings"]))
    case .run:
      try only(["end", "status", "signal", "wallNanoseconds", "cpuNanoseconds", "memoryPeakBytes"])
      return .ended(try ExecEnd(json))
    }
  }

  static func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws(Unfit) {
    if !condition { throw Unfit(reason: reason()) }
  }

  private static func fault(_ code: StrictJSON, _ message: StrictJSON?) throws(Unfit) -> PluginError {
    let codes: [String: PluginError.Code] = [
      "unavailable": .unavailable, "notFound": .notFound, "checksumMismatch": .checksumMismatch, "invalid": .invalid,
      "io": .io, "cancelled": .cancelled,
    ]
    guard let name = code.text, let code = codes[name] else {
      throw Unfit(reason: "'fault' is none of \(codes.keys.sorted().joined(separator: ", "))")
    }
    guard let message = message?.text, !message.isEmpty else { throw Unfit(reason: "a fault wants a 'message'") }
    return PluginError(code, plain(message))
  }

  private static func findings(_ json: StrictJSON?) throws(Unfit) -> [SandboxProbe.Finding] {
    guard let list = json?.list, list.count <= findingsMax else {
      throw Unfit(reason: "'findings' is no list of at most \(findingsMax)")
    }
    var findings: [SandboxProbe.Finding] = []
    for entry in list {
      guard let name = entry["name"]?.text, let isMet = entry["met"]?.boolean, let detail = entry["detail"]?.text,
        entry.names?.count == 3, !name.isEmpty
      else { throw Unfit(reason: "a finding has 'name', 'met' and 'detail', and nothing else") }
      findings.append(SandboxProbe.Finding(name: plain(name), isMet: isMet, detail: plain(detail)))
    }
    return findings
  }

  /// One line of bounded length, for a terminal and a log.
  static func plain(_ text: String) -> String {
    let words = text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? " " : $0 }
    var line = String(String.UnicodeScalarView(words.prefix(messageBytesMax)))
    while line.last == " " { line.removeLast() }
    return line
  }
}

/// How a run ended, as the command tells it.
struct ExecEnd: Equatable {
  let termination: SandboxTermination
  let wallNanoseconds: UInt64
  let cpuNanoseconds: UInt64?
  let memoryPeakBytes: UInt64?

  init(_ json: StrictJSON) throws(ExecAnswer.Unfit) {
    let end = json["end"]?.text
    let (status, signal) = (json["status"], json["signal"])
    try ExecAnswer.require((status != nil) == (end == "exited"), "'status' goes with the end 'exited', and only there")
    try ExecAnswer.require(
      (signal != nil) == (end == "signalled"), "'signal' goes with the end 'signalled', and only there")
    switch end {
    case "exited": termination = .exited(status: try Self.number(status, 0...255, "status"))
    case "signalled": termination = .signalled(try Self.number(signal, 1...64, "signal"))
    case "wall": termination = .wallTimeExceeded
    case "cpu": termination = .cpuTimeExceeded
    case "memory": termination = .memoryExceeded
    case "processes": termination = .processesExceeded
    case "disk": termination = .diskExceeded
    case "transcript": termination = .transcriptExceeded
    default:
      throw ExecAnswer.Unfit(
        reason: "'end' is none of exited, signalled, wall, cpu, memory, processes, disk, transcript")
    }
    wallNanoseconds = try Self.amount(json["wallNanoseconds"], "wallNanoseconds")
    cpuNanoseconds = try json["cpuNanoseconds"].map { json throws(ExecAnswer.Unfit) in
      try Self.amount(json, "cpuNanoseconds")
    }
    memoryPeakBytes = try json["memoryPeakBytes"].map { json throws(ExecAnswer.Unfit) in
      try Self.amount(json, "memoryPeakBytes")
    }
  }

  /// Whether the command itself came to an end, so that what it left is brought home.
  var leavesOutputs: Bool {
    switch termination {
    case .exited, .signalled, .processesExceeded, .diskExceeded: true
    case .wallTimeExceeded, .cpuTimeExceeded, .memoryExceeded, .transcriptExceeded: false
    }
  }

  private static func number(_ json: StrictJSON?, _ range: ClosedRange<Int64>, _ name: String)
    throws(ExecAnswer.Unfit) -> Int32
  {
    guard let number = json?.number, range.contains(number) else {
      throw ExecAnswer.Unfit(reason: "'\(name)' is not \(range.lowerBound) to \(range.upperBound)")
    }
    return Int32(number)
  }

  private static func amount(_ json: StrictJSON?, _ name: String) throws(ExecAnswer.Unfit) -> UInt64 {
    guard let number = json?.number, number >= 0 else {
      throw ExecAnswer.Unfit(reason: "'\(name)' is no whole number from 0 on")
    }
    return UInt64(number)
  }
}
