import Dispatch
import Foundation
import Glibc
import Synchronization
import SyncProof
import SyncTesting

/// What a lone entry cannot do without, and nothing else: five steps one behind the other (two proposals, two rounds of
/// votes and a decision), in each of which every replica's thread does its share of the signatures, checks and hashes,
/// then writes a block over one that is there already, as a journal writes over its log, and syncs it.
///
/// Beside entries that it takes turns with, it has the same disk, the same cores and the same neighbours.
final class LoneFloor: Sendable {
  /// What all replicas together do for an entry.
  struct Work: Sendable {
    var signs, checks, hashes: Double
  }

  private static let steps = 5
  private static let blockBytes = 4_096
  private static let blocks = 256

  private let starts: [DispatchSemaphore]
  private let ended = DispatchSemaphore(value: 0)
  private let isStopped = Atomic(false)

  init(replicas: Int, work: Work, folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    starts = (0..<replicas).map { _ in DispatchSemaphore(value: 0) }
    let parts = Double(replicas * Self.steps)
    let share = Work(signs: work.signs / parts, checks: work.checks / parts, hashes: work.hashes / parts)
    for index in 0..<replicas {
      let descriptor = open("\(folder)/floor-\(index)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      let zeros = [UInt8](repeating: 0, count: Self.blockBytes * Self.blocks)
      guard descriptor >= 0, write(descriptor, zeros, zeros.count) == zeros.count, fsync(descriptor) == 0 else {
        throw POSIXError(.EIO)
      }
      Thread.detachNewThread { [self] in
        run(index, share, descriptor)
        close(descriptor)
        ended.signal()
      }
    }
  }

  /// Milliseconds of one entry's work.
  func round() -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    for _ in 0..<Self.steps {
      for start in starts { start.signal() }
      for _ in starts { ended.wait() }
    }
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
  }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    for start in starts { start.signal() }
    for _ in starts { ended.wait() }
  }

  private func run(_ index: Int, _ share: Work, _ descriptor: Int32) {
    let key = FixtureKey(UInt64(index + 1))
    let message = [UInt8](repeating: 1, count: 160)
    let signature = key.sign(message)
    let entry = [UInt8](repeating: 2, count: 256)
    let block = [UInt8](repeating: 3, count: Self.blockBytes)
    // Shares are no whole numbers: what is left of one step goes to the next.
    var owed = Work(signs: 0, checks: 0, hashes: 0)
    func spend(_ count: inout Double, _ share: Double, _ body: () -> Void) {
      count += share
      while count >= 1 {
        body()
        count -= 1
      }
    }
    var number = 0
    while true {
      starts[index].wait()
      if isStopped.load(ordering: .acquiring) { return }
      spend(&owed.checks, share.checks) { precondition(key.publicKey.accepts(signature, on: message)) }
      spend(&owed.hashes, share.hashes) { _ = SHA256.hash(entry) }
      spend(&owed.signs, share.signs) { _ = key.sign(message) }
      let isWritten = pwrite(descriptor, block, block.count, number % Self.blocks * block.count) == block.count
      precondition(isWritten && fdatasync(descriptor) == 0, "The disk refuses a write")
      number += 1
      ended.signal()
    }
  }
}
