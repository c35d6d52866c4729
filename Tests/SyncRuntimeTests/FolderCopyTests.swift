import Foundation
import Testing

@testable import SyncRuntime

/// Folders that a hostile build may leave.
@Suite struct FolderCopyTests {
  /// Makes folders inside one another, deeper than any path can say.
  private static func nest(_ path: String, depth: Int) {
    var folder = open(path, O_RDONLY | O_DIRECTORY)
    for _ in 0..<depth {
      mkdirat(folder, "d", 0o755)
      let next = openat(folder, "d", O_RDONLY | O_DIRECTORY)
      close(folder)
      folder = next
    }
    close(openat(folder, "file", O_WRONLY | O_CREAT, 0o644))
    close(folder)
  }

  @Test func aDeepTreeIsEmptied() throws {
    let scratch = try Scratch()
    Self.nest(scratch.path, depth: 6_000)
    mkdir(scratch.path + "/other", 0o755)
    try FolderCopy.empty(scratch.path)
    #expect(try FolderCopy.isEmpty(scratch.path))
  }

  /// Whatever a build leaves: depth, names that are no text, folders without rights, links to what is not its own.
  @Test func aFolderIsRemovedAsABuildLeavesIt() throws {
    let (scratch, other) = (try Scratch(), try Scratch())
    let path = scratch.path + "/output"
    mkdir(path, 0o755)
    Self.nest(path, depth: 6_000)
    mkdir(path + "/closed", 0o755)
    #expect(FileManager.default.createFile(atPath: path + "/closed/file", contents: nil))
    chmod(path + "/closed", 0)
    mkdir(path + "/read", 0o755)
    #expect(FileManager.default.createFile(atPath: path + "/read/file", contents: nil))
    chmod(path + "/read", 0o555)
    let folder = open(path, O_RDONLY | O_DIRECTORY)
    #expect(mkdirat(folder, [CChar(bitPattern: 0xFF), 0], 0o755) == 0)
    close(folder)
    #expect(FileManager.default.createFile(atPath: other.path + "/kept", contents: nil))
    symlink(other.path, path + "/link")
    symlink(other.path, scratch.path + "/top")
    chmod(path, 0)
    for name in ["/output", "/top", "/nothing"] { Folder.remove(scratch.path + name) }
    #expect(try FolderCopy.isEmpty(scratch.path))
    #expect(access(other.path + "/kept", F_OK) == 0)
  }

  @Test func aDeepTreeStaysBehindBelowItsBound() throws {
    let (from, to) = (try Scratch(), try Scratch())
    Self.nest(from.path, depth: 6_000)
    var copy = FolderCopy(budget: 1_000)
    try copy.copy(from: from.path, to: to.path)
    #expect(try !FolderCopy.isEmpty(to.path))
    for scratch in [from, to] { try FolderCopy.empty(scratch.path) }
  }

  @Test func theBudgetCountsHoles() throws {
    let (from, to) = (try Scratch(), try Scratch())
    #expect(FileManager.default.createFile(atPath: from.path + "/a", contents: Data("x".utf8)))
    truncate(from.path + "/a", 1_000)
    var exact = FolderCopy(budget: 1_000)
    try exact.copy(from: from.path, to: to.path)
    #expect(exact.budget == 0 && FileManager.default.contents(atPath: to.path + "/a")?.count == 1_000)
    try FolderCopy.empty(to.path)
    var short = FolderCopy(budget: 999)
    #expect(throws: FolderCopy.Failure.self) { try short.copy(from: from.path, to: to.path) }
  }
}
