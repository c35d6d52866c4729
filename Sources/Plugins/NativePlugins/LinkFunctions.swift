// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/plugin.h: what transports call.

import CSyncNode
import SyncProof
import SyncRuntime

@c @implementation
public func sync_link_connected(_ link: OpaquePointer!, _ peer: UnsafePointer<CChar>!) -> sync_status {
  with(link, peer) { $0.connected($1) }
}

@c @implementation
public func sync_link_disconnected(_ link: OpaquePointer!, _ peer: UnsafePointer<CChar>!) -> sync_status {
  with(link, peer) { $0.disconnected($1) }
}

@c @implementation
public func sync_link_receive(
  _ link: OpaquePointer!, _ peer: UnsafePointer<CChar>!, _ bytes: UnsafeRawPointer!, _ size: Int
) -> sync_status {
  with(link, peer) { link, peer in
    guard let bytes = buffer(bytes, size) else { return SYNC_ERROR_INVALID_ARGUMENT }
    guard bytes.count <= Int(SYNC_MESSAGE_BYTES_MAX) else { return SYNC_ERROR_TOO_LARGE }
    return link.receive([UInt8](bytes), from: peer)
  }
}

@c @implementation
public func sync_link_sign(
  _ link: OpaquePointer!, _ message: UnsafeRawPointer!, _ size: Int, _ signature: UnsafeMutablePointer<UInt8>!
) -> sync_status {
  guard let link = ForeignLink.find(link) else { return SYNC_ERROR_STATE }
  guard let signature else { return SYNC_ERROR_NULL_ARGUMENT }
  guard let message = buffer(message, size) else { return SYNC_ERROR_INVALID_ARGUMENT }
  guard message.count <= ForeignLink.signedBytesMax else { return SYNC_ERROR_TOO_LARGE }
  do throws(PluginError) {
    let signed = try link.sign([UInt8](message))
    for (place, byte) in signed.bytes.enumerated() { signature[place] = byte }
    return SYNC_OK
  } catch {
    return SYNC_ERROR_IO
  }
}

/// A name is read no further than one can be long.
private func with(
  _ link: OpaquePointer?, _ peer: UnsafePointer<CChar>?, _ work: (ForeignLink, String) -> sync_status
) -> sync_status {
  guard let link = ForeignLink.find(link) else { return SYNC_ERROR_STATE }
  guard let peer else { return SYNC_ERROR_NULL_ARGUMENT }
  var bytes: [UInt8] = []
  while bytes.count < 256, peer[bytes.count] != 0 { bytes.append(UInt8(bitPattern: peer[bytes.count])) }
  return work(link, String(decoding: bytes, as: UTF8.self))
}
