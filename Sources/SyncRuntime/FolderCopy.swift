import Glibc

/// Copies between a folder of the host and a folder of the run, while no process of the run lives.
///
/// What arrives is harmless whatever the run left: no link is followed; set-user-ID and the like are dropped; the owner
/// can always read; hard links become files of their own; holes stay holes; FIFOs, sockets and devices arrive as FIFOs,
/// so that a collector sees that something odd is there. Each file counts its whole length, holes and all, against the
/// budget: a host that reads it back has a bound. What is nested deeper, or has a longer path, than any artifact stays
/// behind, so that ordinary calls reach all that arrives.
package struct FolderCopy {
  package enum Failure: Error {
    /// More than the budget.
    case overflow
    /// The host cannot read or write; a sentence.
    case io(String)
  }

  package static let depthMax = 130
  /// Of a path below the folder, each name with its slash.
  package static let pathBytesMax = 1_024
  // SEEK_DATA and SEEK_HOLE of <unistd.h>.
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4
  private static let flags = O_NOFOLLOW | O_CLOEXEC

  /// What is left of the budget, in bytes.
  package private(set) var budget: UInt64
  /// Who owns the copies, or `nil` for this process's user.
  package let owner: uid_t?

  package init(budget: UInt64, owner: uid_t? = nil) { (self.budget, self.owner) = (budget, owner) }

  package mutating func copy(from source: String, to target: String) throws(Failure) {
    let from = open(source, O_RDONLY | O_DIRECTORY | Self.flags)
    guard from >= 0 else { throw Self.failure(source) }
    defer { close(from) }
    let to = open(target, O_RDONLY | O_DIRECTORY | Self.flags)
    guard to >= 0 else { throw Self.failure(target) }
    defer { close(to) }
    try copyFolder(from, to, depth: 0, pathBytes: 0)
  }

  private mutating func copyFolder(_ from: Int32, _ to: Int32, depth: Int, pathBytes: Int) throws(Failure) {
    for name in try Self.names(in: from) where pathBytes + name.count <= Self.pathBytesMax {
      try copyEntry(from, name, to, depth, pathBytes + name.count)
    }
  }

  private mutating func copyEntry(_ from: Int32, _ name: [CChar], _ to: Int32, _ depth: Int, _ pathBytes: Int)
    throws(Failure)
  {
    var info = stat()
    guard fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { throw Self.failure(name) }
    switch info.st_mode & S_IFMT {
    case S_IFREG: try copyFile(from, name, to, info)
    case S_IFDIR:
      guard depth < Self.depthMax else { return }
      try copySubfolder(from, name, to, info, depth, pathBytes)
    case S_IFLNK: try copyLink(from, name, to)
    default: guard mkfifoat(to, name, 0o600) == 0 else { throw Self.failure(name) }
    }
  }

  private mutating func copySubfolder(
    _ from: Int32, _ name: [CChar], _ to: Int32, _ info: stat, _ depth: Int, _ pathBytes: Int
  ) throws(Failure) {
    let source = openat(from, name, O_RDONLY | O_DIRECTORY | Self.flags)
    guard source >= 0 else { throw Self.failure(name) }
    defer { close(source) }
    guard mkdirat(to, name, 0o700) == 0 else { throw Self.failure(name) }
    let target = openat(to, name, O_RDONLY | O_DIRECTORY | Self.flags)
    guard target >= 0 else { throw Self.failure(name) }
    defer { close(target) }
    try copyFolder(source, target, depth: depth + 1, pathBytes: pathBytes)
    try seal(target, name, info.st_mode & 0o777 | S_IRWXU)
  }

  private mutating func copyFile(_ from: Int32, _ name: [CChar], _ to: Int32, _ info: stat) throws(Failure) {
    guard UInt64(clamping: info.st_size) <= budget else { throw .overflow }
    budget -= UInt64(clamping: info.st_size)
    let source = openat(from, name, O_RDONLY | O_NONBLOCK | Self.flags)
    guard source >= 0 else { throw Self.failure(name) }
    defer { close(source) }
    let target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | Self.flags, 0o600)
    guard target >= 0 else { throw Self.failure(name) }
    defer { close(target) }
    guard ftruncate(target, info.st_size) == 0 else { throw Self.failure(name) }
    var at: off_t = 0
    while at < info.st_size {
      let data = lseek(source, at, Self.seekData)
      if data < 0 && errno == ENXIO { break }
      let hole = data < 0 ? -1 : lseek(source, data, Self.seekHole)
      guard hole >= 0 else { throw Self.failure(name) }
      try copyRange(source, target, data, min(hole, info.st_size), name)
      at = hole
    }
    try seal(target, name, info.st_mode & 0o777 | S_IRUSR)
  }

  private func copyRange(_ source: Int32, _ target: Int32, _ from: off_t, _ end: off_t, _ name: [CChar])
    throws(Failure)
  {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    var at = from
    while at < end {
      let count = pread(source, &buffer, min(buffer.count, Int(end - at)), at)
      guard count >= 0 else { throw Self.failure(name) }
      if count == 0 { return }
      guard pwrite(target, buffer, count, at) == count else { throw Self.failure(name) }
      at += off_t(count)
    }
  }

  private func copyLink(_ from: Int32, _ name: [CChar], _ to: Int32) throws(Failure) {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlinkat(from, name, &target, target.count - 1)
    guard count >= 0, symlinkat(target, to, name) == 0 else { throw Self.failure(name) }
    if let owner, fchownat(to, name, owner, owner, AT_SYMLINK_NOFOLLOW) != 0 { throw Self.failure(name) }
  }

  /// The owner first: giving a file away drops mode bits.
  private func seal(_ descriptor: Int32, _ name: [CChar], _ mode: mode_t) throws(Failure) {
    if let owner, fchown(descriptor, owner, owner) != 0 { throw Self.failure(name) }
    guard fchmod(descriptor, mode) == 0 else { throw Self.failure(name) }
  }

  /// Removes everything in a folder, however deep, and leaves the folder.
  package static func empty(_ path: String) throws(Failure) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | flags)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    var moved = 0
    repeat {
      moved = 0
      try removeContents(folder, root: folder, depth: 0, moved: &moved)
    } while moved > 0
  }

  /// What is nested deeper than `depthMax` is moved up to the root, so that neither stack nor descriptors run out.
  private static func removeContents(_ folder: Int32, root: Int32, depth: Int, moved: inout Int) throws(Failure) {
    for name in try names(in: folder) {
      if unlinkat(folder, name, 0) == 0 { continue }
      if depth >= depthMax {
        guard renameat(folder, name, root, "deep-\(UInt64.random(in: .min ... .max))") == 0 else { throw failure(name) }
        moved += 1
        continue
      }
      var below = openat(folder, name, O_RDONLY | O_DIRECTORY | flags)
      // It is a folder, or it would be gone; its owner may have taken his own rights.
      if below < 0, errno == EACCES, fchmodat(folder, name, S_IRWXU, 0) == 0 {
        below = openat(folder, name, O_RDONLY | O_DIRECTORY | flags)
      }
      guard below >= 0 else { throw failure(name) }
      defer { close(below) }
      // A folder that is read alone gives none of its names back.
      _ = fchmod(below, S_IRWXU)
      try removeContents(below, root: root, depth: depth + 1, moved: &moved)
      guard unlinkat(folder, name, AT_REMOVEDIR) == 0 else { throw failure(name) }
    }
  }

  package static func isEmpty(_ path: String) throws(Failure) -> Bool {
    let folder = open(path, O_RDONLY | O_DIRECTORY | flags)
    guard folder >= 0 else { throw failure(path) }
    defer { close(folder) }
    return try names(in: folder).isEmpty
  }

  /// As C strings, since a name need not be UTF-8.
  private static func names(in folder: Int32) throws(Failure) -> [[CChar]] {
    let descriptor = openat(folder, ".", O_RDONLY | O_DIRECTORY | flags)
    guard descriptor >= 0, let directory = fdopendir(descriptor) else { throw failure("a folder") }
    defer { closedir(directory) }
    let dot = CChar(UInt8(ascii: "."))
    var names: [[CChar]] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } }
      if name != [dot] && name != [dot, dot] { names.append(name + [0]) }
    }
    return names
  }

  private static func failure(_ name: [CChar]) -> Failure {
    failure(String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  private static func failure(_ name: String) -> Failure { .io("\(name): \(String(cString: strerror(errno)))") }
}
