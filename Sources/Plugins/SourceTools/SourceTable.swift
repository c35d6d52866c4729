import SyncProof
import SyncRuntime

/// Several sources as one: a package goes to the first that serves its type, a pinned source to the one that it was
/// fetched from when it was pinned.
///
/// So a node serves packages of all kinds at once, and builds the jobs of nodes that take the same packages from
/// elsewhere. Thread: any; calls may overlap.
package struct SourceTable: Source {
  /// One source, and how the things that it serves are named.
  package struct Entry: Sendable {
    let source: any Source
    /// Of a package's purl, such as `cargo`.
    let type: String
    /// Of the purl in a pinned source's `origin`, such as `deb`.
    let originType: String

    package init(_ source: any Source, type: String, originType: String) {
      (self.source, self.type, self.originType) = (source, type, originType)
    }
  }

  package let name: String
  private let entries: [Entry]

  /// - Parameter entries: In the order in which packages are offered to them.
  package init(_ entries: [Entry]) {
    self.entries = entries
    name = entries.map(\.source.name).joined(separator: ",")
  }

  package func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    let type = Self.type(of: request.package)
    guard let entry = entries.first(where: { $0.type == type }) else {
      let known = Set(entries.map { "pkg:\($0.type)" }).sorted().joined(separator: ", ")
      throw PluginError(
        .invalid, "This node builds no packages of the type 'pkg:\(type)'; it builds \(known): see its plugins.source")
    }
    return try await entry.source.resolve(request, sandbox: sandbox, scratchDirectory: scratchDirectory)
  }

  package func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    let (type, origin) = (Self.type(of: item.purl.string), Self.type(of: item.origin.string))
    guard let entry = entries.first(where: { $0.type == type && $0.originType == origin }) else {
      throw PluginError(
        .notFound,
        "No source of this builder has \(item.purl.string) from \(item.origin.string); add one to its"
          + " plugins.source")
    }
    try await entry.source.fetch(item, into: directory)
  }

  /// What stands behind `pkg:`, cut to what a message can show.
  private static func type(of purl: String) -> String {
    guard purl.hasPrefix("pkg:") else { return "" }
    return String(purl.dropFirst("pkg:".count).prefix { $0 != "/" }.prefix(32))
  }
}
