import Dispatch
import Glibc
import SyncProof
import Synchronization

/// Takes the declared artifacts out of a sandbox's output folder, which may be hostile.
///
/// Every path component is opened from its parent's descriptor without following symbolic links, and only regular
/// files are taken: a symbolic link, FIFO, socket or device in an artifact's place is a failure of the build.
///
/// The folder is used up: what can be moved into the store is moved.
package enum OutputCollector {
  private enum Finding {
    case artifact(Artifact)
    case missing
    case notRegular

    /// What it makes of the build, if it is a failure.
    func failure(_ path: Text) -> Outcome? {
      switch self {
      case .artifact: nil
      case .missing: .failed(.missingArtifact(path))
      case .notRegular: .failed(.badArtifact(path))
      }
    }
  }

  /// - Parameters:
  ///   - paths: Declared artifacts, relative, checked by ``BuildSpec``.
  ///   - bytesMax: What all artifacts together may have.
  /// - Returns: The outcome: `built` with all of them, each on its way to the disk (``ArtifactStore/keep(_:)``), or the
  ///   first failure in the order of the paths; then the store may have some of them.
  package static func collect(_ paths: [Text], from directory: String, bytesMax: UInt64, into store: ArtifactStore)
    throws(PluginError) -> Outcome
  {
    let root = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else { throw Folder.error("open", directory) }
    defer { close(root) }
    // First a look at all of them, so that a failed build costs no hashing.
    var sizes: [UInt64] = []
    var total: UInt64 = 0
    for path in paths {
      switch try Place.find(path, below: root) {
      case .failure(let finding): return finding.failure(path) ?? .failed(.badArtifact(path))
      case .success(let place):
        defer { place.close() }
        let size = UInt64(clamping: place.info.st_size)
        guard size <= bytesMax - total else { return .failed(.badArtifact(path)) }
        total += size
        sizes.append(size)
      }
    }
    let findings = try take(paths, sizes, below: root, into: store)
    var artifacts: [Artifact] = []
    for (path, finding) in zip(paths, findings) {
      if let failure = finding.failure(path) { return failure }
      if case .artifact(let artifact) = finding { artifacts.append(artifact) }
    }
    return .built(artifacts)
  }

  /// All at once, as far as there are processors: hashing keeps one busy for each file.
  private static func take(_ paths: [Text], _ sizes: [UInt64], below root: Int32, into store: ArtifactStore)
    throws(PluginError) -> [Finding]
  {
    let results = Mutex<[Int: Result<Finding, PluginError>]>([:])
    DispatchQueue.concurrentPerform(iterations: paths.count) { index in
      let result: Result<Finding, PluginError>
      do throws(PluginError) {
        result = .success(try take(paths[index], bytesMax: sizes[index], below: root, into: store))
      } catch {
        result = .failure(error)
      }
      results.withLock { $0[index] = result }
    }
    let found = results.withLock { $0 }
    var findings: [Finding] = []
    for index in paths.indices {
      guard let result = found[index] else { preconditionFailure("Every path has been taken") }
      findings.append(try result.get())
    }
    return findings
  }

  /// - Parameter bytesMax: The size that it had a moment ago; it is checked again on what is kept, since the file may
  ///   still grow under a careless sandbox.
  private static func take(_ path: Text, bytesMax: UInt64, below root: Int32, into store: ArtifactStore)
    throws(PluginError) -> Finding
  {
    switch try Place.find(path, below: root) {
    case .failure(let finding): return finding
    case .success(let place):
      defer { place.close() }
      guard let stored = try store.adopt(place.source, name: path.string, bytesMax: bytesMax) else {
        return .notRegular
      }
      // Group and other bits follow the umask inside, which is fixed; set-id bits have no meaning in an artifact.
      let mode = UInt16(place.info.st_mode & 0o777)
      return .artifact(Artifact(path: path, mode: mode, size: stored.size, sha256: stored.digest))
    }
  }

  /// An artifact's file and the folder that it lies in, both open.
  private struct Place {
    enum Search {
      case success(Place)
      case failure(Finding)
    }

    let source: ArtifactStore.Source
    let info: stat
    private let root: Int32

    static func find(_ path: Text, below root: Int32) throws(PluginError) -> Search {
      var parent = root
      let parts = path.string.split(separator: "/").map(String.init)
      func leave(_ finding: Finding) -> Search {
        if parent != root { Glibc.close(parent) }
        return .failure(finding)
      }
      for part in parts.dropLast() {
        let next = openat(parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard next >= 0 else { return leave(errno == ENOENT ? .missing : .notRegular) }
        if parent != root { Glibc.close(parent) }
        parent = next
      }
      guard let name = parts.last else { return leave(.missing) }
      let descriptor = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { return leave(errno == ENOENT ? .missing : .notRegular) }
      let source = ArtifactStore.Source(descriptor: descriptor, folder: parent, entry: name)
      var info = stat()
      let place: Place
      if fstat(descriptor, &info) == 0 {
        place = Place(source: source, info: info, root: root)
      } else {
        let error = Folder.error("examine", path.string)
        Glibc.close(descriptor)
        _ = leave(.missing)
        throw error
      }
      guard info.st_mode & S_IFMT == S_IFREG else {
        place.close()
        return .failure(.notRegular)
      }
      return .success(place)
    }

    func close() {
      Glibc.close(source.descriptor)
      if source.folder != root { Glibc.close(source.folder) }
    }
  }
}
