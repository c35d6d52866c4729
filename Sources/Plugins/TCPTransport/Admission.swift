import NIOCore

/// Decides which connections may begin a handshake, so that strangers cost a bounded amount of memory and work.
///
/// Each connection that is not authenticated yet has one of a fixed number of slots. One that failed keeps its slot
/// for a while, which bounds the rate of handshakes from one address. When every slot is taken the oldest one gives
/// way: a peer needs its slot for two round trips only, a stranger who wants to keep peers out has to renew all of
/// them faster than that.
struct Admission {
  typealias Slot = UInt64

  struct Decision: Equatable {
    /// The slot of the new connection; `nil` when it is refused.
    var slot: Slot?
    /// A connection that must be closed to make room.
    var evicted: Slot?
  }

  private struct Holder {
    let slot: Slot
    let address: [UInt8]
    /// When a failed connection's slot becomes free; `nil` while the handshake goes on.
    var freeAt: NIODeadline?
  }

  private let bounds: TCPTransport.AdmissionBounds
  private var holders: [Holder] = []
  private var nextSlot: Slot = 0

  init(bounds: TCPTransport.AdmissionBounds) { self.bounds = bounds }

  var slotsTaken: Int { holders.count }

  mutating func admit(_ address: [UInt8], now: NIODeadline) -> Decision {
    holders.removeAll { $0.freeAt.map { $0 <= now } ?? false }
    guard holders.count(where: { $0.address == address }) < bounds.slotsPerAddressMax else {
      return Decision(slot: nil, evicted: nil)
    }
    var evicted: Slot?
    if holders.count >= bounds.slotsMax {
      let oldest = holders.firstIndex { $0.freeAt != nil } ?? 0
      let holder = holders.remove(at: oldest)
      evicted = holder.freeAt == nil ? holder.slot : nil
    }
    defer { nextSlot += 1 }
    holders.append(Holder(slot: nextSlot, address: address, freeAt: nil))
    return Decision(slot: nextSlot, evicted: evicted)
  }

  /// The connection is a peer's.
  mutating func authenticated(_ slot: Slot) { holders.removeAll { $0.slot == slot } }

  /// The connection ended without having become a peer's.
  mutating func failed(_ slot: Slot, now: NIODeadline) {
    guard let index = holders.firstIndex(where: { $0.slot == slot }) else { return }
    holders[index].freeAt = now + .milliseconds(bounds.cooldownMilliseconds)
  }

  /// What counts as one remote address: four bytes of IPv4 (also when mapped into IPv6), or IPv6's network half.
  static func key(of address: SocketAddress?) -> [UInt8] {
    switch address {
    case .v4(let address): return withUnsafeBytes(of: address.address.sin_addr) { [UInt8]($0) }
    case .v6(let address):
      let bytes = withUnsafeBytes(of: address.address.sin6_addr) { [UInt8]($0) }
      let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
      return isMapped ? [UInt8](bytes[12...]) : [UInt8](bytes[..<8])
    default: return []
    }
  }
}
