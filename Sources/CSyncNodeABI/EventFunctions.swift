// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/node.h: subscriptions to what happens at a node.

import CSync
import CSyncABI
import CSyncNode
import NativePlugins
import SyncProof
import SyncRuntime

private func subscribe(_ node: OpaquePointer?, _ capacity: UInt32) throws(CallError) -> EventQueue {
  guard (1...65_536).contains(capacity) else {
    throw CallError(SYNC_ERROR_OUT_OF_RANGE, Text("capacity is \(Int(capacity)); 1 to 65536 events can wait"))
  }
  return try object(node, "node", NodeObject.self).subscribe(capacity: Int(capacity))
}

@c @implementation
public func sync_node_subscribe(
  _ node: OpaquePointer!, _ capacity: UInt32, _ created: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    created.pointee = retained(try subscribe(node, capacity))
  }
}

@c @implementation
public func sync_node_observe(
  _ node: OpaquePointer!, _ capacity: UInt32,
  _ observe: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<sync_event>?) -> Void)!,
  _ userData: UnsafeMutableRawPointer!, _ created: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    let observe = try required(observe, "observe")
    let events = try subscribe(node, capacity)
    nonisolated(unsafe) let userData = userData
    // The handle is there before the function can be called with the first event.
    created.pointee = retained(events)
    events.observe { taken in
      guard let (event, dropped) = taken else { return observe(userData, nil) }
      var form = form(of: event, dropped)
      (form.struct_size, form.abi_version) = (UInt32(MemoryLayout<sync_event>.size), UInt32(SYNC_ABI_VERSION))
      withUnsafePointer(to: form) { observe(userData, $0) }
    }
  }
}

@c @implementation
public func sync_events_next(
  _ events: OpaquePointer!, _ timeout: UInt64, _ event: UnsafeMutablePointer<sync_event>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let fields = try OpenStruct(event, "event")
    let events = try object(events, "events", EventQueue.self)
    guard !events.isObserved else { throw CallError(SYNC_ERROR_STATE, "These events go to a function") }
    switch events.take(until: Monitor.deadline(timeout)) {
    case .event(let event, let dropped): fields.fill(from: form(of: event, dropped))
    case .none: throw CallError(SYNC_ERROR_TIMED_OUT, "No event came")
    case .over: throw CallError(SYNC_ERROR_STATE, "The node has ended, and no event is left")
    }
  }
}

@c @implementation
public func sync_events_close(_ events: OpaquePointer!) {
  guard let events else { return }
  Unmanaged<EventQueue>.fromOpaque(UnsafeRawPointer(events)).takeUnretainedValue().close()
}

@c @implementation
public func sync_events_destroy(_ events: OpaquePointer!) {
  guard let events else { return }
  Unmanaged<EventQueue>.fromOpaque(UnsafeRawPointer(events)).takeRetainedValue().end()
}

private func form(of event: NodeEvent, _ dropped: UInt32) -> sync_event {
  var form = sync_event()
  form.dropped = dropped
  func set(_ kind: Int32, job: Digest? = nil, number: UInt64 = 0, text: String = "") {
    form.kind = kind
    form.number = number
    if let job { store(job, in: &form.job) }
    var bytes = Array(text.utf8.prefix(MemoryLayout.size(ofValue: form.text) - 1))
    // No half of a character stays.
    while !bytes.isEmpty, String(validating: bytes, as: UTF8.self) == nil { bytes.removeLast() }
    withUnsafeMutableBytes(of: &form.text) { $0.copyBytes(from: bytes) }
  }
  switch event {
  case .started: break
  case .ordered(let job, let package): set(SYNC_EVENT_ORDERED, job: job, text: package.string)
  case .committed(let job, let builder): set(SYNC_EVENT_COMMITTED, job: job, text: builder.string)
  case .abstained(let job, let builder): set(SYNC_EVENT_ABSTAINED, job: job, text: builder.string)
  case .revealing(let job): set(SYNC_EVENT_REVEALING, job: job)
  case .revealed(let job, let builder): set(SYNC_EVENT_REVEALED, job: job, text: builder.string)
  case .verdict(let job, let verdict):
    set(SYNC_EVENT_VERDICT, job: job, number: UInt64(verdictNumber(verdict.text.string)), text: verdict.text.string)
  case .logged(let job, let index): set(SYNC_EVENT_LOGGED, job: job, number: index)
  case .cosigned(let size): set(SYNC_EVENT_COSIGNED, number: size)
  case .misbehaviour(let member, _): set(SYNC_EVENT_MISBEHAVIOUR, text: member.string)
  case .epochEnded(let epoch): set(SYNC_EVENT_EPOCH_ENDED, number: epoch)
  case .fault(let error): set(SYNC_EVENT_FAULT, text: error.message)
  }
  return form
}
