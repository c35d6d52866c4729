import AsyncHTTPClient
import NIOCore
import SyncRuntime
import Synchronization

/// What a container says on its two streams: the transcript on the first, its process 1's report on the second.
///
/// Memory: the transcript's limit and one piece; what comes beyond is read and dropped, so that no one blocks.
final class DockerTranscript: Sendable {
  private static let reportBytesMax = 4_096

  struct State {
    var kept: [UInt8] = []
    var report: [UInt8] = []
    var isExceeded = false
    var isClosed = false
    /// When the worker's end was told.
    var ended: (how: SandboxTermination, at: ContinuousClock.Instant)?
  }

  private let state = Mutex(State())
  private let bytesMax: UInt64
  private let onPiece: (@Sendable ([UInt8]) -> Void)?
  private let wake: @Sendable () -> Void

  /// - Parameter wake: Called when something has happened that the run's watch should look at.
  init(bytesMax: UInt64, onPiece: (@Sendable ([UInt8]) -> Void)?, wake: @escaping @Sendable () -> Void) {
    (self.bytesMax, self.onPiece, self.wake) = (bytesMax, onPiece, wake)
  }

  var now: State { state.withLock { $0 } }

  /// What the watch looks at; the transcript itself is not copied for it.
  var news: (hasEnded: Bool, isExceeded: Bool, isClosed: Bool) {
    state.withLock { ($0.ended != nil, $0.isExceeded, $0.isClosed) }
  }

  /// Reads until the engine ends the stream.
  func read(_ body: HTTPClientResponse.Body) async {
    var frames = DockerFrames()
    do {
      for try await buffer in body {
        let isWhole = frames.take(buffer.readableBytesView) { stream, piece in
          switch stream {
          case .output: keep(piece)
          case .errors: hear(piece)
          case .input: break
          }
        }
        guard isWhole else { break }
      }
    } catch {
      // A connection that breaks is a stream that ends; the watch asks the engine for the reason.
    }
    state.withLock { $0.isClosed = true }
    wake()
  }

  private func keep(_ piece: [UInt8]) {
    let (kept, isExceeded) = state.withLock { state in
      let room = bytesMax - UInt64(state.kept.count)
      let kept = Array(piece.prefix(Int(clamping: room)))
      state.kept += kept
      if kept.count < piece.count { state.isExceeded = true }
      return (kept, state.isExceeded)
    }
    if !kept.isEmpty { onPiece?(kept) }
    if isExceeded { wake() }
  }

  private func hear(_ piece: [UInt8]) {
    state.withLock { state in
      state.report += piece.prefix(Self.reportBytesMax - state.report.count)
      if state.ended == nil, let end = DockerInit.end(in: state.report) { state.ended = (end, ContinuousClock.now) }
    }
    wake()
  }
}
