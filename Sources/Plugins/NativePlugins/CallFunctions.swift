// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/plugin.h: what plugins call.

import CSyncNode
import Glibc
import SyncRuntime

@c @implementation
public func sync_call_is_cancelled(_ call: OpaquePointer!) -> Int32 {
  ForeignCall.find(call)?.isCancelled ?? true ? 1 : 0
}

@c @implementation
public func sync_call_get_cancel_descriptor(_ call: OpaquePointer!) -> Int32 {
  ForeignCall.find(call)?.cancelDescriptor ?? -1
}

@c @implementation
public func sync_call_finish(_ call: OpaquePointer!) -> sync_status { with(call) { $0.answer(.done) } }

@c @implementation
public func sync_call_fail(_ call: OpaquePointer!, _ code: Int32, _ message: UnsafePointer<CChar>!) -> sync_status {
  with(call) { $0.fail(code, message.map { text($0, max: ForeignCall.messageBytesMax) }) }
}

@c @implementation
public func sync_call_finish_instance(_ call: OpaquePointer!, _ instance: UnsafeMutableRawPointer!) -> sync_status {
  let number = UInt(bitPattern: instance)
  return with(call) { $0.answer(.instance) { $0.instance = number } }
}

@c @implementation
public func sync_call_finish_bytes(_ call: OpaquePointer!, _ bytes: UnsafeRawPointer!, _ size: Int) -> sync_status {
  with(call) { call in
    guard let bytes = buffer(bytes, size) else { return call.refuse("bytes whose size or start cannot be") }
    guard bytes.count <= Int(SYNC_ANSWER_BYTES_MAX) else { return call.refuse("\(bytes.count) bytes") }
    let copy = [UInt8](bytes)
    return call.answer(.bytes) { $0.bytes = copy }
  }
}

@c @implementation
public func sync_call_finish_run(_ call: OpaquePointer!, _ result: UnsafePointer<sync_run_result>!) -> sync_status {
  with(call) { call in
    guard let result else { return call.refuse("no result") }
    guard result.pointee.struct_size >= UInt32(MemoryLayout<sync_run_result>.size),
      result.pointee.abi_version == UInt32(SYNC_ABI_VERSION)
    else { return call.refuse("a result of another form") }
    let copy = result.pointee
    return call.answer(.run) { $0.run = copy }
  }
}

@c @implementation
public func sync_call_add_transcript(_ call: OpaquePointer!, _ bytes: UnsafeRawPointer!, _ size: Int) -> sync_status {
  with(call) { call in
    guard let bytes = buffer(bytes, size) else { return SYNC_ERROR_INVALID_ARGUMENT }
    return call.addTranscript(bytes)
  }
}

@c @implementation
public func sync_call_add_finding(_ call: OpaquePointer!, _ finding: UnsafePointer<sync_finding>!) -> sync_status {
  with(call) { call in
    guard let finding else { return SYNC_ERROR_NULL_ARGUMENT }
    guard finding.pointee.struct_size >= UInt32(MemoryLayout<sync_finding>.size) else { return SYNC_ERROR_STRUCT_SIZE }
    guard finding.pointee.abi_version == UInt32(SYNC_ABI_VERSION) else { return SYNC_ERROR_ABI_VERSION }
    guard let name = finding.pointee.name, let detail = finding.pointee.detail else { return SYNC_ERROR_NULL_ARGUMENT }
    let copy = SandboxProbe.Finding(
      name: line(name), isMet: finding.pointee.is_met != 0, detail: line(detail),
      isWeaker: finding.pointee.is_weaker != 0, mend: finding.pointee.mend.map { line($0) })
    return call.gather(copy.name.utf8.count + copy.detail.utf8.count) { answer in
      guard answer.findings.count < Int(SYNC_ANSWER_ITEMS_MAX) else { return SYNC_ERROR_TOO_LARGE }
      answer.findings.append(copy)
      return SYNC_OK
    }
  }
}

@c @implementation
public func sync_call_add_text(_ call: OpaquePointer!, _ text: UnsafePointer<CChar>!) -> sync_status {
  with(call) { call in
    guard let text else { return SYNC_ERROR_NULL_ARGUMENT }
    let copy = line(text)
    return call.gather(copy.utf8.count) { answer in
      guard answer.texts.count < Int(SYNC_ANSWER_ITEMS_MAX) else { return SYNC_ERROR_TOO_LARGE }
      answer.texts.append(copy)
      return SYNC_OK
    }
  }
}

@c @implementation
public func sync_call_add_record(
  _ call: OpaquePointer!, _ key: UnsafeRawPointer!, _ keySize: Int, _ value: UnsafeRawPointer!, _ valueSize: Int
) -> sync_status {
  with(call) { call in
    guard let key = buffer(key, keySize), let value = buffer(value, valueSize) else {
      return SYNC_ERROR_INVALID_ARGUMENT
    }
    guard !key.isEmpty, key.count <= 1_024 else { return SYNC_ERROR_INVALID_ARGUMENT }
    guard value.count <= Int(SYNC_ANSWER_BYTES_MAX) else { return SYNC_ERROR_TOO_LARGE }
    let record = (key: [UInt8](key), value: [UInt8](value))
    return call.addRecord(record)
  }
}

private func with(_ pointer: OpaquePointer?, _ work: (ForeignCall) -> sync_status) -> sync_status {
  guard let call = ForeignCall.find(pointer) else { return SYNC_ERROR_STATE }
  return work(call)
}

func buffer(_ start: UnsafeRawPointer?, _ size: Int) -> UnsafeRawBufferPointer? {
  // A size_t in the upper half of its range arrives as a negative number.
  guard size >= 0, start != nil || size == 0 else { return nil }
  return UnsafeRawBufferPointer(start: start, count: size)
}

/// At most so many bytes of a C string, as text without control characters.
private func text(_ start: UnsafePointer<CChar>, max: Int) -> String {
  var bytes: [UInt8] = []
  while bytes.count < max, start[bytes.count] != 0 { bytes.append(UInt8(bitPattern: start[bytes.count])) }
  return String(
    String.UnicodeScalarView(
      String(decoding: bytes, as: UTF8.self).unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
}

private func line(_ start: UnsafePointer<CChar>) -> String { text(start, max: ForeignCall.messageBytesMax) }

extension ForeignCall {
  fileprivate func refuse(_ got: String) -> sync_status {
    let status = fail(SYNC_PLUGIN_IO, "it answered with \(got)")
    return status == SYNC_OK ? SYNC_ERROR_INVALID_ARGUMENT : status
  }
}

@c @implementation
public func sync_get_host() -> UnsafePointer<sync_host>! { PluginHost.table }

/// The functions above, for shared objects.
enum PluginHost {
  nonisolated(unsafe) static let table: UnsafePointer<sync_host> = {
    let table = UnsafeMutablePointer<sync_host>.allocate(capacity: 1)
    table.initialize(
      to: sync_host(
        struct_size: UInt32(MemoryLayout<sync_host>.size), abi_version: UInt32(SYNC_ABI_VERSION),
        version: UnsafePointer(strdup(Node.version)), call_is_cancelled: sync_call_is_cancelled,
        call_get_cancel_descriptor: sync_call_get_cancel_descriptor, call_finish: sync_call_finish,
        call_fail: sync_call_fail, call_finish_instance: sync_call_finish_instance,
        call_finish_bytes: sync_call_finish_bytes, call_finish_run: sync_call_finish_run,
        call_add_transcript: sync_call_add_transcript, call_add_finding: sync_call_add_finding,
        call_add_text: sync_call_add_text, call_add_record: sync_call_add_record,
        link_connected: sync_link_connected, link_disconnected: sync_link_disconnected,
        link_receive: sync_link_receive, link_sign: sync_link_sign))
    return UnsafePointer(table)
  }()
}
