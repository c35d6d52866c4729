import Foundation
import Synchronization
import SyncProof
import SyncRuntime

/// What `check` is doing: one moving line on a terminal, one line a build elsewhere, nothing beside JSON.
final class CheckProgress: Sendable {
  private let isSilent: Bool
  private let state = Mutex<(live: LiveLines, builds: Int)>((LiveLines(), 0))

  init(isSilent: Bool) { self.isSilent = isSilent }

  func begin(_ text: String) {
    guard !isSilent, Console.isTerminal else { return }
    state.withLock { $0.live.show([("check", Console.paint("  \(text) …", .dim), "")]) }
  }

  func end(_ rebuild: Rebuild) {
    guard !isSilent, !Console.isTerminal else { return }
    let number = state.withLock { state -> Int in
      state.builds += 1
      return state.builds
    }
    let seconds = Double(rebuild.wallNanoseconds / 10_000_000) / 100
    let end = rebuild.outcome.failureText.map { ", \($0)" } ?? ""
    Console.line("  build \(number): \(CheckPrinter.title(of: rebuild.conditions)), \(seconds) s\(end)")
  }

  /// Takes the moving line away.
  func settle() {
    guard !isSilent, Console.isTerminal else { return }
    Console.write("\u{1B}[A\u{1B}[2K", to: STDOUT_FILENO)
  }
}

/// A check's report for people.
struct CheckPrinter {
  let report: CheckReport

  private static let titleColumns = 32

  func show() {
    let normalise = report.normalise.isEmpty ? "" : ", normalised: \(report.normalise.joined(separator: " "))"
    Console.line("\(report.package)\(normalise), \(report.builds) builds in \(report.seconds) s\n")
    guard report.failure == nil else { return }
    for row in report.conditions { Console.line("  " + Self.line(row)) }
    for difference in report.differences { show(difference) }
    Console.line("\n" + conclusion)
  }

  private static func line(_ row: CheckReport.Row) -> String {
    let title = row.name.title.padding(toLength: titleColumns, withPad: " ", startingAt: 0)
    let held =
      switch row.heldBy {
      case .nobody: ""
      case .sandbox: ", held by every sandbox"
      case .spec: ", held by the spec"
      case .normalisation: ", held by the recipe"
      }
    switch row.state {
    case .same: return title + Console.paint("same", .green)
    case .differs: return title + Console.paint("DIFFERS", row.heldBy == .nobody ? .red : .yellow) + held
    case .together: return title + Console.paint("DIFFERS", .yellow) + " together with others" + held
    case .notVaried: return title + Console.paint("not varied: \(row.reason ?? "")", .yellow)
    case .unknown: return title + "unknown"
    }
  }

  private func show(_ difference: CheckReport.Difference) {
    let cause = Self.cause(difference.conditions)
    if let failure = difference.failure { Console.line("\n\(cause): the build fails, \(failure)") }
    for artifact in difference.artifacts {
      let place = artifact.firstOffset.map { "from byte \($0) on" } ?? "in its mode"
      Console.line("\n\(cause): \(artifact.path) differs \(place)")
      for (name, side) in [("usual ", artifact.usual), ("varied", artifact.varied)] {
        let texts = (side.alone.isEmpty ? [side.near] : side.alone).filter { !$0.isEmpty }.map { "\"\($0)\"" }
        Console.line("  \(name)  \(texts.isEmpty ? side.sha256 : texts.joined(separator: "  "))")
      }
    }
  }

  private static func cause(_ conditions: [Condition]) -> String {
    conditions.isEmpty ? "by itself" : "with another \(conditions.map(\.title).joined(separator: " and "))"
  }

  private var conclusion: String {
    if report.reproducible { return Console.paint("reproducible", .green) + " under all that was varied" }
    if report.unexplained {
      return Console.paint("differs by itself", .red)
        + ", also with clock and random numbers held: scheduling, addresses, process IDs, or what no library reaches"
    }
    var names: Set<Condition> = []
    for difference in report.differences { names.formUnion(difference.conditions) }
    let list = Condition.allCases.filter(names.contains).map(\.rawValue).joined(separator: ", ")
    let agreement =
      report.buildersAgree ? "builders agree all the same, since it is held for them" : "builders would not agree"
    return Console.paint("depends on \(list)", report.buildersAgree ? .yellow : .red) + "; \(agreement)"
  }

  /// What a build is called while it runs.
  static func title(of conditions: BuildConditions) -> String {
    let still = conditions.still == nil ? "" : "clock and random numbers held, "
    let names = Condition.allCases.filter(conditions.varied.contains)
    return switch names.count {
    case 0: still.isEmpty ? "as every builder builds" : still + "nothing varied"
    case 1...3: still + "another \(names.map(\.title).joined(separator: ", "))"
    default: still + "\(names.count) conditions varied"
    }
  }

  /// The last line that a failed build printed.
  static func end(of report: CheckReport) -> String {
    let lines = String(decoding: report.failureTranscript.suffix(4_096), as: UTF8.self).split(separator: "\n")
    guard let last = lines.last(where: { $0.hasPrefix("error") }) ?? lines.last else { return "" }
    return "; it says: \(String(last.filter { !$0.isNewline && $0 != "\u{1B}" }.prefix(200)))"
  }

  /// Copies what differs to `FOLDER/CONDITION/usual/PATH` and `FOLDER/CONDITION/varied/PATH`.
  static func keep(_ report: CheckReport, in folder: String) throws(CommandFailure) {
    for dependence in report.dependences {
      let names = dependence.conditions.map(\.rawValue).joined(separator: "+")
      let room = "\(folder)/\(names.isEmpty ? "by-itself" : names)"
      for difference in dependence.artifacts {
        for (side, rebuild) in [("usual", dependence.usual), ("varied", dependence.varied)] {
          let artifacts = rebuild.outcome.artifacts
          guard let i = artifacts.firstIndex(where: { $0.path.string == difference.path }) else { continue }
          let path = "\(room)/\(side)/\(difference.path)"
          try BoundedFile.makeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
          do { try FileManager.default.copyItem(atPath: rebuild.files[i], toPath: path) } catch {
            throw CommandFailure(.environment, "Cannot keep \(path): \(error.localizedDescription)")
          }
          chmod(path, mode_t(artifacts[i].mode))
        }
      }
    }
  }
}
