import SyncLedger
import SyncProof

/// What a start needs of the log without reading its leaves: a line for each, 256 to a record.
///
/// The line of an evidence says which job is closed, and what people may see of it; other leaves have an empty one, and
/// are few. Made of the leaves and of decided blocks, so its writes need no sync of their own. Owned by the node; not
/// for other threads.
struct LeafIndex {
  static let linesPerRecord = 256
  private static let version: UInt8 = 1
  /// An evidence fits a leaf, and so does what is taken of it.
  private static let lineBytesMax = 2 * ProofLimits.leafBytesMax

  /// How many leaves have a line.
  private(set) var size: UInt64 = 0
  /// Over all of them: SHA-256 of the one before, 32 zero bytes at first, and the line.
  private(set) var digest = Digest.zero
  /// Lines from the first record on that is not full or not written.
  private var lines: [[UInt8]] = []
  private var isChanged = false

  mutating func append(_ line: [UInt8]?) {
    note(line ?? [])
    lines.append(line ?? [])
    isChanged = true
  }

  private mutating func note(_ line: [UInt8]) {
    size += 1
    digest = SHA256.hash(digest.bytes + line)
  }

  /// Puts every record that has grown into `batch`: the last one is written again until it is full.
  ///
  /// - Parameter isWhole: Whether the last one is put although it is not full. Where a longer one may stand already,
  ///   not before it is known to be of the same log.
  mutating func flush(into batch: inout StorageBatch, isWhole: Bool = true) {
    guard isChanged, isWhole || lines.count >= LeafIndex.linesPerRecord else { return }
    isChanged = !isWhole
    var number = (size - UInt64(lines.count)) / UInt64(LeafIndex.linesPerRecord)
    var first = 0
    while first < lines.count, isWhole || lines.count - first >= LeafIndex.linesPerRecord {
      let record = lines[first..<min(first + LeafIndex.linesPerRecord, lines.count)]
      batch.put(.leafLines, LeafIndex.key(number), LeafIndex.encode(record))
      number += 1
      first += LeafIndex.linesPerRecord
    }
    lines.removeFirst(lines.count / LeafIndex.linesPerRecord * LeafIndex.linesPerRecord)
  }

  /// Lets go of the lines, so that the next start reads the leaves.
  static func remove(from batch: inout StorageBatch) { batch.delete(.leafLines, key(0)) }

  /// Reads the lines of the first `size` leaves.
  ///
  /// - Parameter visit: Called with each leaf's number and line, ascending.
  /// - Returns: `nil` if not all of them are there.
  static func read(
    _ journal: Journal, size: UInt64, _ visit: (_ index: UInt64, _ line: [UInt8]) throws(ProofError) -> Void
  ) throws(PluginError) -> LeafIndex? {
    var index = LeafIndex()
    while index.size < size {
      let number = index.size / UInt64(linesPerRecord)
      let found = try journal.scan(.leafLines, from: key(number), limit: 16)
      for (place, record) in found.enumerated() where index.size < size {
        guard record.key == key(number + UInt64(place)) else { return nil }
        let before = index.size
        let lines = try PluginError.refusing { () throws(ProofError) in
          let lines = try decode(record.value).prefix(Int(min(UInt64(linesPerRecord), size - before)))
          for (place, line) in lines.enumerated() { try visit(before + UInt64(place), line) }
          return lines
        }
        for line in lines { index.note(line) }
        if lines.count < linesPerRecord {
          index.lines = Array(lines)
          guard index.size == size else { return nil }
        }
      }
      guard !found.isEmpty else { return nil }
    }
    return index
  }

  /// Version (one byte, 1), a 16-bit count, the lines, counted.
  private static func encode(_ lines: ArraySlice<[UInt8]>) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(version)
    writer.write(UInt16(truncatingIfNeeded: lines.count))
    for line in lines { writer.writeCounted(line) }
    return writer.bytes
  }

  private static func decode(_ bytes: [UInt8]) throws(ProofError) -> [[UInt8]] {
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == LeafIndex.version else {
      throw ProofError(.unsupportedVersion, "Lines of leaves of version \(version); this node knows 1", at: 0)
    }
    let count = Int(try reader.read(UInt16.self))
    guard (1...linesPerRecord).contains(count) else {
      throw ProofError(.malformed, "\(count) lines in a record; wanted 1 to \(linesPerRecord)", at: 1)
    }
    var lines: [[UInt8]] = []
    for _ in 0..<count { lines.append(try reader.readCounted(max: lineBytesMax)) }
    try reader.expectEnd()
    return lines
  }

  private static func key(_ number: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(number)
    return writer.bytes
  }
}

/// A closed job's line in the ``LeafIndex``.
///
/// Job, height of its verdict, verdict (one byte), a 16-bit count and the digests of the artifacts that its proof
/// names; then, counted, what people see: number, times of order and verdict, package, submitter, how many agree, how
/// many outcomes, the builders with their steps, and the artifacts' paths, modes and sizes.
struct ClosedLine {
  let job: Digest
  let height: UInt64
  let verdict: Verdict
  let artifacts: [Digest]
  private let rest: [UInt8]

  private static let verdicts: [Verdict] = [.reproduced, .diverged, .failed, .inconclusive]
  private static let steps: [BuilderProgress.Step] = [.waiting, .committed, .revealed, .abstained, .wrongOpening]

  /// - Parameter entry: Of a job that has its verdict.
  static func encode(_ job: Digest, height: UInt64, _ entry: JobBoard.Entry) -> [UInt8] {
    var rest = ByteWriter()
    rest.write(entry.ordinal)
    rest.write(entry.orderedMilliseconds)
    rest.write(entry.verdictMilliseconds ?? 0)
    rest.writeCounted(entry.package.utf8)
    rest.writeCounted(entry.submitter.utf8)
    rest.write(UInt16(truncatingIfNeeded: entry.agreeing ?? 0))
    rest.write(UInt16(truncatingIfNeeded: entry.outcomes))
    rest.write(UInt16(truncatingIfNeeded: entry.builders.count))
    for (name, step) in zip(entry.builders, entry.steps) {
      rest.writeCounted(name.utf8)
      rest.write(UInt8(truncatingIfNeeded: steps.firstIndex(of: step) ?? 0))
    }
    for artifact in entry.artifacts {
      rest.writeCounted(artifact.path.utf8)
      rest.write(artifact.mode)
      rest.write(artifact.size)
    }
    var writer = ByteWriter()
    writer.write(job)
    writer.write(height)
    writer.write(UInt8(truncatingIfNeeded: entry.verdict.flatMap { verdicts.firstIndex(of: $0) } ?? verdicts.count))
    writer.write(UInt16(truncatingIfNeeded: entry.artifacts.count))
    for artifact in entry.artifacts { writer.write(artifact.sha256) }
    writer.writeCounted(rest.bytes)
    return writer.bytes
  }

  init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    job = try reader.readDigest()
    height = try reader.read()
    let verdict = Int(try reader.read(UInt8.self))
    guard verdict < ClosedLine.verdicts.count else { throw ProofError(.malformed, "No such verdict", at: 40) }
    self.verdict = ClosedLine.verdicts[verdict]
    var artifacts: [Digest] = []
    for _ in 0..<(try reader.read(UInt16.self)) { artifacts.append(try reader.readDigest()) }
    self.artifacts = artifacts
    rest = try reader.readCounted(max: bytes.count)
    try reader.expectEnd()
  }

  /// What people see of the job, whose evidence is the leaf of this number.
  func entry(index: UInt64) throws(ProofError) -> JobBoard.Entry {
    var reader = ByteReader(rest)
    func text(_ countMax: Int) throws(ProofError) -> Text { Text(utf8: try reader.readCounted(max: countMax)) }
    let (ordinal, ordered, ended) = (
      try reader.read(UInt64.self), try reader.read(UInt64.self), try reader.read(UInt64.self)
    )
    let (package, submitter) = (try text(ProofLimits.purlBytesMax), try text(ProofLimits.memberNameBytesMax))
    let (agreeing, outcomes) = (Int(try reader.read(UInt16.self)), Int(try reader.read(UInt16.self)))
    var (builders, steps): ([Text], [BuilderProgress.Step]) = ([], [])
    for _ in 0..<(try reader.read(UInt16.self)) {
      builders.append(try text(ProofLimits.memberNameBytesMax))
      let step = Int(try reader.read(UInt8.self))
      guard step < ClosedLine.steps.count else { throw ProofError(.malformed, "No such step of a builder") }
      steps.append(ClosedLine.steps[step])
    }
    var listed: [Artifact] = []
    for sha256 in artifacts {
      let path = try text(ProofLimits.artifactPathBytesMax)
      listed.append(Artifact(path: path, mode: try reader.read(), size: try reader.read(), sha256: sha256))
    }
    try reader.expectEnd()
    return JobBoard.Entry(
      ordinal: ordinal, package: package, submitter: submitter, builders: builders, steps: steps, isRevealing: true,
      verdict: verdict, agreeing: agreeing, outcomes: outcomes, index: index, artifacts: listed,
      orderedMilliseconds: ordered, verdictMilliseconds: ended)
  }
}
