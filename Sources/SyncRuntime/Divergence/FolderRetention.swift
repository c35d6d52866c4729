import Foundation
import Glibc
import SyncProof

/// Keeps a folder of folders, one for each job, within an age and a number of bytes.
///
/// Thread: any; two sweeps at once only do the same work twice.
struct FolderRetention: Sendable {
  /// Holds one folder for each job, named by its digest.
  let root: String
  var days: Int
  var bytesMax: UInt64

  private struct Item {
    let name: String
    let changed: Int64
    let bytes: UInt64
  }

  /// Removes what is older than the days, then the oldest until the rest fits.
  ///
  /// - Parameters:
  ///   - now: Unix seconds.
  ///   - room: Bytes that must be free beside what stays.
  ///   - kept: Jobs that are worked on: never removed, but counted.
  /// - Returns: How many bytes are left.
  @discardableResult
  func sweep(now: Int64, room: UInt64 = 0, keeping kept: Set<Digest> = []) -> UInt64 {
    var items = items().sorted { ($0.changed, $0.name) < ($1.changed, $1.name) }
    var total = items.reduce(0) { $0 &+ $1.bytes }
    let oldest = now - Int64(days) * 86_400
    while let index = items.firstIndex(where: { item in
      (item.changed < oldest || total > bytesMax - min(room, bytesMax)) && !kept.contains { $0.hex == item.name }
    }) {
      Folder.remove("\(root)/\(items[index].name)")
      total -= items[index].bytes
      items.remove(at: index)
    }
    return total
  }

  var usedBytes: UInt64 { items().reduce(0) { $0 &+ $1.bytes } }

  private func items() -> [Item] {
    ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { name in
      guard Digest(hex: name) != nil else { return nil }
      var info = stat()
      guard lstat("\(root)/\(name)", &info) == 0 else { return nil }
      var bytes: UInt64 = 0
      for file in (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(name)")) ?? [] {
        var size = stat()
        if lstat("\(root)/\(name)/\(file)", &size) == 0 { bytes += UInt64(max(0, size.st_size)) }
      }
      return Item(name: name, changed: Int64(info.st_mtim.tv_sec), bytes: bytes)
    }
  }
}
