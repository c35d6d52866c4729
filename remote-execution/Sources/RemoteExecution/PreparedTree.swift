import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A toolchain that `prepare` has unpacked and described: the tree for each run, without reading its files again.
package enum PreparedTree {
  private static let bytesMax = 256 << 20

  package static func write(_ tree: MerkleTree, root: REDigest, below folder: String, to path: String) throws {
    var prepared = REPreparedToolchain()
    prepared.root = root
    prepared.directories = tree.blobs.sorted { $0.key.hash < $1.key.hash }.map(\.value)
    prepared.files = try tree.files.sorted { $0.key.hash < $1.key.hash }.map { digest, file in
      guard file.hasPrefix(folder + "/") else { throw Fault(.io, "\(file) lies outside \(folder)") }
      var entry = REPreparedFile()
      (entry.digest, entry.path) = (digest, String(file.dropFirst(folder.count + 1)))
      return entry
    }
    try Data(prepared.serializedBytes() as [UInt8]).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  /// - Throws: ``Fault/Code/notFound`` when it is not there or was made for another engine.
  package static func read(_ path: String, below folder: String, into tree: inout MerkleTree) throws -> REDigest {
    let file: HostFile
    do { file = try HostFile(path) } catch {
      throw Fault(.notFound, "The toolchain was not prepared for a remote engine: \(path) is missing")
    }
    let data = try file.read(bytesMax)
    let prepared: REPreparedToolchain
    do { prepared = try REPreparedToolchain(serializedBytes: data) } catch {
      throw Fault(.io, "\(path) is not what 'prepare' wrote: \(error); remove the toolchain and prepare it again")
    }
    for directory in prepared.directories { _ = tree.add(directory) }
    for file in prepared.files { tree.add(file.digest, at: "\(folder)/\(file.path)") }
    guard tree.blobs[prepared.root] != nil else { throw Fault(.io, "\(path) does not hold its own root") }
    return prepared.root
  }
}
