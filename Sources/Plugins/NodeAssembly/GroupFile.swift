import Foundation
import SyncProof
import SyncRuntime

/// The group's file, as nodes read it.
public enum GroupFile {
  public static let bytesMax = 1 << 20

  /// - Throws: ``PluginError/Code/invalid`` with what is wrong in it, ``PluginError/Code/io`` when it cannot be read.
  public static func load(_ path: String) throws(PluginError) -> Group {
    try group(try SmallFile.read(path, what: "group file", bytesMax: bytesMax), path: path)
  }

  public static func group(_ bytes: [UInt8], path: String) throws(PluginError) -> Group {
    do throws(ProofError) {
      return try Group(parsing: bytes)
    } catch {
      throw PluginError(.invalid, "\(path): \(error.message)")
    }
  }

  /// Where a node that has gone on from the epoch of its group file writes that of the present one.
  public static func presentPath(_ file: ConfigurationFile) -> String { file.data + "/group.txt" }

  /// The group of the epoch that this node is in, as far as it has written that down.
  public static func loadPresent(_ file: ConfigurationFile) throws(PluginError) -> Group {
    let given = try load(file.group)
    let path = presentPath(file)
    guard access(path, F_OK) == 0 else { return given }
    let entered = try load(path)
    return entered.origin == given.origin && entered.epoch > given.epoch ? entered : given
  }
}
