import NIOCore
import NIOSSL
import NIOTLS
import SyncProof
import SyncRuntime

/// One TLS connection, from its handshake to its end. Lives on the transport's event loop.
///
///     handshake ──TLS done──▶ greeting ──peer's hello──▶ open ──▶ closed
///
/// The side that dialled sends its hello when TLS is done; the side that accepted answers with its own once it has
/// found that one right. So each side knows, at `open`, that the other has authenticated it: in TLS 1.3 the end of
/// the handshake alone tells that only to the side that accepted.
final class Connection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum Direction: Equatable {
    /// We receive; the slot is given back when the peer has said hello.
    case accepted(Admission.Slot)
    /// We send, to this peer.
    case dialled(String)

    var isDialled: Bool { if case .dialled = self { true } else { false } }
  }

  private enum Phase { case handshake, greeting, open, closed }

  let direction: Direction
  /// Set by the verification of the certificate, before TLS is done.
  private(set) var peer: String?
  let remote: String

  private let board: Switchboard
  private let cutter: Cutter
  private var phase = Phase.handshake
  private var decoder = FrameDecoder()
  private var context: ChannelHandlerContext?
  private var deadline: Scheduled<Void>?
  private var heartbeat: Scheduled<Void>?
  private var lastHeard = NIODeadline.now()
  private var reason: String?

  init(direction: Direction, board: Switchboard, remote: String, cutter: Cutter) {
    (self.direction, self.board, self.remote, self.cutter) = (direction, board, remote, cutter)
  }

  /// Whether TCP takes more than it has been given.
  var isWritable: Bool { phase == .open && context?.channel.isWritable == true }

  /// Judges the certificate's key; a connection that is refused here ends after TLS has told the other side so.
  func verify(_ name: String?) -> NIOSSLVerificationResult {
    if case .dialled(let wanted) = direction, name != wanted {
      reason = "the key that it shows is not the one of \(wanted) in the group file"
      return .failed
    }
    guard let name else {
      reason = "the key that it shows is no member's"
      return .failed
    }
    peer = name
    return .certificateVerified
  }

  /// Ends the connection; the first reason is the one that is told.
  func close(_ reason: String?) {
    if self.reason == nil { self.reason = reason }
    cutter.cut()
  }

  func write(_ frame: Frame) {
    guard let context, phase != .closed else { return }
    context.write(wrapOutboundOut(frame.encode(allocator: context.channel.allocator)), promise: nil)
  }

  func flush() { context?.flush() }

  // MARK: Channel events

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { begin(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard deadline == nil, phase == .handshake else { return }
    lastHeard = .now()
    let timeout = board.timing.handshakeMilliseconds
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(timeout)) { [weak self] in
      self?.close("no handshake within \(timeout) ms")
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent, phase == .handshake {
      // A resumed session would come here without a verified key; nobody offers one, and nobody may.
      guard peer != nil else { return close("its key was not verified") }
      phase = .greeting
      if direction.isDialled {
        write(board.hello)
        flush()
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .greeting || phase == .open else { return close("data came before authentication") }
    lastHeard = .now()
    decoder.feed(unwrapInboundIn(data))
    do throws(FrameDecoder.Failure) {
      while phase != .closed, reason == nil, let frame = try decoder.next() { receive(frame) }
    } catch {
      close(error.message)
    }
  }

  private func receive(_ frame: Frame) {
    switch (phase, frame, direction) {
    case (.greeting, .hello(let version, let group), _): greet(version: version, group: group)
    case (.open, .alive, _): break
    case (.open, .message(let bytes), .accepted): if let peer { board.received(bytes, from: peer, on: self) }
    default: close("a frame came that has no place here")
    }
  }

  private func greet(version: UInt16, group: [UInt8]) {
    guard version == Frame.version else {
      return close("it speaks version \(version) of the transport, we speak \(Frame.version); run the same release")
    }
    guard group == board.group.bytes else {
      return close("it belongs to another group or epoch; compare the group files")
    }
    phase = .open
    decoder.frameBytesMax = Frame.messageFrameBytesMax
    deadline?.cancel()
    if !direction.isDialled {
      write(board.hello)
      flush()
    }
    scheduleHeartbeat()
    board.opened(self)
  }

  private func scheduleHeartbeat() {
    let interval = TimeAmount.milliseconds(board.timing.aliveMilliseconds)
    heartbeat = context?.eventLoop.assumeIsolated().scheduleTask(in: interval) { [weak self] in self?.beat() }
  }

  private func beat() {
    guard phase == .open else { return }
    let silenceMax = board.timing.silenceMaxMilliseconds
    guard NIODeadline.now() - lastHeard <= .milliseconds(silenceMax) else {
      return close("nothing was heard for \(silenceMax) ms")
    }
    // What waits to be written is a sign of life once it arrives; adding to it would be growth.
    if isWritable {
      write(.alive)
      flush()
    }
    scheduleHeartbeat()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if isWritable { board.writable(self) }
    context.fireChannelWritabilityChanged()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    close(describe(error))
  }

  private func describe(_ error: any Error) -> String? {
    switch error {
    case NIOSSLError.uncleanShutdown: nil
    case let error as IOError: error.description
    case is NIOSSLError, is BoringSSLError: "\(phase == .open ? "TLS" : "the TLS handshake") failed: \(error)"
    default: "\(error)"
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    guard phase != .closed else { return }
    let wasOpen = phase == .open
    phase = .closed
    context = nil
    deadline?.cancel()
    heartbeat?.cancel()
    board.closed(self, wasOpen: wasOpen, reason: reason)
  }
}

/// Ends a connection below TLS: frames have lengths, so nothing is gained from waiting for the other side's farewell,
/// which a stranger could withhold.
final class Cutter: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private var context: ChannelHandlerContext?

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
  func cut() { context?.close(promise: nil) }
}
