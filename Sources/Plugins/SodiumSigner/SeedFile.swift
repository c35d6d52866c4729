import CSodium
import Glibc
import SyncProof
import SyncRuntime

/// The seed on disk: 64 lower-case hexadecimal digits and a line feed, readable by its owner alone.
extension SodiumSigner {
  private static let fileByteCount = 2 * seedByteCount + 1

  /// Reads the seed from `path` and derives the keys.
  ///
  /// - Throws: ``PluginError/Code/notFound`` when there is no file, ``PluginError/Code/unavailable`` when others may
  ///   read it (the message has the command that ends this), ``PluginError/Code/invalid`` when it is not a seed file.
  public convenience init(seedFile path: String) throws(PluginError) {
    try self.init(lockedSeed: SodiumSigner.readSeed(path))
  }

  /// Makes a new random seed and writes it to `path`, which must not exist; it is on the disk when this returns.
  ///
  /// - Throws: ``PluginError/Code/invalid`` when `path` exists: a seed is never overwritten.
  public static func createSeedFile(at path: String) throws(PluginError) {
    let seed = try LockedBytes(count: seedByteCount)
    seed.withBytes { randombytes_buf($0, seedByteCount) }
    try writeSeed(seed, to: path)
  }

  /// Writes a seed that exists already, such as one from a mnemonic, to `path`, which must not exist.
  ///
  /// - Parameter seed: 32 bytes; the caller wipes its own copy.
  public static func createSeedFile(at path: String, seed: [UInt8]) throws(PluginError) {
    guard seed.count == seedByteCount else {
      throw PluginError(.invalid, "A seed is 32 bytes; \(seed.count) were given")
    }
    let locked = try LockedBytes(count: seedByteCount)
    locked.fill(with: seed)
    try writeSeed(locked, to: path)
  }

  private static func readSeed(_ path: String) throws(PluginError) -> LockedBytes {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let code: PluginError.Code = errno == ENOENT ? .notFound : .io
      let hint = errno == ENOENT ? "; `synchronicity init` makes one" : ""
      throw PluginError(code, "Cannot open the seed file \(path): \(systemError())\(hint)")
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      throw PluginError(.invalid, "The seed file \(path) is not a regular file")
    }
    guard info.st_mode & 0o077 == 0 else {
      let mode = String(info.st_mode & 0o777, radix: 8)
      throw PluginError(
        .unavailable, "Others may read the seed file \(path) (mode \(mode)); run: chmod 600 '\(path)'")
    }
    // One byte more than the file has, so that a longer one shows.
    let text = try LockedBytes(count: fileByteCount + 1)
    let count = text.withBytes { readFully(descriptor, into: $0, count: text.count) }
    guard count >= 0 else { throw PluginError(.io, "Cannot read the seed file \(path): \(systemError())") }
    let seed = try LockedBytes(count: seedByteCount)
    let isSeed = text.withBytes { text in
      seed.withBytes { decode(UnsafeBufferPointer(start: text, count: count), into: $0) }
    }
    guard isSeed else {
      throw PluginError(
        .invalid, "\(path) is not a seed file: 64 lower-case hexadecimal digits and a line feed are wanted")
    }
    return seed
  }

  private static func readFully(_ descriptor: Int32, into buffer: UnsafeMutablePointer<UInt8>, count: Int) -> Int {
    var filled = 0
    while filled < count {
      let got = read(descriptor, buffer + filled, count - filled)
      if got == 0 { break }
      if got < 0 && errno == EINTR { continue }
      if got < 0 { return -1 }
      filled += got
    }
    return filled
  }

  private static func decode(_ text: UnsafeBufferPointer<UInt8>, into seed: UnsafeMutablePointer<UInt8>) -> Bool {
    guard text.count == fileByteCount, text.last == UInt8(ascii: "\n") else { return false }
    for (place, digit) in text.dropLast().enumerated() {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      default: return false
      }
      seed[place / 2] = place % 2 == 0 ? value << 4 : seed[place / 2] | value
    }
    return true
  }

  private static func writeSeed(_ seed: LockedBytes, to path: String) throws(PluginError) {
    let text = try LockedBytes(count: fileByteCount + 1)
    text.withBytes { text in
      text.withMemoryRebound(to: CChar.self, capacity: fileByteCount + 1) { text in
        seed.withBytes { _ = sodium_bin2hex(text, fileByteCount + 1, $0, seedByteCount) }
      }
      text[fileByteCount - 1] = UInt8(ascii: "\n")
    }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      if errno == EEXIST {
        throw PluginError(.invalid, "\(path) exists; a seed file is never overwritten: move it away or name another")
      }
      throw PluginError(.io, "Cannot create the seed file \(path): \(systemError())")
    }
    let isWritten = text.withBytes { text in
      fchmod(descriptor, 0o600) == 0 && write(descriptor, text, fileByteCount) == fileByteCount
        && fsync(descriptor) == 0
    }
    let reason = systemError()
    close(descriptor)
    guard isWritten else {
      unlink(path)
      throw PluginError(.io, "Cannot write the seed file \(path): \(reason)")
    }
    try syncDirectory(of: path)
  }

  /// A new file's name is durable only once its directory is.
  private static func syncDirectory(of path: String) throws(PluginError) {
    let directory =
      switch path.lastIndex(of: "/") {
      case nil: "."
      case path.startIndex: "/"
      case let slash?: String(path[..<slash])
      }
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PluginError(.io, "Cannot open \(directory): \(systemError())") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw PluginError(.io, "Cannot sync \(directory): \(systemError())") }
  }

  private static func systemError() -> String { String(cString: strerror(errno)) }
}
