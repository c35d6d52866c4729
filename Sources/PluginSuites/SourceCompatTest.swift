import Glibc
import SyncProof
import SyncRuntime

/// Checks that a ``Source`` keeps its protocol's promises.
public struct SourceCompatTest: Sendable {
  /// What the source is asked to pin.
  public struct Package: Sendable {
    /// A package that the source has, with its version, such as `pkg:cargo/itoa@1.0.1`.
    public var purl: String
    /// One of the same kind that nobody has.
    public var unknownPurl: String
    /// The package again, in a version that nobody has.
    public var unknownVersionPurl: String
    public var toolchain: Digest

    public init(purl: String, unknownPurl: String, unknownVersionPurl: String, toolchain: Digest) {
      self.purl = purl
      self.unknownPurl = unknownPurl
      self.unknownVersionPurl = unknownVersionPurl
      self.toolchain = toolchain
    }
  }

  private let source: any Source
  private let sandbox: any Sandbox
  private let package: Package
  private let scratchDirectory: String

  /// - Parameters:
  ///   - sandbox: Has the toolchain ready.
  ///   - scratchDirectory: An existing folder, empty at the end.
  public init(source: any Source, sandbox: any Sandbox, package: Package, scratchDirectory: String) {
    self.source = source
    self.sandbox = sandbox
    self.package = package
    self.scratchDirectory = scratchDirectory
  }

  /// Resolves the package first; without a spec the rest cannot be checked and is not.
  public func run() async -> [CompatFinding] {
    let spec: BuildSpec
    do throws(PluginError) { spec = try await resolve(package.purl) } catch {
      return [CompatFinding(name: "the package is resolved", hasPassed: false, detail: error.message)]
    }
    var findings = [
      CompatFinding.check("the package is resolved") {
        try require(spec.package == Text(package.purl), "\(spec.package.string) instead of \(package.purl)")
        try require(spec.toolchain == package.toolchain, "with another toolchain")
      },
      CompatFinding.check("the spec is canonical") {
        try spec.validate()
        try require(try BuildSpec(parsing: spec.encode()) == spec, "reading the spec's text gives another spec")
      },
    ]
    findings.append(
      await CompatFinding.check("resolving again gives the same spec") {
        let again = try await resolve(package.purl)
        try require(again.jobID == spec.jobID, "job \(again.jobID) instead of \(spec.jobID)")
      })
    findings += await fetching(spec)
    findings += await refusing(spec)
    findings.append(
      CompatFinding.check("nothing is left behind") {
        let left = names(in: scratchDirectory)
        try require(left.isEmpty, "\(left.joined(separator: ", ")) in the scratch folder")
      })
    return findings
  }

  private func fetching(_ spec: BuildSpec) async -> [CompatFinding] {
    [
      await CompatFinding.check("every source is fetched with its digest") { try await fetchEach(of: spec) },
      await CompatFinding.check("fetches may overlap") { try await fetchSideBySide(spec) },
    ]
  }

  private func fetchEach(of spec: BuildSpec) async throws {
    for item in spec.sources {
      let tree = try await fetchedTree(item)
      try require(tree == item.tree, "\(item.purl.string) has the digest \(tree)")
    }
  }

  private func fetchSideBySide(_ spec: BuildSpec) async throws {
    guard let item = spec.root else { throw CompatFailure("the spec has no root") }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for _ in 0..<4 { tasks.addTask { _ = try await fetchedTree(item) } }
      try await tasks.waitForAll()
    }
  }

  private func refusing(_ spec: BuildSpec) async -> [CompatFinding] {
    guard let item = spec.root else { return [] }
    var flipped = item.tree.bytes
    flipped[31] ^= 1
    let other = Digest(bytes: flipped) ?? .zero
    func with(tree: Digest? = nil, origin: Text? = nil) -> SourceItem {
      SourceItem(purl: item.purl, tree: tree ?? item.tree, claim: item.claim, origin: origin ?? item.origin)
    }
    let version = Text(utf8: item.origin.utf8.map { $0 == UInt8(ascii: "@") ? UInt8(ascii: "#") : $0 })
    let requests: [(name: String, purl: String, code: PluginError.Code)] = [
      ("an unknown package is not found", package.unknownPurl, .notFound),
      ("an unknown version is not found", package.unknownVersionPurl, .notFound),
      ("a package without a scheme is refused", String(package.purl.dropFirst(4)), .invalid),
      ("an empty package is refused", "", .invalid),
      ("a package that leaves its folder is refused", package.purl + "/../../etc", .invalid),
    ]
    var findings = [
      await refuses("one flipped bit in the digest is a mismatch", .checksumMismatch) {
        _ = try await fetchedTree(with(tree: other))
      },
      await refuses("an origin that is none is refused", .invalid) {
        _ = try await fetchedTree(with(origin: version))
      },
      await refuses("a folder that exists is refused", .invalid) {
        let folder = newFolder()
        mkdir(folder, 0o755)
        defer { rmdir(folder) }
        try await source.fetch(item, into: folder)
      },
    ]
    for request in requests {
      findings.append(await refuses(request.name, request.code) { _ = try await resolve(request.purl) })
    }
    return findings
  }

  /// Passes when `body` throws a ``PluginError`` with this code and a message.
  private func refuses(_ name: String, _ code: PluginError.Code, _ body: () async throws -> Void) async -> CompatFinding
  {
    await CompatFinding.check(name) {
      do { try await body() } catch let error as PluginError {
        try require(error.code == code, "code \(error.code.rawValue) instead of \(code.rawValue): \(error.message)")
        try require(!error.message.isEmpty, "without a message")
        return
      }
      throw CompatFailure("it was taken")
    }
  }

  private func resolve(_ purl: String) async throws(PluginError) -> BuildSpec {
    try await source.resolve(
      ResolveRequest(package: purl, toolchain: package.toolchain), sandbox: sandbox, scratchDirectory: scratchDirectory)
  }

  /// Fetches into a folder of its own, which is gone afterwards.
  private func fetchedTree(_ item: SourceItem) async throws -> Digest {
    let folder = newFolder()
    defer { remove(folder) }
    try await source.fetch(item, into: folder)
    return try TreeDigest.sha256(directory: folder)
  }

  private func newFolder() -> String { "\(scratchDirectory)/\(UInt64.random(in: .min ... .max))" }

  private func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  private func remove(_ path: String) {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      unlink(path)
      return
    }
    for name in names(in: path) { remove("\(path)/\(name)") }
    rmdir(path)
  }
}
