import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Folders and files as the API describes them, and where the bytes of each are.
///
/// A tree tells names, whether a file may be executed, and links. Times and other modes go along as node properties
/// where the engine takes them; owners, hard links and holes stay behind.
package struct MerkleTree {
  /// Encoded messages and small blobs.
  package private(set) var blobs: [REDigest: Data] = [:]
  /// A file with the content.
  package private(set) var files: [REDigest: String] = [:]

  /// What the engine takes.
  package struct Abilities: Sendable, Equatable {
    package var absoluteLinks = true
    package var modes = false
    package var times = false

    package init(absoluteLinks: Bool = true, modes: Bool = false, times: Bool = false) {
      (self.absoluteLinks, self.modes, self.times) = (absoluteLinks, modes, times)
    }
  }
  private let abilities: Abilities

  private static let depthMax = 128

  package init(_ abilities: Abilities) { self.abilities = abilities }

  package mutating func add(_ blob: Data) -> REDigest {
    let digest = REDigest(of: blob)
    blobs[digest] = blob
    return digest
  }

  /// A file that was looked at before.
  package mutating func add(_ digest: REDigest, at path: String) { files[digest] = path }

  package mutating func add(_ directory: REDirectory) throws -> REDigest { add(try directory.serializedData()) }

  /// - Throws: ``Fault/Code/invalid`` for what a tree cannot tell.
  package mutating func addFile(_ path: String, as name: String) throws -> REFileNode {
    let file = try HostFile(path)
    let info = try file.status()
    guard info.st_mode & S_IFMT == S_IFREG else { throw Fault(.invalid, "\(path) is neither file, folder nor link") }
    var node = REFileNode()
    node.name = name
    node.digest = try REDigest(ofFile: file)
    node.isExecutable = info.st_mode & 0o111 != 0
    if let properties = properties(info) { node.nodeProperties = properties }
    files[node.digest] = path
    return node
  }

  /// A folder and all below it.
  package mutating func addFolder(_ path: String, depth: Int = 0) throws -> REDigest {
    guard depth < Self.depthMax else { throw Fault(.invalid, "\(path) is deeper than \(Self.depthMax) folders") }
    var directory = REDirectory()
    var info = stat()
    for name in try Self.names(in: path) {
      let below = "\(path)/\(name)"
      guard lstat(below, &info) == 0 else { throw Fault.system("look at", below) }
      switch info.st_mode & S_IFMT {
      case S_IFDIR:
        var node = REDirectoryNode()
        node.name = name
        node.digest = try addFolder(below, depth: depth + 1)
        directory.directories.append(node)
      case S_IFLNK: directory.symlinks.append(try link(below, name, info))
      default: directory.files.append(try addFile(below, as: name))
      }
    }
    guard lstat(path, &info) == 0 else { throw Fault.system("look at", path) }
    if let properties = properties(info) { directory.nodeProperties = properties }
    return try add(directory)
  }

  private func link(_ path: String, _ name: String, _ info: stat) throws -> RESymlinkNode {
    var target = [UInt8](repeating: 0, count: 4_097)
    let count = readlink(path, &target, target.count)
    guard count >= 0 else { throw Fault.system("read", path) }
    guard let text = String(validating: target[..<count], as: UTF8.self) else {
      throw Fault(.invalid, "\(path) leads to a name that is not UTF-8; an engine knows no other")
    }
    guard abilities.absoluteLinks || !text.hasPrefix("/") else {
      throw Fault(.invalid, "\(path) leads to \(text), and this engine takes no absolute links")
    }
    var node = RESymlinkNode()
    (node.name, node.target) = (name, text)
    if let properties = properties(info) { node.nodeProperties = properties }
    return node
  }

  private func properties(_ info: stat) -> RENodeProperties? {
    guard abilities.modes || abilities.times else { return nil }
    var properties = RENodeProperties()
    if abilities.modes { properties.unixMode = .init(info.st_mode & 0o7777) }
    if abilities.times {
      properties.mtime = .init(seconds: Int64(info.st_mtim.tv_sec), nanos: Int32(info.st_mtim.tv_nsec))
    }
    return properties
  }

  /// In the order of their bytes, as the API wants them.
  static func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw Fault.system("list", path) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if bytes == [0x2E] || bytes == [0x2E, 0x2E] { continue }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw Fault(.invalid, "\(path) holds a name that is not UTF-8; an engine knows no other")
      }
      names.append(name)
    }
    guard errno == 0 else { throw Fault.system("list", path) }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
