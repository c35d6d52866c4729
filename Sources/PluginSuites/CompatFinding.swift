/// What one named check of a conformance suite found.
///
/// The suites know no test framework: call `run()` and let yours fail on the findings that have not passed.
public struct CompatFinding: Sendable, Equatable, CustomStringConvertible {
  /// What the plugin must do, in a few words.
  public let name: String
  public let hasPassed: Bool
  /// What was seen instead; empty when the check passed.
  public let detail: String

  public init(name: String, hasPassed: Bool, detail: String) {
    (self.name, self.hasPassed, self.detail) = (name, hasPassed, detail)
  }

  public var description: String { hasPassed ? "pass: \(name)" : "FAIL: \(name): \(detail)" }
}

/// Why a check did not pass.
struct CompatFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Fails the check with a sentence unless `condition` holds.
func require(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
  if !condition { throw CompatFailure(sentence()) }
}

extension CompatFinding {
  static func check(_ name: String, _ body: () throws -> Void) -> CompatFinding {
    do {
      try body()
      return CompatFinding(name: name, hasPassed: true, detail: "")
    } catch {
      return CompatFinding(name: name, hasPassed: false, detail: "\(error)")
    }
  }

  static func check(_ name: String, _ body: () async throws -> Void) async -> CompatFinding {
    do {
      try await body()
      return CompatFinding(name: name, hasPassed: true, detail: "")
    } catch {
      return CompatFinding(name: name, hasPassed: false, detail: "\(error)")
    }
  }
}
