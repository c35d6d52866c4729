import SyncProof
import SyncRuntime

/// Archives by their SHA-256, whatever registry they came from.
package struct ArchiveCache: Sendable {
  private let directory: String
  private let suffix: String
  private let client: RegistryClient

  /// - Parameters:
  ///   - directory: Made when missing; processes may share it.
  ///   - suffix: Of the files' names, with its dot.
  package init(directory: String, suffix: String, client: RegistryClient) {
    (self.directory, self.suffix, self.client) = (directory, suffix, client)
  }

  /// The archive that has this checksum and no other.
  ///
  /// - Parameters:
  ///   - what: For messages.
  ///   - address: Asked only when nothing intact is kept.
  /// - Throws: ``PluginError/Code/notFound``, ``PluginError/Code/checksumMismatch``, and what the client throws.
  package func bytes(
    _ checksum: Digest, of what: String, at address: () async throws(PluginError) -> RegistryURL
  ) async throws(PluginError) -> [UInt8] {
    let path = "\(directory)/\(checksum.hex)\(suffix)"
    let bytesMax = client.limits.archiveBytesMax
    if let kept = try? SourceFiles.read(path, bytesMax: bytesMax), SHA256.hash(kept) == checksum { return kept }
    let url = try await address()
    let answer = try await client.get(url, bytesMax: bytesMax)
    guard answer.status == 200 else {
      throw PluginError(.notFound, "\(url.place) answers \(answer.status) for the archive of \(what)")
    }
    let got = SHA256.hash(answer.body)
    guard got == checksum else {
      throw PluginError(
        .checksumMismatch, "\(url.place) gives an archive of \(what) with the SHA-256 \(got.hex), not \(checksum.hex)")
    }
    try SourceFiles.makeFolder(directory)
    try SourceFiles.write(answer.body, to: path)
    return answer.body
  }
}
