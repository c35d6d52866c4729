import Foundation
import Glibc
import SyncProof
import Synchronization

/// What builds printed: `<root>/<job>/<number>.txt` for each attempt, and `<number>.json`, how it went.
///
/// A transcript is written while it comes, so that an attempt that was cut off has one too. Thread: any.
final class TranscriptStore: Sendable {
  static let attemptsMax = 16
  static let bytesMax = 16 << 20

  private let retention: FolderRetention
  private let writtenBytes = Mutex<UInt64>(0)
  private var root: String { retention.root }

  init(retention: FolderRetention) { self.retention = retention }

  convenience init(_ configuration: NodeConfiguration) {
    self.init(
      retention: FolderRetention(
        root: configuration.dataDirectory + "/transcripts", days: configuration.retention.transcriptDays,
        bytesMax: configuration.retention.transcriptBytes))
  }

  /// Opens the transcript of the job's next attempt; the oldest ones give way.
  func begin(_ job: Digest) throws(PluginError) -> OpenTranscript {
    let folder = "\(root)/\(job.hex)"
    try Folder.make(folder)
    let numbers = numbers(of: job)
    for number in numbers.dropLast(TranscriptStore.attemptsMax - 1) {
      for suffix in ["txt", "json"] { unlink("\(folder)/\(number).\(suffix)") }
    }
    let number = (numbers.last ?? 0) + 1
    return try OpenTranscript(folder: folder, number: number, startedMilliseconds: Clock.now().wallMilliseconds) {
      bytes in self.wrote(bytes, job)
    }
  }

  /// A sweep for each sixteenth of what may be kept.
  private func wrote(_ bytes: UInt64, _ job: Digest) {
    let isDue = writtenBytes.withLock { written in
      written += bytes
      guard written > retention.bytesMax / 16 else { return false }
      written = 0
      return true
    }
    if isDue { sweep(keeping: [job]) }
  }

  func sweep(keeping kept: Set<Digest> = []) {
    retention.sweep(now: Int64(Clock.now().wallMilliseconds / 1_000), keeping: kept)
  }

  /// The attempts at a job that are kept, oldest first.
  func attempts(of job: Digest) -> [AttemptStatus] {
    numbers(of: job).compactMap { number in
      let base = "\(root)/\(job.hex)/\(number)"
      guard let bytes = Folder.read(base + ".json", bytesMax: 4_096),
        let note = try? JSONDecoder().decode(AttemptNote.self, from: Data(bytes))
      else { return nil }
      var info = stat()
      let size = lstat(base + ".txt", &info) == 0 ? UInt64(max(0, info.st_size)) : 0
      return AttemptStatus(
        number: number, startedMilliseconds: note.startedMilliseconds, ending: note.ending, bytes: size)
    }
  }

  /// The file of an attempt, the newest one's unless a number is given.
  func path(of job: Digest, attempt: Int?) -> String? {
    guard let number = attempt ?? numbers(of: job).last else { return nil }
    let path = "\(root)/\(job.hex)/\(number).txt"
    return access(path, R_OK) == 0 ? path : nil
  }

  private func numbers(of job: Digest) -> [Int] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(job.hex)")) ?? [])
      .filter { $0.hasSuffix(".txt") }.compactMap { Int($0.dropLast(4)) }.filter { $0 > 0 }.sorted()
  }
}

private struct AttemptNote: Codable {
  let startedMilliseconds: UInt64
  var ending: String
}

/// The transcript of an attempt that runs.
final class OpenTranscript: Sendable {
  private struct State {
    var descriptor: Int32
    var bytes = 0
  }
  private let state: Mutex<State>
  private let base: String
  private let startedMilliseconds: UInt64
  private let onEnd: @Sendable (UInt64) -> Void

  fileprivate init(
    folder: String, number: Int, startedMilliseconds: UInt64, onEnd: @escaping @Sendable (UInt64) -> Void
  ) throws(PluginError) {
    base = "\(folder)/\(number)"
    self.startedMilliseconds = startedMilliseconds
    self.onEnd = onEnd
    let descriptor = open(base + ".txt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw Folder.error("write", base + ".txt") }
    state = Mutex(State(descriptor: descriptor))
    note("unfinished")
  }

  deinit { state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } } }

  /// Takes a piece as it comes; a full disk costs the transcript, not the build.
  func append(_ piece: [UInt8]) {
    state.withLock { state in
      let room = TranscriptStore.bytesMax - state.bytes
      guard state.descriptor >= 0, room > 0 else { return }
      let count = write(state.descriptor, piece, min(piece.count, room))
      state.bytes += max(0, count)
    }
  }

  /// Keeps the whole transcript, where the run has one, in place of the pieces.
  func end(_ transcript: [UInt8]?, _ ending: String) {
    if let transcript {
      state.withLock { state in
        guard state.descriptor >= 0, ftruncate(state.descriptor, 0) == 0 else { return }
        lseek(state.descriptor, 0, SEEK_SET)
        state.bytes = 0
      }
      append(transcript)
    }
    note(ending)
    let bytes = state.withLock { state in
      if state.descriptor >= 0 { close(state.descriptor) }
      state.descriptor = -1
      return state.bytes
    }
    onEnd(UInt64(bytes))
  }

  private func note(_ ending: String) {
    let note = AttemptNote(startedMilliseconds: startedMilliseconds, ending: ending)
    guard let data = try? JSONEncoder().encode(note) else { return }
    try? Folder.write([UInt8](data), to: base + ".json")
  }
}

extension PluginError {
  /// The kind of a fault in a word or two; its sentence may name places of this host.
  var kind: String {
    switch code {
    case .unavailable: "unavailable"
    case .notFound: "not-found"
    case .checksumMismatch: "checksum-mismatch"
    case .invalid: "invalid"
    case .io: "io"
    case .cancelled: "cancelled"
    case let code: "code-\(code.rawValue)"
    }
  }
}
