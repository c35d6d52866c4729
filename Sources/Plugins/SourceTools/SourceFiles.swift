import Glibc
import SyncProof
import SyncRuntime

/// The few things that are done with folders and files here, with errors that say which.
package enum SourceFiles {
  /// Makes a folder and what lies above it.
  package static func makeFolder(_ path: String) throws(PluginError) {
    if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.dropLast().lastIndex(of: "/"), slash != path.startIndex else {
      throw failed("make", path)
    }
    try makeFolder(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failed("make", path) }
  }

  /// A fresh folder in `directory`, so that a rename from it to there is atomic.
  package static func makeTemporary(in directory: String) throws(PluginError) -> String {
    try makeFolder(directory)
    var template = Array("\(directory)/.partial-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw failed("make a folder in", directory) }
    let path = template.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    // Who builds inside a sandbox may be another user than who unpacks.
    guard chmod(path, 0o755) == 0 else { throw failed("open up", path) }
    return path
  }

  /// Writes through a temporary file: readers see all of it or nothing.
  package static func write(_ bytes: [UInt8], to path: String) throws(PluginError) {
    var template = Array("\(path).XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw failed("write", path) }
    var left = bytes[...]
    while !left.isEmpty {
      let count = left.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { break }
      left = left.dropFirst(count)
    }
    let isWritten = left.isEmpty && fchmod(descriptor, 0o644) == 0
    guard close(descriptor) == 0, isWritten, rename(template, path) == 0 else {
      let error = failed("write", path)
      unlink(template)
      throw error
    }
  }

  /// Reads a regular file of at most `bytesMax` bytes; symbolic links are not followed.
  package static func read(_ path: String, bytesMax: Int) throws(PluginError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw failed("open", path) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= bytesMax else {
      throw PluginError(.invalid, "\(path) is not a file of at most \(bytesMax) bytes")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0, bytes.count + count <= bytesMax else { throw failed("read", path) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// Copies the files and links of a source tree; refuses what ``TreeDigest`` refuses.
  package static func copyTree(_ source: String, to target: String) throws(PluginError) {
    var made: Set<Substring> = []
    for entry in try TreeDigest.entries(directory: source) {
      let path = String(decoding: entry.path, as: UTF8.self)
      if let slash = path.lastIndex(of: "/"), made.insert(path[..<slash]).inserted {
        try makeFolder("\(target)/\(path[..<slash])")
      }
      switch entry.kind {
      case .file(let isExecutable, let size):
        try copyFile("\(source)/\(path)", to: "\(target)/\(path)", size: size, mode: isExecutable ? 0o755 : 0o644)
      case .link(let link):
        guard symlink(String(decoding: link, as: UTF8.self), "\(target)/\(path)") == 0 else {
          throw failed("write", path)
        }
      }
    }
  }

  /// Copies a regular file; the copy is no program.
  package static func copyFile(_ source: String, to target: String) throws(PluginError) {
    var info = stat()
    guard lstat(source, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { throw failed("read", source) }
    try copyFile(source, to: target, size: UInt64(info.st_size), mode: 0o644)
  }

  /// The mode that a file has whoever downloaded it.
  package static func makeReadable(_ path: String) throws(PluginError) {
    guard chmod(path, 0o644) == 0 else { throw failed("open up", path) }
  }

  private static func copyFile(_ source: String, to target: String, size: UInt64, mode: mode_t) throws(PluginError) {
    let input = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard input >= 0 else { throw failed("open", source) }
    defer { close(input) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard output >= 0 else { throw failed("write", target) }
    var left = size
    while left > 0 {
      let count = sendfile(output, input, nil, Int(min(left, 1 << 30)))
      guard count > 0 else { break }
      left -= UInt64(count)
    }
    let isCopied = left == 0 && fchmod(output, mode) == 0
    guard close(output) == 0, isCopied else { throw failed("copy to", target) }
  }

  /// Gives `temporary` its final name, unless something stands there.
  package static func place(_ temporary: String, at path: String) throws(PluginError) {
    guard !exists(path) else { throw PluginError(.invalid, "\(path) exists already; give a folder that does not") }
    guard rename(temporary, path) == 0 else { throw failed("make", path) }
  }

  /// Lets any user of the host write into a folder that only this process's user can reach.
  package static func openToAll(_ path: String) throws(PluginError) {
    guard chmod(path, 0o777) == 0 else { throw failed("open up", path) }
  }

  package static func exists(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0
  }

  package static func isFolder(_ path: String) -> Bool {
    var info = stat()
    return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// Names in a folder, sorted by their bytes; none where there is no folder.
  package static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Removes a folder with all that it holds; symbolic links are removed, not followed.
  package static func remove(_ path: String) {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    if info.st_mode & S_IFMT == S_IFDIR {
      for name in names(in: path) { remove("\(path)/\(name)") }
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  package static func failed(_ what: String, _ path: String) -> PluginError {
    PluginError(
      errno == ENOENT ? .notFound : .io, "Cannot \(what) \(path): \(String(cString: strerror(errno)))")
  }
}
