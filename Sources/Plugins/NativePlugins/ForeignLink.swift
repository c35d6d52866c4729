import CSyncNode
import SyncProof
import SyncRuntime
import Synchronization

/// Where one transport plugin tells what comes in, from its start to the end of its stop.
///
/// C knows it by a number that is never used again. Thread: any; one at a time for each peer.
final class ForeignLink: Sendable {
  private struct State {
    var deliver: (@Sendable (TransportEvent) -> Void)?
    var connected: Set<String> = []
    /// Calls of ``deliver`` that have not returned.
    var delivering = 0
    var isClosed = false
  }

  static let signedBytesMax = 65_536
  private static let open = Mutex<[UInt: ForeignLink]>([:])

  /// As C holds it.
  let number: UInt
  private let peers: Set<String>
  private let signer: any Signer
  private let onConnected: @Sendable (String) -> Void
  private let state = Mutex(State())
  private let monitor = Monitor()

  /// - Parameters:
  ///   - peers: Their names.
  ///   - onConnected: Called with a peer once the owner has been told of its connection.
  init(peers: Set<String>, signer: any Signer, onConnected: @escaping @Sendable (String) -> Void) {
    (self.peers, self.signer, self.onConnected) = (peers, signer, onConnected)
    number = ForeignCall.timerNumber()
  }

  static func find(_ pointer: OpaquePointer?) -> ForeignLink? {
    guard let pointer else { return nil }
    return open.withLock { $0[UInt(bitPattern: pointer)] }
  }

  func open(_ deliver: @escaping @Sendable (TransportEvent) -> Void) {
    state.withLock { $0.deliver = deliver }
    ForeignLink.open.withLock { $0[number] = self }
  }

  /// Returns when nothing is delivered any more; blocks for as long as a delivery under way does.
  func close() {
    ForeignLink.open.withLock { _ = $0.removeValue(forKey: number) }
    state.withLock { state in
      state.isClosed = true
      state.connected = []
    }
    monitor.wait(until: nil) { state.withLock { $0.delivering == 0 } }
    state.withLock { $0.deliver = nil }
  }

  func isConnected(_ peer: String) -> Bool { state.withLock { $0.connected.contains(peer) } }

  func connected(_ peer: String) -> sync_status {
    tell(peer, .connected(peer)) { $0.connected.insert(peer).inserted }
  }

  func disconnected(_ peer: String) -> sync_status {
    tell(peer, .disconnected(peer)) { $0.connected.remove(peer) != nil }
  }

  func receive(_ message: [UInt8], from peer: String) -> sync_status { tell(peer, .message(from: peer, message)) }

  func sign(_ message: [UInt8]) throws(PluginError) -> Signature { try signer.sign(message, as: .transport) }

  private func tell(_ peer: String, _ event: TransportEvent, _ change: (inout State) -> Bool = { _ in true })
    -> sync_status
  {
    guard peers.contains(peer) else { return SYNC_ERROR_INVALID_ARGUMENT }
    let deliver = state.withLock { state -> (@Sendable (TransportEvent) -> Void)? in
      guard !state.isClosed, let deliver = state.deliver, change(&state) else { return nil }
      state.delivering += 1
      return deliver
    }
    guard let deliver else { return SYNC_ERROR_STATE }
    deliver(event)
    if case .connected(let peer) = event { onConnected(peer) }
    let isLast = state.withLock { state in
      state.delivering -= 1
      return state.delivering == 0
    }
    if isLast { monitor.signal() }
    return SYNC_OK
  }
}
