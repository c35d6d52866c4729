import Glibc
import SyncProof

/// The name that a recipe gave its failure: the file `/output/failure`, which holds it and one newline.
///
/// The folder may be hostile. Whatever is not such a file (a link, a FIFO, a folder, other bytes) is no name, and never
/// a fault of the host: every builder has to make the same of the same folder.
package enum RecipeFailure {
  private static let file = "failure"
  /// Readable by everybody, as under any usual umask: a builder that runs as root must not see more than another.
  private static let modeWanted = S_IRUSR | S_IRGRP | S_IROTH

  /// - Parameter directory: What the recipe had as `/output`, when nothing of it runs any more.
  /// - Returns: `nil` when it left no name.
  /// - Throws: ``PluginError/Code/io`` when the host cannot open or read, which says nothing about the recipe.
  package static func name(in directory: String) throws(PluginError) -> Text? {
    let root = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else { throw Folder.error("open", directory) }
    defer { close(root) }
    let descriptor = openat(root, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT, ELOOP, ENXIO, ENODEV, EACCES, EPERM: return nil
      default: throw Folder.error("open", "\(directory)/\(file)")
      }
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Folder.error("examine", "\(directory)/\(file)") }
    guard info.st_mode & S_IFMT == S_IFREG, info.st_mode & modeWanted == modeWanted else { return nil }
    // One byte more than a name and its newline may have, so that what is longer is seen to be.
    var bytes = [UInt8](repeating: 0, count: ProofLimits.failureNameBytesMax + 2)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { buffer in
        pread(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, off_t(count))
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw Folder.error("read", "\(directory)/\(file)") }
      if got == 0 { break }
      count += got
    }
    guard count > 0, bytes[count - 1] == UInt8(ascii: "\n") else { return nil }
    let name = Text(utf8: Array(bytes[..<(count - 1)]))
    return FailureReason.isName(name) ? name : nil
  }
}
