import ArgumentParser
import ChrootSandbox
import CratesSource
import DockerSandbox
import Foundation
import NodeAssembly
import SyncProof
import SyncRuntime

/// Names in one argument, separated by commas or spaces.
enum NameList {
  static let normaliseHelp = ArgumentHelp(
    "What the recipe shall hold still: \(Normalisation.allCases.map(\.rawValue).joined(separator: ",")).",
    valueName: "names")

  static func split(_ text: String) -> [String] { text.split { $0 == "," || $0 == " " }.map(String.init) }
}

/// `check`: which conditions the bytes of a build depend on.
struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Rebuilds on this machine under different conditions: do the bytes change?",
    discussion: """
      Asks no group. Builds twice under the same conditions, then with everything different at once, and, if the bytes \
      changed, finds out which condition did it. docs/CHECK.md says what to do about each. Exit codes: 0 nothing that \
      was varied changes the bytes; 1 something does, or the build fails; 2 usage; 3 environment.
      """)

  @OptionGroup var place: CheckPlaceOptions
  @Option(help: "A Cargo feature beside the default ones; may be given again.")
  var feature: [String] = []
  @Option(help: NameList.normaliseHelp)
  var normalise = ""
  @Option(
    help: ArgumentHelp(
      "What to vary: usual (all but path), all, free (what differs between builders), or conditions by name.",
      valueName: "names"))
  var vary = "usual"
  @Option(name: .customLong("repeat"), help: "Builds under the same conditions, 1 to 100.")
  var repeats = 2
  @Option(help: ArgumentHelp("Keep the artifacts that differ in this folder.", valueName: "folder"))
  var keep: String?
  @Option(help: ArgumentHelp("Write the package's spec to this file, and build nothing.", valueName: "file"))
  var write: String?
  @Flag(help: "Print JSON.")
  var json = false
  @Argument(help: "A package, such as pkg:cargo/itoa@1.0.1, or the file of a spec.")
  var subject: String

  func run() async throws {
    guard (1...100).contains(repeats) else { throw CommandFailure(.usage, "--repeat is 1 to 100, not \(repeats)") }
    let normalisations = try Normalisation.parse(NameList.split(normalise))
    Console.isReservedForJSON.withLock { $0 = json }
    if let keep { try Self.claim(keep) }
    let file = subject.hasPrefix("pkg:") ? nil : try readSpec()
    guard file == nil || normalisations.isEmpty && feature.isEmpty && write == nil else {
      throw CommandFailure(.usage, "A spec is complete; --feature, --normalise and --write want a package")
    }
    // Before anything is built: a name that is wrong should not cost a build.
    if let file { _ = try Condition.parse(NameList.split(vary), spec: file) }
    let place = try await CheckPlace(place, toolchain: file?.toolchain)
    defer { place.remove() }
    try await place.sandbox.removeLeftovers()
    let rebuild = try LocalRebuild(
      sandbox: place.sandbox, source: place.source, directory: place.directory,
      toolchainDirectories: place.toolchainDirectories)
    try await rebuild.prepareToolchain(place.toolchain)
    let spec: BuildSpec
    if let file { spec = file } else { spec = try await resolve(normalisations, in: place) }
    if let write {
      try BoundedFile.write(spec.encode(), to: write)
      return Console.line(write)
    }
    let conditions = try Condition.parse(NameList.split(vary), spec: spec)
    let report = try await check(spec, conditions, rebuild)
    if let keep { try CheckPrinter.keep(report, in: keep) }
    if json { try Console.json(report) } else { CheckPrinter(report: report).show() }
    if let failure = report.failure {
      throw CommandFailure(.notVerified, "\(report.package) does not build: \(failure)\(CheckPrinter.end(of: report))")
    }
    guard report.reproducible else { throw ExitCode(ExitStatus.notVerified.rawValue) }
  }

  private func readSpec() throws -> BuildSpec {
    let bytes = try BoundedFile.read(subject, what: "spec", bytesMax: ProofLimits.leafBytesMax)
    do throws(ProofError) { return try BuildSpec(parsing: bytes) } catch {
      throw CommandFailure(.usage, "\(subject) is no spec, as --write makes it: \(error.message)")
    }
  }

  private func resolve(_ normalisations: [Normalisation], in place: CheckPlace) async throws -> BuildSpec {
    let scratch = place.directory + "/resolve"
    try BoundedFile.makeFolder(scratch)
    return try await place.source.resolve(
      ResolveRequest(
        package: subject, features: feature, toolchain: place.toolchain, normalise: normalisations),
      sandbox: place.sandbox, scratchDirectory: scratch)
  }

  private func check(_ spec: BuildSpec, _ conditions: [Condition], _ rebuild: LocalRebuild) async throws -> CheckReport
  {
    let progress = CheckProgress(isSilent: json)
    progress.begin("looking what can be varied here")
    let kit = try await rebuild.kit(for: spec)
    let check = ReproducibilityCheck(
      spec: spec, conditions: conditions, unvaried: kit.unvaried, repeats: repeats,
      stillSeconds: UInt64(max(1, Date().timeIntervalSince1970))
    ) { (conditions) throws(PluginError) in
      progress.begin(CheckPrinter.title(of: conditions))
      let made = try await rebuild.rebuild(spec, under: conditions, with: kit)
      progress.end(made)
      return made
    }
    let report = try await check.run()
    progress.settle()
    return report
  }

  /// A folder for what differs: new, or empty.
  private static func claim(_ folder: String) throws(CommandFailure) {
    try BoundedFile.makeFolder(folder)
    guard (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty == true else {
      throw CommandFailure(.usage, "\(folder) is not an empty folder; name another one with --keep")
    }
  }
}

/// Where and from what `check` builds.
struct CheckPlaceOptions: ParsableArguments {
  @Option(help: "A builder's configuration: its sandbox, source and toolchain are taken.")
  var config: String?
  @Option(
    help: ArgumentHelp(
      "A root file system's tar, or the digest of one in the cache; the newest of scripts/toolchain unless given.",
      valueName: "file"))
  var toolchain: String?
  @Option(help: "chroot or docker, whatever the configuration says.")
  var sandbox: String?
  @Option(help: ArgumentHelp("The Docker Engine's socket.", valueName: "path"))
  var dockerSocket: String?
  @Option(help: ArgumentHelp("Take crates from the folders NAME-VERSION below this one.", valueName: "folder"))
  var sourceDirectory: String?
  @Option(help: ArgumentHelp("Take crates from this sparse registry.", valueName: "url"))
  var registry: String?
}

/// The plugins and folders of one check; its own folder is removed at the end, or by the next check.
struct CheckPlace {
  let sandbox: any LeftoverSandbox
  let source: any Source
  let toolchain: Digest
  let toolchainDirectories: [String]
  let directory: String

  /// - Parameter toolchain: The one that the spec names.
  init(_ options: CheckPlaceOptions, toolchain wanted: Digest?) async throws {
    let file = try options.config.map { (path) throws(CommandFailure) in try ConfigurationFile(path: path) }
    let cache = file?.cache ?? ConfigurationFile.defaultCache
    sandbox = try await Self.sandbox(options, file, cache)
    source = try await Self.source(options, file, cache)
    let own = try Self.makeFolder(in: cache + "/check")
    var isReady = false
    defer { if !isReady { try? FileManager.default.removeItem(atPath: own) } }
    directory = own
    var folders = (file?.toolchainDirectories ?? []) + [cache + "/toolchains"]
    var given = file?.toolchain
    if let text = options.toolchain {
      given = try Digest(hex: text) ?? Self.link(text, in: own + "/toolchains")
      folders.insert(own + "/toolchains", at: 0)
    }
    if let wanted, options.toolchain != nil, given != wanted {
      throw CommandFailure(.usage, "The spec wants the toolchain \(wanted), and --toolchain gives another")
    }
    guard let chosen = wanted ?? given ?? Self.newest(in: cache + "/toolchains") else {
      throw CommandFailure(
        .environment, "There is no toolchain in \(cache)/toolchains; make one with scripts/toolchain rust")
    }
    (toolchain, toolchainDirectories) = (chosen, folders)
    isReady = true
  }

  func remove() { try? FileManager.default.removeItem(atPath: directory) }

  private static func sandbox(_ options: CheckPlaceOptions, _ file: ConfigurationFile?, _ cache: String) async throws
    -> any LeftoverSandbox
  {
    switch options.sandbox {
    case nil:
      if let file, options.dockerSocket == nil { return try await file.makeSandbox() }
      guard let socket = options.dockerSocket else { return try ChrootSandbox(stateDirectory: cache + "/chroot") }
      return try DockerSandbox(stateDirectory: cache + "/docker", socketPath: socket)
    case "chroot": return try ChrootSandbox(stateDirectory: cache + "/chroot")
    case "docker":
      return try DockerSandbox(
        stateDirectory: cache + "/docker",
        socketPath: options.dockerSocket ?? file?.dockerSocket ?? DockerSandbox.defaultSocketPath)
    case let name?: throw CommandFailure(.usage, "There is no sandbox \(name); --sandbox is chroot or docker")
    }
  }

  private static func source(_ options: CheckPlaceOptions, _ file: ConfigurationFile?, _ cache: String) async throws
    -> any Source
  {
    guard options.sourceDirectory == nil || options.registry == nil else {
      throw CommandFailure(.usage, "--source-directory and --registry exclude each other; name one")
    }
    if let directory = options.sourceDirectory {
      let root = URL(fileURLWithPath: directory).path
      guard (try? FileManager.default.contentsOfDirectory(atPath: root)) != nil else {
        throw CommandFailure(.environment, "Cannot read the folder \(directory), which --source-directory names")
      }
      return DirectorySource(root: root)
    }
    if let url = options.registry {
      return try SparseRegistrySource(
        url: url, allowsPlainHTTP: file?.registryAllowsHTTP ?? false, cacheDirectory: cache + "/sparse-registry")
    }
    if let file { return try await file.makeSource() }
    return DebianCratesSource(cacheDirectory: cache + "/debian-crates")
  }

  /// A folder of this process; those of processes that were killed are removed.
  private static func makeFolder(in parent: String) throws -> String {
    try BoundedFile.makeFolder(parent)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
      guard let process = name.split(separator: "-").first.flatMap({ pid_t($0) }), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
    }
    let folder = "\(parent)/\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try BoundedFile.makeFolder(folder)
    return folder
  }

  /// Puts a link to the archive into the folder, under its digest's name. An archive that is called by a digest is
  /// taken by its word: the sandbox checks it when it unpacks it.
  private static func link(_ path: String, in folder: String) throws -> Digest {
    let archive = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let digest =
      try Digest(hex: archive.deletingPathExtension().lastPathComponent)
      ?? FileDigest.sha256(path: archive.path).digest
    guard access(archive.path, R_OK) == 0 else {
      throw CommandFailure(.environment, "Cannot read the toolchain \(path): \(String(cString: strerror(errno)))")
    }
    try BoundedFile.makeFolder(folder)
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/\(digest.hex).tar", withDestinationPath: archive.path)
    return digest
  }

  /// The toolchain for crates that scripts/toolchain made last.
  private static func newest(in folder: String) -> Digest? {
    guard let index = try? String(contentsOfFile: folder + "/index", encoding: .utf8) else { return nil }
    let lines = index.split(separator: "\n").map { $0.split(separator: " ") }
    return lines.last { $0.count == 3 && $0[0] == "rust" }.flatMap { Digest(hex: String($0[2])) }
  }
}
