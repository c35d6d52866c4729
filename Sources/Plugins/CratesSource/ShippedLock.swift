import SourceTools
import SyncProof
import SyncRuntime

/// The `Cargo.lock` that a crate brings: what its author built it with.
enum ShippedLock {
  private static let bytesMax = 16 << 20

  /// - Returns: `nil` when there is none.
  static func read(tree: String) throws(PluginError) -> [LockedCrate]? {
    guard CrateFiles.exists(tree + "/Cargo.lock") else { return nil }
    return try CargoLock.packages(CrateFiles.read(tree + "/Cargo.lock", bytesMax: bytesMax))
  }

  /// Copies of the locked crates among the candidates, and no other, into `directory`.
  ///
  /// - Throws: ``PluginError/Code/checksumMismatch`` when a candidate is another crate than the one that was locked.
  static func restrict(_ candidates: CrateCandidates, to locked: [LockedCrate], in directory: String)
    throws(PluginError) -> CrateCandidates
  {
    try CrateFiles.makeFolder(directory)
    let versions = Dictionary(grouping: locked, by: \.name)
    var kept: [String: CrateEntry] = [:]
    for (folder, crate) in candidates.crates.sorted(by: { $0.key < $1.key }) {
      guard let wanted = versions[crate.name]?.first(where: { CrateVersion($0.version) == CrateVersion(crate.version) })
      else { continue }
      let source = "\(candidates.directory)/\(folder)"
      if let claim = try CargoChecksum.claim(folder: source), let checksum = wanted.checksum, claim.hex != checksum {
        throw PluginError(
          .checksumMismatch, "The Cargo.lock gives \(folder) another checksum than its .cargo-checksum.json")
      }
      try CrateFiles.makeFolder("\(directory)/\(folder)")
      try CrateFiles.copyTree(source, to: "\(directory)/\(folder)")
      kept[folder] = crate
    }
    return CrateCandidates(directory: directory, hasTrees: true, crates: kept)
  }
}
