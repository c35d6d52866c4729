import Foundation
import SyncProof
import SyncTesting
import Testing

@testable import SyncRuntime

@Suite("Conditions, held and varied")
struct ConditionsTests {
  @Test("Normalisations are sorted, each once; what is none is refused")
  func parses() throws {
    #expect(try Normalisation.parse([]) == [])
    #expect(try Normalisation.parse(["random", "clock", "random"]) == [.clock, .random])
    for name in ["", "Clock", "clock ", "clock,random", "path"] {
      let error = #expect(throws: PluginError.self) { try Normalisation.parse(["clock", name]) }
      #expect(error?.code == .invalid && error?.message.contains("readdir") == true)
    }
  }

  @Test("A recipe without normalisations stays as it is; with them it carries what they need, and no more")
  func recipes() {
    let own = [UInt8]("true\n".utf8)
    func text(_ names: [Normalisation]) -> String {
      String(decoding: Normalisation.recipe(own, holding: names), as: UTF8.self)
    }
    #expect(text([]) == "true\n")
    let rows: [(names: [Normalisation], has: [String], hasNot: [String])] = [
      ([.cpus], ["taskset"], ["held.c <<", "clock_gettime", "LD_PRELOAD"]),
      ([.clock], ["clock_gettime", "long syscall"], ["fopencookie", "readdir(DIR", "memfd_create"]),
      ([.random], ["fopencookie", "long syscall"], ["clock_at", "readdir(DIR", "memfd_create"]),
      ([.readdir], ["readdir(DIR"], ["fopencookie", "long syscall", "memfd_create"]),
      ([.kernel], ["memfd_create"], ["fopencookie", "long syscall", "readdir(DIR"]),
      (Normalisation.allCases, ["clock_at", "fopencookie", "readdir(DIR", "memfd_create", "taskset"], []),
    ]
    for row in rows {
      let text = text(row.names)
      #expect(text.hasPrefix("#!/bin/sh\n") && text.hasSuffix("\ntrue\n"))
      for word in row.has { #expect(text.contains(word), "\(row.names): \(word)") }
      for word in row.hasNot { #expect(!text.contains(word), "\(row.names): \(word)") }
      #expect(!text.contains("\n//"))
    }
  }

  @Test("The build's folder moves where it stands as a path")
  func moves() {
    let rows: [(String, String)] = [
      ("/build", "/elsewhere/build"), ("cd /build/src", "cd /elsewhere/build/src"),
      (">/build/a", ">/elsewhere/build/a"),
      ("A=/build:/build/b", "A=/elsewhere/build:/elsewhere/build/b"), ("\"/build\"", "\"/elsewhere/build\""),
      ("/builder", "/builder"), ("/build.rs", "/build.rs"), ("src/build", "src/build"), ("build", "build"),
      ("//build", "//build"), ("/buil", "/buil"), ("/elsewhere/build", "/elsewhere/build"), ("", ""),
    ]
    for (text, moved) in rows { #expect(BuildConditions.moved(text) == moved) }
  }

  @Test("Each condition changes the request or the settings, none twice the same")
  func changes() {
    func effect(_ conditions: BuildConditions) -> String {
      var request = SandboxRequest(
        runID: "r", toolchain: .zero, command: ["/bin/sh"],
        environment: [("HOME", "/build/home"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")], workingDirectory: "/build",
        mounts: [], limits: EchoSource.spec(name: "x", recipe: "", toolchain: .zero).limits, scratchDirectory: "/s")
      conditions.change(&request)
      #expect(request.environment.map(\.name) == request.environment.map(\.name).sorted())
      return "\(request.hostName) \(request.workingDirectory) \(request.environment) \(conditions.settings)"
    }
    var seen: Set<String> = [effect(BuildConditions())]
    #expect(BuildConditions().settings.isEmpty)
    for condition in Condition.allCases where condition != .random {
      #expect(seen.insert(effect(BuildConditions(varied: [condition]))).inserted, "\(condition)")
      #expect(BuildConditions(varied: [condition]).settings.isEmpty == !condition.needsLibrary, "\(condition)")
    }
    for varied in [[], [.clock], [.random], [.clock, .random]] as [Set<Condition>] {
      #expect(seen.insert(effect(BuildConditions(varied: varied, still: 1_700_000_000))).inserted, "\(varied)")
    }
  }

  @Test("Where two files begin to differ, and what stands there")
  func differences() throws {
    let folder = NSTemporaryDirectory() + "differences-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let large = [UInt8](repeating: 0, count: (1 << 20) + 5)
    let rows: [(name: String, a: [UInt8], b: [UInt8], offset: UInt64?, near: String, alone: [String])] = [
      (
        "a word", [UInt8]("\0\0built on alder\0".utf8), [UInt8]("\0\0built on birch\0".utf8), 11, "built on alder",
        ["built on alder"]
      ),
      ("longer", [1, 2, 3], [1, 2, 3, 4], 3, "", []),
      ("behind a chunk", large + [1], large + [2], UInt64(large.count), "", []),
      ("the same bytes", [7], [7], nil, "", []),
      ("empty", [], [UInt8("x".utf8.first ?? 0)], 0, "", []),
    ]
    for (i, row) in rows.enumerated() {
      func file(_ side: String, _ bytes: [UInt8]) throws -> (Artifact, String) {
        let path = "\(folder)/\(i)\(side)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return (
          Artifact(path: "out", mode: 0o644, size: UInt64(bytes.count), sha256: SHA256.hash(bytes)), path
        )
      }
      let (a, b) = (try file("a", row.a), try file("b", row.b))
      let difference = try ArtifactDifference.of(a.0, a.1, b.0, b.1)
      #expect(difference.firstOffset == row.offset, "\(row.name)")
      #expect(difference.usual.near == row.near && difference.usual.alone == row.alone, "\(row.name)")
    }
  }
}
