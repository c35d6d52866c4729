import Foundation
import SyncProof

/// Rebuilds a spec again and again to find out which conditions its bytes depend on.
///
/// First under the same conditions, then with everything varied at once; only if that differs are the conditions told
/// apart: by halves until one is found, those first whose traces stand in the bytes, then again among the others, until
/// these change nothing. A build that differs by itself is examined with clock and random numbers held still, which are
/// then varied like the rest.
public struct ReproducibilityCheck: Sendable {
  /// Rebuilds the spec under these conditions.
  public typealias Build = @Sendable (BuildConditions) async throws(PluginError) -> Rebuild

  public let spec: BuildSpec
  public let conditions: [Condition]
  /// Conditions that cannot be varied here, and why.
  public let unvaried: [Condition: String]
  /// Builds under the same conditions before any is varied, at least 1; more of them find what differs seldom.
  public let repeats: Int
  /// Seconds since 1970 at which the clock stands when it is held.
  public let stillSeconds: UInt64
  private let build: Build

  public init(
    spec: BuildSpec, conditions: [Condition], unvaried: [Condition: String] = [:], repeats: Int = 2,
    stillSeconds: UInt64, build: @escaping Build
  ) {
    self.spec = spec
    self.conditions = conditions
    self.unvaried = unvaried
    self.repeats = max(1, repeats)
    self.stillSeconds = stillSeconds
    self.build = build
  }

  /// - Throws: ``PluginError`` for a fault of this host; whatever the builds do is in the report.
  public func run() async throws(PluginError) -> CheckReport {
    var search = Search(build: build)
    let first = try await search.run(BuildConditions())
    guard first.outcome.isBuilt else { return report(search, failure: first) }
    var itself: Rebuild?
    for _ in 1..<repeats where itself == nil {
      let again = try await search.run(BuildConditions())
      if !again.agrees(with: first) { itself = again }
    }
    let varied = conditions.filter { unvaried[$0] == nil }
    if itself == nil {
      // Random numbers differ in any two builds.
      let all = try await search.run(BuildConditions(varied: Set(varied).subtracting([.random])))
      if all.agrees(with: first) { return report(search) }
      if repeats == 1 {
        let again = try await search.run(BuildConditions())
        if !again.agrees(with: first) { itself = again }
      }
      if itself == nil {
        search.base = first
        try await search.examine(varied.filter { $0 != .random }, whole: all)
        return report(search)
      }
    }
    guard let itself else { return report(search) }
    search.itself = try Dependence(conditions: [], usual: first, varied: itself)
    let base = try await search.run(BuildConditions(still: stillSeconds))
    let again = try await search.run(BuildConditions(still: stillSeconds))
    guard again.agrees(with: base), base.outcome.isBuilt else { return report(search, isUnexplained: true) }
    search.base = base
    let moving = varied.filter { $0 == .clock || $0 == .random }
    // Held still they do not differ, so one of the two is it.
    try await search.examine(moving, whole: nil, differs: moving.count == 2)
    try await search.examine(varied.filter { !moving.contains($0) }, whole: nil)
    return report(search, isUnexplained: search.found.isEmpty)
  }

  private func report(_ search: Search, failure: Rebuild? = nil, isUnexplained: Bool = false) -> CheckReport {
    CheckReport(
      spec: spec, conditions: conditions, unvaried: unvaried, search: search, failure: failure,
      isUnexplained: isUnexplained)
  }
}

/// The builds of one check, and what they have shown.
struct Search {
  let build: ReproducibilityCheck.Build
  var base: Rebuild?
  var itself: Dependence?
  private(set) var found: [Dependence] = []
  private(set) var builds: [Rebuild] = []
  private var tried: [Set<Condition>: Rebuild] = [:]

  init(build: @escaping ReproducibilityCheck.Build) { self.build = build }

  mutating func run(_ conditions: BuildConditions) async throws(PluginError) -> Rebuild {
    let rebuild = try await build(conditions)
    builds.append(rebuild)
    return rebuild
  }

  /// Finds every condition that the bytes depend on: one at a time, until varying all the others changes nothing.
  ///
  /// - Parameters:
  ///   - whole: The build with all of them varied, when there is one that differs from the base.
  ///   - differs: Whether it is known to differ without a build.
  mutating func examine(_ conditions: [Condition], whole: Rebuild?, differs: Bool = false) async throws(PluginError) {
    var (left, whole, differs) = (conditions, whole, differs || whole != nil)
    while !left.isEmpty {
      if !differs { whole = try await different(left) }
      guard differs || whole != nil else { break }
      differs = false
      guard let cause = try await cause(in: left, whole: whole) else { break }
      found.append(cause)
      left.removeAll(where: cause.conditions.contains)
      whole = nil
    }
    found.sort { Self.rank($0) < Self.rank($1) }
  }

  private static func rank(_ dependence: Dependence) -> Int {
    Condition.allCases.firstIndex { dependence.conditions.contains($0) } ?? 0
  }

  /// The build with these varied, if it is another than the base; no set is built twice.
  private mutating func different(_ conditions: [Condition]) async throws(PluginError) -> Rebuild? {
    guard let base else { return nil }
    let varied = Set(conditions)
    let rebuild: Rebuild
    if let known = tried[varied] {
      rebuild = known
    } else {
      rebuild = try await run(BuildConditions(varied: varied, still: base.conditions.still))
      tried[varied] = rebuild
    }
    return rebuild.agrees(with: base) ? nil : rebuild
  }

  /// One condition that changes the bytes alone, or the fewest that do together.
  ///
  /// - Parameters:
  ///   - conditions: They are known to change the bytes, all varied.
  ///   - whole: The build with all of them varied, if there was one.
  private mutating func cause(in conditions: [Condition], whole: Rebuild?) async throws(PluginError) -> Dependence? {
    guard let base else { return nil }
    var suspects: [Condition] = []
    if let whole { suspects = Suspicion.suspects(conditions, usual: base, varied: whole) }
    var candidates = suspects + conditions.filter { !suspects.contains($0) }
    var half = suspects.count
    // The least set that is known to change the bytes.
    var least = conditions
    var build = whole
    while candidates.count > 1 {
      if !(1..<candidates.count).contains(half) { half = (candidates.count + 1) / 2 }
      let front = Array(candidates[..<half])
      if let changed = try await different(front) {
        (candidates, least, build) = (front, front, changed)
      } else {
        // So it must be one of the others, unless it takes several.
        candidates = Array(candidates[half...])
      }
      half = 0
    }
    if let alone = try await different(candidates) {
      return try Dependence(conditions: candidates, usual: base, varied: alone)
    }
    for condition in least where least.count > 2 {
      let fewer = least.filter { $0 != condition }
      if let changed = try await different(fewer) { (least, build) = (fewer, changed) }
    }
    if build == nil { build = try await different(least) }
    guard let build else { return nil }
    return try Dependence(
      conditions: Condition.allCases.filter(least.contains), usual: base, varied: build)
  }
}

/// Bytes that change with a condition, or with several only together.
public struct Dependence: Sendable {
  /// One, unless it takes several to change anything; none for what changes by itself.
  public let conditions: [Condition]
  public let usual: Rebuild
  public let varied: Rebuild
  /// Empty when the varied build failed.
  public let artifacts: [ArtifactDifference]

  init(conditions: [Condition], usual: Rebuild, varied: Rebuild) throws(PluginError) {
    self.conditions = conditions
    self.usual = usual
    self.varied = varied
    artifacts = try ArtifactDifference.all(usual, varied)
  }
}

/// Which conditions have left their varied value in the bytes.
enum Suspicion {
  private static let chunkBytes = 64 << 20

  static func suspects(_ conditions: [Condition], usual: Rebuild, varied: Rebuild) -> [Condition] {
    var suspects: [Condition] = []
    for (before, after) in zip(usual.files, varied.files) where before != after {
      guard let old = content(before), let new = content(after) else { continue }
      for condition in conditions where !suspects.contains(condition) {
        if condition.traces.contains(where: { contains(new, $0) && !contains(old, $0) }) { suspects.append(condition) }
      }
    }
    return suspects
  }

  private static func content(_ path: String) -> Data? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    return (try? file.read(upToCount: chunkBytes)) ?? nil
  }

  private static func contains(_ data: Data, _ text: String) -> Bool { data.range(of: Data(text.utf8)) != nil }
}
