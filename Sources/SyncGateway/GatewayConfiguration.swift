import SyncRuntime

/// Where the gateway listens and what it grants to one client.
///
/// Every bound is on purpose: whoever can reach the port can spend no more than these of the node's memory,
/// descriptors and time.
public struct GatewayConfiguration: Sendable, Equatable {
  /// Address or name to listen on. Loopback unless the operator says otherwise.
  public var host: String
  /// TCP port, 0...65,535; 0 lets the system choose one, which ``Gateway`` reports through its callback.
  public var port: Int
  /// Further names under which clients reach this gateway, without port: `builder.example`.
  ///
  /// A request from a browser that names any other host is refused, which is what stops a foreign web page that
  /// rebinds its own name to this address.
  public var hostNames: [String]
  /// Connections held open at once; more wait in the system's queue until one ends. A burst may pass it by three,
  /// since the queue is emptied in fours.
  public var connectionsMax: Int
  /// Submissions worked on at once; more are answered with 429.
  public var submissionsMax: Int
  /// A connection that has not sent a whole request head for this long is closed.
  public var idleSeconds: Int
  /// A request whose body has not arrived this long after its head is cut off.
  public var requestSeconds: Int
  /// A client that takes no byte of its response for this long is cut off.
  public var stallSeconds: Int

  public init(
    host: String = "127.0.0.1", port: Int = 8080, hostNames: [String] = [], connectionsMax: Int = 256,
    submissionsMax: Int = 4, idleSeconds: Int = 30, requestSeconds: Int = 10, stallSeconds: Int = 30
  ) {
    self.host = host
    self.port = port
    self.hostNames = hostNames
    self.connectionsMax = connectionsMax
    self.submissionsMax = submissionsMax
    self.idleSeconds = idleSeconds
    self.requestSeconds = requestSeconds
    self.stallSeconds = stallSeconds
  }

  /// - Throws: ``PluginError/Code/invalid`` with a sentence that names the setting.
  func validate() throws(PluginError) {
    guard !host.isEmpty else {
      throw PluginError(.invalid, "The gateway's host is empty; give an address such as 127.0.0.1")
    }
    guard (0...65_535).contains(port) else {
      throw PluginError(.invalid, "The gateway's port is \(port); a port is 0 to 65535, and 0 chooses a free one")
    }
    for name in hostNames where Authority(name)?.port != nil || Authority(name) == nil {
      throw PluginError(
        .invalid, "The gateway's host name “\(name)” is not a bare name; write it without scheme, port and path")
    }
    let bounds = [
      ("connectionsMax", connectionsMax), ("submissionsMax", submissionsMax), ("idleSeconds", idleSeconds),
      ("requestSeconds", requestSeconds), ("stallSeconds", stallSeconds),
    ]
    for (name, value) in bounds where !(1...1_000_000).contains(value) {
      throw PluginError(.invalid, "The gateway's \(name) is \(value); it is 1 to 1000000")
    }
  }
}

/// Bounds that no configuration moves.
enum GatewayLimits {
  /// Bytes of a submission's body.
  static let bodyBytesMax = 64 * 1024
  /// Bytes of a refused body that are read and thrown away, so that the client gets to read why.
  static let drainedBytesMax = 1 << 20
  static let headerFieldBytesMax = 8 * 1024
  static let headerListBytesMax = 16 * 1024
  static let headerFieldsMax = 100
  /// Bytes of an artifact in memory at once, for each client.
  static let chunkBytes = 128 * 1024
  static let jobsDefault = 50
  static let jobsMax = 1_000
  static let packageBytesMax = 512
  static let featuresMax = 256
  static let featureBytesMax = 255
}
