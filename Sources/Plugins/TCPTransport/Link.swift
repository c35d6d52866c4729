import NIOCore

/// The way to one peer: dials until a connection stands, and again when it has ended. Lives on the event loop.
struct Link {
  enum State {
    /// Until the next dial.
    case waiting(Scheduled<Void>?)
    /// Resolving, connecting or shaking hands.
    case dialling
    case open(Connection)
  }

  let peer: TCPTransport.Peer
  let queue: SendQueue
  var backoff: Backoff
  var state = State.waiting(nil)
}
