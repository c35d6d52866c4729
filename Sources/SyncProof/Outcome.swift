/// One declared output file of a build.
public struct Artifact: Hashable, Sendable {
  /// Relative to the output folder.
  public let path: Text
  /// Permission bits, at most 0o7777.
  public let mode: UInt16
  /// Bytes.
  public let size: UInt64
  /// Of the file's bytes.
  public let sha256: Digest

  public init(path: Text, mode: UInt16, size: UInt64, sha256: Digest) {
    (self.path, self.mode, self.size, self.sha256) = (path, mode, size, sha256)
  }
}

/// The named ways in which a build fails, alike on every builder.
public enum FailureReason: Hashable, Sendable {
  /// The recipe exited with a status other than 0.
  case exitStatus(UInt8)
  /// The recipe was ended by a signal, 1...127.
  case signal(UInt8)
  case wallTime, cpuTime, memory, processes, disk, transcript
  /// The recipe succeeded without making this declared artifact.
  case missingArtifact(Text)
  /// The declared artifact is not a regular file below the output folder.
  case badArtifact(Text)
  /// The recipe exited with a status other than 0 and gave its failure this name: what ``isName(_:)`` takes.
  case recipe(Text)

  /// Whether a recipe may call its failure so: 1...63 of `a-z 0-9 -`, the first a letter.
  public static func isName(_ text: Text) -> Bool { Naming.isFailure(text) }
}

/// What a builder's run gave: artifacts, or the way in which it failed.
///
/// Format: `synchronicity-outcome/v1` in docs/FORMATS.md.
public enum Outcome: Hashable, Sendable {
  /// Sorted by path, at least one.
  case built([Artifact])
  case failed(FailureReason)

  /// SHA-256 of ``encode()``: what commitments and reveals are about.
  public var digest: Digest { SHA256.hash(encode()) }

  /// Whether there are artifacts.
  public var isBuilt: Bool {
    if case .built = self { return true }
    return false
  }

  /// Empty for a failure.
  public var artifacts: [Artifact] {
    if case .built(let artifacts) = self { return artifacts }
    return []
  }

  /// Whether this is an outcome that a rebuild of `spec` can have: exactly its artifacts, or a failure about one.
  public func answers(_ spec: BuildSpec) -> Bool {
    switch self {
    case .built(let artifacts):
      guard artifacts.count == spec.artifacts.count else { return false }
      for i in artifacts.indices where artifacts[i].path != spec.artifacts[i] { return false }
      return true
    case .failed(.missingArtifact(let path)), .failed(.badArtifact(let path)):
      return spec.artifacts.contains(path)
    case .failed:
      return true
    }
  }

  /// The canonical text.
  public func encode() -> [UInt8] {
    var writer = LineWriter()
    writer.line("synchronicity-outcome/v1")
    switch self {
    case .built(let artifacts):
      writer.line("built")
      for artifact in artifacts {
        writer.line(
          "artifact",
          fields: [
            Outcome.octal(artifact.mode), Decimal.encode(artifact.size), Hex.encode(artifact.sha256.bytes),
            artifact.path.utf8,
          ])
      }
    case .failed(let reason):
      Outcome.write(reason, to: &writer)
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed``, or ``ProofError/Code/unsupportedVersion`` for another first line.
  public init(parsing bytes: [UInt8]) throws(ProofError) { try self.init(parsing: bytes[...]) }

  init(parsing bytes: Bytes) throws(ProofError) {
    var reader = LineReader(bytes)
    try reader.expect("synchronicity-outcome/v1", .unsupportedVersion)
    if reader.isNext("failed") {
      self = .failed(try Outcome.readReason(&reader))
      try reader.expectEnd()
      return
    }
    try reader.expect("built")
    var artifacts: [Artifact] = []
    while !reader.isAtEnd {
      let start = reader.offset
      guard artifacts.count < ProofLimits.artifactsMax else {
        throw ProofError(.tooLarge, "More than \(ProofLimits.artifactsMax) artifacts", at: start)
      }
      let artifact = try Outcome.readArtifact(&reader)
      if let last = artifacts.last, last.path >= artifact.path {
        throw ProofError(.malformed, "Artifacts are not in the order of their paths, each once", at: start)
      }
      artifacts.append(artifact)
    }
    guard !artifacts.isEmpty else { throw ProofError(.malformed, "A build without artifacts", at: bytes.count) }
    self = .built(artifacts)
  }

  private static func readArtifact(_ reader: inout LineReader) throws(ProofError) -> Artifact {
    let start = reader.offset
    let fields = try reader.fields("artifact", count: 4)
    let path = Text(utf8: fields[3])
    guard let mode = mode(octal: fields[0]), let size = Decimal.decode(fields[1]), let sha256 = Digest(hex: fields[2]),
      Naming.isRelativePath(path, max: ProofLimits.artifactPathBytesMax)
    else {
      throw ProofError(
        .malformed, "An artifact line is wanted: four octal digits, size, 64 hexadecimal digits, relative path",
        at: start)
    }
    return Artifact(path: path, mode: mode, size: size, sha256: sha256)
  }

  /// Four digits.
  static func octal(_ mode: UInt16) -> [UInt8] {
    var out: [UInt8] = []
    var shift: UInt16 = 12
    while shift > 0 {
      shift -= 3
      out.append(UInt8(ascii: "0") + UInt8(mode >> shift & 7))
    }
    return out
  }

  private static func mode(octal text: Bytes) -> UInt16? {
    guard text.count == 4 else { return nil }
    var mode: UInt16 = 0
    for character in text {
      guard character >= UInt8(ascii: "0"), character <= UInt8(ascii: "7") else { return nil }
      mode = mode << 3 | UInt16(character - UInt8(ascii: "0"))
    }
    return mode
  }

  private static func write(_ reason: FailureReason, to writer: inout LineWriter) {
    switch reason {
    case .exitStatus(let status): writer.line("failed exit-status", UInt64(status))
    case .signal(let number): writer.line("failed signal", UInt64(number))
    case .wallTime: writer.line("failed wall-time")
    case .cpuTime: writer.line("failed cpu-time")
    case .memory: writer.line("failed memory")
    case .processes: writer.line("failed processes")
    case .disk: writer.line("failed disk")
    case .transcript: writer.line("failed transcript")
    case .missingArtifact(let path): writer.line("failed missing-artifact", path)
    case .badArtifact(let path): writer.line("failed bad-artifact", path)
    case .recipe(let name): writer.line("failed recipe", name)
    }
  }

  private static func readReason(_ reader: inout LineReader) throws(ProofError) -> FailureReason {
    if reader.isNext("failed exit-status") {
      return .exitStatus(UInt8(try reader.decimal("failed exit-status", in: 1...255)))
    }
    if reader.isNext("failed signal") { return .signal(UInt8(try reader.decimal("failed signal", in: 1...127))) }
    if reader.isNext("failed missing-artifact") {
      return .missingArtifact(try readPath("failed missing-artifact", &reader))
    }
    if reader.isNext("failed bad-artifact") { return .badArtifact(try readPath("failed bad-artifact", &reader)) }
    if reader.isNext("failed recipe") { return .recipe(try readName(&reader)) }
    let start = reader.offset
    switch try reader.line() {
    case "failed wall-time": return .wallTime
    case "failed cpu-time": return .cpuTime
    case "failed memory": return .memory
    case "failed processes": return .processes
    case "failed disk": return .disk
    case "failed transcript": return .transcript
    default: throw ProofError(.malformed, "The way in which the build failed is none that is known", at: start)
    }
  }

  private static func readName(_ reader: inout LineReader) throws(ProofError) -> Text {
    let start = reader.offset
    let name = Text(utf8: try reader.value("failed recipe"))
    guard FailureReason.isName(name) else {
      throw ProofError(
        .malformed, "A recipe's failure has a name of lower-case letters, digits and hyphens, a letter first",
        at: start)
    }
    return name
  }

  private static func readPath(_ key: StaticString, _ reader: inout LineReader) throws(ProofError) -> Text {
    let start = reader.offset
    let path = Text(utf8: try reader.value(key))
    guard Naming.isRelativePath(path, max: ProofLimits.artifactPathBytesMax) else {
      throw ProofError(.malformed, "An artifact's path is relative, printable and without spaces", at: start)
    }
    return path
  }
}
