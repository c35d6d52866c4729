import CSyncABI
import CSyncNode
import NodeAssembly
import SyncProof
import SyncRuntime

/// Reads a `sync_node_configuration`: what it has of settings goes into a draft, which is checked as a text is.
struct ConfigurationStruct {
  private var draft = ConfigurationDraft()
  private static let countMax = 1_000

  init(_ fields: sync_node_configuration) throws(CallError) {
    try set("name", fields.name)
    try set("group", fields.group)
    try set("seed", fields.seed)
    try set("data", fields.data)
    try set("cache", fields.cache)
    try set("listen.transport", fields.listen_transport)
    // Not served: that is the program's.
    draft.set("listen.gateway", to: "127.0.0.1:0")
    try set("plugins.sandbox", fields.plugins_sandbox)
    try set("plugins.signer", fields.plugins_signer)
    try set("plugins.storage", fields.plugins_storage)
    try set("plugins.transport", fields.plugins_transport)
    try set("plugins.source", fields.plugins_source, fields.plugins_source_count)
    try set("plugins.libraries", fields.plugins_libraries, fields.plugins_libraries_count)
    try set("plugins.folders", fields.plugins_folders, fields.plugins_folders_count)
    try set(fields.settings, fields.settings_count)
    try set("plugins.docker-socket", fields.plugins_docker_socket)
    try set("plugins.exec-command", fields.plugins_exec_command)
    try set("plugins.exec-arguments", fields.plugins_exec_arguments, fields.plugins_exec_arguments_count)
    try set("plugins.exec-environment", fields.plugins_exec_environment, fields.plugins_exec_environment_count)
    try set("plugins.source-directory", fields.plugins_source_directory)
    try set("plugins.registry", fields.plugins_registry)
    try set("plugins.pypi-index", fields.plugins_pypi_index)
    try setFlag("plugins.registry-allow-http", fields.plugins_registry_allow_http)
    set("plugins.exec-patience-seconds", fields.plugins_exec_patience_seconds)
    try set("toolchain.digest", fields.toolchain_digest)
    try set("toolchain.cargo", fields.toolchain_cargo)
    try set("toolchain.deb", fields.toolchain_deb)
    try set("toolchain.generic", fields.toolchain_generic)
    try set("toolchain.pypi", fields.toolchain_pypi)
    try set("toolchain.directories", fields.toolchain_directories, fields.toolchain_directories_count)
    set("build.memory", bytes: fields.build_memory)
    set("build.cores", fields.build_cores)
    set("build.concurrent", fields.build_concurrent)
    set("retention.artifacts", bytes: fields.retention_artifacts)
    set("retention.sources", bytes: fields.retention_sources)
    try set("retention.proven", fields.retention_proven)
    set("retention.diverged-days", fields.retention_diverged_days)
    set("retention.diverged-megabytes", fields.retention_diverged_megabytes)
    set("retention.report-days", fields.retention_report_days)
    set("retention.report-megabytes", fields.retention_report_megabytes)
    set("retention.transcript-days", fields.retention_transcript_days)
    set("retention.transcript-megabytes", fields.retention_transcript_megabytes)
    try set("divergence.compare", fields.divergence_compare)
    try set("divergence.toolchain", fields.divergence_toolchain)
    set("divergence.seconds", fields.divergence_seconds)
    set("divergence.memory-megabytes", fields.divergence_memory_megabytes)
    try set("log.level", fields.log_level)
    set("consensus.timeout-base-milliseconds", fields.consensus_timeout_base_milliseconds)
    guard fields.reserved == 0 else {
      throw CallError(SYNC_ERROR_UNKNOWN_FLAG, "configuration.reserved is not 0, which is all that it can be")
    }
  }

  /// - Throws: ``PluginError/Code/invalid`` with the name of the setting.
  func file(folder: String, plugins: PluginRegistry) throws(PluginError) -> ConfigurationFile {
    try draft.configuration(path: "The configuration", folder: folder, plugins: plugins)
  }

  private mutating func set(_ key: String, _ value: UnsafePointer<CChar>?) throws(CallError) {
    if let value { draft.set(key, to: try utf8(value, key)) }
  }

  private mutating func set(_ key: String, _ value: Int32) {
    if value != 0 { draft.set(key, to: Int(value)) }
  }

  /// More than a signed number holds is more than any disk does.
  private mutating func set(_ key: String, bytes: UInt64) {
    if bytes != 0 { draft.set(key, to: Int(clamping: bytes)) }
  }

  private mutating func setFlag(_ key: String, _ value: Int32) throws(CallError) {
    guard value == 0 || value == 1 else {
      throw CallError(SYNC_ERROR_INVALID, Text("\(key) is \(Int(value)); it is 0 or 1"))
    }
    if value == 1 { draft.set(key, to: true) }
  }

  private mutating func set(_ key: String, _ start: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int)
    throws(CallError)
  {
    let list = try list(key, start, count)
    guard !list.isEmpty else { return }
    var texts: [String] = []
    for entry in list {
      guard let entry else { throw CallError(SYNC_ERROR_NULL_ARGUMENT, Text("A member of \(key) is NULL")) }
      texts.append(try utf8(entry, "A member of \(key)"))
    }
    draft.set(key, to: texts)
  }

  private mutating func set(_ settings: UnsafePointer<sync_plugin_setting>?, _ count: Int) throws(CallError) {
    for setting in try list("settings", settings, count) {
      guard let plugin = setting.plugin, let name = setting.name, let value = setting.value else {
        throw CallError(SYNC_ERROR_NULL_ARGUMENT, "A member of settings has NULL for its plugin, name or value")
      }
      let what = "A text in settings"
      let (room, key, text) = (try utf8(plugin, what), try utf8(name, what), try utf8(value, what))
      try failing { () throws(PluginError) in try draft.set(plugin: room, key, to: text) }
    }
  }

  private func list<Element>(_ key: String, _ start: UnsafePointer<Element>?, _ count: Int) throws(CallError)
    -> UnsafeBufferPointer<Element>
  {
    guard (0...ConfigurationStruct.countMax).contains(count) else {
      throw CallError(
        SYNC_ERROR_TOO_LARGE,
        Text("\(key) has \(UInt(bitPattern: count)) members; at most \(ConfigurationStruct.countMax) are taken"))
    }
    guard count == 0 || start != nil else {
      throw CallError(SYNC_ERROR_NULL_ARGUMENT, Text("\(key) is NULL and has \(count) members"))
    }
    return UnsafeBufferPointer(start: start, count: count)
  }
}
