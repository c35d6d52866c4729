import CSyncABI
import CSyncNode
import Logging
import NativePlugins
import NodeAssembly
import SyncProof
import SyncRuntime
import Synchronization

/// What a `sync_node` is: a node, the task that runs it, and who waits for what of it. Thread: any.
final class NodeObject: Sendable {
  private struct State {
    var phase = SYNC_NODE_CREATED
    var node: AssembledNode?
    /// Makes the node and runs it.
    var life: Task<Void, Never>?
    var failure: PluginError?
    /// The node's face, once it takes part.
    var running: NodeSuccession?
    var hasStarted = false
    /// Whether an event has told why the node ends by itself.
    var hasToldFault = false
    var queues: [EventQueue] = []
    /// What callers wait for that may take long; cancelled when the node ends.
    var tasks: [Int: Task<Void, Never>] = [:]
    var lastTask = 0
  }

  let file: ConfigurationFile
  private let group: Group
  private let isRestored: Bool
  private let pump: LogPump?
  private let logger: Logger
  private let state = Mutex(State())
  /// Signalled with each change of ``state``.
  private let monitor = Monitor()

  init(_ file: ConfigurationFile, group: Group, isRestored: Bool, pump: LogPump?) {
    (self.file, self.group, self.isRestored, self.pump) = (file, group, isRestored, pump)
    var logger = Logger(label: "synchronicity") { _ -> any LogHandler in
      if let pump, pump.takesLines { return PumpLogHandler(pump: pump) }
      return SwiftLogNoOpLogHandler()
    }
    logger.logLevel = Logger.Level(rawValue: file.logLevel) ?? .info
    self.logger = logger
  }

  var phase: Int32 { state.withLock { $0.phase } }

  /// The running node's face.
  func view() throws(CallError) -> NodeSuccession {
    let (phase, running) = state.withLock { ($0.phase, $0.running) }
    guard let running, phase == SYNC_NODE_RUNNING else {
      throw CallError(SYNC_ERROR_STATE, Text("The node does not run: its state is \(Int(phase)); start it first"))
    }
    return running
  }

  // MARK: Starting and ending

  func start() throws(CallError) {
    let isFirst = state.withLock { state in
      guard state.phase == SYNC_NODE_CREATED else { return false }
      state.phase = SYNC_NODE_RUNNING
      return true
    }
    guard isFirst else { throw CallError(SYNC_ERROR_STATE, "The node was started before; a node is started once") }
    let life = Task.detached { await self.live() }
    let endsAlready = state.withLock { state in
      state.life = life
      return state.phase != SYNC_NODE_RUNNING && state.node == nil
    }
    if endsAlready { life.cancel() }
    monitor.wait(until: nil) { self.state.withLock { $0.hasStarted || $0.phase == SYNC_NODE_STOPPED } }
    let (failure, hasStarted) = state.withLock { ($0.failure, $0.hasStarted) }
    if let failure { throw CallError(failure) }
    guard hasStarted else { throw CallError(SYNC_ERROR_STATE, "The node was stopped while it started") }
  }

  private func live() async {
    do throws(any Error) {
      let node = try await AssembledNode(file, given: group, isRestored: isRestored, logger: logger) { [weak self] in
        self?.observe($0)
      }
      let ends = state.withLock { state in
        state.node = node
        return state.phase != SYNC_NODE_RUNNING
      }
      if ends { await node.close() } else { try await node.run() }
      ended(nil)
    } catch {
      ended(error as? PluginError ?? PluginError(.io, "\(error)"))
    }
  }

  private func ended(_ failure: PluginError?) {
    let (queues, untold) = state.withLock { state in
      // Whoever stops a node that is still being made wants no plugin of it any more.
      let isWanted = state.phase == SYNC_NODE_STOPPING && state.node == nil && failure?.code == .cancelled
      // The node of a later epoch may not come to be, and has nobody to say so.
      let isTold = state.hasToldFault || !state.hasStarted || state.phase != SYNC_NODE_RUNNING
      state.phase = SYNC_NODE_STOPPED
      state.failure = isWanted ? nil : failure
      state.node = nil
      state.running = nil
      state.life = nil
      return (state.queues, isTold ? nil : failure)
    }
    if let untold { for queue in queues { queue.put(.fault(untold)) } }
    for queue in queues { queue.close() }
    for task in state.withLock({ $0.tasks.values }) { task.cancel() }
    monitor.signal()
  }

  /// - Returns: Whether all is closed.
  func stop(until deadline: UInt64?) -> Bool {
    let (phase, node, life) = state.withLock { state in
      switch state.phase {
      case SYNC_NODE_CREATED: state.phase = SYNC_NODE_STOPPED
      case SYNC_NODE_RUNNING: state.phase = SYNC_NODE_STOPPING
      default: break
      }
      return (state.phase, state.node, state.life)
    }
    for task in state.withLock({ $0.tasks.values }) { task.cancel() }
    if phase == SYNC_NODE_STOPPED {
      for queue in state.withLock({ $0.queues }) { queue.close() }
      monitor.signal()
      return true
    }
    // While plugins are made there is nobody to finish: their calls are cancelled.
    if let node { Task.detached { await node.succession.finish() } } else { life?.cancel() }
    return monitor.wait(until: deadline) { self.phase == SYNC_NODE_STOPPED }
  }

  /// Asks the running node for something that may take long, and is cancelled when time is up or the node ends.
  func ask<T: Sendable>(
    until deadline: UInt64?, _ work: @escaping @Sendable (NodeSuccession) async throws(PluginError) -> T
  ) throws(CallError) -> T {
    let view = try view()
    let answer = Answer<T>()
    let task = Task.detached { () -> Void in
      do throws(PluginError) { answer.put(.success(try await work(view))) } catch { answer.put(.failure(error)) }
    }
    let (number, isRunning) = state.withLock { state in
      state.lastTask += 1
      state.tasks[state.lastTask] = task
      return (state.lastTask, state.phase == SYNC_NODE_RUNNING)
    }
    if !isRunning { task.cancel() }
    let result = answer.take(until: deadline)
    if result == nil { task.cancel() }
    state.withLock { _ = $0.tasks.removeValue(forKey: number) }
    guard phase == SYNC_NODE_RUNNING else { throw CallError(SYNC_ERROR_STATE, "The node has ended") }
    switch result {
    case .success(let value)?: return value
    case .failure(let error)?: throw CallError(error)
    case nil: throw CallError(SYNC_ERROR_TIMED_OUT, "Time is up; what was asked for may happen all the same")
    }
  }

  var failure: PluginError? { state.withLock { $0.failure } }

  /// Nothing of the caller's is called behind this.
  func close() {
    _ = stop(until: nil)
    pump?.close()
  }

  // MARK: Events

  func subscribe(capacity: Int) -> EventQueue {
    let queue = EventQueue(capacity: capacity)
    let hasEnded = state.withLock { state in
      state.queues.removeAll { $0.isClosed }
      if state.phase != SYNC_NODE_STOPPED { state.queues.append(queue) }
      return state.phase == SYNC_NODE_STOPPED
    }
    if hasEnded { queue.close() }
    return queue
  }

  /// On the node's own thread.
  private func observe(_ event: NodeEvent) {
    if event == .started {
      state.withLock { state in
        state.hasStarted = true
        state.running = state.node?.succession
      }
      return monitor.signal()
    }
    let queues = state.withLock { state in
      if case .fault = event { state.hasToldFault = true }
      return state.queues
    }
    for queue in queues { queue.put(event) }
    // The node ends by itself: nobody waits for what it will not do.
    if case .fault = event { for task in state.withLock({ $0.tasks.values }) { task.cancel() } }
  }
}
