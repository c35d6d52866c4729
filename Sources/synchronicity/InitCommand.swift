import ArgumentParser
import Foundation
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

  @Option(help: ArgumentHelp("Where the gateway listens.", valueName: "host:port"))
  var gateway = "127.0.0.1:7680"

  @Option(help: "The folder to make.")
  var directory: String

  @Flag(help: "Restore the seed from the 24 words on standard input instead of making a new one.")
  var restore = false

  @Flag(help: "Print no mnemonic.")
  var quiet = false

  func run() async throws {
    try Self.make(
      name: name, address: address, gateway: gateway, directory: directory, restore: restore, showMnemonic: !quiet)
    Console.line(
      "Made \(directory): config.toml, seed (keep it secret), \(name).member (hand it to the group's creator).")
  }

  /// - Returns: The member card's path.
  @discardableResult
  static func make(
    name: String, address: String, gateway: String, directory: String, restore: Bool = false, showMnemonic: Bool,
    extra: String = ""
  ) throws -> String {
    let configuration = directory + "/config.toml"
    guard access(configuration, F_OK) != 0 else {
      throw CommandFailure(.usage, "\(configuration) is there already; choose another folder")
    }
    try BoundedFile.makeFolder(directory)
    let seed = directory + "/seed"
    if restore {
      let words = readLine() ?? ""
      try SodiumSigner.createSeedFile(at: seed, seed: try SodiumSigner.seed(fromMnemonic: words))
    } else {
      try SodiumSigner.createSeedFile(at: seed)
    }
    let signer = try SodiumSigner(seedFile: seed)
    let card = try MemberCard(
      name: Text(name), address: Text(address), gateway: Text("http://" + gateway), signer: signer)
    try BoundedFile.write(card.encode(), to: "\(directory)/\(name).member")
    let text = ConfigurationTemplate.text(name: name, address: address, gateway: gateway, extra: extra)
    try BoundedFile.write([UInt8](text.utf8), to: configuration)
    if showMnemonic, !restore {
      Console.line(
        "The seed in 24 words (BIP-39); write them down, they are not shown again:\n\n  \(signer.mnemonic)\n")
    }
    return "\(directory)/\(name).member"
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
    # Journal, artifacts, sources, transcripts.
    data = "data"
    # Downloads and unpacked toolchains, shared by the nodes of one host:
    # cache = "/var/cache/synchronicity"

    [listen]
    # Mutual TLS between replicas; the port must be reachable at the address in the group file.
    transport = "\(address)"
    # HTTP for people and tools; keep it on loopback or behind a proxy.
    gateway = "\(gateway)"

    [plugins]
    # chroot: Linux namespaces, cgroups, overlay; needs no daemon.
    sandbox = "chroot"
    # debian-crates: Debian's librust-*-dev packages through apt. directory: folders NAME-VERSION.
    source = "debian-crates"
    # source-directory = "crates"

    [build]
    # How many builds run side by side.
    concurrent = 1

    [consensus]
    # Above one round trip plus one sync of the disk.
    timeout-base-milliseconds = 1000

    [log]
    # trace, debug, info, notice, warning, error or critical; text or json.
    level = "info"
    format = "text"

    \(extra)
    """
      + (extra.isEmpty
        ? "# [toolchain]\n# digest = \"<SHA-256 of the toolchain's tar>\"\n# directories = [\"toolchains\"]\n" : "")
  }
}
