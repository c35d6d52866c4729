import DockerSandbox
import Foundation
import SyncProof
import SyncRuntime
import TOMLKit

/// The node's configuration: TOML, every key known, every path relative to the file's folder.
struct ConfigurationFile {
  var name: String
  var group: String
  var seed: String
  var data: String
  var transportListen: Endpoint
  var gatewayListen: Endpoint
  var sandbox: String
  /// The Docker Engine's, for `sandbox = "docker"`.
  var dockerSocket: String
  /// For `sandbox = "exec"`: the command with its arguments, and the names of variables that it gets.
  var execCommand: [String]
  var execEnvironment: [String]
  var execPatienceSeconds: Int
  /// One for each type of package, or several in the order of preference.
  var source: [String]
  var sourceDirectory: String?
  var registry: String?
  var registryAllowsHTTP: Bool
  var pypiIndex: String?
  var cache: String
  var toolchain: Digest?
  /// By a purl's type.
  var toolchains: [String: Digest]
  var toolchainDirectories: [String]
  var capacity: BuildCapacity
  var dataPolicy: DataPolicy
  var timeoutBaseMilliseconds: UInt64
  var divergence: DivergencePolicy
  var retention: RetentionPolicy
  var logLevel: String
  var logFormat: String

  struct Endpoint: Equatable {
    var host: String
    var port: Int
    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  }

  private static let bytesMax = 1 << 20
  /// Those that may have a toolchain of their own.
  private static let packageTypes = ["cargo", "deb", "generic", "pypi"]
  private static let sources = ["debian-crates", "directory", "sparse-registry", "pypi", "debian", "toolchains"]
  private static let known: [String: Set<String>] = [
    "": [
      "name", "group", "seed", "data", "cache", "listen", "plugins", "toolchain", "build", "consensus", "log",
      "divergence", "retention",
    ],
    "listen": ["transport", "gateway"],
    "plugins": [
      "sandbox", "docker-socket", "exec-command", "exec-arguments", "exec-environment", "exec-patience-seconds",
      "source", "source-directory", "registry", "registry-allow-http", "pypi-index",
    ],
    "toolchain": Set(["digest", "directories"] + packageTypes),
    "build": ["concurrent", "cores", "memory"],
    "consensus": ["timeout-base-milliseconds"],
    "log": ["level", "format"],
    "divergence": ["compare", "toolchain", "seconds", "memory-megabytes"],
    "retention": [
      "artifacts", "sources", "proven", "diverged-days", "diverged-megabytes", "report-days", "report-megabytes",
      "transcript-days", "transcript-megabytes",
    ],
  ]

  init(path: String) throws(CommandFailure) {
    let bytes = try BoundedFile.read(path, what: "configuration", bytesMax: ConfigurationFile.bytesMax)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let table: TOMLTable
    do {
      table = try TOMLTable(string: String(decoding: bytes, as: UTF8.self))
    } catch {
      throw CommandFailure(.usage, "\(path) is not TOML: \(error)")
    }
    try ConfigurationFile.refuseUnknown(table, path)
    let reader = Reader(table: table, path: path, folder: folder)
    name = try reader.required("name")
    group = reader.resolved(try reader.text("group") ?? "group.txt")
    seed = reader.resolved(try reader.text("seed") ?? "seed")
    data = reader.resolved(try reader.text("data") ?? "data")
    cache = reader.resolved(try reader.text("cache") ?? ConfigurationFile.defaultCache)
    transportListen = try reader.endpoint("listen.transport")
    gatewayListen = try reader.endpoint("listen.gateway")
    sandbox = try reader.choice("plugins.sandbox", of: ["chroot", "docker", "exec"], default: "chroot")
    dockerSocket = reader.resolved(try reader.text("plugins.docker-socket") ?? DockerSandbox.defaultSocketPath)
    let command = try reader.text("plugins.exec-command").map(reader.resolved)
    execCommand = (command.map { [$0] } ?? []) + (try reader.list("plugins.exec-arguments"))
    execEnvironment = try reader.list("plugins.exec-environment")
    execPatienceSeconds = try reader.number("plugins.exec-patience-seconds", in: 1...1_000_000) ?? 300
    if sandbox == "exec", command == nil {
      throw CommandFailure(
        .usage, "\(path): sandbox = \"exec\" needs plugins.exec-command, the program that takes builds to your farm")
    }
    source = try reader.choices("plugins.source", of: ConfigurationFile.sources, default: "debian-crates")
    sourceDirectory = try reader.text("plugins.source-directory").map(reader.resolved)
    registry = try reader.text("plugins.registry")
    registryAllowsHTTP = try reader.flag("plugins.registry-allow-http") ?? false
    pypiIndex = try reader.text("plugins.pypi-index")
    if source.contains("pypi"), pypiIndex == nil {
      throw CommandFailure(
        .usage, "\(path): source = \"pypi\" needs plugins.pypi-index, such as \"https://HOST/simple/\"")
    }
    if source.contains("sparse-registry"), registry == nil {
      throw CommandFailure(
        .usage, "\(path): source = \"sparse-registry\" needs plugins.registry, such as \"sparse+https://HOST/\"")
    }
    if source.contains("directory"), sourceDirectory == nil {
      throw CommandFailure(
        .usage, "\(path): source = \"directory\" needs plugins.source-directory, the folder of crates")
    }
    toolchain = try reader.digest("toolchain.digest")
    var toolchains: [String: Digest] = [:]
    for type in ConfigurationFile.packageTypes { toolchains[type] = try reader.digest("toolchain.\(type)") }
    self.toolchains = toolchains
    // Where `toolchain build` puts them comes last.
    toolchainDirectories = try reader.list("toolchain.directories").map(reader.resolved) + [cache + "/toolchains"]
    let host = BuildCapacity.ofThisHost()
    capacity = BuildCapacity(
      cores: try reader.number("build.cores", in: 1...4_096) ?? host.cores,
      memoryBytes: try reader.bytes("build.memory", min: 1 << 20) ?? host.memoryBytes,
      concurrentMax: try reader.number("build.concurrent", in: 1...64) ?? host.concurrentMax)
    let usual = DataPolicy()
    dataPolicy = DataPolicy(
      artifactBytesMax: try reader.bytes("retention.artifacts") ?? usual.artifactBytesMax,
      sourceBytesMax: try reader.bytes("retention.sources") ?? usual.sourceBytesMax,
      keepsProven: try reader.choice("retention.proven", of: ["keep", "sweep"], default: "keep") == "keep")
    timeoutBaseMilliseconds = UInt64(try reader.number("consensus.timeout-base-milliseconds", in: 50...60_000) ?? 1_000)
    divergence = try reader.divergence()
    retention = try reader.retention()
    logLevel = try reader.choice(
      "log.level", of: ["trace", "debug", "info", "notice", "warning", "error", "critical"], default: "info")
    logFormat = try reader.choice("log.format", of: ["text", "json"], default: "text")
  }

  /// All that it names, sorted.
  var toolchainDigests: [Digest] {
    Set(toolchains.values + [toolchain, divergence.toolchain].compactMap(\.self)).sorted()
  }

  /// Where downloads and unpacked toolchains are shared between nodes of one host.
  static var defaultCache: String {
    let environment = ProcessInfo.processInfo.environment
    if let cache = environment["SYNC_CACHE"], !cache.isEmpty { return cache }
    if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty { return cache + "/synchronicity" }
    return NSHomeDirectory() + "/.cache/synchronicity"
  }

  private static func refuseUnknown(_ table: TOMLTable, _ path: String) throws(CommandFailure) {
    for key in table.keys.sorted() {
      guard known[""]?.contains(key) == true else {
        throw CommandFailure(.usage, "\(path): there is no setting named \(key)")
      }
      guard let room = known[key] else { continue }
      guard let inner = table[key]?.table else {
        throw CommandFailure(.usage, "\(path): \(key) is a table: write [\(key)]")
      }
      for name in inner.keys.sorted() where !room.contains(name) {
        throw CommandFailure(.usage, "\(path): there is no setting named \(key).\(name)")
      }
    }
  }
}

/// Typed look-ups with errors that name the file and the key.
private struct Reader {
  let table: TOMLTable
  let path: String
  let folder: String

  func resolved(_ name: String) -> String { name.hasPrefix("/") ? name : folder + "/" + name }

  private func value(_ key: String) -> (any TOMLValueConvertible)? {
    let parts = key.split(separator: ".").map(String.init)
    return parts.count == 1 ? table[key] : table[parts[0]]?.table?[parts[1]]
  }

  func text(_ key: String) throws(CommandFailure) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string, !text.isEmpty else {
      throw CommandFailure(.usage, "\(path): \(key) must be a text that is not empty")
    }
    return text
  }

  func required(_ key: String) throws(CommandFailure) -> String {
    guard let text = try text(key) else { throw CommandFailure(.usage, "\(path): \(key) is missing") }
    return text
  }

  func choice(_ key: String, of choices: [String], default fallback: String) throws(CommandFailure) -> String {
    let text = try text(key) ?? fallback
    guard choices.contains(text) else {
      throw CommandFailure(.usage, "\(path): \(key) is \"\(text)\"; it can be \(choices.joined(separator: ", "))")
    }
    return text
  }

  /// One text, or a list of them; each once.
  func choices(_ key: String, of choices: [String], default fallback: String) throws(CommandFailure) -> [String] {
    guard value(key)?.array != nil else { return [try choice(key, of: choices, default: fallback)] }
    let texts = try list(key)
    guard !texts.isEmpty, Set(texts).count == texts.count, texts.allSatisfy(choices.contains) else {
      throw CommandFailure(
        .usage, "\(path): \(key) is a list of some of these, each once: \(choices.joined(separator: ", "))")
    }
    return texts
  }

  func number(_ key: String, in range: ClosedRange<Int>) throws(CommandFailure) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.int, range.contains(number) else {
      throw CommandFailure(.usage, "\(path): \(key) must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func bytes(_ key: String, min: UInt64 = 0) throws(CommandFailure) -> UInt64? {
    guard let value = value(key) else { return nil }
    let count =
      value.int.flatMap { $0 >= 0 ? ByteCount(UInt64($0)) : nil } ?? value.string.flatMap { ByteCount(parsing: $0) }
    guard let count, count.bytes >= min else {
      throw CommandFailure(
        .usage,
        "\(path): \(key) must be a size such as \"20 GiB\", \"512 MiB\" or a number of bytes"
          + (min > 0 ? ", \(ByteCount(min)) at least" : ""))
    }
    return count.bytes
  }

  func flag(_ key: String) throws(CommandFailure) -> Bool? {
    guard let value = value(key) else { return nil }
    guard let flag = value.bool else { throw CommandFailure(.usage, "\(path): \(key) must be true or false") }
    return flag
  }

  func list(_ key: String) throws(CommandFailure) -> [String] {
    guard let value = value(key) else { return [] }
    guard let array = value.array else { throw CommandFailure(.usage, "\(path): \(key) must be a list of texts") }
    var texts: [String] = []
    for element in array {
      guard let text = element.string else { throw CommandFailure(.usage, "\(path): \(key) must be a list of texts") }
      texts.append(text)
    }
    return texts
  }

  func digest(_ key: String) throws(CommandFailure) -> Digest? {
    guard let text = try text(key) else { return nil }
    guard let digest = Digest(hex: text) else {
      throw CommandFailure(.usage, "\(path): \(key) must be a SHA-256 of 64 lower-case hexadecimal digits")
    }
    return digest
  }

  func divergence() throws(CommandFailure) -> DivergencePolicy {
    var policy = DivergencePolicy()
    let words = DivergencePolicy.Comparing.allCases.map(\.rawValue)
    let word = try choice("divergence.compare", of: words, default: policy.comparing.rawValue)
    policy.comparing = DivergencePolicy.Comparing(rawValue: word) ?? policy.comparing
    policy.toolchain = try digest("divergence.toolchain")
    policy.wallSeconds = UInt64(try number("divergence.seconds", in: 1...86_400) ?? Int(policy.wallSeconds))
    policy.memoryBytes = try megabytes("divergence.memory-megabytes") ?? policy.memoryBytes
    return policy
  }

  func retention() throws(CommandFailure) -> RetentionPolicy {
    var policy = RetentionPolicy()
    policy.divergedDays = try days("retention.diverged-days") ?? policy.divergedDays
    policy.divergedBytes = try megabytes("retention.diverged-megabytes") ?? policy.divergedBytes
    policy.reportDays = try days("retention.report-days") ?? policy.reportDays
    policy.reportBytes = try megabytes("retention.report-megabytes") ?? policy.reportBytes
    policy.transcriptDays = try days("retention.transcript-days") ?? policy.transcriptDays
    policy.transcriptBytes = try megabytes("retention.transcript-megabytes") ?? policy.transcriptBytes
    return policy
  }

  private func days(_ key: String) throws(CommandFailure) -> Int? { try number(key, in: 1...36_500) }

  private func megabytes(_ key: String) throws(CommandFailure) -> UInt64? {
    try number(key, in: 1...100_000_000).map { UInt64($0) << 20 }
  }

  func endpoint(_ key: String) throws(CommandFailure) -> ConfigurationFile.Endpoint {
    let text = try required(key)
    guard let endpoint = ConfigurationFile.Endpoint(text) else {
      throw CommandFailure(.usage, "\(path): \(key) is \"\(text)\"; it must be HOST:PORT, such as 127.0.0.1:7600")
    }
    return endpoint
  }
}

extension ConfigurationFile.Endpoint {
  /// `HOST:PORT`, an IPv6 address in brackets.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else { return nil }
    self.init(host: host, port: port)
  }
}
