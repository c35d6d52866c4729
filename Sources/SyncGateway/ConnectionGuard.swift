import Hummingbird
import HummingbirdCore
import NIOCore

/// Bounds what one connection may cost once its request head has arrived.
///
/// The server closes connections that are idle or still writing a head; it waits without end for a body that trickles
/// in and for a client that does not take its response, and reads a refused body to its end. These three end here.
///
/// Thread: the channel's event loop owns every variable.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPConnectionStateHandler.InboundIn
  typealias InboundOut = HTTPConnectionStateHandler.InboundOut
  typealias OutboundIn = HTTPConnectionStateHandler.OutboundIn
  typealias OutboundOut = HTTPConnectionStateHandler.OutboundOut

  private let requestTimeout: TimeAmount
  private let stallTimeout: TimeAmount
  /// Heads read whose response has not ended.
  private var unanswered = 0
  private var bodyBytes = 0
  private var requestDeadline: Scheduled<Void>?
  private var writesPending = 0
  private var lastProgress = NIODeadline.now()
  private var stallCheck: Scheduled<Void>?
  private var isClosed = false

  init(requestTimeout: TimeAmount, stallTimeout: TimeAmount) {
    (self.requestTimeout, self.stallTimeout) = (requestTimeout, stallTimeout)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isClosed else { return }
    switch unwrapInboundIn(data) {
    case .head:
      unanswered += 1
      bodyBytes = 0
      scheduleRequestDeadline(context)
    case .body(let bytes):
      bodyBytes += bytes.readableBytes
      guard bodyBytes <= GatewayLimits.drainedBytesMax else { return close(context) }
    case .end:
      requestDeadline?.cancel()
      requestDeadline = nil
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
    let done = promise ?? context.eventLoop.makePromise(of: Void.self)
    if writesPending == 0 { lastProgress = .now() }
    writesPending += 1
    done.futureResult.assumeIsolated().whenComplete { _ in
      self.writesPending -= 1
      self.lastProgress = .now()
    }
    if stallCheck == nil { scheduleStallCheck(context, in: stallTimeout) }
    context.write(data, promise: done)
  }

  func channelInactive(context: ChannelHandlerContext) {
    cancel()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { cancel() }

  private func scheduleRequestDeadline(_ context: ChannelHandlerContext) {
    requestDeadline?.cancel()
    requestDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: requestTimeout) {
      self.requestDeadline = nil
      // A pipelined request is not read on while the response before it is written; that time is not its client's.
      if self.unanswered > 1 { self.scheduleRequestDeadline(context) } else { self.close(context) }
    }
  }

  private func scheduleStallCheck(_ context: ChannelHandlerContext, in delay: TimeAmount) {
    stallCheck = context.eventLoop.assumeIsolated().scheduleTask(in: delay) {
      self.stallCheck = nil
      guard self.writesPending > 0 else { return }
      let due = self.lastProgress + self.stallTimeout
      let now = NIODeadline.now()
      if due <= now { self.close(context) } else { self.scheduleStallCheck(context, in: due - now) }
    }
  }

  private func close(_ context: ChannelHandlerContext) {
    isClosed = true
    cancel()
    context.close(promise: nil)
  }

  private func cancel() {
    requestDeadline?.cancel()
    requestDeadline = nil
    stallCheck?.cancel()
    stallCheck = nil
  }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
