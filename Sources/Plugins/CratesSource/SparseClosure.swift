import SourceTools
import SyncProof
import SyncRuntime

/// Every crate that cargo could look at when it resolves one root, gathered from a sparse index without asking cargo.
///
/// For each crate it keeps all requirements and all features that anything reached so far asks of it, and follows the
/// dependencies of every version that one of the requirements takes, until nothing new is asked. cargo resolves by
/// going down some of these ways and no other, so what it chooses from this part of the index it would choose from the
/// whole.
struct SparseClosure {
  private struct Wanted {
    var requirements: [String: CrateRequirement] = [:]
    var features: Set<String> = []
    var withDefault = false
  }

  private let index: SparseIndex
  /// Versions by crate, when the crate that is built brings its own lock: these, yanked or not, and no other.
  private let locked: [String: [LockedCrate]]?
  private var wanted: [String: Wanted] = [:]
  private(set) var crates: [String: [IndexEntry]] = [:]

  init(index: SparseIndex, lock: [LockedCrate]?) {
    self.index = index
    locked = lock.map { Dictionary(grouping: $0, by: \.name) }
  }

  /// - Throws: ``PluginError/Code/invalid`` beyond ``RegistryLimits/namesMax``, ``PluginError/Code/checksumMismatch``
  ///   when lock and index disagree, and what the index throws.
  mutating func gather(root: IndexEntry, features: [String]) async throws(PluginError) {
    var changed = follow(root, features: Set(features), withDefault: false)
    while !changed.isEmpty {
      guard wanted.count <= index.client.limits.namesMax else {
        throw PluginError(.invalid, "\(root.name) could depend on more than \(index.client.limits.namesMax) crates")
      }
      let missing = changed.filter { crates[$0] == nil }.sorted()
      for (name, entries) in try await fetch(missing) { crates[name] = try restricted(name, entries) }
      var next: Set<String> = []
      for name in changed.sorted() {
        guard let asked = wanted[name] else { continue }
        for entry in crates[name] ?? [] where !entry.yanked && Self.takes(asked, entry) {
          next.formUnion(follow(entry, features: asked.features, withDefault: asked.withDefault))
        }
      }
      changed = next
    }
  }

  private static func takes(_ wanted: Wanted, _ entry: IndexEntry) -> Bool {
    guard let version = CrateVersion(entry.vers) else { return false }
    return wanted.requirements.values.contains { $0.matches(version) }
  }

  /// - Returns: The crates of which something new is asked now.
  private mutating func follow(_ entry: IndexEntry, features: Set<String>, withDefault: Bool) -> Set<String> {
    var changed: Set<String> = []
    for (dependency, features) in entry.reached(features: features, withDefault: withDefault) {
      guard let requirement = CrateRequirement(dependency.req) else { continue }
      var asked = wanted[dependency.crate, default: Wanted()]
      let before = (asked.requirements.count, asked.features.count, asked.withDefault)
      asked.requirements[dependency.req] = requirement
      asked.features.formUnion(features)
      asked.withDefault = asked.withDefault || dependency.defaultFeatures
      if before != (asked.requirements.count, asked.features.count, asked.withDefault) {
        wanted[dependency.crate] = asked
        changed.insert(dependency.crate)
      }
    }
    return changed
  }

  private func restricted(_ name: String, _ entries: [IndexEntry]) throws(PluginError) -> [IndexEntry] {
    guard let locked else { return entries }
    var kept: [IndexEntry] = []
    for crate in locked[name] ?? [] {
      guard var entry = entries.first(where: { $0.vers == crate.version }) else { continue }
      guard crate.checksum.map({ $0 == entry.cksum }) ?? true else {
        throw PluginError(
          .checksumMismatch, "The Cargo.lock gives \(name) \(crate.version) another checksum than \(index.base.place)")
      }
      // A lock holds on to what was withdrawn later, as it does with cargo.
      entry.yanked = false
      kept.append(entry)
    }
    return kept
  }

  private func fetch(_ names: [String]) async throws(PluginError) -> [(String, [IndexEntry])] {
    do {
      return try await withThrowingTaskGroup(of: (String, [IndexEntry]).self) { group in
        var (found, rest) = ([(String, [IndexEntry])](), names[...])
        for name in rest.prefix(index.client.limits.concurrentMax) {
          group.addTask { [index] in (name, try await index.entries(of: name)) }
        }
        rest = rest.dropFirst(index.client.limits.concurrentMax)
        while let next = try await group.next() {
          found.append(next)
          if let name = rest.popFirst() { group.addTask { [index] in (name, try await index.entries(of: name)) } }
        }
        return found
      }
    } catch let error as PluginError {
      throw error
    } catch {
      throw PluginError(.cancelled, "Reading the index of \(index.base.place) was cancelled")
    }
  }

  /// Writes what was gathered as a local registry for cargo: `index/` alone, since no archive is needed to choose.
  func write(to directory: String) throws(PluginError) {
    try CrateFiles.makeFolder(directory + "/index")
    for (name, entries) in crates.sorted(by: { $0.key < $1.key }) where !entries.isEmpty {
      let path = "\(directory)/index/\(RegistryLayout.indexPath(name))"
      try CrateFiles.makeFolder(String(path.dropLast(name.utf8.count + 1)))
      var lines: [UInt8] = []
      for entry in entries { lines += try entry.encode() }
      try CrateFiles.write(lines, to: path)
    }
  }
}
