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
  private static let lockWait = Duration.milliseconds(100)
  /// A dangling image of this age is no import under way.
  private static let danglingSeconds = 60
  /// How often an import that was cut off lately is looked for: the engine may still be at it.
  private static let freshSeconds = 10
  private static let freshAttempts = 10

  let engine: DockerEngine
  /// The locks of imports under way, by the toolchain's digest.
  let marks: RunMarks
  /// Whose imports they are, as a label's value.
  let state: String
  let onStep: DockerStepHandler

  /// A toolchain's image, by its own ID.
  struct Trusted: Equatable {
    let id: String
    /// Of the engine that has it.
    let isPodman: Bool
  }

  private struct Image: Decodable {
    struct Configuration: Decodable {
      let volumes: [String: Anything]?
      let env: [String]?
      let entrypoint: [String]?
      let healthcheck: Anything?
    }
    struct Anything: Decodable { init(from decoder: any Decoder) {} }
    struct Layers: Decodable { let layers: [String]? }
    let id: String
    let config: Configuration?
    let rootFS: Layers
  }

  static func reference(_ toolchain: Digest) -> String { "\(repository):\(toolchain.hex)" }

  /// The image of a toolchain by its own ID, or `nil` when there is none whose content is the toolchain's.
  func trusted(_ toolchain: Digest) async throws(PluginError) -> Trusted? {
    let path = "/images/\(Self.reference(toolchain))/json"
    let answer = try await engine.call("GET", path)
    if answer.status == 404 { return nil }
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot show \(Self.reference(toolchain)): \(answer.message)")
    }
    let image = try answer.decoded(Image.self, "GET \(path)")
    // Volumes of an image would be folders that no disk limit holds; the rest would run, or reach process 1.
    let names = (image.config?.env ?? []).map { $0.prefix { $0 != "=" } }
    guard image.rootFS.layers == ["sha256:\(toolchain.hex)"], image.config?.volumes?.isEmpty ?? true,
      image.config?.entrypoint?.isEmpty ?? true, image.config?.healthcheck == nil,
      names.allSatisfy({ $0 == "PATH" })
    else { return nil }
    return Trusted(id: image.id, isPodman: answer.isPodman)
  }

  func prepare(_ toolchain: Digest, archive: String) async throws(PluginError) {
    if try await trusted(toolchain) != nil { return }
    let lock = try await lock(toolchain)
    defer { marks.remove(toolchain.hex, lock) }
    if try await trusted(toolchain) != nil { return }
    // Nothing is imported from bytes that are not the toolchain's; what was imported is checked by its layer.
    let found = try FileDigest.sha256(path: archive)
    guard found.digest == toolchain else {
      throw PluginError(.checksumMismatch, "\(archive) has SHA-256 \(found.digest); \(toolchain) is wanted")
    }
    onStep(.importBegun)
    let onStep = onStep
    let isPodman = try await engine.call("GET", "/version").isPodman
    let reference = Self.reference(toolchain)
    let labels = [(DockerLabel.toolchain, toolchain.hex), (DockerLabel.state, state)]
    let changes = labels.map { ("changes", "LABEL \($0)=\($1)") }
    // Podman's own call: that of Docker's API leaves a copy of the tar in /var/tmp, and passes over the tag.
    let (path, target) =
      isPodman
      ? ("/libpod/images/import", [("reference", "docker.io/library/\(reference)")])
      : ("/images/create", [("fromSrc", "-"), ("repo", reference)])
    let answer = try await engine.upload(
      path, query: target + changes, file: archive, bytes: found.size, onHalf: { onStep(.importHalf) })
    onStep(.importFinished)
    if try await trusted(toolchain) != nil { return }
    guard answer.status == 200, !answer.message.contains("\"error\"") else {
      throw PluginError(.io, "The Docker engine cannot import \(archive): \(answer.message)")
    }
    _ = try await engine.call("DELETE", "/images/\(Self.reference(toolchain))")
    throw PluginError(
      .checksumMismatch,
      "What the Docker engine imported from \(archive) is not \(toolchain); did the file change meanwhile?")
  }

  /// One process imports; the others wait and find its work.
  private func lock(_ toolchain: Digest) async throws(PluginError) -> Int32 {
    while true {
      if let lock = try marks.lock(toolchain.hex) { return lock }
      do { try await Task.sleep(for: Self.lockWait) } catch {
        throw PluginError(.cancelled, "Waiting for another process to import \(toolchain) was cancelled")
      }
    }
  }

  /// Removes what imports of this state folder left that were cut off: their locks, and images whose content is no
  /// toolchain's, also those that a slow engine made only after their import was given up; and images of ours that have
  /// lost their name to a later import.
  func removeLeftovers() async throws(PluginError) -> [String] {
    var removed: [String] = []
    for name in try marks.all() {
      let isFresh = marks.age(of: name) < Self.freshSeconds
      guard let lock = try marks.lock(name) else { continue }
      do throws(PluginError) {
        if let toolchain = Digest(hex: name), try await removeHalf(toolchain, isFresh: isFresh) {
          removed.append(Self.reference(toolchain))
        }
      } catch {
        close(lock)
        throw error
      }
      marks.remove(name, lock)
    }
    return removed + (try await removeLate())
  }

  /// - Returns: True if there was an image under the toolchain's name that is not the toolchain.
  private func removeHalf(_ toolchain: Digest, isFresh: Bool) async throws(PluginError) -> Bool {
    let path = "/images/\(Self.reference(toolchain))"
    for attempt in 1... {
      if try await trusted(toolchain) != nil { return false }
      let status = try await engine.call("DELETE", path).status
      if status == 200 { return true }
      guard isFresh, attempt < Self.freshAttempts else { return false }
      try? await Task.sleep(for: Self.lockWait)
    }
    return false
  }

  private func removeLate() async throws(PluginError) -> [String] {
    struct Listed: Decodable {
      let id: String
      let created: Int
      let labels: [String: String]?
      let repoTags: [String]?
    }
    let filter = try DockerLabel.filter(["label": [DockerLabel.toolchain]])
    let answer = try await engine.call("GET", "/images/json", query: [filter])
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot list images: \(answer.message)")
    }
    let underWay = try marks.all()
    var removed: [String] = []
    for image in try answer.decoded([Listed].self, "GET /images/json").sorted(by: { $0.id < $1.id }) {
      let isOurs = image.labels?[DockerLabel.state] == state
      let isOld = image.created < time(nil) - Self.danglingSeconds
      // An engine without a name for an image says so with none, or with a word for none.
      let names = (image.repoTags ?? []).filter { !$0.hasPrefix("<none>") }
      if names.isEmpty {
        // The imports of this state folder are known by their locks; another's may be under way.
        guard isOurs && underWay.isEmpty || isOld else { continue }
        // One that a container still uses is refused, and found again next time.
        if try await engine.call("DELETE", "/images/\(image.id)").status == 200 { removed.append(image.id) }
        continue
      }
      let toolchains = names.compactMap { name in
        name.split(separator: ":").last.flatMap { Digest(hex: String($0)) }
      }
      for toolchain in toolchains where isOurs && !underWay.contains(toolchain.hex) {
        // Whoever has begun to import it since has the lock.
        guard try await trusted(toolchain) == nil, let lock = try marks.lock(toolchain.hex) else { continue }
        defer { marks.remove(toolchain.hex, lock) }
        if try await removeHalf(toolchain, isFresh: false) { removed.append(Self.reference(toolchain)) }
      }
    }
    return removed
  }
}
