import Foundation
import Testing

@Suite("Who may import what")
struct ImportTests {
  let repository = Repository.here

  @Test("Every Swift file imports only what its room may")
  func imports() throws {
    let paths = repository.paths(below: "Sources", extensions: ["swift"])
    try #require(!paths.isEmpty)
    var findings: [Finding] = []
    for path in paths {
      if let room = ImportTable.room(ofPath: path) {
        findings += importFindings(path: path, text: try repository.text(path), room: room)
      } else {
        findings.append(Finding(path: path, line: 1, what: "no room of the import table holds this file"))
      }
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  @Test("Package.swift agrees with the table")
  func manifest() throws {
    let targets = manifestTargets(in: try repository.text("Package.swift"))
    try #require(targets.contains { $0.name == "SyncProof" && $0.dependencies == ["CSodium", "CLibcrypto"] })
    let findings = manifestFindings(targets: targets) { room in
      let paths = repository.paths(below: "Sources/\(room.folder)", extensions: ["swift"])
      return Set(paths.flatMap { importedModules(in: (try? repository.text($0)) ?? "").map(\.module) })
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  @Test("The tests compile remote execution as its own manifest says")
  func remoteExecution() throws {
    let (own, other) = (try repository.text("Package.swift"), try repository.text("remote-execution/Package.swift"))
    let mark = try #require(own.range(of: "SYNC_REMOTE_EXECUTION"))
    let package = #/\.package\(url: [^)]*\)/#
    let product = #/\.product\(name: "[^"]*", package: "[^"]*"\)/#
    let wanted = Set(other.matches(of: package).map { String($0.output) })
    try #require(wanted.count > 3)
    #expect(wanted.subtracting(own.matches(of: package).map { String($0.output) }).isEmpty)
    let products = Set(other.matches(of: product).map { String($0.output) })
    #expect(products == Set(own[mark.upperBound...].matches(of: product).map { String($0.output) }))
  }

  @Test("The pure rooms have neither tasks nor a clock")
  func pureRooms() throws {
    // Words of the language and the library that need no import.
    let words = ["async", "await", "Task", "actor", "ContinuousClock", "SystemRandomNumberGenerator"]
    var findings: [Finding] = []
    for room in ["SyncProof", "SyncConsensus", "SyncLedger"] {
      for path in repository.paths(below: "Sources/\(room)", extensions: ["swift"]) {
        findings += wordFindings(path: path, text: try repository.text(path), words: words)
      }
    }
    #expect(findings.isEmpty, "\(listed(findings))")
  }

  static let planted: [(name: String, room: String, text: String, wanted: [String])] = [
    ("allowed", "SyncProof", "import CSodium\n", []),
    ("Foundation in a pure room", "SyncProof", "import Foundation\n", ["Foundation"]),
    ("an access level before", "SyncConsensus", "public import NIOCore\n", ["NIOCore"]),
    ("attributes before", "SyncLedger", "@preconcurrency @testable import SyncRuntime\n", ["SyncRuntime"]),
    ("one declaration of a module", "SyncLedger", "import struct Foundation.Data\n", ["Foundation"]),
    ("a submodule", "SyncProof", "import Foundation.NSURL\n", ["Foundation"]),
    ("a trailing comment", "SyncProof", "import Glibc // for errno\n", ["Glibc"]),
    ("the platform in the shell", "SyncRuntime", "import Foundation\n", []),
    ("consensus from the program", "synchronicity", "import SyncConsensus\n", ["SyncConsensus"]),
    ("one plugin from another", "SQLiteStorage", "import SodiumSigner\n", ["SodiumSigner"]),
    ("prose is no import", "SyncProof", "/// import Foundation\nlet important = 1\n", []),
  ]

  @Test("A planted import is found", arguments: planted)
  func plantedImports(name: String, room: String, text: String, wanted: [String]) throws {
    let room = try #require(ImportTable.rooms.first { $0.target == room })
    let findings = importFindings(path: name, text: text, room: room)
    #expect(findings.map { $0.what.split(separator: " ").last.map(String.init) } == wanted)
  }

  @Test("A planted dependency is found, and a missing one")
  func plantedDependencies() {
    let text = """
      let package = Package(
        name: "p",
        targets: [
          .target(name: "SyncProof", dependencies: ["CSodium", "SyncRuntime"], swiftSettings: s),
          .target(
            name: "SyncLedger",
            dependencies: [.product(name: "HashTreeCollections", package: "swift-collections")],
            swiftSettings: s),
          .target(name: "Annex", dependencies: []),
          .testTarget(name: "AnyTests", dependencies: ["SyncProof"]),
        ]
      )
      """
    let targets = manifestTargets(in: text)
    #expect(targets.map(\.name) == ["SyncProof", "SyncLedger", "Annex", "AnyTests"])
    #expect(targets[1].dependencies == ["HashTreeCollections"])
    let findings = manifestFindings(targets: targets) { $0.target == "SyncLedger" ? ["SyncProof"] : [] }
    #expect(
      findings.map(\.what) == [
        "SyncProof may not depend on SyncRuntime", "SyncLedger imports SyncProof without a dependency",
        "Annex is not in the import table",
      ])
  }
}
