import Foundation
import Glibc
import SyncProof

/// What a node says to whoever frees the disk: the toolchains of its open jobs, one digest a line, in `toolchains` in
/// its data folder. It names too many rather than too few, also while the node is stopped.
public enum NodeToolchains {
  private static let bytesMax = 1 << 20

  static func path(_ dataDirectory: String) -> String { dataDirectory + "/toolchains" }

  /// - Returns: None where no node has run yet.
  /// - Throws: ``PluginError/Code/io`` when the file cannot be read, ``PluginError/Code/invalid`` when it is damaged.
  public static func ofOpenJobs(dataDirectory: String) throws(PluginError) -> [Digest] {
    let path = path(dataDirectory)
    guard access(path, F_OK) == 0 else { return [] }
    let data: Data
    do {
      // An empty file, of a node without open jobs, reads as nothing.
      data = try FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: bytesMax) ?? Data()
    } catch {
      throw PluginError(.io, "Cannot read \(path): \(error.localizedDescription)")
    }
    var found: [Digest] = []
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
      guard let digest = Digest(hex: line.utf8) else {
        throw PluginError(.invalid, "\(path) is damaged; start its node, which writes it anew")
      }
      found.append(digest)
    }
    return found
  }

  static func write(_ toolchains: [Digest], dataDirectory: String) throws(PluginError) {
    let path = path(dataDirectory)
    let text = toolchains.sorted().map { $0.hex + "\n" }.joined()
    guard FileManager.default.createFile(atPath: path + ".partial", contents: Data(text.utf8)),
      rename(path + ".partial", path) == 0
    else { throw PluginError(.io, "Cannot write \(path): \(String(cString: strerror(errno)))") }
  }
}

extension Node {
  /// From the jobs that are open now.
  func noteOpenToolchains() throws(PluginError) {
    openToolchains = []
    for job in replica.state.openJobs {
      if case .open(let open) = replica.state.job(job) { openToolchains.insert(open.spec.toolchain) }
    }
    try NodeToolchains.write(openToolchains.sorted(), dataDirectory: configuration.dataDirectory)
  }

  func keepOpenToolchains() {
    do throws(PluginError) {
      try NodeToolchains.write(openToolchains.sorted(), dataDirectory: configuration.dataDirectory)
    } catch {
      fail(error)
    }
  }
}
