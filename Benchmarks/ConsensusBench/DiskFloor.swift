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
    let times = Mutex<[Double]>([])
    DispatchQueue.concurrentPerform(iterations: files) { index in
      let measured = measure("\(folder)/floor-\(index)")
      times.withLock { $0 += measured }
    }
    let all = times.withLock { $0.sorted() }
    guard all.count == files * rounds else { throw POSIXError(.EIO) }
    return all[all.count / 2] * 5
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
