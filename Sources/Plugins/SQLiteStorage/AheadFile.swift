import Glibc
import SyncProof
import SyncRuntime

/// The file in which batches become durable before the database has them: one write and one sync each, over blocks that
/// are there already, where a transaction of SQLite's writes a handful of pages.
///
/// It is written from its start again each time that the database has committed everything in it: the database names
/// the generation that counts, so that what an earlier one has left is never taken for new. A frame is
///
///     the journal's mark   8 bytes
///     length of the payload   u32, and a zero   u32
///     generation   u64
///     number in it, from 0   u64
///     frames before this one known to be on the disk   u64
///     SHA-256 of the journal's key, the bytes above and the payload   32 bytes
///     the payload, and zeros up to a multiple of 8
///
/// with all integers little endian; the mark is the start of the SHA-256 of "mark" and the key. The key is random and
/// in the database alone: payloads hold what other replicas have sent, who could make frames otherwise. See
/// `docs/decisions/0034-batches-go-ahead.md`.
struct AheadFile {
  /// What a write to the disk is waited for with; tests give one that counts or fails.
  typealias Sync = @Sendable (Int32) -> Int32

  static let keyBytes = 32
  static let headBytes = 72
  static let capacityBytes = 4 << 20
  private static let pieceBytes = 1 << 16

  let path: String
  private let key: [UInt8]
  private let mark: [UInt8]
  private let sync: Sync
  /// Bytes that lie on the disk; 0: the disk had no room for them, and nothing goes ahead.
  private(set) var capacity: Int
  private(set) var generation: UInt64
  private let file: File
  private var position = 0
  private var number: UInt64 = 0
  private var synced: UInt64 = 0

  /// Opens the file or makes it, with its blocks written, so that a sync has no new length to store.
  ///
  /// - Parameters:
  ///   - key: The journal's, of ``keyBytes``.
  ///   - isNeeded: Batches may be in it that nothing else has.
  init(
    path: String, key: [UInt8], generation: UInt64, isNeeded: Bool, sync: @escaping Sync = { fdatasync($0) }
  ) throws(PluginError) {
    (self.key, mark, self.sync) = (key, Self.mark(of: key), sync)
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw PluginError(.io, "Cannot open \(path): \(aheadReason()); check its owner and mode")
    }
    (self.path, self.file, self.generation) = (path, File(descriptor: descriptor), generation)
    var facts = stat()
    guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      throw PluginError(.io, "\(path) is no regular file; move it away")
    }
    if isNeeded {
      guard facts.st_size >= Self.capacityBytes else {
        throw Self.damaged(path, "has \(facts.st_size) bytes, where a node has left \(Self.capacityBytes)")
      }
      capacity = Self.capacityBytes
      return
    }
    // A database that is of before these frames has forgotten that it was in use, or is an older copy.
    capacity = Int(min(facts.st_size, off_t(Self.capacityBytes)))
    try refuseLater()
    capacity = try Self.fill(descriptor, path) ? Self.capacityBytes : 0
  }

  /// Beside a journal that is new there can be no frames of it.
  static func refuseOrphan(_ path: String) throws(PluginError) {
    var facts = stat()
    guard stat(path, &facts) == 0, facts.st_size > 0 else { return }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    defer { if descriptor >= 0 { close(descriptor) } }
    var bytes = [UInt8](repeating: 0, count: min(Int(facts.st_size), capacityBytes))
    guard descriptor >= 0, pread(descriptor, &bytes, bytes.count, 0) == bytes.count else {
      throw PluginError(.io, "Cannot read \(path): \(aheadReason())")
    }
    guard bytes.allSatisfy({ $0 == 0 }) else { throw damaged(path, "is of a journal that is not here") }
  }

  /// No file: the disk is too full to do without what is in it.
  init(absent path: String, generation: UInt64) {
    (self.path, key, mark) = (path, [], [])
    sync = { _ in -1 }
    (capacity, self.generation, file) = (0, generation, File(descriptor: -1))
  }

  private static func damaged(_ path: String, _ finding: String) -> PluginError {
    let journal = path.hasSuffix("-ahead") ? String(path.dropLast(6)) : path
    return PluginError(.io, damagedJournal(journal, "\(path) \(finding)"))
  }

  private static func mark(of key: [UInt8]) -> [UInt8] {
    Array(SHA256.hash([UInt8]("mark".utf8) + key).bytes.prefix(8))
  }

  /// Closed with its last owner.
  private final class File: Sendable {
    let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { if descriptor >= 0 { close(descriptor) } }
  }

  /// - Returns: Whether the disk had room.
  private static func fill(_ descriptor: Int32, _ path: String) throws(PluginError) -> Bool {
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    var (offset, error): (Int, Int32) = (0, 0)
    while offset < capacityBytes, error == 0 {
      let count = pwrite(descriptor, zeros, min(zeros.count, capacityBytes - offset), offset)
      if count <= 0, count == 0 || errno != EINTR { error = count == 0 ? ENOSPC : errno }
      offset += max(count, 0)
    }
    if error == 0, fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 {
      try syncFolder(of: path)
      return true
    }
    let reason = error == 0 ? errno : error
    guard [ENOSPC, EDQUOT].contains(reason), ftruncate(descriptor, 0) == 0 else {
      throw PluginError(.io, "Cannot write \(path): \(String(cString: strerror(reason)))")
    }
    return false
  }

  // MARK: Writing

  /// Writes a batch behind the others; with `durable` it is on the disk, and all before it, once this has returned.
  ///
  /// - Returns: Whether there was room; without, nothing was written.
  mutating func append(_ batch: StorageBatch, durable: Bool) throws(PluginError) -> Bool {
    guard Self.payloadBytes(of: batch) <= capacity else { return false }
    let frame = Self.frame(batch, key: key, generation: generation, number: number, synced: synced)
    guard frame.count <= capacity - position else { return false }
    var written = 0
    while written < frame.count {
      let count = frame[written...].withUnsafeBytes {
        pwrite(file.descriptor, $0.baseAddress, $0.count, position + written)
      }
      let error = count > 0 ? 0 : count == 0 ? ENOSPC : errno
      // Copies may have holes. What was written of the frame is behind the end.
      if error == ENOSPC || error == EDQUOT { return false }
      guard error == 0 || error == EINTR else {
        throw PluginError(.io, "Writing \(path) failed: \(String(cString: strerror(error)))")
      }
      written += max(count, 0)
    }
    if durable {
      guard sync(file.descriptor) == 0 else { throw PluginError(.io, "Syncing \(path) failed: \(aheadReason())") }
      synced = number + 1
    }
    position += frame.count
    number += 1
    return true
  }

  /// The disk is too full to say in the database that this file is in use.
  mutating func renounce() {
    capacity = 0
    _ = ftruncate(file.descriptor, 0)
  }

  /// All that was written is in the database, whose next generation this is.
  mutating func begin(generation: UInt64) { (self.generation, position, number, synced) = (generation, 0, 0, 0) }

  private static func payloadBytes(of batch: StorageBatch) -> Int {
    batch.changes.reduce(0) { sum, change in
      switch change {
      case .put(let key, let value): sum + 9 + key.count + value.count
      case .delete(let key): sum + 5 + key.count
      }
    }
  }

  /// A frame's bytes; the payload is below 4 GiB.
  static func frame(
    _ batch: StorageBatch, key: [UInt8], generation: UInt64, number: UInt64, synced: UInt64
  ) -> [UInt8] {
    let payloadBytes = payloadBytes(of: batch)
    var frame: [UInt8] = []
    frame.reserveCapacity(headBytes + payloadBytes + 8)
    frame += mark(of: key)
    frame.append(UInt32(payloadBytes))
    frame.append(UInt32(0))
    for field in [generation, number, synced] { frame.append(field) }
    frame += [UInt8](repeating: 0, count: 32)
    for change in batch.changes {
      switch change {
      case .put(let key, let value):
        frame += [1]
        frame.append(UInt32(key.count))
        frame += key
        frame.append(UInt32(value.count))
        frame += value
      case .delete(let key):
        frame += [2]
        frame.append(UInt32(key.count))
        frame += key
      }
    }
    let digest = Self.digest(frame[...], key)
    frame.replaceSubrange(40..<72, with: digest)
    frame += [UInt8](repeating: 0, count: -frame.count & 7)
    return frame
  }

  private static func digest(_ frame: ArraySlice<UInt8>, _ key: [UInt8]) -> [UInt8] {
    var hash = SHA256.Stream()
    hash.update(key)
    frame.withUnsafeBytes {
      hash.update(UnsafeRawBufferPointer(rebasing: $0[..<40]))
      hash.update(UnsafeRawBufferPointer(rebasing: $0[headBytes...]))
    }
    return hash.finish().bytes
  }

  // MARK: Reading

  /// The batches of this generation, in order, for a database that commits them and begins another generation. Nothing
  /// may be appended before that: behind a torn frame others may stand that were never told to be durable.
  func recover() throws(PluginError) -> [StorageBatch] {
    let bytes = try contents()
    var position = 0
    var number: UInt64 = 0
    var batches: [StorageBatch] = []
    while let frame = parse(bytes, at: position), frame.generation == generation, frame.number == number {
      guard let batch = StorageBatch(framed: bytes[frame.payload]) else {
        throw Self.damaged(path, "holds no batch in frame \(number)")
      }
      batches.append(batch)
      position = frame.end
      number += 1
    }
    try check(bytes, behind: position, number)
    return batches
  }

  /// What stands behind the last frame must not show that another one is missing.
  private func check(_ bytes: [UInt8], behind end: Int, _ number: UInt64) throws(PluginError) {
    for offset in stride(from: end, to: bytes.count, by: 8) where bytes[offset] == mark[0] {
      guard let frame = parse(bytes, at: offset) else { continue }
      if frame.generation == generation, frame.synced > number {
        throw Self.damaged(path, "cannot be read in frame \(number), which was on the disk")
      }
      if frame.generation > generation {
        throw Self.damaged(
          path, "is of generation \(frame.generation), and the journal of \(generation): copies of different moments")
      }
    }
  }

  /// While the database says that nothing is in this file, all of it is of generations that are over.
  ///
  /// In pieces: each start of a node comes here, and the whole would stay with malloc.
  private func refuseLater() throws(PluginError) {
    for start in stride(from: 0, to: capacity, by: Self.pieceBytes) {
      let piece = try read(from: start, count: min(Self.pieceBytes, capacity - start))
      for place in stride(from: 0, to: piece.count - 7, by: 8) where piece[place] == mark[0] {
        guard piece[place..<place + 8].elementsEqual(mark), start + place + Self.headBytes <= capacity else { continue }
        let head = try read(from: start + place, count: Self.headBytes)
        let payloadBytes = head[8..<12].reversed().reduce(0) { $0 << 8 | Int($1) }
        let later = head[16..<24].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        let frameBytes = (Self.headBytes + payloadBytes + 7) / 8 * 8
        guard later >= generation, frameBytes <= capacity - start - place,
          parse(try read(from: start + place, count: frameBytes), at: 0) != nil
        else { continue }
        throw Self.damaged(
          path, "is of generation \(later), and the journal of \(generation): copies of different moments")
      }
    }
  }

  private struct Frame {
    let generation, number, synced: UInt64
    let payload: Range<Int>
    let end: Int
  }

  private func parse(_ bytes: [UInt8], at offset: Int) -> Frame? {
    let headBytes = Self.headBytes
    guard bytes.count - offset >= headBytes, bytes[offset..<offset + 8].elementsEqual(mark) else { return nil }
    func integer(_ at: Int, _ count: Int) -> UInt64 {
      bytes[offset + at..<offset + at + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let payloadBytes = Int(integer(8, 4))
    let end = offset + (headBytes + payloadBytes + 7) / 8 * 8
    guard end <= bytes.count else { return nil }
    let payload = offset + headBytes..<offset + headBytes + payloadBytes
    guard Self.digest(bytes[offset..<payload.upperBound], key).elementsEqual(bytes[offset + 40..<offset + headBytes])
    else {
      return nil
    }
    return Frame(
      generation: integer(16, 8), number: integer(24, 8), synced: integer(32, 8), payload: payload, end: end)
  }

  private func contents() throws(PluginError) -> [UInt8] { try read(from: 0, count: capacity) }

  private func read(from start: Int, count wanted: Int) throws(PluginError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: wanted)
    var done = 0
    while done < wanted {
      let count = bytes[done...].withUnsafeMutableBytes {
        pread(file.descriptor, $0.baseAddress, $0.count, off_t(start + done))
      }
      guard count > 0 || (count < 0 && errno == EINTR) else {
        throw PluginError(.io, "Reading \(path) failed: \(count == 0 ? "it is shorter than it was" : aheadReason())")
      }
      done += max(count, 0)
    }
    return bytes
  }
}

extension StorageBatch {
  /// Strict: the bytes of one batch and nothing else.
  fileprivate init?(framed bytes: ArraySlice<UInt8>) {
    var rest = bytes
    func string() -> [UInt8]? {
      guard rest.count >= 4 else { return nil }
      let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return [UInt8](rest.prefix(count))
    }
    self.init()
    while let kind = rest.popFirst() {
      guard let key = string() else { return nil }
      switch kind {
      case 1:
        guard let value = string() else { return nil }
        changes.append(.put(key: key, value: value))
      case 2: changes.append(.delete(key: key))
      default: return nil
      }
    }
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

private func aheadReason() -> String { String(cString: strerror(errno)) }
