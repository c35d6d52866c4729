import ArgumentParser
import ChrootSandbox
import DockerSandbox
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime
import ToolchainShelf

/// `toolchain`: pinned root file systems.
struct ToolchainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "toolchain", abstract: "Makes, lists, checks and clears away pinned root file systems.",
    subcommands: [Build.self, List.self, Import.self, Verify.self, Collect.self])

  struct Build: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a toolchain of Debian packages: the same digest for everybody who has the same packages.",
      discussion: """
        Kinds: rust, rust-1.63, c-python, diff, tiny. Each comes with a lock file that names its packages to the \
        version; --packages makes the same toolchain from a lock file, or says which package is gone. Needs mmdebstrap.
        """)
    @OptionGroup var place: ToolchainPlace
    @Option(help: ArgumentHelp("Make exactly what this lock file names.", valueName: "lock"))
    var packages: String?
    @Option(help: ArgumentHelp("Copy the lock file here.", valueName: "file"))
    var writeLock: String?
    @Flag(help: "Take the packages that apt has now, though there is a toolchain of this kind.")
    var rebuild = false
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "What to make.")
    var kind: String?

    private struct Made: Encodable {
      let digest: String
      let path: String
    }

    func run() async throws {
      guard (kind == nil) != (packages == nil) else {
        throw CommandFailure(.usage, "Name one kind of toolchain, such as rust, or a lock file with --packages")
      }
      var words = kind.map { [$0] } ?? ["--packages", packages ?? ""]
      if rebuild { words.append("--rebuild") }
      let made = try ToolchainScript(cache: place.cache).run(words + ["--digest"])
      guard let digest = Digest(hex: made) else {
        throw CommandFailure(.environment, "The toolchain's script printed \"\(made)\" where a digest is expected")
      }
      if let writeLock {
        _ = try ToolchainScript(cache: place.cache).run(words.filter { $0 != "--rebuild" } + ["--lock"])
        try BoundedFile.write(try place.shelf.lockBytes(of: digest), to: writeLock)
      }
      let path = place.shelf.path(of: digest)
      if json { return try Console.json(Made(digest: digest.hex, path: path)) }
      Console.line("\(path)\n\(digest.hex)")
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the toolchains of this host.")
    @OptionGroup var place: ToolchainPlace
    @Flag(help: "Print JSON.")
    var json = false

    private struct Row: Encodable {
      let digest: String
      let kinds: [String]
      let bytes: UInt64
      let packages: Int?
      let origin: String?
      let isUnpacked: Bool
    }

    func run() async throws {
      let unpacked = try place.sandbox().unpackedToolchains()
      let rows = try place.shelf.items().map { item in
        Row(
          digest: item.digest.hex, kinds: item.kinds, bytes: item.bytes, packages: item.lock?.packages.count,
          origin: item.origin, isUnpacked: unpacked.contains(item.digest))
      }
      if json { return try Console.json(rows) }
      if rows.isEmpty {
        return Console.line(
          "No toolchains in \(place.shelf.directory); make one with: synchronicity toolchain build rust")
      }
      for row in rows {
        var words = [row.digest, row.kinds.isEmpty ? "-" : row.kinds.joined(separator: ","), "\(row.bytes >> 20) MiB"]
        if let packages = row.packages { words.append("\(packages) packages") }
        if let origin = row.origin { words.append(origin) }
        if row.isUnpacked { words.append("unpacked") }
        Console.line(words.joined(separator: "  "))
      }
    }
  }

  struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes in a root file system that was made elsewhere.",
      discussion: """
        A tar is taken as it is, by its SHA-256. An image of a Docker Engine is flattened and packed anew, sorted and \
        owned by root, so that the same image has the same digest for everybody.
        """)
    @OptionGroup var place: ToolchainPlace
    @Option(help: ArgumentHelp("An image, by its digest.", valueName: "sha256:…"))
    var docker: String?
    @Option(help: "The Docker Engine's socket.")
    var dockerSocket = DockerSandbox.defaultSocketPath
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "A tar file.")
    var tar: String?

    func run() async throws {
      let digest: Digest
      switch (tar, docker) {
      case (let tar?, nil):
        try Self.check(tar)
        digest = try place.shelf.add(tar: tar, origin: "imported from a tar")
      case (nil, let image?): digest = try await take(image)
      default: throw CommandFailure(.usage, "Name a tar file, or an image with --docker, and not both")
      }
      if json { return try Console.json(["digest": digest.hex]) }
      Console.line("\(place.shelf.path(of: digest))\n\(digest.hex)")
    }

    private func take(_ image: String) async throws -> Digest {
      let scratch = "\(place.cache)/import-\(getpid())"
      try BoundedFile.makeFolder(scratch)
      defer { try? FileManager.default.removeItem(atPath: scratch) }
      try await DockerExport.write(image: image, socketPath: dockerSocket, to: scratch + "/export.tar")
      try CanonicalTar.write(from: scratch + "/export.tar", to: scratch + "/root.tar", scratch: scratch)
      try Self.check(scratch + "/root.tar")
      return try place.shelf.add(tar: scratch + "/root.tar", origin: "imported from the image \(image)")
    }

    /// A root without a shell runs no recipe.
    private static func check(_ tar: String) throws {
      let shells: Set<Substring> = ["bin/sh", "usr/bin/sh"]
      guard access(tar, R_OK) == 0 else { throw CommandFailure(.environment, "There is no file \(tar)") }
      let names = try CanonicalTar.names(in: tar)
      guard names.contains(where: { shells.contains($0.hasPrefix("./") ? $0.dropFirst(2) : $0) }) else {
        throw CommandFailure(.usage, "\(tar) has no /bin/sh, which every recipe needs; is it a root file system?")
      }
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reads a toolchain whole: its tar, and where it is unpacked, every file.")
    @OptionGroup var place: ToolchainPlace
    @Argument(help: "The toolchain's SHA-256.")
    var digest: String

    func run() async throws {
      let toolchain = try ToolchainPlace.digest(digest)
      let sandbox = try place.sandbox()
      let isUnpacked = sandbox.unpackedToolchains().contains(toolchain)
      guard place.shelf.has(toolchain) || isUnpacked else {
        throw CommandFailure(
          .environment, "The toolchain \(digest) is not here; synchronicity toolchain list shows what is")
      }
      do throws(PluginError) {
        if place.shelf.has(toolchain) {
          try place.shelf.verify(toolchain)
          Console.line("\(Console.paint("✓", .green)) tar: \(place.shelf.path(of: toolchain))")
        }
        if isUnpacked {
          try await sandbox.verifyUnpacked(toolchain)
          Console.line("\(Console.paint("✓", .green)) unpacked: every file is as it was unpacked")
        }
      } catch {
        guard error.code == .checksumMismatch else { throw error }
        throw CommandFailure(.notVerified, error.message)
      }
    }
  }

  struct Collect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "gc",
      abstract: "Removes toolchains that no configuration, no open job and no run of this host names.",
      discussion: """
        Nodes that ran with this cache are known to it; --config names further configurations. Images of a Docker \
        Engine are left to it.
        """)
    @OptionGroup var place: ToolchainPlace
    @Option(help: ArgumentHelp("Leave this one; may be given again.", valueName: "sha256"))
    var keep: [String] = []
    @Option(help: "Leave what this node's configuration and its open jobs name; may be given again.")
    var config: [String] = []
    @Flag(help: "Only say what would be removed.")
    var dryRun = false
    @Flag(help: "Print JSON.")
    var json = false

    private struct Row: Encodable {
      let digest: String
      /// `removed`, or why it was left.
      let fate: String
      let bytes: UInt64
    }

    func run() async throws {
      var named: [Digest: String] = [:]
      for text in keep { named[try ToolchainPlace.digest(text)] = "kept by --keep" }
      for path in try KnownNodes(cache: place.cache).configurations() + config {
        let file = try ConfigurationFile(path: path)
        for digest in file.toolchainDigests { named[digest] = "named by \(path)" }
        for digest in try NodeToolchains.ofOpenJobs(dataDirectory: file.data) {
          named[digest] = "named by an open job of \(file.name)"
        }
      }
      let sandbox = try place.sandbox()
      let items = try place.shelf.items()
      let unpacked = sandbox.unpackedToolchains()
      var rows: [Row] = []
      for digest in Set(items.map(\.digest) + unpacked).sorted() {
        let bytes = items.first { $0.digest == digest }?.bytes ?? 0
        if let reason = named[digest] {
          rows.append(Row(digest: digest.hex, fate: reason, bytes: bytes))
        } else if unpacked.contains(digest), !(try sandbox.removeUnpacked(digest, isTrial: dryRun)) {
          rows.append(Row(digest: digest.hex, fate: "in use by a run", bytes: bytes))
        } else {
          if !dryRun, items.contains(where: { $0.digest == digest }) { try place.shelf.remove(digest) }
          rows.append(Row(digest: digest.hex, fate: dryRun ? "would be removed" : "removed", bytes: bytes))
        }
      }
      if json { return try Console.json(rows) }
      for row in rows { Console.line("\(row.digest)  \(row.bytes >> 20) MiB  \(row.fate)") }
    }
  }
}

/// Where a host keeps its toolchains.
struct ToolchainPlace: ParsableArguments {
  @Option(
    help: ArgumentHelp("The cache that the configuration names; its usual place unless given.", valueName: "folder"))
  var cache = ConfigurationFile.defaultCache

  var shelf: Shelf { Shelf(directory: cache + "/toolchains") }

  func sandbox() throws(PluginError) -> ChrootSandbox { try ChrootSandbox(stateDirectory: cache + "/chroot") }

  func validate() throws {
    guard cache.hasPrefix("/") else { throw ValidationError("--cache is \"\(cache)\"; it must be an absolute path") }
  }

  static func digest(_ text: String) throws(CommandFailure) -> Digest {
    guard let digest = Digest(hex: text) else {
      throw CommandFailure(.usage, "\(text) is not a SHA-256 of 64 lower-case hexadecimal digits")
    }
    return digest
  }
}

/// The script that makes toolchains, which this program carries.
struct ToolchainScript {
  let cache: String

  /// - Returns: The last line that it printed.
  func run(_ arguments: [String]) throws -> String {
    let errors = NSTemporaryDirectory() + "/synchronicity-toolchain-\(getpid())-\(UInt32.random(in: .min ... .max))"
    guard FileManager.default.createFile(atPath: errors, contents: nil),
      let log = FileHandle(forWritingAtPath: errors)
    else { throw CommandFailure(.environment, "Cannot write \(errors)") }
    defer { unlink(errors) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["SYNC_CACHE=\(cache)", "bash", "-c", Shelf.script, "toolchain"] + arguments
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = log
    do { try process.run() } catch {
      throw CommandFailure(.environment, "bash cannot be started: \(error.localizedDescription)")
    }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let said = (try? String(contentsOfFile: errors, encoding: .utf8))?.split(separator: "\n") ?? []
      let own = said.last { $0.hasPrefix("toolchain: ") }?.dropFirst("toolchain: ".count)
      let status: ExitStatus = process.terminationStatus == 2 ? .usage : .environment
      let usage = "the script does not know what is asked; kinds are rust, rust-1.63, c-python, diff and tiny"
      throw CommandFailure(
        status, String(own ?? (status == .usage ? usage[...] : said.last ?? "the script said nothing")))
    }
    return text.split(separator: "\n").last.map(String.init) ?? ""
  }
}

/// Configurations of the nodes that have run with a cache.
struct KnownNodes {
  let cache: String
  private static let pathBytesMax = 4_096

  private var folder: String { cache + "/nodes" }

  /// Called by a node that starts.
  func note(_ configuration: String) throws(CommandFailure) {
    let path = URL(fileURLWithPath: configuration).standardizedFileURL.path
    try BoundedFile.makeFolder(folder)
    try BoundedFile.write([UInt8](path.utf8), to: "\(folder)/\(SHA256.hash([UInt8](path.utf8)).hex)")
  }

  /// Absolute paths, sorted; those that are gone are forgotten.
  func configurations() throws(CommandFailure) -> [String] {
    var found: [String] = []
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard Digest(hex: name) != nil else { continue }
      let bytes = try BoundedFile.read("\(folder)/\(name)", what: "node's name", bytesMax: Self.pathBytesMax)
      let path = String(decoding: bytes, as: UTF8.self)
      if access(path, F_OK) == 0 { found.append(path) } else { unlink("\(folder)/\(name)") }
    }
    return found.sorted()
  }
}
