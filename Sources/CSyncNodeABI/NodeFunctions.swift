// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/node.h: a node's life, its jobs and what it tells.

import CSync
import CSyncABI
import CSyncNode
import Foundation
import NativePlugins
import NodeAssembly
import SyncProof
import SyncRuntime

private func nodeObject(_ pointer: OpaquePointer?) throws(CallError) -> NodeObject {
  try object(pointer, "node", NodeObject.self)
}

/// A node that runs, as Swift has it: for figures of what a call through C costs.
package func nodeView(_ pointer: OpaquePointer) throws -> NodeSuccession { try nodeObject(pointer).view() }

/// Whoever runs a plugin's method would wait for itself.
func requireOwnThread(_ what: String = "end a node") throws(CallError) {
  guard !CallThreads.isCallThread else {
    throw CallError(
      SYNC_ERROR_STATE, Text("A plugin's method, and a log's function, cannot \(what): it would wait for itself"))
  }
}

// MARK: - Life

@c @implementation
public func sync_node_create(
  _ configuration: UnsafePointer<UInt8>!, _ configurationSize: Int, _ folder: UnsafePointer<CChar>!,
  _ registry: OpaquePointer!, _ options: UnsafePointer<sync_node_options>!,
  _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    try withOptions(options) { (given, pump) throws(CallError) in
      let created = try slot(created)
      let bytes = try Input(configuration, configurationSize, "configuration").copy(max: ConfigurationFile.bytesMax)
      created.pointee = try makeNode(folder, registry, given, pump) { (folder, plugins) throws(PluginError) in
        try ConfigurationFile(bytes, path: "The configuration", folder: folder, plugins: plugins)
      }
    }
  }
}

@c @implementation
public func sync_node_create_of_struct(
  _ configuration: UnsafePointer<sync_node_configuration>!, _ folder: UnsafePointer<CChar>!,
  _ registry: OpaquePointer!, _ options: UnsafePointer<sync_node_options>!,
  _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    try withOptions(options) { (given, pump) throws(CallError) in
      let created = try slot(created)
      let fields = UnsafeRawPointer(try required(configuration, "configuration"))
      let settings = try ConfigurationStruct(readStruct(fields, as: sync_node_configuration.self, "configuration"))
      created.pointee = try makeNode(folder, registry, given, pump) { (folder, plugins) throws(PluginError) in
        try settings.file(folder: folder, plugins: plugins)
      }
    }
  }
}

/// Reads the options before all else: where no node is made, what belongs to its log is let go of.
private func withOptions(
  _ options: UnsafePointer<sync_node_options>?,
  _ make: (_ given: sync_node_options?, _ pump: LogPump?) throws(CallError) -> Void
) throws(CallError) {
  let given = try options.map { (options) throws(CallError) in
    // As it was before destroy_log_user_data.
    try readStruct(UnsafeRawPointer(options), as: sync_node_options.self, "options", earlier: [32])
  }
  let pump = given.flatMap { LogPump($0.log, $0.log_user_data, destroy: $0.destroy_log_user_data) }
  do throws(CallError) {
    try make(given, pump)
  } catch {
    pump?.close()
    throw error
  }
}

private func makeNode(
  _ folder: UnsafePointer<CChar>?, _ registry: OpaquePointer?, _ given: sync_node_options?, _ pump: LogPump?,
  _ read: (_ folder: String, _ plugins: PluginRegistry) throws(PluginError) -> ConfigurationFile
) throws(CallError) -> OpaquePointer {
  let folder = try text(folder, "folder")
  let plugins = try registry.map { (pointer) throws(CallError) in
    try object(pointer, "registry", RegistryObject.self).plugins.withLock { $0 }
  }
  if let given, given.reserved != 0 || !(0...1).contains(given.is_restored) {
    throw CallError(
      SYNC_ERROR_INVALID_ARGUMENT,
      Text("options.is_restored is \(Int(given.is_restored)), which is 0 or 1, and reserved \(Int(given.reserved)), 0"))
  }
  return retained(
    try failing { () throws(PluginError) in
      let file = try read(folder, plugins ?? PluginRegistry.shipped)
      let group = try GroupFile.load(file.group)
      return NodeObject(file, group: group, isRestored: (given?.is_restored ?? 0) != 0, pump: pump)
    })
}

@c @implementation
public func sync_node_start(_ node: OpaquePointer!, _ error: UnsafeMutablePointer<OpaquePointer?>!) -> sync_status {
  call(error) { () throws(CallError) in
    let object = try nodeObject(node)
    try requireOwnThread()
    try object.start()
  }
}

@c @implementation
public func sync_node_stop(
  _ node: OpaquePointer!, _ timeout: UInt64, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let object = try nodeObject(node)
    try requireOwnThread()
    guard object.stop(until: Monitor.deadline(timeout)) else {
      throw CallError(SYNC_ERROR_TIMED_OUT, "The node has not ended yet; it goes on ending")
    }
    if let failure = object.failure { throw CallError(failure) }
  }
}

@c @implementation
public func sync_node_destroy(_ node: OpaquePointer!) {
  guard let node else { return }
  let object = Unmanaged<NodeObject>.fromOpaque(UnsafeRawPointer(node)).takeRetainedValue()
  object.close()
}

// MARK: - Jobs

@c @implementation
public func sync_node_submit(
  _ node: OpaquePointer!, _ request: UnsafePointer<sync_submit_request>!, _ timeout: UInt64,
  _ job: UnsafeMutablePointer<UInt8>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let deadline = Monitor.deadline(timeout)
    let object = try nodeObject(node)
    _ = try object.view()
    let request = try readStruct(
      UnsafeRawPointer(try required(request, "request")), as: sync_submit_request.self, "request")
    let job = try required(job, "job")
    guard (0...1_000).contains(request.features_count) else {
      throw CallError(
        SYNC_ERROR_TOO_LARGE,
        Text("features_count is \(UInt(bitPattern: request.features_count)); at most 1000 are taken"))
    }
    var features: [String] = []
    for number in 0..<request.features_count {
      features.append(try text(try required(request.features, "request.features")[number], "a feature"))
    }
    guard SubmitRequest.priorities.contains(Int(request.priority)) else {
      throw CallError(SYNC_ERROR_INVALID, Text("The priority is \(Int(request.priority)); -100 to 100 is taken"))
    }
    guard (0...1).contains(request.without_default_features) else {
      throw CallError(
        SYNC_ERROR_INVALID,
        Text("without_default_features is \(Int(request.without_default_features)); 0 or 1 is taken"))
    }
    let form = SubmitRequest(
      package: try text(request.package, "request.package"), features: features.isEmpty ? nil : features,
      defaultFeatures: request.without_default_features == 0 ? nil : false,
      profile: try request.profile.map { (text) throws(CallError) in try utf8(text, "request.profile") },
      target: try request.target.map { (text) throws(CallError) in try utf8(text, "request.target") },
      toolchain: try request.toolchain.map { (text) throws(CallError) in try utf8(text, "request.toolchain") },
      rebuild: request.rebuild == 0 ? nil : request.rebuild,
      priority: request.priority == 0 ? nil : Int(request.priority))
    let digest = try object.ask(until: deadline) { (view) throws(PluginError) in try await view.submit(form) }
    for (place, byte) in digest.bytes.enumerated() { job[place] = byte }
  }
}

private func digest(of start: UnsafePointer<UInt8>?, _ name: StaticString) throws(CallError) -> Digest {
  let bytes = UnsafeBufferPointer(start: try required(start, name), count: Digest.byteCount)
  guard let digest = Digest(bytes: bytes) else { preconditionFailure("32 bytes are a digest") }
  return digest
}

private func form(of job: JobStatus?) -> sync_job_status {
  var form = sync_job_status()
  guard let job else { return form }
  form.phase =
    switch job.phase {
    case .commit: SYNC_PHASE_COMMIT
    case .reveal: SYNC_PHASE_REVEAL
    case .logged: SYNC_PHASE_LOGGED
    case .cosigned: SYNC_PHASE_COSIGNED
    }
  form.verdict = verdictNumber(job.verdict)
  form.agreeing = UInt32(job.agreeing ?? 0)
  form.committed = UInt32(job.builders.count { $0.step == .committed || $0.step == .revealed })
  form.leaf_index = job.index ?? 0
  return form
}

func verdictNumber(_ word: String?) -> Int32 {
  switch word {
  case "reproduced": SYNC_VERDICT_REPRODUCED
  case "diverged": SYNC_VERDICT_DIVERGED
  case "failed": SYNC_VERDICT_FAILED
  case "inconclusive": SYNC_VERDICT_INCONCLUSIVE
  default: SYNC_VERDICT_NONE
  }
}

@c @implementation
public func sync_node_get_job(
  _ node: OpaquePointer!, _ job: UnsafePointer<UInt8>!, _ status: UnsafeMutablePointer<sync_job_status>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let fields = try OpenStruct(status, "status")
    let view = try nodeObject(node).view()
    let id = try digest(of: job, "job")
    fields.fill(from: form(of: try asking(view.node) { $0.outline(id) }))
  }
}

@c @implementation
public func sync_node_wait(
  _ node: OpaquePointer!, _ job: UnsafePointer<UInt8>!, _ phase: Int32, _ timeout: UInt64,
  _ status: UnsafeMutablePointer<sync_job_status>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let deadline = Monitor.deadline(timeout)
    let fields = try status.map { (status) throws(CallError) in try OpenStruct(status, "status") }
    let object = try nodeObject(node)
    let id = try digest(of: job, "job")
    guard (SYNC_PHASE_COMMIT...SYNC_PHASE_COSIGNED).contains(phase) else {
      throw CallError(SYNC_ERROR_INVALID_ARGUMENT, Text("phase is \(Int(phase)); it is a SYNC_PHASE_ number from 1 on"))
    }
    try follow(object, until: deadline) { () throws(CallError) in
      let view = try object.view()
      let status = form(of: try asking(view.node, until: patience(deadline)) { $0.outline(id) })
      fields?.fill(from: status)
      return status.phase >= phase
    }
  }
}

/// Until when a node is asked that may be busy with its disk or its signer: a look takes a second at least.
private func patience(_ deadline: UInt64?) -> UInt64? { deadline.map { max($0, Monitor.now() + 1_000_000_000) } }

/// Looks again with each event of the node's, until what is waited for is so.
private func follow(_ object: NodeObject, until deadline: UInt64?, _ holds: () throws(CallError) -> Bool)
  throws(CallError)
{
  // What is dropped does no harm: one event is as good as many.
  let events = object.subscribe(capacity: 1)
  defer { events.close() }
  while !(try holds()) {
    if let deadline, Monitor.now() >= deadline {
      throw CallError(SYNC_ERROR_TIMED_OUT, "Time is up, and it has not come so far")
    }
    switch events.take(until: deadline) {
    case .event: continue
    case .none: throw CallError(SYNC_ERROR_TIMED_OUT, "Time is up, and it has not come so far")
    case .over: throw CallError(SYNC_ERROR_STATE, "The node has ended")
    }
  }
}

@c @implementation
public func sync_node_copy_proof(
  _ node: OpaquePointer!, _ job: UnsafePointer<UInt8>!, _ created: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    let view = try nodeObject(node).view()
    let id = try digest(of: job, "job")
    guard let proof = try asking(view, { (view) throws(PluginError) in try await view.proof(job: id) }) else {
      throw CallError(SYNC_ERROR_NOT_FOUND, "There is no proof of this job yet: wait for SYNC_PHASE_COSIGNED")
    }
    created.pointee = makeBytes(proof)
  }
}

@c @implementation
public func sync_node_copy_artifact_path(
  _ node: OpaquePointer!, _ sha256: UnsafePointer<UInt8>!, _ created: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    let view = try nodeObject(node).view()
    let digest = try digest(of: sha256, "artifact_sha256")
    guard let path = try asking(view, { (view) throws(PluginError) in await view.artifactPath(digest) }) else {
      throw CallError(SYNC_ERROR_NOT_FOUND, "This node has no such artifact")
    }
    created.pointee = makeBytes([UInt8](path.utf8))
  }
}

// MARK: - At a glance

/// A node that has done nothing since it was asked last need not be asked again.
private func figures(of view: NodeSuccession, until deadline: UInt64? = nil) throws(CallError) -> NodeStatus.Figures {
  if let figures = view.node.unchangedFigures { return figures }
  return try asking(view.node, until: deadline) { $0.noteStatus().figures }
}

private func status(of view: NodeSuccession) throws(CallError) -> NodeStatus {
  if let status = view.node.unchangedStatus { return status }
  return try asking(view.node) { $0.noteStatus() }
}

@c @implementation
public func sync_node_get_status(
  _ node: OpaquePointer!, _ status: UnsafeMutablePointer<sync_node_status>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let fields = try OpenStruct(status, "status")
    let object = try nodeObject(node)
    var form = sync_node_status()
    if let view = try? object.view() {
      form.state = SYNC_NODE_RUNNING
      let figures = try figures(of: view)
      form.is_observing = figures.isObserving ? 1 : 0
      (form.epoch, form.view, form.height) = (figures.epoch, figures.view, figures.height)
      (form.log_size, form.checkpoint_size) = (figures.logSize, figures.checkpointSize)
      (form.open_jobs, form.connected_peers) = (UInt32(figures.openJobs), UInt32(figures.connectedPeers))
      (form.replicas, form.quorum) = (UInt32(figures.replicas), UInt32(figures.quorum))
    } else {
      form.state = object.phase
    }
    fields.fill(from: form)
  }
}

@c @implementation
public func sync_node_copy_status_json(
  _ node: OpaquePointer!, _ created: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    let status = try status(of: try nodeObject(node).view())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let json = try? encoder.encode(status) else { preconditionFailure("A status is plain") }
    created.pointee = makeBytes([UInt8](json))
  }
}

@c @implementation
public func sync_node_drain(
  _ node: OpaquePointer!, _ timeout: UInt64, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let object = try nodeObject(node)
    let deadline = Monitor.deadline(timeout)
    try follow(object, until: deadline) { () throws(CallError) in
      try figures(of: object.view(), until: patience(deadline)).openJobs == 0
    }
  }
}
