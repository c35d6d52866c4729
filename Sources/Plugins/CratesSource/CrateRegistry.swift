import SourceTools
import SyncProof
import SyncRuntime

/// A crate that a registry has: its true name and version, and where its bytes come from.
struct CrateEntry: Sendable, Hashable {
  var name: String
  var version: String
  /// A package URL that the registry's ``CrateRegistry/unpack(_:checksum:into:)`` understands.
  let origin: String
  /// SHA-256 of the registry's archive, where the registry tells.
  var checksum: Digest?
  /// The oldest compiler that it takes, where the registry tells.
  var compiler: String?
}

/// A folder from which cargo chooses, and where each crate comes from.
struct CrateCandidates: Sendable {
  let directory: String
  /// Whether the folder holds source trees, `NAME-VERSION`; else it is a local registry that holds an index alone.
  let hasTrees: Bool
  /// By folder name.
  let crates: [String: CrateEntry]
}

/// Where crates come from; what is the same for all of them is in ``CrateResolver`` and ``CrateFetch``.
protocol CrateRegistry: Sendable {
  /// What the registry is called in messages.
  var title: String { get }

  /// Whether a `Cargo.lock` that a crate ships decides here. Not where whoever packs the crates chooses versions that
  /// fit together, whatever their authors locked.
  var keepsShippedLocks: Bool { get }

  /// - Parameter version: Exactly this one; the newest when `nil`.
  /// - Throws: ``PluginError/Code/notFound`` with a sentence that says what there is instead.
  func locate(name: String, version: String?) async throws(PluginError) -> CrateEntry

  /// Puts the tree that `origin` stands for into `directory`, which exists and is empty.
  ///
  /// - Parameter checksum: Of the registry's archive, as the spec or the index claims; ignored by registries whose
  ///   archives are others.
  /// - Returns: Its folder name, `NAME-VERSION`; `nil` when the origin holds no crate.
  func unpack(_ origin: String, checksum: Digest?, into directory: String) async throws(PluginError) -> String?

  /// Drops what was kept of `origin`, since its bytes turned out to be others than wanted.
  ///
  /// - Returns: Whether anything was kept, so that another attempt may give other bytes.
  func forget(_ origin: String) async throws(PluginError) -> Bool

  /// Everything that may become a dependency of `root`, in `scratch` or where it already lies.
  ///
  /// - Parameters:
  ///   - features: Names of the features that were asked for, `default` among them unless it is off.
  ///   - tree: The root's own, unpacked.
  func candidates(for root: CrateEntry, features: [String], tree: String, scratch: String)
    async throws(PluginError) -> CrateCandidates
}

/// Fetches one pinned source from a registry.
enum CrateFetch {
  static func fetch(_ item: SourceItem, from registry: some CrateRegistry, into directory: String)
    async throws(PluginError)
  {
    let purl = try PackageURL.crate(item.purl.string)
    guard let version = purl.version else {
      throw PluginError(.invalid, "'\(item.purl.string)' has no version; a pinned source needs one")
    }
    do {
      try await attempt(item, named: purl.name, version, from: registry, into: directory)
    } catch  where error.code != .cancelled && error.code != .unavailable {
      // What was kept of an earlier download may be damaged.
      guard try await registry.forget(item.origin.string) else { throw error }
      try await attempt(item, named: purl.name, version, from: registry, into: directory)
    }
  }

  private static func attempt(
    _ item: SourceItem, named name: String, _ version: String, from registry: some CrateRegistry,
    into directory: String
  ) async throws(PluginError) {
    try await PinnedTree.place(item, at: directory) { (temporary) async throws(PluginError) in
      let folder = try await registry.unpack(item.origin.string, checksum: item.claim, into: temporary)
      guard let folder, CrateName.isFolder(folder, of: name, version: version) else {
        throw PluginError(.notFound, "\(item.origin.string) holds \(folder ?? "no crate"), not \(name)-\(version)")
      }
    }
  }
}

extension CrateRegistry {
  /// The sentence for a crate of which there are only other versions.
  func noSuchVersion(_ name: String, wanted: String, available: [String]) -> PluginError {
    PluginError(
      .notFound,
      "\(title) has no \(name) \(wanted), only \(available.joined(separator: ", ")); ask for "
        + (available.count == 1 ? "that one" : "one of those"))
  }
}
