import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// A tar with the same bytes for everyone who packs the same files, whatever the order in which they came.
///
/// By GNU tar: sorted, owned by root, without extended attributes, in its own format; the times of files stay, since
/// some programs compare them. What an engine puts into each container (`/.dockerenv`, `/dev`, the host's names) stays
/// out, and so do the times of folders, which change with that.
public enum CanonicalTar {
  private static let leftOut = [
    "./.dockerenv", ".dockerenv", "./dev/*", "dev/*", "./etc/hostname", "etc/hostname", "./etc/hosts", "etc/hosts",
    "./etc/resolv.conf", "etc/resolv.conf", "./etc/mtab", "etc/mtab",
  ]

  /// - Parameter scratch: An existing folder for the unpacked files; they are removed again.
  public static func write(from source: String, to target: String, scratch: String) throws(PluginError) {
    let root = "\(scratch)/root"
    guard mkdir(root, 0o755) == 0 else {
      throw PluginError(.io, "Cannot make \(root): \(String(cString: strerror(errno)))")
    }
    defer { try? FileManager.default.removeItem(atPath: root) }
    let excluded = leftOut.map { "--exclude=\($0)" }
    try run(
      ["--extract", "--file=\(source)", "--directory=\(root)", "--no-same-owner", "--same-permissions", "--anchored"]
        + excluded)
    guard chmod(root, 0o755) == 0 else {
      throw PluginError(.io, "Cannot set the mode of \(root): \(String(cString: strerror(errno)))")
    }
    try forgetTimes(root)
    try run([
      "--create", "--file=\(target)", "--directory=\(root)", "--sort=name", "--owner=0", "--group=0",
      "--numeric-owner", "--format=gnu", ".",
    ])
  }

  /// Of all folders of a tree, the tree's own too.
  private static func forgetTimes(_ root: String) throws(PluginError) {
    let names = FileManager.default.enumerator(atPath: root)?.lazy.compactMap { $0 as? String }
    for path in [root] + (names.map { $0.map { name in "\(root)/\(name)" } } ?? []) {
      var info = stat()
      let times = [timespec(tv_sec: 0, tv_nsec: 0), timespec(tv_sec: 0, tv_nsec: 0)]
      guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { continue }
      guard utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0 else {
        throw PluginError(.io, "Cannot set the time of \(path): \(String(cString: strerror(errno)))")
      }
    }
  }

  /// The names in a tar, as GNU tar reads them.
  ///
  /// - Throws: ``PluginError/Code/invalid`` when it is none.
  public static func names(in tar: String) throws(PluginError) -> [Substring] {
    String(decoding: try run(["--list", "--file=\(tar)"]), as: UTF8.self).split(separator: "\n")
  }

  @discardableResult
  private static func run(_ arguments: [String]) throws(PluginError) -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["LC_ALL=C.UTF-8", "tar"] + arguments
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    do { try process.run() } catch {
      throw PluginError(.unavailable, "GNU tar cannot be started: \(error.localizedDescription)")
    }
    // What tar complains of is little, and comes before it ends; the names may be much.
    let names = output.fileHandleForReading.readDataToEndOfFile()
    let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw PluginError(.invalid, "tar refuses the archive: \(words.split(separator: "\n").first ?? "no reason given")")
    }
    return [UInt8](names)
  }
}
