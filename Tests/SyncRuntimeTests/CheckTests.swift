import Foundation
import SyncProof
import SyncTesting
import Synchronization
import Testing

@testable import SyncRuntime

/// A build whose one artifact is a text made from the conditions.
private struct Imagined {
  let name: String
  /// What the bytes are, given the conditions and the number of the build.
  let bytes: @Sendable (BuildConditions, Int) -> String
  let found: [[Condition]]
  var conditions = Condition.usual
  var byItself = false
  var unexplained = false
  var repeats = 2
  let buildsMax: Int
}

/// The value that a build sees of a condition: what is held still does not move by itself.
private func seen(_ condition: Condition, _ under: BuildConditions, _ number: Int) -> String {
  let moves = condition == .random || condition == .clock
  let own = moves && under.still == nil ? "\(number)" : "still"
  return under.varied.contains(condition) ? "other-\(own)" : own
}

@Suite("Which conditions a build depends on")
struct CheckTests {
  private static let rows: [Imagined] =
    [
      Imagined(name: "nothing", bytes: { _, _ in "x" }, found: [], buildsMax: 3),
      Imagined(name: "nothing, looked for once", bytes: { _, _ in "x" }, found: [], repeats: 1, buildsMax: 2),
      Imagined(
        name: "random", bytes: { seen(.random, $0, $1) }, found: [[.random]], byItself: true, buildsMax: 7),
      Imagined(
        name: "random, looked for once", bytes: { seen(.random, $0, $1) }, found: [[.random]], byItself: true,
        repeats: 1, buildsMax: 8),
      Imagined(
        name: "clock and host name", bytes: { seen(.clock, $0, $1) + seen(.hostName, $0, $1) },
        found: [[.clock], [.hostName]], byItself: true, buildsMax: 14),
      Imagined(
        name: "two", bytes: { seen(.umask, $0, $1) + seen(.cpus, $0, $1) }, found: [[.cpus], [.umask]], buildsMax: 14),
      Imagined(
        name: "two together",
        bytes: { conditions, _ in conditions.varied.isSuperset(of: [.user, .kernel]) ? "y" : "x" },
        found: [[.kernel, .user]], conditions: [.kernel, .user], buildsMax: 5),
      Imagined(
        name: "what nobody holds", bytes: { _, n in "\(n)" }, found: [], byItself: true, unexplained: true,
        buildsMax: 4),
      Imagined(
        name: "the day", bytes: { conditions, _ in conditions.varied.contains(.clock) ? "tomorrow" : "today" },
        found: [[.clock]], buildsMax: 9),
    ]
    + Condition.usual.filter { $0 != .random && $0 != .clock }.map { condition in
      Imagined(
        name: condition.rawValue, bytes: { seen(condition, $0, $1) }, found: [[condition]], buildsMax: 10)
    }

  private static func spec(_ environment: [(String, String)] = []) -> BuildSpec {
    var spec = EchoSource.spec(name: "x", recipe: "echo out hello", toolchain: .zero)
    spec.environment = environment.map { EnvironmentVariable(name: Text($0.0), value: Text($0.1)) }
    return spec
  }

  private static func check(
    _ conditions: [Condition], unvaried: [Condition: String] = [:], repeats: Int = 2, spec: BuildSpec = spec(),
    _ bytes: @escaping @Sendable (BuildConditions, Int) -> String?
  ) async throws -> CheckReport {
    let count = Mutex(0)
    return try await ReproducibilityCheck(
      spec: spec, conditions: conditions, unvaried: unvaried, repeats: repeats, stillSeconds: 1_700_000_000
    ) { (conditions) throws(PluginError) in
      let number = count.withLock { count -> Int in
        count += 1
        return count
      }
      guard let text = bytes(conditions, number) else {
        return Rebuild(
          conditions: conditions, outcome: .failed(.exitStatus(101)), transcript: [UInt8]("error: no".utf8))
      }
      let artifact = Artifact(
        path: "out", mode: 0o644, size: UInt64(text.utf8.count), sha256: SHA256.hash([UInt8](text.utf8)))
      return Rebuild(conditions: conditions, outcome: .built([artifact]))
    }.run()
  }

  @Test("Each dependence is named, and no other", arguments: rows.indices)
  func names(_ index: Int) async throws {
    let row = Self.rows[index]
    let report = try await Self.check(row.conditions, repeats: row.repeats) { row.bytes($0, $1) }
    let found = report.differences.map(\.conditions)
    #expect(found.filter { !$0.isEmpty }.sorted { $0[0].rawValue < $1[0].rawValue } == row.found, "\(row.name)")
    #expect(found.contains([]) == row.byItself, "\(row.name)")
    #expect(report.unexplained == row.unexplained, "\(row.name)")
    #expect(report.reproducible == (row.found.isEmpty && !row.byItself), "\(row.name)")
    #expect(report.builds <= row.buildsMax, "\(row.name): \(report.builds) builds")
    for condition in row.conditions {
      let state = report.conditions.first { $0.name == condition }?.state
      let cause = row.found.first { $0.contains(condition) }
      let wanted: CheckReport.Row.State =
        row.unexplained ? .unknown : cause == nil ? .same : cause?.count == 1 ? .differs : .together
      #expect(state == wanted, "\(row.name): \(condition)")
    }
  }

  @Test("A build that fails is no comparison; one that fails under a condition depends on it")
  func failures() async throws {
    let never = try await Self.check(Condition.usual) { _, _ in nil }
    #expect(never.failure == "exit-status 101" && never.builds == 1 && !never.reproducible && !never.buildersAgree)
    let sometimes = try await Self.check(Condition.usual) { conditions, _ in
      conditions.varied.contains(.locale) ? nil : "x"
    }
    #expect(sometimes.differences.map(\.conditions) == [[.locale]])
    #expect(sometimes.differences[0].failure == "exit-status 101")
  }

  @Test("What cannot be varied is said and left alone")
  func unvaried() async throws {
    let report = try await Self.check(Condition.usual, unvaried: [.kernel: "no compiler"]) { conditions, _ in
      conditions.varied.contains(.kernel) ? "y" : "x"
    }
    #expect(report.reproducible)
    #expect(report.conditions.first { $0.name == .kernel }?.state == .notVaried)
  }

  @Test("Builders agree where what differs is held for them")
  func holders() async throws {
    let rows: [(Condition, normalise: String?, agree: Bool)] = [
      (.cpus, nil, false), (.cpus, "clock cpus", true), (.cpus, "clock", false), (.readdir, nil, false),
      (.hostName, nil, true), (.umask, nil, true), (.sourceDateEpoch, nil, true), (.user, nil, true),
    ]
    for row in rows {
      let spec = Self.spec(row.normalise.map { [(Normalisation.variable, $0)] } ?? [])
      let report = try await Self.check(Condition.usual, spec: spec) { seen(row.0, $0, $1) }
      #expect(!report.reproducible && report.buildersAgree == row.agree, "\(row)")
    }
  }

  @Test("Names of conditions")
  func parses() throws {
    let spec = Self.spec([(Normalisation.variable, "clock random")])
    #expect(try Condition.parse(["usual"], spec: spec) == Condition.usual)
    #expect(try Condition.parse(["usual", "path"], spec: spec) == Condition.allCases)
    #expect(try Condition.parse(["free"], spec: spec) == [.cpus, .kernel, .readdir])
    #expect(try Condition.parse(["umask", "cpus", "umask"], spec: spec) == [.cpus, .umask])
    for names in [[], ["Clock"], ["clock", "weather"]] {
      #expect(throws: PluginError(.invalid, "")) { try Condition.parse(names, spec: spec) }
    }
  }

  @Test("Only owners' rights are compared: the others' are the umask's")
  func modes() {
    func rebuild(_ mode: UInt16, _ text: String = "x") -> Rebuild {
      Rebuild(
        conditions: BuildConditions(),
        outcome: .built([Artifact(path: "a", mode: mode, size: 1, sha256: SHA256.hash([UInt8](text.utf8)))]))
    }
    #expect(rebuild(0o644).agrees(with: rebuild(0o664)))
    #expect(!rebuild(0o644).agrees(with: rebuild(0o744)))
    #expect(!rebuild(0o644).agrees(with: rebuild(0o644, "y")))
  }
}
