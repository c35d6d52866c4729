import ArgumentParser
import Foundation
import NodeAssembly
import SodiumSigner
import SyncProof
import SyncRuntime

/// `init`: a folder with a seed, a configuration and a member card.
struct InitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Makes a builder's keys, configuration and member card in a new folder.",
    discussion: """
      The folder holds `seed` (mode 0600; every key derives from it), `config.toml` and `NAME.member`, the card that \
      is handed to whoever creates the group. Write the mnemonic down: it is shown once and restores the seed.
      """)

  @Option(help: "This builder's name: a-z, 0-9 and '-'.")
  var name: String

  @Option(help: ArgumentHelp("Where the other replicas reach this one.", valueName: "host:port"))
  var address = "127.0.0.1:7600"

  @Option(help: ArgumentHelp("Where the transport listens; on all addresses unless given.", valueName: "host:port"))
  var listen: String?

  @Option(help: ArgumentHelp("Where the gateway listens.", valueName: "host:port"))
  var gateway = "127.0.0.1:7680"

  @Option(help: ArgumentHelp("Where others reach the gateway, if they do.", valueName: "url"))
  var publicGateway: String?

  @Option(help: "The folder to make.")
  var directory: String

  @Flag(help: "Restore the seed from the 24 words on standard input instead of making a new one.")
  var restore = false

  @Flag(help: "Print no mnemonic.")
  var quiet = false

  func run() async throws {
    try BuilderFolder(
      name: name, address: address, listen: listen, gateway: gateway, publicGateway: publicGateway,
      directory: directory
    ).make(restore: restore, showMnemonic: !quiet)
    Console.line(
      "Made \(directory): config.toml, seed (keep it secret), \(name).member (hand it to the group's creator).")
  }
}

/// A new builder's folder.
struct BuilderFolder {
  let name: String
  let address: String
  var listen: String?
  let gateway: String
  var publicGateway: String?
  let directory: String
  /// Further settings, as TOML.
  var extra = ""

  var card: String { "\(directory)/\(name).member" }

  /// Everything is checked before the seed is made, so that a corrected command can be given at once.
  func make(restore: Bool = false, showMnemonic: Bool) throws {
    let configuration = directory + "/config.toml"
    guard access(configuration, F_OK) != 0 else {
      throw CommandFailure(.usage, "\(configuration) is there already; choose another folder")
    }
    let place = try endpoint(address, "--address")
    _ = try endpoint(gateway, "--gateway")
    let isLoopback = place.host == "localhost" || place.host == "::1" || place.host.hasPrefix("127.")
    let transport = listen ?? (isLoopback ? address : "0.0.0.0:\(place.port)")
    _ = try endpoint(transport, "--listen")
    let url = publicGateway ?? (isLoopback ? "http://" + gateway : nil)
    _ = try memberCard(SodiumSigner(seed: [UInt8](repeating: 0, count: SodiumSigner.seedByteCount)), url)

    try BoundedFile.makeFolder(directory)
    let seed = directory + "/seed"
    if restore {
      try SodiumSigner.createSeedFile(at: seed, seed: try SodiumSigner.seed(fromMnemonic: readLine() ?? ""))
    } else {
      try SodiumSigner.createSeedFile(at: seed)
    }
    let signer = try SodiumSigner(seedFile: seed)
    if showMnemonic, !restore {
      Console.line(
        "The seed in 24 words (BIP-39); write them down, they are not shown again:\n\n  \(signer.mnemonic)\n")
    }
    try BoundedFile.write(memberCard(signer, url).encode(), to: card)
    let text = ConfigurationTemplate.text(name: name, address: transport, gateway: gateway, extra: extra)
    try BoundedFile.write([UInt8](text.utf8), to: configuration)
  }

  private func memberCard(_ signer: SodiumSigner, _ url: String?) throws -> MemberCard {
    try MemberCard(name: Text(name), address: Text(address), gateway: url.map { Text($0) }, signer: signer)
  }

  private func endpoint(_ text: String, _ option: String) throws -> ConfigurationFile.Endpoint {
    guard let endpoint = ConfigurationFile.Endpoint(text) else {
      throw CommandFailure(.usage, "\(option) is \"\(text)\"; it must be HOST:PORT, such as 127.0.0.1:7600")
    }
    return endpoint
  }
}

/// The commented configuration that `init` writes.
enum ConfigurationTemplate {
  static func text(name: String, address: String, gateway: String, extra: String) -> String {
    """
    # A Synchronicity builder. Paths are relative to this file. Check it with: synchronicity node doctor --config FILE

    # This builder's name in the group file.
    name = "\(name)"
    # The group file, from `synchronicity group create`; put here by `synchronicity group join`.
    group = "group.txt"
    # 32 random bytes from which every key derives; mode 0600.
    seed = "seed"
    # Journal, artifacts, sources, transcripts, reports.
    data = "data"
    # Downloads and unpacked toolchains, shared by the nodes of one host:
    # cache = "/var/cache/synchronicity"

    [listen]
    # Mutual TLS between replicas; the port must be reachable at the address in the group file.
    transport = "\(address)"
    # HTTP for people and tools; keep it on loopback or behind a proxy.
    gateway = "\(gateway)"

    [plugins]
    # chroot: Linux namespaces, cgroups, overlay; needs no daemon. docker: a Docker Engine on this host, as root.
    sandbox = "chroot"
    # exec: a command of yours that takes builds to a farm (docs/EXEC_SANDBOX.md).
    # docker-socket = "/var/run/docker.sock" # Podman's: "/run/podman/podman.sock"
    # exec-command = "/usr/local/libexec/sync-exec-slurm"
    # exec-arguments = ["--partition=build"]
    # Variables that the command gets besides PATH, HOME and LANG, and what a run may take beyond its wall time limit:
    # exec-environment = ["SLURM_CONF"]
    # exec-patience-seconds = 300
    # debian-crates: Debian's librust-*-dev packages through apt. directory: folders NAME-VERSION.
    # sparse-registry: crates.io, or any registry that speaks cargo's sparse protocol.
    # pypi: Python source distributions. debian: Debian's source packages. toolchains: toolchains as packages.
    # Several at once: source = ["debian-crates", "pypi", "debian"]
    source = "debian-crates"
    # source-directory = "crates"
    # registry = "sparse+https://HOST/PATH/"
    # Plain http is for this host alone, unless it is allowed here:
    # registry-allow-http = false
    # pypi-index = "https://HOST/simple/"

    [build]
    # Builds run side by side while their limits fit into these, which are the whole host's unless given:
    # cores = 8
    # memory = "16 GiB"
    # and so many at most:
    # concurrent = 64

    [retention]
    # What the data folder may hold, least recently used first to go; what open jobs need and the journal always stay.
    artifacts = "50 GiB"
    sources = "20 GiB"
    # Artifacts that a proof names: keep them although their room is full, or sweep them like others.
    proven = "keep"
    # What differed, reports on it and what builds printed go by age and by size:
    # diverged-days = 30
    # report-days = 365
    # transcript-days = 365
    # transcript-megabytes = 1024

    [consensus]
    # What a dead leader costs: above a few round trips and syncs of the disk. Where views last longer, it follows them.
    timeout-base-milliseconds = 250

    # [divergence]
    # Of the tar that scripts/toolchain diff makes: lets diffoscope say what differs when builders do.
    # toolchain = "<SHA-256>"

    [log]
    # trace, debug, info, notice, warning, error or critical; text or json.
    level = "info"
    format = "text"

    \(extra)
    """
      + (extra.isEmpty
        ? """
        # [toolchain]
        # digest = "<SHA-256 of the toolchain's tar>"
        # Other ones for packages of other types: deb, pypi, generic.
        # pypi = "<SHA-256>"
        # directories = ["toolchains"]

        """
        : "")
  }
}
