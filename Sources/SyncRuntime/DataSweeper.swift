import Foundation
import Glibc
import Logging
import SyncProof

/// Keeps the rooms of a data folder within their policy.
///
/// What goes is first renamed to a name that a start sweeps away, so that a killed sweep leaves nothing half there.
actor DataSweeper {
  struct Report: Sendable, Equatable {
    var removed = 0
    var bytes: UInt64 = 0
    /// Rooms that are above their bound with nothing left that may go.
    var full: [String] = []

    mutating func count(_ victim: DataPlan.Entry) {
      removed += 1
      bytes += victim.bytes
    }
  }

  private let directory: String
  private let policy: DataPolicy
  private let holds: SourceHolds
  /// Of source trees, which never change: walking one costs a look at each of its files.
  private var treeBytes: [Digest: UInt64] = [:]

  init(directory: String, policy: DataPolicy, holds: SourceHolds) {
    (self.directory, self.policy, self.holds) = (directory, policy, holds)
  }

  /// - Parameters:
  ///   - before: Unix nanoseconds; what was used later stays.
  ///   - pins: Asked, where a room is above its bound, behind the look at what there is.
  func sweep(before: Int64, pins: @Sendable () async -> DataPins) async -> Report {
    let trees = sourceTrees()
    let shelves = names(in: "artifacts").filter { $0.utf8.count == 2 }
    let artifacts = shelves.flatMap { files(in: "artifacts/\($0)") }
    let rooms = [(trees, policy.sourceBytesMax), (artifacts, policy.artifactBytesMax)]
    guard rooms.contains(where: { Self.total($0) > $1 }) else { return Report() }

    let pins = await pins()
    var report = Report()
    for victim in room("sources", trees, policy.sourceBytesMax, pins.sources, before, &report) {
      let path = "\(directory)/sources/\(victim.name.hex)"
      let doomed = "\(directory)/sources/.partial-removed-\(victim.name.hex)"
      Folder.remove(doomed)
      guard holds.ifAlone(victim.name, { rename(path, doomed) == 0 }) else { continue }
      Folder.remove(doomed)
      treeBytes[victim.name] = nil
      report.count(victim)
    }
    for victim in room("artifacts", artifacts, policy.artifactBytesMax, pins.artifacts, before, &report) {
      remove("artifacts/\(victim.name.hex.prefix(2))/\(victim.name.hex)", victim, &report)
    }
    return report
  }

  private func room(
    _ name: String, _ entries: [DataPlan.Entry], _ bytesMax: UInt64, _ pinned: Set<Digest>, _ before: Int64,
    _ report: inout Report
  ) -> [DataPlan.Entry] {
    let victims = DataPlan.victims(entries, bytesMax: bytesMax, pinned: pinned, before: before)
    if Self.total(entries) - Self.total(victims) > bytesMax { report.full.append(name) }
    return victims
  }

  private static func total(_ entries: [DataPlan.Entry]) -> UInt64 {
    entries.reduce(into: 0) { $0 += $1.bytes }
  }

  private func remove(_ path: String, _ victim: DataPlan.Entry, _ report: inout Report) {
    if unlink("\(directory)/\(path)") == 0 { report.count(victim) }
  }

  private func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(folder)")) ?? []).sorted()
  }

  /// Regular files whose name is a digest; anything else is not this sweep's.
  private func files(in folder: String) -> [DataPlan.Entry] {
    names(in: folder).compactMap { name in
      guard let digest = Digest(hex: name), let info = LastUse.look("\(directory)/\(folder)/\(name)"),
        info.st_mode & S_IFMT == S_IFREG
      else { return nil }
      return DataPlan.Entry(name: digest, bytes: LastUse.bytes(info), lastUse: LastUse.nanoseconds(info))
    }
  }

  private func sourceTrees() -> [DataPlan.Entry] {
    names(in: "sources").compactMap { name in
      let path = "\(directory)/sources/\(name)"
      guard let digest = Digest(hex: name), let info = LastUse.look(path), info.st_mode & S_IFMT == S_IFDIR else {
        return nil
      }
      let bytes = treeBytes[digest] ?? Self.bytes(below: path)
      treeBytes[digest] = bytes
      return DataPlan.Entry(name: digest, bytes: bytes, lastUse: LastUse.nanoseconds(info))
    }
  }

  private static func bytes(below path: String) -> UInt64 {
    guard let walk = FileManager.default.enumerator(atPath: path) else { return 0 }
    var total: UInt64 = 0
    while let name = walk.nextObject() as? String {
      if let info = LastUse.look("\(path)/\(name)") { total += LastUse.bytes(info) }
    }
    return total
  }
}

/// When something was last used: its time of modification, which has no other meaning for files that never change.
enum LastUse {
  static func touch(_ path: String) {
    utimensat(AT_FDCWD, path, nil, AT_SYMLINK_NOFOLLOW)
  }

  static func look(_ path: String) -> stat? {
    var info = stat()
    return lstat(path, &info) == 0 ? info : nil
  }

  static func nanoseconds(_ info: stat) -> Int64 {
    Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec)
  }

  /// What it takes on the disk, or would if it had no holes: some file systems keep small files without a block.
  static func bytes(_ info: stat) -> UInt64 { UInt64(max(0, info.st_blocks * 512, info.st_size)) }
}
