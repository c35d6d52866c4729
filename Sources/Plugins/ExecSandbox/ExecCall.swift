import Foundation
import Glibc
import SyncRuntime
import Synchronization

/// One call of the command: from its start until nothing of its process group is left.
///
/// Standard input is the lifeline: it stays open behind the request, and its end asks the command to stop. A command
/// that does not within the grace period is killed with its process group.
struct ExecCall {
  struct Bounds {
    /// For the whole call.
    var time: Duration
    /// Between the end of the lifeline and SIGKILL; and between SIGKILL and giving up.
    var grace: Duration
    var outputBytesMax: UInt64
  }

  /// Why this side ended the call.
  enum Stop: Equatable { case cancelled, late, tooMuch }

  struct Ended {
    var stop: Stop?
    /// As `waitpid` gives it; `nil` for a command that SIGKILL did not end.
    var status: Int32?
    /// Whether it had to be killed.
    var wasKilled = false
    var output: [UInt8] = []
    /// The end of what it wrote to its standard error.
    var errors: [UInt8] = []
  }

  /// Set from any thread.
  final class Signal: Sendable {
    private let cancelled = Mutex(false)
    var isCancelled: Bool { cancelled.withLock { $0 } }
    func cancel() { cancelled.withLock { $0 = true } }
  }

  private static let tickMilliseconds: Int32 = 10
  private static let errorBytesMax = 4_096
  /// What is read of a command's streams once it has ended; what still writes then is none of its own any more.
  private static let drainBytesMax = 4 << 20

  let child: ChildProcess
  let bounds: Bounds
  let signal: Signal
  let onOutput: (@Sendable ([UInt8]) -> Void)?
  private var input: ArraySlice<UInt8>
  private var files: [pollfd]
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  private var ended = Ended()
  private var begin = ContinuousClock.now

  init(
    child: ChildProcess, input: [UInt8], bounds: Bounds, signal: Signal, onOutput: (@Sendable ([UInt8]) -> Void)?
  ) {
    (self.child, self.input, self.bounds, self.signal, self.onOutput) = (child, input[...], bounds, signal, onOutput)
    files = [child.output, child.errors].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  }

  /// Blocks until the end.
  mutating func perform() -> Ended {
    var killAt: ContinuousClock.Instant?
    var giveUpAt: ContinuousClock.Instant?
    while true {
      poll(&files, 2, Self.tickMilliseconds)
      for index in files.indices where files[index].revents != 0 { _ = take(index, flags: 0) }
      send()
      if child.hasEnded { break }
      let now = ContinuousClock.now
      if ended.stop == nil {
        if signal.isCancelled { ended.stop = .cancelled } else if now - begin > bounds.time { ended.stop = .late }
      }
      guard ended.stop != nil else { continue }
      if let due = killAt {
        if now > due {
          child.killGroup()
          ended.wasKilled = true
          let last = giveUpAt ?? now + bounds.grace
          if now > last { return ended }
          giveUpAt = last
        }
      } else {
        child.closeInput()
        killAt = now + bounds.grace
      }
    }
    // Its number is still its own, and so is its group's.
    child.killGroup()
    drain()
    child.closeInput()
    ended.status = child.wait()
    return ended
  }

  private mutating func send() {
    guard !input.isEmpty else { return }
    guard let count = child.sendSome(input) else {
      input = []
      return
    }
    input = input.dropFirst(count)
  }

  /// - Returns: How many bytes were there.
  private mutating func take(_ index: Int, flags: Int32) -> Int {
    let count = recv(files[index].fd, &buffer, buffer.count, flags)
    if count < 0 && (errno == EINTR || errno == EAGAIN) { return 0 }
    guard count > 0 else {
      files[index].fd = -1
      return 0
    }
    if index == 0 { keepOutput(count) } else { keepErrors(count) }
    return count
  }

  /// What was written before the end is in the streams by now.
  private mutating func drain() {
    for index in files.indices {
      var total = 0
      while files[index].fd >= 0, total < Self.drainBytesMax {
        let count = take(index, flags: Int32(MSG_DONTWAIT))
        if count == 0 { break }
        total += count
      }
    }
  }

  private mutating func keepOutput(_ count: Int) {
    let room = bounds.outputBytesMax - UInt64(ended.output.count)
    let kept = Int(min(UInt64(count), room))
    if kept > 0 {
      let piece = [UInt8](buffer[..<kept])
      ended.output += piece
      onOutput?(piece)
    }
    if kept < count, ended.stop == nil { ended.stop = .tooMuch }
  }

  private mutating func keepErrors(_ count: Int) {
    ended.errors += buffer[..<count]
    ended.errors.removeFirst(max(0, ended.errors.count - Self.errorBytesMax))
  }
}
