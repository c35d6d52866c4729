import SyncProof
import SyncRuntime

/// A source tree that appears as a whole, and only with the digest that the spec pins.
package enum PinnedTree {
  /// - Parameters:
  ///   - directory: Must not exist yet.
  ///   - fill: Puts the tree into the folder that it gets, which is empty.
  /// - Throws: ``PluginError/Code/checksumMismatch`` for another tree, and what `fill` throws.
  package static func place(
    _ item: SourceItem, at directory: String, fill: (String) async throws(PluginError) -> Void
  ) async throws(PluginError) {
    guard !SourceFiles.exists(directory) else {
      throw PluginError(.invalid, "\(directory) exists already; give a folder that does not")
    }
    let parent = directory.lastIndex(of: "/").map { String(directory[..<$0]) } ?? "."
    let temporary = try SourceFiles.makeTemporary(in: parent.isEmpty ? "/" : parent)
    defer { SourceFiles.remove(temporary) }
    try await fill(temporary)
    let digest = try TreeDigest.sha256(directory: temporary)
    guard digest == item.tree else {
      throw PluginError(
        .checksumMismatch,
        "\(item.origin.string) gives a tree with the digest \(digest.hex), the spec pins \(item.tree.hex)")
    }
    try SourceFiles.place(temporary, at: directory)
  }
}
