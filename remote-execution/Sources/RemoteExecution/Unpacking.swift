import Crypto
import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A toolchain's tar as a folder of this host, by GNU tar.
enum Unpacking {
  /// - Throws: ``Fault/Code/checksumMismatch`` when the bytes that tar was fed have another digest.
  static func unpack(_ archive: String, digest: String, into folder: String) async throws {
    guard mkdir(folder, 0o755) == 0 else { throw Fault.system("make", folder) }
    let source = try HostFile(archive)
    let tar = Process(), input = Pipe()
    tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Device nodes want root and are not used: a run has a /dev of its own.
    tar.arguments = [
      "tar", "--extract", "--file=-", "--directory=\(folder)", "--no-same-owner", "--no-same-permissions",
      "--exclude=./dev/*", "--warning=no-timestamp",
    ]
    tar.standardInput = input
    tar.standardOutput = FileHandle.nullDevice
    try tar.run()
    var hasher = SHA256()
    // A tar that has failed reads no more; its own words are on standard error.
    var isRead = true
    while case let piece = try source.read(1 << 20), !piece.isEmpty {
      hasher.update(data: piece)
      if isRead { isRead = (try? input.fileHandleForWriting.write(contentsOf: piece)) != nil }
    }
    try? input.fileHandleForWriting.close()
    tar.waitUntilExit()
    let found = REDigest.hex(hasher.finalize())
    guard found == digest else {
      throw Fault(.checksumMismatch, "\(archive) has SHA-256 \(found) by now; \(digest) is wanted")
    }
    guard isRead, tar.terminationStatus == 0 else {
      throw Fault(.io, "tar cannot unpack \(archive); its words are on standard error")
    }
  }
}
