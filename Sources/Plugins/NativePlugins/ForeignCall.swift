import CSyncNode
import Glibc
import SyncProof
import SyncRuntime
import Synchronization

/// What a call is to be answered with.
enum ExpectedAnswer { case done, instance, bytes, run }

/// What a plugin answered, checked as far as can be without knowing what was asked.
struct ForeignAnswer: Sendable {
  var instance: UInt = 0
  var bytes: [UInt8] = []
  var run: sync_run_result?
  var findings: [SandboxProbe.Finding] = []
  var texts: [String] = []
  var records: [(key: [UInt8], value: [UInt8])] = []
  var transcript: [UInt8] = []
  /// Whether records or a part of the transcript were refused, since there was too much for one answer.
  var isCut = false
}

/// How one instance of a plugin keeps its word.
final class ForeignAccount: Sendable {
  private struct State {
    var running = 0
    var abandoned = 0
    var isClosed = false
    /// Called once, when the account is closed and nothing runs.
    var ending: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// Calls that were given up and are not answered.
  var abandoned: Int { state.withLock { $0.abandoned } }
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Counts one more method that runs.
  ///
  /// - Returns: `false`, and nothing is counted, when the account is closed: nothing may be called any more.
  func begin() -> Bool {
    state.withLock { state in
      guard !state.isClosed else { return false }
      state.running += 1
      return true
    }
  }

  func returned() {
    let ending = state.withLock { state -> (@Sendable () -> Void)? in
      state.running -= 1
      guard state.running == 0, state.isClosed else { return nil }
      defer { state.ending = nil }
      return state.ending
    }
    ending?()
  }

  func abandon(_ by: Int) { state.withLock { $0.abandoned += by } }

  /// Lets nothing begin any more; calls `ending` now, or when the last method has returned. Once.
  ///
  /// - Returns: Whether it was open.
  func close(_ ending: @escaping @Sendable () -> Void) -> Bool {
    let (isFirst, isIdle) = state.withLock { state in
      guard !state.isClosed else { return (false, false) }
      state.isClosed = true
      if state.running > 0 { state.ending = ending }
      return (true, state.running == 0)
    }
    if isIdle { ending() }
    return isFirst
  }
}

/// One call of a plugin's method, from the moment that it is made until the plugin has answered.
///
/// C knows it by a number that is never used again. Thread: any.
final class ForeignCall: Sendable {
  typealias Ending = @Sendable (Result<ForeignAnswer, PluginError>) -> Void

  private struct State {
    var answer = ForeignAnswer()
    /// Called once, when the plugin has answered after all.
    var afterwards: (@Sendable () -> Void)?
    var bytesCount = 0
    var ending: Ending?
    var isSettled = false
    var isAbandoned = false
    var isCancelled = false
    /// The end of a pair that is given out, and the one that stays, through which the other becomes readable.
    var descriptor: Int32 = -1
    var held: Int32 = -1

    /// A byte and not the pipe's end alone: a child of the process may have inherited the end that is closed here.
    mutating func wake() {
      guard held >= 0 else { return }
      var byte: UInt8 = 1
      _ = send(held, &byte, 1, Int32(MSG_NOSIGNAL))
      close(held)
      held = -1
    }
  }

  static let messageBytesMax = 1_000
  private static let next = Atomic<UInt>(1)
  private static let open = Mutex<[UInt: ForeignCall]>([:])

  let number: UInt
  /// Who is called, and for what.
  let what: String
  private let expected: ExpectedAnswer
  private let transcriptBytesMax: Int
  private let onTranscript: (@Sendable ([UInt8]) -> Void)?
  private let account: ForeignAccount
  private let state: Mutex<State>

  init(
    _ what: String, expected: ExpectedAnswer, account: ForeignAccount, transcriptBytesMax: Int = 0,
    onTranscript: (@Sendable ([UInt8]) -> Void)? = nil, ending: @escaping Ending
  ) {
    number = ForeignCall.next.add(1, ordering: .relaxed).oldValue
    (self.what, self.expected, self.account) = (what, expected, account)
    (self.transcriptBytesMax, self.onTranscript) = (transcriptBytesMax, onTranscript)
    state = Mutex(State(ending: ending))
    ForeignCall.open.withLock { $0[number] = self }
  }

  /// As C holds it.
  var pointer: OpaquePointer? { OpaquePointer(bitPattern: number) }

  static func find(_ pointer: OpaquePointer?) -> ForeignCall? {
    guard let pointer else { return nil }
    return open.withLock { $0[UInt(bitPattern: pointer)] }
  }

  /// Whether nobody waits for the answer.
  var isCancelled: Bool { state.withLock { $0.isCancelled || $0.isSettled } }

  /// A descriptor that becomes readable with ``cancel()``; -1 when there is none to be had.
  var cancelDescriptor: Int32 {
    state.withLock { state in
      guard !state.isSettled else { return -1 }
      var pair: [Int32] = [-1, -1]
      // Sockets, since they can be made so that no child which another thread starts meanwhile inherits them.
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      if state.descriptor < 0, socketpair(AF_UNIX, kind, 0, &pair) == 0 {
        (state.descriptor, state.held) = (pair[0], pair[1])
        if state.isCancelled { state.wake() }
      }
      return state.descriptor
    }
  }

  // MARK: The plugin's side

  /// Changes what is gathered of the answer.
  ///
  /// - Parameter count: Bytes that come with it.
  func gather(_ count: Int, _ change: (inout ForeignAnswer) -> sync_status) -> sync_status {
    state.withLock { state in
      guard !state.isSettled, !state.isAbandoned else { return SYNC_ERROR_STATE }
      guard count <= Int(SYNC_ANSWER_BYTES_MAX) - state.bytesCount else { return SYNC_ERROR_TOO_LARGE }
      let status = change(&state.answer)
      if status == SYNC_OK { state.bytesCount += count }
      return status
    }
  }

  /// One record of a scan. The first always fits; of more, what one answer holds. Behind one that does not fit nothing
  /// is taken, however small: the next scan begins behind the last that was, and would pass over what lies between.
  func addRecord(_ record: (key: [UInt8], value: [UInt8])) -> sync_status {
    // What a record costs beside its bytes counts too, so that small ones have a bound as well.
    let count = record.key.count + record.value.count + 64
    return state.withLock { state in
      guard !state.isSettled, !state.isAbandoned else { return SYNC_ERROR_STATE }
      let fits = state.answer.records.isEmpty || count <= Int(SYNC_ANSWER_BYTES_MAX) - state.bytesCount
      guard fits, !state.answer.isCut else {
        state.answer.isCut = true
        return SYNC_ERROR_TOO_LARGE
      }
      state.bytesCount += count
      state.answer.records.append(record)
      return SYNC_OK
    }
  }

  func addTranscript(_ bytes: UnsafeRawBufferPointer) -> sync_status {
    guard expected == .run else { return SYNC_ERROR_INVALID_ARGUMENT }
    var piece: [UInt8] = []
    let status = state.withLock { state in
      guard !state.isSettled, !state.isAbandoned else { return SYNC_ERROR_STATE }
      piece = Array(bytes.prefix(transcriptBytesMax - state.answer.transcript.count))
      state.answer.transcript += piece
      if piece.count < bytes.count { state.answer.isCut = true }
      return piece.count == bytes.count ? SYNC_OK : SYNC_ERROR_TOO_LARGE
    }
    if !piece.isEmpty { onTranscript?(piece) }
    return status
  }

  /// Ends the call with what the plugin says, in the form in which it says it.
  func answer(_ form: ExpectedAnswer, _ change: (inout ForeignAnswer) -> Void = { _ in }) -> sync_status {
    guard form == expected else {
      let settled = settle(
        .failure(PluginError(.io, "\(what) gave an answer of another kind than was asked for")), byPlugin: true)
      return settled == SYNC_OK ? SYNC_ERROR_INVALID_ARGUMENT : settled
    }
    return settle(nil, byPlugin: true, change)
  }

  func fail(_ code: Int32, _ message: String?) -> sync_status {
    settle(.failure(ForeignCall.error(code, message, what)), byPlugin: true)
  }

  /// Ends the call with a method's returned number; nothing where it has been answered.
  func returned(_ code: Int32) {
    if code != SYNC_PLUGIN_OK { _ = fail(code, nil) }
  }

  static func error(_ code: Int32, _ message: String?, _ what: String) -> PluginError {
    let codes: [Int32: PluginError.Code] = [
      SYNC_PLUGIN_UNAVAILABLE: .unavailable, SYNC_PLUGIN_NOT_FOUND: .notFound,
      SYNC_PLUGIN_CHECKSUM_MISMATCH: .checksumMismatch, SYNC_PLUGIN_INVALID: .invalid, SYNC_PLUGIN_IO: .io,
      SYNC_PLUGIN_CANCELLED: .cancelled,
    ]
    let said = message.map { ": \($0)" } ?? " with the number \(code) and no reason"
    return PluginError(codes[code] ?? .io, "\(what) failed\(said)")
  }

  // MARK: The host's side

  /// Goes on without the plugin once so much time is over; nothing when the call has ended by then.
  func abandon(in time: Duration, _ error: PluginError) {
    let deadline = Monitor.now() + UInt64(max(0, time.components.seconds)) * 1_000_000_000
    CallTimers.shared.add(number, deadline) { [weak self] in self?.abandon(error) }
    // It may have ended before there was something to forget.
    if state.withLock({ $0.isSettled }) { CallTimers.shared.forget(number) }
  }

  /// Tells the plugin that nobody waits any more, and gives it a moment.
  func cancel() {
    state.withLock { state in
      guard !state.isCancelled, !state.isSettled else { return }
      state.isCancelled = true
      state.wake()
    }
  }

  /// A number that no call has, for a timer.
  static func timerNumber() -> UInt { next.add(1, ordering: .relaxed).oldValue }

  /// Ends a call whose method was not called and will not be.
  func end(_ error: PluginError) { _ = settle(.failure(error), byPlugin: true) }

  /// Calls `action` once the plugin owes no answer: now, or when it gives the one that was abandoned.
  func whenAnswered(_ action: @escaping @Sendable () -> Void) {
    let isOwed = state.withLock { state in
      if state.isAbandoned { state.afterwards = action }
      return state.isAbandoned
    }
    if !isOwed { action() }
  }

  /// Whether the call ended before its method began: then the method is not called, and nothing is owed.
  func endsUnbegun() -> Bool {
    guard state.withLock({ $0.isSettled }) else { return false }
    _ = settle(nil, byPlugin: true)
    return true
  }

  /// Goes on without the plugin.
  func abandon(_ error: PluginError) { _ = settle(.failure(error), byPlugin: false) }

  private func settle(
    _ given: Result<ForeignAnswer, PluginError>?, byPlugin: Bool, _ change: (inout ForeignAnswer) -> Void = { _ in }
  ) -> sync_status {
    var ending: Ending?
    var afterwards: (@Sendable () -> Void)?
    var result = given
    let status = state.withLock { state -> sync_status in
      if state.isSettled {
        // What was abandoned is answered after all.
        guard byPlugin, state.isAbandoned else { return SYNC_ERROR_STATE }
        state.isAbandoned = false
        account.abandon(-1)
        (afterwards, state.afterwards) = (state.afterwards, nil)
        ForeignCall.open.withLock { _ = $0.removeValue(forKey: number) }
        return SYNC_ERROR_STATE
      }
      state.isSettled = true
      if byPlugin {
        ForeignCall.open.withLock { _ = $0.removeValue(forKey: number) }
      } else {
        state.isAbandoned = true
        account.abandon(1)
      }
      change(&state.answer)
      if result == nil { result = .success(state.answer) }
      state.answer = ForeignAnswer()
      // Whoever polls it wakes up; it is gone with the answer.
      state.wake()
      if byPlugin, state.descriptor >= 0 {
        close(state.descriptor)
        state.descriptor = -1
      }
      (ending, state.ending) = (state.ending, nil)
      return SYNC_OK
    }
    if status == SYNC_OK { CallTimers.shared.forget(number) }
    if let ending, let result { ending(result) }
    afterwards?()
    return status
  }

  deinit {
    state.withLock { state in
      state.wake()
      if state.descriptor >= 0 { close(state.descriptor) }
    }
  }
}
