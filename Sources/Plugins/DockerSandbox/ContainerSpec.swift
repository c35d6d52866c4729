import Foundation
import SyncRuntime

/// What `POST /containers/create` is given.
///
/// Source: Docker Engine API 1.41, ContainerCreate.
struct ContainerSpec: Encodable {
  struct Mount: Encodable {
    struct Options: Encodable {
      // Nothing that is mounted below a folder of the host comes along, and nothing of the run's gets out.
      let propagation = "rprivate"
      let nonRecursive = true
    }
    let type = "bind"
    let source: String
    let target: String
    let readOnly: Bool
    let bindOptions = Options()
  }

  struct Ulimit: Encodable {
    let name: String
    let soft: UInt64
    let hard: UInt64
    /// The kernel's number of it, the same on both processors.
    let resource: UInt64

    private enum CodingKeys: CodingKey { case name, soft, hard }

    init(_ name: String, _ resource: UInt64, _ bound: UInt64) {
      (self.name, self.resource, soft, hard) = (name, resource, bound, bound)
    }
  }

  struct Log: Encodable { let type = "none" }

  struct Host: Encodable {
    var mounts: [Mount]
    var memory: UInt64
    // Equal to the memory: no swap.
    var memorySwap: UInt64
    var pidsLimit: UInt64
    var ulimits: [Ulimit]
    let networkMode = "none"
    let capDrop = ["ALL"]
    var securityOpt = ["no-new-privileges"]
    let readonlyRootfs = true
    let ipcMode = "private"
    let cgroupnsMode = "private"
    let privileged = false
    let logConfig = Log()
    // Where memory ends, the run goes first; on a busy host, the consensus does.
    let oomScoreAdj = 1_000
    let cpuShares = 110
  }

  var image: String
  var labels: [String: String]
  var hostname: String
  var workingDir: String
  var cmd: [String]
  var hostConfig: Host
  let entrypoint: [String] = []
  let user = "1000:1000"
  // Those of process 1, which the worker does not inherit; a name alone takes away what the engine would add.
  let env = ["PATH=/usr/bin:/bin", "HOSTNAME"]
  // The namespace has a loopback device and nothing else, and the engine starts no helper to make it.
  let networkDisabled = true
  let attachStdin = false
  let attachStdout = true
  let attachStderr = true
  let openStdin = false
  let tty = false

  /// With none at all the kernel still gives a crash to a program of the host's that takes cores, as root; with one
  /// byte to nobody.
  private static let coreBytes: UInt64 = 1
  private static let openFiles: UInt64 = 4_096
  private static let stackBytes: UInt64 = 8 << 20
  private static let lockedBytes: UInt64 = 64 << 10
  /// Counted over all that user 1000 has on the host, so far above a run's own limit, which its cgroup holds. Podman
  /// would ask for more than an engine with bounded rights can give.
  private static let userProcesses: UInt64 = 16_384
  /// The engine refuses less.
  private static let memoryBytesMin: UInt64 = 8 << 20

  init(_ request: SandboxRequest, image: String, labels: [String: String], mounts: [Mount]) {
    let limits = request.limits
    self.image = image
    self.labels = labels
    hostname = request.hostName
    workingDir = request.workingDirectory
    cmd = [DockerInit.insidePath] + request.environment.map { "\($0.name)=\($0.value)" } + [""] + request.command
    let memory = max(limits.memoryBytes + limits.diskBytes, Self.memoryBytesMin)
    hostConfig = Host(
      // The run's files live in memory too; what the processes have for themselves is watched.
      mounts: mounts, memory: memory, memorySwap: memory,
      // Process 1 is no process of the build.
      pidsLimit: limits.processes + 1,
      ulimits: Self.bounds(of: limits))
  }

  /// What the engine is asked for, and process 1 sets as well.
  ///
  /// Source: getrlimit(2), <asm-generic/resource.h>.
  static func bounds(of limits: SandboxLimits) -> [Ulimit] {
    [
      Ulimit("core", 4, coreBytes), Ulimit("nofile", 7, openFiles), Ulimit("stack", 3, stackBytes),
      Ulimit("memlock", 8, lockedBytes),
      Ulimit("nproc", 6, max(EngineNamespaces.processesMax(userProcesses), limits.processes + 1)),
      // Above the disk limit, so that a long file meets the full disk, and a hole of a file meets this.
      Ulimit("fsize", 1, limits.diskBytes + (1 << 20)),
      // Coarser than the sum over the tree, which is watched.
      Ulimit("cpu", 0, limits.cpuSeconds + 2),
    ]
  }

  func encoded() throws(PluginError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .custom { path in
      let name = path.last?.stringValue ?? ""
      return EngineKey(stringValue: name.prefix(1).uppercased() + name.dropFirst())
    }
    do { return try encoder.encode(self) } catch {
      throw PluginError(.invalid, "The request cannot be told to the Docker engine: \(error)")
    }
  }
}
