import Glibc
import SyncRuntime

/// One version of a binary package, as apt's lists tell it.
package struct AptPackage: Sendable, Hashable {
  package let name: String
  package let version: String
  package let architecture: String

  /// `pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64`.
  package var purl: PackageURL {
    PackageURL(type: "deb", namespace: "debian", name: name, version: version, architecture: architecture)
  }

  package init(name: String, version: String, architecture: String) {
    (self.name, self.version, self.architecture) = (name, version, architecture)
  }
}

/// Asks the host's apt, with its configured sources, and leaves the host's state alone.
///
/// Downloads, the list of installed packages (none, so that every dependency is named) and, where the host has no
/// package lists or old ones, the lists too live in the cache folder. Thread: any; processes that share the cache take
/// turns by a lock file.
package struct AptClient: Sendable {
  private let cacheDirectory: String
  private let hasSources: Bool

  /// - Parameters:
  ///   - cacheDirectory: An absolute path; made when missing.
  ///   - hasSources: With the lists of source packages, of Debian's suites among those that the host has configured,
  ///     whether the host itself has them or not; and with these alone.
  package init(cacheDirectory: String, hasSources: Bool = false) {
    (self.cacheDirectory, self.hasSources) = (cacheDirectory, hasSources)
  }

  private static let updateSecondsMin = 3_600
  /// Of Debian's package debian-archive-keyring.
  private static let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

  private var folder: String { cacheDirectory + (hasSources ? "/apt-sources" : "/apt") }
  private var debFolder: String { cacheDirectory + "/debs" }
  private var ownLists: String { folder + "/lists" }

  /// Downloads what is not in the cache yet; apt checks each file against its signed lists.
  ///
  /// - Returns: The files, in the order of the packages.
  package func download(_ packages: [AptPackage]) async throws(PluginError) -> [String] {
    let missing = packages.filter { access(path(of: $0), R_OK) != 0 }
    if !missing.isEmpty {
      do {
        try await fetch(missing)
      } catch  where error.code == .io {
        // The lists may name a version that the archive has replaced meanwhile.
        guard try await refreshLists() else { throw error }
        try await fetch(missing)
      }
    }
    return packages.map(path)
  }

  /// Forgets a file whose bytes turned out wrong, so that the next ``download(_:)`` gets it again.
  ///
  /// - Returns: Whether there was one.
  package func forget(_ package: AptPackage) -> Bool { unlink(path(of: package)) == 0 }

  /// Gets newer lists into the cache, where the ones in use are older than an hour.
  ///
  /// - Returns: Whether there is anything new.
  package func refreshLists() async throws(PluginError) -> Bool {
    try await prepare()
    return try await locked { () async throws(PluginError) -> Bool in
      var info = stat()
      if stat(ownLists + "/.done", &info) == 0, time(nil) - info.st_mtim.tv_sec < AptClient.updateSecondsMin {
        return false
      }
      try await updateLists()
      return true
    }
  }

  private func fetch(_ packages: [AptPackage]) async throws(PluginError) {
    try SourceFiles.makeFolder(debFolder)
    let temporary = try SourceFiles.makeTemporary(in: debFolder)
    defer { SourceFiles.remove(temporary) }
    try await apt("apt-get", ["download", "--"] + packages.map { "\($0.name)=\($0.version)" }, in: temporary)
    for package in packages {
      // apt writes an epoch's colon as %3a.
      let version = package.version.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3a")
      let file = "\(temporary)/\(package.name)_\(version)_\(package.architecture).deb"
      guard rename(file, path(of: package)) == 0 else {
        throw PluginError(
          .notFound,
          "apt gave no \(package.name) \(package.version) for \(package.architecture); is this host of another kind?")
      }
    }
  }

  private func path(of package: AptPackage) -> String {
    "\(debFolder)/\(package.name)_\(package.version)_\(package.architecture).deb"
  }

  /// Runs one of apt's programs on the cache's own state.
  @discardableResult
  package func apt(_ program: String, _ arguments: [String], in directory: String? = nil)
    async throws(PluginError) -> [UInt8]
  {
    try await prepare()
    return try await locked { () async throws(PluginError) -> [UInt8] in
      try await Tool(name: program).run(try configuration() + arguments, in: directory)
    }
  }

  private func configuration() throws(PluginError) -> [String] {
    var options = ["--config-file", folder + "/apt.conf"]
    if access(ownLists + "/.done", F_OK) == 0 { options += ["--option", "Dir::State::lists=\(ownLists)/"] }
    if hasSources { options += sourceOptions }
    return options
  }

  private func prepare() async throws(PluginError) {
    for path in [folder, folder + "/archives/partial"] { try SourceFiles.makeFolder(path) }
    // The hooks are cleared since the host's own clean up the host's own cache. Of the lists apt makes an index once,
    // also where the host keeps none: without it, every call reads all lists again.
    let text = """
      Dir::State::status "\(folder)/status";
      Dir::State::extended_states "\(folder)/extended_states";
      Dir::Cache "\(folder)/";
      Dir::Cache::archives "archives/";
      Dir::Cache::pkgcache "pkgcache.bin";
      Dir::Cache::srcpkgcache "srcpkgcache.bin";
      Dir::Log "\(folder)/log";
      APT::Install-Recommends "false";
      APT::Install-Suggests "false";
      APT::Sandbox::User "root";
      Acquire::Languages "none";
      Acquire::Retries "3";
      #clear APT::Update::Pre-Invoke;
      #clear APT::Update::Post-Invoke;
      #clear APT::Update::Post-Invoke-Success;
      #clear DPkg::Pre-Install-Pkgs;

      """
    let wanted = [UInt8](text.utf8)
    if (try? SourceFiles.read(folder + "/apt.conf", bytesMax: 1 << 16)) != wanted {
      try SourceFiles.write([], to: folder + "/status")
      try SourceFiles.write(wanted, to: folder + "/apt.conf")
    }
    if hasSources { try await writeSources() }
    guard access(ownLists + "/.done", F_OK) != 0 else { return }
    if !hasSources, try await hostHasLists() { return }
    try await locked { () async throws(PluginError) in
      if access(ownLists + "/.done", F_OK) != 0 { try await updateLists() }
    }
  }

  private var sourceOptions: [String] {
    ["--option", "Dir::Etc::sourcelist=\(folder)/sources.list", "--option", "Dir::Etc::sourceparts=-"]
  }

  /// The suites come from what the host has configured; anything else than Debian's own stays out.
  private func writeSources() async throws(PluginError) {
    guard access(folder + "/sources.list", F_OK) != 0 else { return }
    let format = "$(ORIGIN)|$(CREATED_BY)|deb-src [signed-by=\(Self.keyring)] $(SITE) $(RELEASE) $(COMPONENT)"
    let out = try await Tool(name: "apt-get").run(["indextargets", "--format", format])
    let lines = String(decoding: out, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("Debian|Packages|") }
    guard !lines.isEmpty else {
      throw PluginError(.unavailable, "apt knows no Debian suite here; configure one and run apt-get update")
    }
    let text = Set(lines.map { $0.dropFirst("Debian|Packages|".count) }).sorted().joined(separator: "\n") + "\n"
    try SourceFiles.write([UInt8](text.utf8), to: folder + "/sources.list")
  }

  private func hostHasLists() async throws(PluginError) -> Bool {
    let out = try await Tool(name: "apt-config").run(["shell", "LISTS", "Dir::State::lists/d"])
    let path = String(decoding: out, as: UTF8.self).split(separator: "'", omittingEmptySubsequences: false)
    guard path.count == 3 else { return false }
    return SourceFiles.names(in: String(path[1])).contains { name in
      name.split(separator: "_").last?.hasPrefix("Packages") ?? false
    }
  }

  private func updateLists() async throws(PluginError) {
    try SourceFiles.makeFolder(ownLists + "/partial")
    var options = ["--config-file", folder + "/apt.conf", "--option", "Dir::State::lists=\(ownLists)/"]
    if hasSources { options += sourceOptions }
    try await Tool(name: "apt-get", timeoutSeconds: 600).run(options + ["update", "--error-on=any"])
    try SourceFiles.write([], to: ownLists + "/.done")
  }

  /// One process at a time; asks again instead of blocking a thread.
  private func locked<Result: Sendable>(_ body: () async throws(PluginError) -> Result)
    async throws(PluginError) -> Result
  {
    let descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw PluginError(.io, "Cannot open \(folder)/lock: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw PluginError(.io, "Cannot lock \(folder)/lock: \(String(cString: strerror(errno)))")
      }
      do { try await Task.sleep(for: .milliseconds(50)) } catch {
        throw PluginError(.cancelled, "Waiting for another process's apt was cancelled")
      }
    }
    return try await body()
  }
}
