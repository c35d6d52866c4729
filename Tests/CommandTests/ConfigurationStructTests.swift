import CSync
import CSyncABI
import CSyncNode
import Foundation
import SyncProof
import SyncRuntime
import Testing

@testable import CSyncNodeABI
@testable import NodeAssembly

/// A `sync_node_configuration` says what a text says.
struct ConfigurationStructTests {
  /// What of a configuration is not a program's, or is compared apart.
  private static let apart: Set<String> = ["plugins", "gatewayListen", "logFormat"]

  /// C texts that live as long as this.
  private final class Texts {
    private var all: [UnsafeMutablePointer<CChar>] = []
    private var lists: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []

    func make(_ text: String) -> UnsafePointer<CChar> {
      let copy = strdup(text)!
      all.append(copy)
      return UnsafePointer(copy)
    }

    func make(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
      let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: texts.count)
      for (place, text) in texts.enumerated() { (list + place).initialize(to: make(text)) }
      lists.append(list)
      return UnsafePointer(list)
    }

    deinit {
      for text in all { free(text) }
      for list in lists { list.deallocate() }
    }
  }

  private static func digest(_ digit: Character) -> String { String(repeating: digit, count: 64) }

  private static let text = """
    name = "fir"
    group = "members.txt"
    seed = "keys/seed"
    data = "/var/fir"
    cache = "store"
    [listen]
    transport = "[::1]:7601"
    gateway = "127.0.0.1:0"
    [plugins]
    sandbox = "exec"
    signer = "seed"
    storage = "sqlite"
    transport = "tcp"
    source = ["pypi", "directory", "sparse-registry"]
    docker-socket = "run/docker.sock"
    exec-command = "farm"
    exec-arguments = ["--partition=build", "a b"]
    exec-environment = ["SLURM_CONF"]
    exec-patience-seconds = 77
    source-directory = "crates"
    registry = "sparse+https://example.org/"
    registry-allow-http = true
    pypi-index = "https://example.org/simple/"
    [toolchain]
    digest = "\(digest("1"))"
    cargo = "\(digest("2"))"
    deb = "\(digest("3"))"
    generic = "\(digest("4"))"
    pypi = "\(digest("5"))"
    directories = ["toolchains", "/srv/toolchains"]
    [build]
    memory = 3221225472
    cores = 3
    concurrent = 2
    [retention]
    artifacts = 1073741824
    sources = 2147483648
    proven = "sweep"
    diverged-days = 11
    diverged-megabytes = 12
    report-days = 13
    report-megabytes = 14
    transcript-days = 15
    transcript-megabytes = 16
    [divergence]
    compare = "\(DivergencePolicy.Comparing.allCases.last!.rawValue)"
    toolchain = "\(digest("6"))"
    seconds = 17
    memory-megabytes = 18
    [log]
    level = "debug"
    [consensus]
    timeout-base-milliseconds = 777
    """

  private static func fields(_ texts: Texts) -> sync_node_configuration {
    var fields = sync_node_configuration()
    fields.struct_size = UInt32(MemoryLayout<sync_node_configuration>.size)
    fields.abi_version = UInt32(SYNC_ABI_VERSION)
    fields.name = texts.make("fir")
    fields.group = texts.make("members.txt")
    fields.seed = texts.make("keys/seed")
    fields.data = texts.make("/var/fir")
    fields.cache = texts.make("store")
    fields.listen_transport = texts.make("[::1]:7601")
    fields.plugins_sandbox = texts.make("exec")
    fields.plugins_signer = texts.make("seed")
    fields.plugins_storage = texts.make("sqlite")
    fields.plugins_transport = texts.make("tcp")
    (fields.plugins_source, fields.plugins_source_count) = (texts.make(["pypi", "directory", "sparse-registry"]), 3)
    fields.plugins_docker_socket = texts.make("run/docker.sock")
    fields.plugins_exec_command = texts.make("farm")
    fields.plugins_exec_arguments = texts.make(["--partition=build", "a b"])
    fields.plugins_exec_arguments_count = 2
    (fields.plugins_exec_environment, fields.plugins_exec_environment_count) = (texts.make(["SLURM_CONF"]), 1)
    fields.plugins_exec_patience_seconds = 77
    fields.plugins_source_directory = texts.make("crates")
    fields.plugins_registry = texts.make("sparse+https://example.org/")
    fields.plugins_registry_allow_http = 1
    fields.plugins_pypi_index = texts.make("https://example.org/simple/")
    fields.toolchain_digest = texts.make(digest("1"))
    fields.toolchain_cargo = texts.make(digest("2"))
    fields.toolchain_deb = texts.make(digest("3"))
    fields.toolchain_generic = texts.make(digest("4"))
    fields.toolchain_pypi = texts.make(digest("5"))
    (fields.toolchain_directories, fields.toolchain_directories_count) =
      (texts.make(["toolchains", "/srv/toolchains"]), 2)
    (fields.build_memory, fields.build_cores, fields.build_concurrent) = (3 << 30, 3, 2)
    (fields.retention_artifacts, fields.retention_sources) = (1 << 30, 2 << 30)
    fields.retention_proven = texts.make("sweep")
    (fields.retention_diverged_days, fields.retention_diverged_megabytes) = (11, 12)
    (fields.retention_report_days, fields.retention_report_megabytes) = (13, 14)
    (fields.retention_transcript_days, fields.retention_transcript_megabytes) = (15, 16)
    fields.divergence_compare = texts.make(DivergencePolicy.Comparing.allCases.last!.rawValue)
    fields.divergence_toolchain = texts.make(digest("6"))
    (fields.divergence_seconds, fields.divergence_memory_megabytes) = (17, 18)
    fields.log_level = texts.make("debug")
    fields.consensus_timeout_base_milliseconds = 777
    return fields
  }

  /// Each property with its value, as text.
  private static func said(_ file: ConfigurationFile) -> [String: String] {
    var said: [String: String] = [:]
    for (name, value) in Mirror(reflecting: file).children where !apart.contains(name ?? "") {
      said[name ?? ""] = "\((value as? [String: Digest])?.sorted { $0.key < $1.key } ?? value)"
    }
    for name in ["capacity", "dataPolicy", "divergence", "retention"] {
      guard let value = Mirror(reflecting: file).descendant(name) else { continue }
      for (inner, value) in Mirror(reflecting: value).children { said["\(name).\(inner ?? "")"] = "\(value)" }
      said[name] = nil
    }
    return said
  }

  private static func read(_ text: String) throws -> ConfigurationFile {
    try ConfigurationFile([UInt8](text.utf8), path: "The configuration", folder: "/etc/fir")
  }

  @Test func `each field is the setting of its name`() throws {
    let texts = Texts()
    let file = try ConfigurationStruct(Self.fields(texts)).file(folder: "/etc/fir", plugins: .shipped)
    let (said, wanted) = (Self.said(file), Self.said(try Self.read(Self.text)))
    for (name, value) in wanted { #expect(said[name] == value, "\(name)") }
    #expect(said.count == wanted.count)
    // All of them differ from what nothing says, else they show nothing; but for what has no setting, or one choice.
    let plain = "name = \"x\"\n[listen]\ntransport = \"h:1\"\ngateway = \"127.0.0.1:0\""
    let same = Self.said(try Self.read(plain)).filter { said[$0.key] == $0.value }.keys.sorted()
    #expect(
      same == ["divergence.answerTimeout", "divergence.roundPauses", "settings", "signer", "storage", "transport"])
  }

  @Test func `a struct of zeros has the defaults`() throws {
    let texts = Texts()
    var fields = sync_node_configuration()
    (fields.name, fields.listen_transport) = (texts.make("x"), texts.make("h:1"))
    let file = try ConfigurationStruct(fields).file(folder: "/etc/fir", plugins: .shipped)
    let plain = "name = \"x\"\n[listen]\ntransport = \"h:1\"\ngateway = \"127.0.0.1:0\""
    #expect(Self.said(file) == Self.said(try Self.read(plain)))
  }

  @Test func `more than a disk has is all of it`() throws {
    let texts = Texts()
    var fields = Self.fields(texts)
    fields.retention_artifacts = .max
    let file = try ConfigurationStruct(fields).file(folder: "/etc/fir", plugins: .shipped)
    #expect(file.dataPolicy.artifactBytesMax == UInt64(Int64.max))
  }
}
