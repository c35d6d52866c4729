import Synchronization

/// The wish to end a call, told before its connection is taken away: the engine is to hear of it.
///
/// Thread: any.
final class Cancellation: Sendable {
  private struct State {
    var isWanted = false
    var farewell: (@Sendable () async -> Void)?
  }
  private let state = Mutex(State())

  var isWanted: Bool { state.withLock { $0.isWanted } }

  /// What is done first when the call is cancelled; nothing of it when it is already.
  func setFarewell(_ farewell: (@Sendable () async -> Void)?) { state.withLock { $0.farewell = farewell } }

  func cancel() async {
    let farewell = state.withLock { state in
      state.isWanted = true
      return state.farewell
    }
    await farewell?()
  }
}
