import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SyncProof
import SyncRuntime
import Synchronization

/// A node with the plugins that its configuration names, and the thread that it owns.
///
/// What the reference program and the C interface run. Thread: any.
public struct AssembledNode: Sendable {
  public let file: ConfigurationFile
  /// The builder over all its epochs.
  public let succession: NodeSuccession
  private let loops: MultiThreadedEventLoopGroup
  private let closing: [any ClosablePlugin]

  /// Makes plugins and node: reads keys, group and journal, and clears away what a killed run has left.
  ///
  /// - Parameters:
  ///   - given: The group of the file; the journal may be in a later epoch.
  ///   - isRestored: For this start: the data folder was put back from an older copy.
  ///   - appliesAllBlocks: For this start: the snapshot is left aside, and held against what the blocks give.
  ///   - observer: Told of what happens, on the node's own thread, which waits for it: it returns at once.
  /// - Throws: ``PluginError``; whatever was made by then is closed.
  public init(
    _ file: ConfigurationFile, given: Group, isRestored: Bool = false, appliesAllBlocks: Bool = false,
    logger: Logger, observer: (@Sendable (NodeEvent) -> Void)? = nil
  ) async throws(PluginError) {
    try SmallFile.makeFolder(file.data)
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let firstStart = Mutex(FirstStart(isRestored: isRestored, appliesAllBlocks: appliesAllBlocks))
    var closing: [any ClosablePlugin] = []
    do {
      let signer = try await file.makeSigner()
      if let signer = signer as? any ClosablePlugin { closing.append(signer) }
      let sandbox = try await file.makeSandbox()
      if let sandbox = sandbox as? any ClosablePlugin { closing.append(sandbox) }
      let source = try await file.makeSource(&closing)
      for leftover in try await sandbox.removeLeftovers() {
        logger.notice("Removed what a killed run left: \(leftover)")
      }
      succession = try await NodeSuccession { () async throws(PluginError) in
        // What the operator says holds for the epoch that the copy is of; the node knows whether for the next as well.
        let first = firstStart.withLock { first in
          defer { first = FirstStart() }
          return first
        }
        return try await Self.makeNode(
          file, given, first, (signer, sandbox, source), loops.next(), logger, observer)
      }
    } catch {
      for plugin in closing { await plugin.close() }
      try? await loops.shutdownGracefully()
      throw error as? PluginError ?? PluginError(.io, "\(error)")
    }
    (self.file, self.loops, self.closing) = (file, loops, closing)
  }

  /// Takes part in epoch after epoch, until ``NodeSuccession/finish()`` or the end of the task; then nothing is left
  /// running. Once.
  public func run() async throws {
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await succession.run()) } catch { outcome = .failure(error) }
    await close()
    try outcome.get()
  }

  /// For a node that was never run, or whose ``succession`` was.
  public func close() async {
    await succession.node.close()
    for plugin in closing { await plugin.close() }
    try? await loops.shutdownGracefully()
  }

  /// What is said for one start alone.
  private struct FirstStart {
    var isRestored = false
    var appliesAllBlocks = false
  }

  private static func makeNode(
    _ file: ConfigurationFile, _ given: Group, _ first: FirstStart,
    _ plugins: (signer: any Signer, sandbox: any Sandbox, source: any Source),
    _ loop: any EventLoop, _ logger: Logger, _ observer: (@Sendable (NodeEvent) -> Void)?
  ) async throws(PluginError) -> Node {
    let storage = try await file.makeStorage()
    do throws(PluginError) {
      // A storage, or a signer, may take its time; threads of the runtime's do not wait for it.
      let group = try await BlockingThread.run { () throws(PluginError) in
        try Node.currentGroup(file: given, storage: storage)
      }.get()
      if group != given { try SmallFile.write(group.encode(), to: GroupFile.presentPath(file)) }
      let transport = try await file.makeTransport(group, plugins.signer, logger)
      do throws(PluginError) {
        let configuration = NodeConfiguration(
          name: Text(file.name), group: group, dataDirectory: file.data, toolchain: file.toolchain,
          toolchains: file.toolchains, toolchainDirectories: file.toolchainDirectories, capacity: file.capacity,
          dataPolicy: file.dataPolicy, timeoutBaseMilliseconds: file.timeoutBaseMilliseconds,
          divergence: file.divergence, retention: file.retention, isRestored: first.isRestored,
          appliesAllBlocks: first.appliesAllBlocks)
        let all = NodePlugins(
          storage: storage, transport: transport, signer: plugins.signer, sandbox: plugins.sandbox,
          source: plugins.source, eventLoop: loop)
        return try await BlockingThread.run { () throws(PluginError) in
          try Node(configuration: configuration, plugins: all, logger: logger, observer: observer)
        }.get()
      } catch {
        await transport.stop()
        throw error
      }
    } catch {
      _ = await BlockingThread.run { () throws(PluginError) in storage.close() }
      throw error
    }
  }
}
