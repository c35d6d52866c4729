import Foundation
import SyncRuntime
import Testing

@testable import synchronicity

struct SubmitListTests {
  @Test func `a list is read line by line`() throws {
    let text = """
      # crates
      pkg:cargo/itoa@1.0.1

         pkg:cargo/memchr@2.5.0   features=use_std,std   priority=-7 # quick
      pkg:cargo/semver rebuild=3#not a comment
      # é is fine here
      """
    #expect(throws: CommandFailure.self) { try SubmitList.parse([UInt8](text.utf8), name: "x") }
    let items = try SubmitList.parse([UInt8](text.replacing("3#not a comment", with: "3 #comment").utf8), name: "x")
    #expect(
      items == [
        SubmitItem(request: SubmitRequest(package: "pkg:cargo/itoa@1.0.1"), line: 2),
        SubmitItem(
          request: SubmitRequest(package: "pkg:cargo/memchr@2.5.0", features: ["std", "use_std"], priority: -7), line: 4
        ),
        SubmitItem(request: SubmitRequest(package: "pkg:cargo/semver", rebuild: 3), line: 5),
      ])
    #expect(
      items.map(\.key) == [
        "pkg:cargo/itoa@1.0.1", "pkg:cargo/memchr@2.5.0 features=std,use_std", "pkg:cargo/semver rebuild=3",
      ])
    let again = try SubmitList.parse([UInt8]("pkg:a/b\npkg:a/c rebuild=1\n".utf8), name: "x", rebuild: 9)
    #expect(again.map(\.request.rebuild) == [9, 1])
  }

  struct Row: CustomTestStringConvertible, Sendable {
    let name: String
    let text: String
    let says: String
    var testDescription: String { name }
  }

  @Test(arguments: [
    Row(name: "nothing", text: "", says: "names no package"),
    Row(name: "comments alone", text: "# a\n\n  # b\n", says: "names no package"),
    Row(name: "no purl", text: "pkg:cargo/a\nitoa@1.0.1\n", says: "list:2: itoa@1.0.1 is no package URL"),
    Row(name: "scheme alone", text: "pkg:\n", says: "list:1"),
    Row(name: "two packages on a line", text: "pkg:cargo/a pkg:cargo/b\n", says: "list:1: behind a package come"),
    Row(name: "unknown word", text: "pkg:cargo/a feature=x\n", says: "not feature=x"),
    Row(name: "no value", text: "pkg:cargo/a features\n", says: "not features"),
    Row(name: "twice the word", text: "pkg:cargo/a priority=1 priority=1\n", says: "priority is given twice"),
    Row(name: "empty feature", text: "pkg:cargo/a features=a,,b\n", says: "empty name"),
    Row(name: "no feature", text: "pkg:cargo/a features=\n", says: "empty name"),
    Row(name: "a feature twice", text: "pkg:cargo/a features=a,a\n", says: "twice"),
    Row(name: "priority of letters", text: "pkg:cargo/a priority=high\n", says: "-100 to 100"),
    Row(name: "priority above", text: "pkg:cargo/a priority=101\n", says: "-100 to 100"),
    Row(name: "priority with a sign", text: "pkg:cargo/a priority=+1\n", says: "-100 to 100"),
    Row(name: "leading zero", text: "pkg:cargo/a rebuild=01\n", says: "leading zeros"),
    Row(name: "negative rebuild", text: "pkg:cargo/a rebuild=-1\n", says: "rebuild=-1"),
    Row(name: "carriage return", text: "pkg:cargo/a\r\n", says: "list:1: the line has a tab, a carriage return"),
    Row(name: "tab", text: "pkg:cargo/a\tpriority=1\n", says: "tab"),
    Row(
      name: "the same twice", text: "pkg:cargo/a\n#\npkg:cargo/a priority=3\n",
      says: "list:3: pkg:cargo/a stands in line 1"),
    Row(
      name: "features in another order", text: "pkg:a/b features=x,y\npkg:a/b features=y,x\n",
      says: "stands in line 1"),
    Row(
      name: "too many", text: (0...10_000).map { "pkg:cargo/c\($0)\n" }.joined(), says: "at most 10000 packages"),
  ])
  func `what is not a list is refused with its line`(row: Row) {
    let failure = #expect(throws: CommandFailure.self) { try SubmitList.parse([UInt8](row.text.utf8), name: "list") }
    #expect(failure?.status == .usage)
    #expect(failure?.message.contains(row.says) == true, "\(failure?.message ?? "")")
  }

  @Test func `bytes that are no text are refused`() {
    #expect(throws: CommandFailure.self) { try SubmitList.parse([0xff, 0xfe], name: "list") }
  }
}

struct SubmitStateTests {
  static let id = String(repeating: "ab", count: 32)

  @Test func `what was accepted is there the next time, a line cut off is not`() throws {
    let path = FileManager.default.temporaryDirectory.path + "/submit-state-\(UInt64.random(in: 0...UInt64.max))"
    defer { unlink(path) }
    let items = try SubmitList.parse([UInt8]("pkg:cargo/a\npkg:cargo/b features=x\npkg:cargo/c\n".utf8), name: "list")
    var state = try SubmitState(path: path)
    #expect(state.jobs.isEmpty)
    try state.add(Self.id, for: items[0])
    try state.add(Self.id, for: items[1])
    try state.add(Self.id, for: items[1])
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("\(Self.id) pkg:carg".utf8))
    state = try SubmitState(path: path)
    #expect(state.jobs == ["pkg:cargo/a": Self.id, "pkg:cargo/b features=x": Self.id])
    try state.add(Self.id, for: items[2])
    #expect(try SubmitState(path: path).jobs.count == 3)
    #expect(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count == 4)
  }

  @Test(arguments: [
    "", "x", "synchronicity-submitted/v2\n", "synchronicity-submitted/v1\nabc pkg:cargo/a\n",
    "synchronicity-submitted/v1\n\n", "synchronicity-submitted/v1\n\(id)\n",
  ])
  func `another file is refused`(text: String) {
    #expect(throws: CommandFailure.self) { try SubmitState.parse([UInt8](text.utf8), name: "state") }
  }
}
