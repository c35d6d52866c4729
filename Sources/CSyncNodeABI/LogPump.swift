import CSyncNode
import Logging
import NativePlugins
import Synchronization

/// Hands a node's log to the caller's function, on a thread of its own, so that a slow one stops nobody.
final class LogPump: Sendable {
  private struct State {
    var lines: [(level: Int32, text: String)] = []
    var dropped = 0
    var isClosed = false
    var hasEnded = false
  }

  private static let linesMax = 4_096
  private let state = Mutex(State())
  private let monitor = Monitor()
  /// Whether there is a function for them, and not only something to let go of at the end.
  let takesLines: Bool

  typealias Log = @convention(c) (UnsafeMutableRawPointer?, Int32, UnsafePointer<CChar>?) -> Void

  /// - Parameter destroy: Called with the same pointer behind the last line.
  /// - Returns: `nil` where there is nothing to call.
  init?(
    _ log: Log?, _ userData: UnsafeMutableRawPointer?, destroy: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  ) {
    guard log != nil || destroy != nil else { return nil }
    takesLines = log != nil
    nonisolated(unsafe) let userData = userData
    CallThreads.detach { [self] in
      // Whoever ends the node here would wait for this thread.
      CallThreads.isCallThread = true
      while let (level, text) = next() { text.withCString { log?(userData, level, $0) } }
      destroy?(userData)
      state.withLock { $0.hasEnded = true }
      monitor.signal()
    }
  }

  func put(_ level: Int32, _ text: String) {
    state.withLock { state in
      guard !state.isClosed else { return }
      if state.lines.count < LogPump.linesMax { state.lines.append((level, text)) } else { state.dropped += 1 }
    }
    monitor.signal()
  }

  private func next() -> (Int32, String)? {
    monitor.wait(until: nil) { state.withLock { !$0.lines.isEmpty || $0.isClosed } }
    return state.withLock { state in
      guard !state.lines.isEmpty else { return nil }
      if state.dropped > 0, state.lines.count < LogPump.linesMax / 2 {
        state.lines.append((SYNC_LOG_WARNING, "\(state.dropped) lines of the log were dropped"))
        state.dropped = 0
      }
      return state.lines.removeFirst()
    }
  }

  /// Returns when what waits has been handed over, and the function is called no more.
  func close() {
    state.withLock { $0.isClosed = true }
    monitor.signal()
    monitor.wait(until: nil) { state.withLock { $0.hasEnded } }
  }
}

/// Lines of `message key=value …`.
struct PumpLogHandler: LogHandler {
  let pump: LogPump
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line = "\(event.message)"
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }
    ) {
      line += " \(key)=\(value)"
    }
    let level =
      switch event.level {
      case .trace, .debug: SYNC_LOG_DEBUG
      case .info: SYNC_LOG_INFO
      case .notice: SYNC_LOG_NOTICE
      case .warning: SYNC_LOG_WARNING
      case .error: SYNC_LOG_ERROR
      case .critical: SYNC_LOG_CRITICAL
      }
    pump.put(level, line)
  }
}
