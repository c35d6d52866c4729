import Foundation
import Glibc
import SyncProof
import SyncRuntime

/// Toolchains as images of the engine, each with the one layer that its tar is.
///
/// The engine names a layer by the SHA-256 of its tar, which is the toolchain's own digest. So an image is trusted for
/// what its layers are, whatever it is called or labelled and whoever imported it, and a name that was moved to another
/// image is noticed at the next run.
struct DockerImages: Sendable {
  static let repository = "synchronicity-toolchain"
  /// A dangling image of this age is no import under way.
  private static let danglingSeconds = 60

  let engine: DockerEngine
  /// Holds the locks of imports.
  let directory: String

  private struct Image: Decodable {
    struct Configuration: Decodable {
      let volumes: [String: Empty]?
      let env: [String]?
    }
    struct Empty: Decodable {}
    struct Layers: Decodable { let layers: [String]? }
    let id: String
    let config: Configuration?
    let rootFS: Layers
  }

  static func reference(_ toolchain: Digest) -> String { "\(repository):\(toolchain.hex)" }

  /// The image of a toolchain by its own ID, or `nil` when there is none whose content is the toolchain's.
  func trusted(_ toolchain: Digest) async throws(PluginError) -> String? {
    let path = "/images/\(Self.reference(toolchain))/json"
    let answer = try await engine.call("GET", path)
    if answer.status == 404 { return nil }
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot show \(Self.reference(toolchain)): \(answer.message)")
    }
    let image = try answer.decoded(Image.self, "GET \(path)")
    // Volumes of an image would be folders that no disk limit holds, its variables would reach process 1.
    let names = (image.config?.env ?? []).map { $0.prefix { $0 != "=" } }
    guard image.rootFS.layers == ["sha256:\(toolchain.hex)"], image.config?.volumes?.isEmpty ?? true,
      names.allSatisfy({ $0 == "PATH" })
    else { return nil }
    return image.id
  }

  func prepare(_ toolchain: Digest, archive: String) async throws(PluginError) {
    if try await trusted(toolchain) != nil { return }
    let lock = try await WorkLock.take("\(directory)/\(toolchain.hex).lock", to: "import \(toolchain)")
    defer { close(lock) }
    if try await trusted(toolchain) != nil { return }
    // Nothing is imported from bytes that are not the toolchain's; what was imported is checked by its layer.
    let found = try FileDigest.sha256(path: archive)
    guard found.digest == toolchain else {
      throw PluginError(.checksumMismatch, "\(archive) has SHA-256 \(found.digest); \(toolchain) is wanted")
    }
    let answer = try await engine.upload(
      "/images/create",
      query: [
        ("fromSrc", "-"), ("repo", Self.repository), ("tag", toolchain.hex),
        ("changes", "LABEL \(DockerLabel.toolchain)=\(toolchain.hex)"),
      ], file: archive, bytes: found.size)
    if try await trusted(toolchain) != nil { return }
    guard answer.status == 200, !answer.message.contains("\"error\"") else {
      throw PluginError(.io, "The Docker engine cannot import \(archive): \(answer.message)")
    }
    _ = try await engine.call("DELETE", "/images/\(Self.reference(toolchain))")
    throw PluginError(
      .checksumMismatch,
      "What the Docker engine imported from \(archive) is not \(toolchain); did the file change meanwhile?")
  }

  /// Removes images of ours that have lost their name to a later import.
  func removeDangling() async throws(PluginError) -> [String] {
    struct Listed: Decodable {
      let id: String
      let created: Int
    }
    let filter = try DockerLabel.filter(["dangling": ["true"], "label": [DockerLabel.toolchain]])
    let answer = try await engine.call("GET", "/images/json", query: [filter])
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot list images: \(answer.message)")
    }
    var removed: [String] = []
    for image in try answer.decoded([Listed].self, "GET /images/json").sorted(by: { $0.id < $1.id })
    where image.created < time(nil) - Self.danglingSeconds {
      // One that a container still uses is refused, and found again next time.
      if try await engine.call("DELETE", "/images/\(image.id)").status == 200 { removed.append(image.id) }
    }
    return removed
  }
}
