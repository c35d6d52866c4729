import CSyncNode
import Dispatch
import Glibc
import SyncProof
import SyncRuntime
import Synchronization

/// One instance of a plugin, and all calls to it.
///
/// Thread: any; calls overlap.
final class ForeignInstance: Sendable {
  let plugin: NativePlugin
  private let threads: CallThreads
  private let account = ForeignAccount()
  private let selfNumber = Atomic<UInt>(0)

  static let short = Duration.seconds(60)
  static let long = Duration.seconds(3_600)
  static let cancelGrace = Duration.seconds(10)

  /// Makes the instance.
  ///
  /// - Parameters:
  ///   - node: The builder's name.
  ///   - settings: The configuration's for this plugin.
  ///   - callsMax: The most that run at once.
  init(
    _ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String],
    callsMax: Int = Int(SYNC_CALLS_RUNNING_MAX)
  ) async throws(PluginError) {
    self.plugin = plugin
    threads = CallThreads(countMax: callsMax)
    try Folder.make(stateDirectory)
    guard let real = realpath(stateDirectory, nil) else { throw Folder.error("open", stateDirectory) }
    let stateDirectory = String(cString: real)
    free(real)
    let create = plugin.table.plugin.create
    let userData = UInt(bitPattern: plugin.table.userData)
    let answer = try await call("create", expected: .instance, deadline: ForeignInstance.short) { arena, _, call in
      let pairs = settings.sorted { $0.key < $1.key }.map { pair in
        sync_setting(name: arena.text(pair.key), value: arena.text(pair.value))
      }
      let (size, version) = head(of: sync_create_request.self)
      var request = sync_create_request(
        struct_size: size, abi_version: version, node: arena.text(node),
        state_directory: arena.text(stateDirectory), settings: arena.structs(pairs), settings_count: pairs.count)
      return create?(UnsafeMutableRawPointer(bitPattern: userData), &request, call) ?? SYNC_PLUGIN_INVALID
    }
    selfNumber.store(answer.instance, ordering: .releasing)
  }

  typealias Method = @Sendable (RequestArena, UnsafeMutableRawPointer?, OpaquePointer?) -> Int32

  /// Calls a method and waits for its answer. Cancelling the task cancels the call.
  func call(
    _ name: String, expected: ExpectedAnswer, deadline: Duration, transcriptBytesMax: Int = 0,
    onTranscript: (@Sendable ([UInt8]) -> Void)? = nil, _ method: @escaping Method
  ) async throws(PluginError) -> ForeignAnswer {
    let what = try check(name)
    let kept = Mutex<ForeignCall?>(nil)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<ForeignAnswer, PluginError>, Never>) in
        let call = ForeignCall(
          what, expected: expected, account: account, transcriptBytesMax: transcriptBytesMax,
          onTranscript: onTranscript
        ) { continuation.resume(returning: $0) }
        kept.withLock { $0 = call }
        call.abandon(in: deadline, ForeignInstance.late(what, deadline))
        begin(call, method)
        // The handler below may have run before there was a call.
        if Task.isCancelled { ForeignInstance.cancel(call, what) }
      }
    } onCancel: {
      if let call = kept.withLock({ $0 }) { ForeignInstance.cancel(call, what) }
    }
    return try result.get()
  }

  /// The same for a caller that is a thread of its own and may block. Not cancelled.
  func callAndWait(_ name: String, expected: ExpectedAnswer, deadline: Duration, _ method: @escaping Method)
    throws(PluginError) -> ForeignAnswer
  {
    let what = try check(name)
    let answer = Mutex<Result<ForeignAnswer, PluginError>?>(nil)
    let signal = DispatchSemaphore(value: 0)
    let call = ForeignCall(what, expected: expected, account: account) { result in
      answer.withLock { $0 = result }
      signal.signal()
    }
    begin(call, method)
    if signal.wait(timeout: .now() + .seconds(Int(deadline.components.seconds))) == .timedOut {
      call.abandon(ForeignInstance.late(what, deadline))
      // Whoever ended the call, in this moment perhaps the plugin, signals.
      signal.wait()
    }
    guard let result = answer.withLock({ $0 }) else { preconditionFailure("It was signalled with an answer") }
    return try result.get()
  }

  /// Calls a method and returns; `ending` gets the answer, once, on any thread.
  ///
  /// - Returns: The call, for whom may cancel it; it may have ended.
  func start(
    _ name: String, expected: ExpectedAnswer, deadline: Duration, _ ending: @escaping ForeignCall.Ending,
    _ method: @escaping Method
  ) throws(PluginError) -> ForeignCall {
    let what = try check(name)
    let call = ForeignCall(what, expected: expected, account: account, ending: ending)
    call.abandon(in: deadline, ForeignInstance.late(what, deadline))
    begin(call, method)
    return call
  }

  private func check(_ name: String) throws(PluginError) -> String {
    let what = "The \(plugin.kind.rawValue) \(plugin.name) (\(name))"
    guard !account.isClosed else { throw PluginError(.io, "\(what) is closed") }
    guard account.abandoned < Int(SYNC_CALLS_ABANDONED_MAX) else {
      throw PluginError(
        .unavailable,
        "\(what) is called no more: it has left \(SYNC_CALLS_ABANDONED_MAX) calls unanswered. Restart the node")
    }
    return what
  }

  private func begin(_ call: ForeignCall, _ method: @escaping Method) {
    guard account.begin() else {
      return call.end(PluginError(.io, "The \(plugin.kind.rawValue) \(plugin.name) is closed"))
    }
    threads.run { [self] in
      defer { account.returned() }
      // It may have waited for a thread until nobody wanted its answer any more.
      guard !call.endsUnbegun() else { return }
      let arena = RequestArena()
      let instance = UnsafeMutableRawPointer(bitPattern: selfNumber.load(ordering: .acquiring))
      let code = withExtendedLifetime(arena) { method(arena, instance, call.pointer) }
      call.returned(code)
    }
  }

  static func cancel(_ call: ForeignCall, _ what: String) {
    call.cancel()
    call.abandon(
      in: cancelGrace, PluginError(.cancelled, "\(what) was cancelled, and does not say that it has stopped"))
  }

  private static func late(_ what: String, _ deadline: Duration) -> PluginError {
    PluginError(.io, "\(what) gave no answer in \(deadline.components.seconds) s")
  }

  /// Ends the instance: at once, or when its last method has returned, for which this waits a while. One that blocks
  /// for ever keeps it. Once.
  func close() async {
    let done = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let isOver = Atomic<Bool>(false)
    let resume: @Sendable () -> Void = {
      isOver.store(true, ordering: .releasing)
      done.withLock { continuation in
        continuation?.resume()
        continuation = nil
      }
    }
    guard end(resume) else { return }
    let timer = ForeignCall.timerNumber()
    await withCheckedContinuation { continuation in
      done.withLock { $0 = continuation }
      if isOver.load(ordering: .acquiring) { return resume() }
      let grace = UInt64(ForeignInstance.cancelGrace.components.seconds) * 1_000_000_000
      CallTimers.shared.add(timer, Monitor.now() + grace, resume)
    }
    CallTimers.shared.forget(timer)
  }

  /// The same for a caller that is a thread of its own and may block. It needs none of the runtime's, which others may
  /// have blocked.
  func closeAndWait() {
    let signal = DispatchSemaphore(value: 0)
    guard end({ signal.signal() }) else { return }
    _ = signal.wait(timeout: .now() + .seconds(Int(ForeignInstance.cancelGrace.components.seconds)))
  }

  /// Lets nothing begin any more, and ends the instance behind its last method; `gone` is called then.
  ///
  /// - Returns: Whether this was the first time; otherwise nothing is called.
  private func end(_ gone: @escaping @Sendable () -> Void) -> Bool {
    let plugin = plugin
    let number = selfNumber.load(ordering: .acquiring)
    return account.close {
      CallThreads.detach {
        CallThreads.isCallThread = true
        plugin.table.plugin.destroy?(UnsafeMutableRawPointer(bitPattern: number))
        gone()
      }
    }
  }
}
