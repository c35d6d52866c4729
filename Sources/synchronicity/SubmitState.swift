import Foundation
import SyncProof

/// What an earlier `submit --from` got accepted: a second call goes on where it stopped.
///
/// The line `synchronicity-submitted/v1`, then for each accepted line of the list its job, a space, and the line
/// without its priority. Lines are added as they come; a last one that is cut off is dropped.
struct SubmitState {
  private static let header = "synchronicity-submitted/v1"

  let path: String
  private(set) var jobs: [String: String] = [:]
  private let file: FileHandle

  /// Reads what is there, and opens it to be written on; a new file is made.
  init(path: String) throws(CommandFailure) {
    self.path = path
    if access(path, F_OK) == 0 {
      let bytes = try BoundedFile.read(path, what: "state file", bytesMax: 2 * SubmitList.bytesMax)
      jobs = try Self.parse(bytes, name: path)
    }
    let kept = jobs.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)\n" }
    try BoundedFile.write([UInt8](([Self.header + "\n"] + kept).joined().utf8), to: path)
    guard let file = FileHandle(forWritingAtPath: path), (try? file.seekToEnd()) != nil else {
      throw CommandFailure(.environment, "Cannot write \(path): \(String(cString: strerror(errno)))")
    }
    self.file = file
  }

  static func parse(_ bytes: [UInt8], name: String) throws(CommandFailure) -> [String: String] {
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    // Behind the last line feed there is nothing, or what a killed call did not finish.
    lines.removeLast()
    guard lines.first == header[...] else {
      throw CommandFailure(.usage, "\(name) is no state of submit: its first line is not \(header); name another file")
    }
    var jobs: [String: String] = [:]
    for (offset, line) in lines.enumerated().dropFirst() {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      guard parts.count == 2, Digest(hex: parts[0]) != nil else {
        throw CommandFailure(.usage, "\(name):\(offset + 1) is not a job and what was asked for; remove the line")
      }
      jobs[parts[1]] = parts[0]
    }
    return jobs
  }

  mutating func add(_ id: String, for item: SubmitItem) throws(CommandFailure) {
    guard jobs.updateValue(id, forKey: item.key) != id else { return }
    do {
      try file.write(contentsOf: Data("\(id) \(item.key)\n".utf8))
    } catch {
      throw CommandFailure(.environment, "Cannot write \(path): \(error.localizedDescription)")
    }
  }
}
