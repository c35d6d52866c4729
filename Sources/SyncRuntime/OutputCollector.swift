import Glibc
import SyncProof

/// Takes the declared artifacts out of a sandbox's output folder, which may be hostile.
///
/// Every path component is opened from its parent's descriptor without following symbolic links, and only regular
/// files are taken: a symbolic link, FIFO, socket or device in an artifact's place is a failure of the build.
enum OutputCollector {
  enum Finding {
    case artifact(Artifact)
    case missing
    case notRegular
  }

  /// - Parameters:
  ///   - paths: Declared artifacts, relative, checked by ``BuildSpec``.
  ///   - bytesMax: What all artifacts together may have.
  /// - Returns: The outcome: `built` with all of them, or the first failure in the order of the paths.
  static func collect(_ paths: [Text], from directory: String, bytesMax: UInt64, into store: ArtifactStore)
    throws(PluginError) -> Outcome
  {
    let root = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else { throw Folder.error("open", directory) }
    defer { close(root) }
    var artifacts: [Artifact] = []
    var total: UInt64 = 0
    for path in paths {
      switch try take(path, below: root, bytesMax: bytesMax - total, into: store) {
      case .artifact(let artifact):
        total += artifact.size
        artifacts.append(artifact)
      case .missing: return .failed(.missingArtifact(path))
      case .notRegular: return .failed(.badArtifact(path))
      }
    }
    return .built(artifacts)
  }

  private static func take(_ path: Text, below root: Int32, bytesMax: UInt64, into store: ArtifactStore)
    throws(PluginError) -> Finding
  {
    var parent = root
    defer { if parent != root { close(parent) } }
    let parts = path.string.split(separator: "/").map(String.init)
    for part in parts.dropLast() {
      let next = openat(parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard next >= 0 else { return errno == ENOENT ? .missing : .notRegular }
      if parent != root { close(parent) }
      parent = next
    }
    guard let name = parts.last else { return .missing }
    let descriptor = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return errno == ENOENT ? .missing : .notRegular }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Folder.error("examine", path.string) }
    guard info.st_mode & S_IFMT == S_IFREG, UInt64(info.st_size) <= bytesMax else { return .notRegular }
    // The size is checked again on what is kept: the file may still grow under a careless sandbox.
    guard let stored = try store.adopt(descriptor: descriptor, name: path.string, bytesMax: bytesMax) else {
      return .notRegular
    }
    // Group and other bits follow the umask inside, which is fixed; set-id bits have no meaning in an artifact.
    return .artifact(
      Artifact(path: path, mode: UInt16(info.st_mode & 0o777), size: stored.size, sha256: stored.digest))
  }
}
