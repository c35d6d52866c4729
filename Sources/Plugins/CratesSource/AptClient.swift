import Glibc
import SyncRuntime

/// One version of a binary package, as apt's lists tell it.
struct AptPackage: Sendable, Hashable {
  let name: String
  let version: String
  let architecture: String

  /// `pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64`.
  var purl: PackageURL {
    PackageURL(type: "deb", namespace: "debian", name: name, version: version, architecture: architecture)
  }

  init(name: String, version: String, architecture: String) {
    (self.name, self.version, self.architecture) = (name, version, architecture)
  }

  /// - Throws: ``PluginError/Code/invalid`` for anything that is not the purl of a Rust library's package, so that
  ///   nothing else ever becomes an argument of apt.
  init(origin text: String) throws(PluginError) {
    let purl = try PackageURL(parsing: text)
    guard purl.type == "deb", purl.namespace == "debian", let version = purl.version, let arch = purl.architecture,
      AptPackage.isCrate(purl.name), version.utf8.first != UInt8(ascii: "-")
    else {
      throw PluginError(
        .invalid, "'\(text)' is no crate's origin, which looks like pkg:deb/debian/librust-itoa-dev@1.0.1-2?arch=amd64")
    }
    self.init(name: purl.name, version: version, architecture: arch)
  }

  /// The crate's version that a package version stands for: without Debian's revision and repacking mark, and with
  /// `~`, which sorts before everything, back to the `-` of a pre-release.
  var crateVersion: CrateVersion? {
    let upstream = version.lastIndex(of: "-").map { version[..<$0] } ?? version[...]
    let plain = upstream.split(separator: "+", omittingEmptySubsequences: false)[0]
    return CrateVersion(plain.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "-"))
  }

  static func isCrate(_ name: String) -> Bool { name.hasPrefix("librust-") && name.hasSuffix("-dev") }
}

/// Asks the host's apt, with its configured sources, and leaves the host's state alone.
///
/// Downloads, the list of installed packages (none, so that every dependency is named) and, where the host has no
/// package lists or old ones, the lists too live in the cache folder. Thread: any; processes that share the cache take
/// turns by a lock file.
struct AptClient: Sendable {
  let cacheDirectory: String

  private static let updateSecondsMin = 3_600

  private var folder: String { cacheDirectory + "/apt" }
  private var debFolder: String { cacheDirectory + "/debs" }
  private var ownLists: String { folder + "/lists" }

  /// Names that begin with `prefix`.
  func names(prefix: String) async throws(PluginError) -> [String] {
    let out = try await apt("apt-cache", ["pkgnames", "--", prefix])
    return String(decoding: out, as: UTF8.self).split(separator: "\n").map(String.init).filter(AptPackage.isCrate)
      .sorted()
  }

  /// Every version of the packages; a name that apt does not know gives none.
  func versions(of names: [String]) async throws(PluginError) -> [AptPackage] {
    guard !names.isEmpty else { return [] }
    let out = try await apt("apt-cache", ["show", "--all-versions", "--"] + names)
    var found: [AptPackage] = []
    var fields: [Substring: Substring] = [:]
    for line in String(decoding: out, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if let name = fields["Package"], let version = fields["Version"], let arch = fields["Architecture"] {
          found.append(AptPackage(name: String(name), version: String(version), architecture: String(arch)))
        }
        fields = [:]
      } else if let colon = line.firstIndex(of: ":"), line.first != " " {
        fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
      }
    }
    return found
  }

  /// The packages and everything that they depend on, as far as it is crates.
  ///
  /// - Parameter packages: Names, or `NAME=VERSION`.
  func closure(of packages: [String]) async throws(PluginError) -> [AptPackage] {
    let out = try await apt("apt-get", ["--simulate", "--yes", "install", "--"] + packages)
    var found: [AptPackage] = []
    for line in String(decoding: out, as: UTF8.self).split(separator: "\n") where line.hasPrefix("Inst ") {
      // Inst librust-itoa-dev (1.0.1-2 Debian:12.15/oldstable [amd64])
      let words = line.split(separator: " ").map(String.init)
      guard words.count >= 4, AptPackage.isCrate(words[1]), words[2].hasPrefix("("), let last = words.last,
        last.hasPrefix("["), last.hasSuffix("])")
      else { continue }
      let version = String(words[2].dropFirst())
      found.append(
        AptPackage(name: words[1], version: version, architecture: String(last.dropFirst().dropLast(2))))
    }
    return found
  }

  /// Downloads what is not in the cache yet; apt checks each file against its signed lists.
  ///
  /// - Returns: The files, in the order of the packages.
  func download(_ packages: [AptPackage]) async throws(PluginError) -> [String] {
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
  func forget(_ package: AptPackage) -> Bool { unlink(path(of: package)) == 0 }

  /// Gets newer lists into the cache, where the ones in use are older than an hour.
  ///
  /// - Returns: Whether there is anything new.
  func refreshLists() async throws(PluginError) -> Bool {
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
    try CrateFiles.makeFolder(debFolder)
    let temporary = try CrateFiles.makeTemporary(in: debFolder)
    defer { CrateFiles.remove(temporary) }
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

  @discardableResult
  private func apt(_ program: String, _ arguments: [String], in directory: String? = nil)
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
    return options
  }

  private func prepare() async throws(PluginError) {
    for path in [folder, folder + "/archives/partial"] { try CrateFiles.makeFolder(path) }
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
    if (try? CrateFiles.read(folder + "/apt.conf", bytesMax: 1 << 16)) != wanted {
      try CrateFiles.write([], to: folder + "/status")
      try CrateFiles.write(wanted, to: folder + "/apt.conf")
    }
    if access(ownLists + "/.done", F_OK) != 0, !(try await hostHasLists()) {
      try await locked { () async throws(PluginError) in
        if access(ownLists + "/.done", F_OK) != 0 { try await updateLists() }
      }
    }
  }

  private func hostHasLists() async throws(PluginError) -> Bool {
    let out = try await Tool(name: "apt-config").run(["shell", "LISTS", "Dir::State::lists/d"])
    let path = String(decoding: out, as: UTF8.self).split(separator: "'", omittingEmptySubsequences: false)
    guard path.count == 3 else { return false }
    return CrateFiles.names(in: String(path[1])).contains { name in
      name.split(separator: "_").last?.hasPrefix("Packages") ?? false
    }
  }

  private func updateLists() async throws(PluginError) {
    try CrateFiles.makeFolder(ownLists + "/partial")
    let options = ["--config-file", folder + "/apt.conf", "--option", "Dir::State::lists=\(ownLists)/"]
    try await Tool(name: "apt-get", timeoutSeconds: 600).run(options + ["update", "--error-on=any"])
    try CrateFiles.write([], to: ownLists + "/.done")
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
