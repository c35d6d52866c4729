import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import SyncRuntime

/// Serves a node over HTTP/1.1: its transparency log as C2SP tlog-tiles, jobs, proofs, artifacts and probes.
///
/// Run it as a service beside the node; it ends with the service group's graceful shutdown, after the responses in
/// flight. `docs/HTTP.md` has every path.
///
/// Thread: any. Source of the log's part: C2SP tlog-tiles.
public struct Gateway: Service {
  private let view: any NodeView
  private let configuration: GatewayConfiguration
  private let logger: Logger
  private let onServerRunning: @Sendable (_ port: Int) async -> Void

  /// - Parameters:
  ///   - view: What is served; called for several requests at once.
  ///   - onServerRunning: Called once the port is bound, with its number, also where the configuration asks for 0.
  public init(
    view: any NodeView, configuration: GatewayConfiguration = GatewayConfiguration(), logger: Logger,
    onServerRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
  ) {
    self.view = view
    self.configuration = configuration
    self.logger = logger
    self.onServerRunning = onServerRunning
  }

  /// Binds the port and serves until the task is cancelled or asked to shut down gracefully.
  ///
  /// - Throws: ``PluginError/Code/invalid`` for a configuration out of bounds; ``PluginError/Code/unavailable`` with
  ///   host and port where the port cannot be bound.
  public func run() async throws {
    try configuration.validate()
    let isListening = Latch()
    var server = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        ConnectionGuard(
          requestTimeout: .seconds(Int64(configuration.requestSeconds)),
          stallTimeout: .seconds(Int64(configuration.stallSeconds)))
      ],
      idleTimeout: .seconds(Int64(configuration.idleSeconds)))
    server.httpDecoder.maxHeaderFieldSize = GatewayLimits.headerFieldBytesMax
    server.httpDecoder.maxHeaderListSize = GatewayLimits.headerListBytesMax
    server.httpDecoder.maxHeaderFieldCount = GatewayLimits.headerFieldsMax
    let application = Application(
      responder: GatewayResponder(view: view, configuration: configuration, logger: logger),
      server: .http1(configuration: server),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        availableConnectionsDelegate: MaximumAvailableConnections(configuration.connectionsMax, logger: logger)),
      onServerRunning: { [onServerRunning] channel in
        isListening.set()
        await onServerRunning(channel.localAddress?.port ?? 0)
      },
      logger: logger)
    do {
      try await application.run()
    } catch let error where !isListening.isSet && !(error is CancellationError) {
      throw PluginError(.unavailable, bindMessage(error))
    }
  }

  private func bindMessage(_ error: any Error) -> String {
    let address =
      Authority.isAddress(configuration.host) && configuration.host.contains(":")
      ? "[\(configuration.host)]:\(configuration.port)" : "\(configuration.host):\(configuration.port)"
    switch (error as? IOError)?.errnoCode {
    case EADDRINUSE:
      return "The gateway cannot listen on \(address): another program has the port; stop it or choose another port."
    case EACCES:
      return "The gateway cannot listen on \(address): this user may not; choose a port above 1023."
    case EADDRNOTAVAIL:
      return "The gateway cannot listen on \(address): this host does not have the address; choose one that it has."
    default:
      return "The gateway cannot listen on \(address): \(error); check the address."
    }
  }
}

/// Goes from unset to set, once.
private final class Latch: Sendable {
  private let state = Mutex(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
