import Dispatch
import Foundation
import Glibc
import Synchronization

/// What the disk alone takes of a lone entry's time: two proposals, two rounds of votes and a decision, one behind the
/// other.
enum DiskFloor {
  private static let blockBytes = 4_096
  private static let blocks = 256
  private static let rounds = 200

  /// Milliseconds of five syncs, the middle of many: one block each, over blocks that are there already, as a journal
  /// writes over its log, and by so many files at once, as a group on one disk does.
  static func fiveSyncs(files: Int, folder: String) throws -> Double {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let results = Results()
    // Threads, not a concurrent loop: that would run no more at once than there are cores.
    for index in 0..<files {
      Thread.detachNewThread {
        let measured = measure("\(folder)/floor-\(index)")
        results.times.withLock { $0 += measured }
        results.ended.signal()
      }
    }
    for _ in 0..<files { results.ended.wait() }
    let all = results.times.withLock { $0.sorted() }
    guard all.count == files * rounds else { throw POSIXError(.EIO) }
    return all[all.count / 2] * 5
  }

  private final class Results: Sendable {
    let times = Mutex<[Double]>([])
    let ended = DispatchSemaphore(value: 0)
  }

  /// Milliseconds of each sync; fewer than ``rounds`` behind an error.
  private static func measure(_ path: String) -> [Double] {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return [] }
    defer {
      close(descriptor)
      unlink(path)
    }
    let block = [UInt8](repeating: 1, count: blockBytes)
    for number in 0..<blocks where pwrite(descriptor, block, blockBytes, number * blockBytes) != blockBytes {
      return []
    }
    guard fsync(descriptor) == 0 else { return [] }
    var times: [Double] = []
    for round in 0..<rounds {
      let start = DispatchTime.now().uptimeNanoseconds
      guard pwrite(descriptor, block, blockBytes, round % blocks * blockBytes) == blockBytes,
        fdatasync(descriptor) == 0
      else { return times }
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
    }
    return times
  }
}
