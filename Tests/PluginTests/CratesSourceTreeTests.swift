import Glibc
import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource

@Suite("The digest of a source tree")
struct CratesSourceTreeTests {
  @discardableResult
  private func withTree<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = try CrateFiles.makeTemporary(in: "/tmp")
    defer { CrateFiles.remove(folder) }
    try CrateFiles.makeFolder(folder + "/a")
    try CrateFiles.makeFolder(folder + "/empty/folder")
    try CrateFiles.write([UInt8]("one".utf8), to: folder + "/a/b")
    try CrateFiles.write([], to: folder + "/a-b")
    try CrateFiles.write([UInt8]("two".utf8), to: folder + "/.hidden")
    #expect(chmod(folder + "/a-b", 0o2711) == 0)
    #expect(symlink("../.hidden", folder + "/a/link to") == 0)
    return try body(folder)
  }

  @Test("It is that of the lines in the documentation")
  func followsFormat() throws {
    try withTree { folder in
      let lines = """
        synchronicity-tree/v1
        file 644 3 3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3 .hidden
        file 755 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 a-b
        file 644 3 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed a/b
        link ../.hidden a/link to

        """
      let digest = try TreeDigest.sha256(directory: folder)
      #expect(digest == SHA256.hash([UInt8](lines.utf8)))
    }
  }

  @Test("Times, other mode bits and empty folders do not count; bytes, names, the owner's x and link targets do")
  func countsWhatMatters() throws {
    try withTree { folder in
      let before = try TreeDigest.sha256(directory: folder)
      #expect(chmod(folder + "/a-b", 0o755) == 0)
      #expect(chmod(folder + "/a/b", 0o600) == 0)
      #expect(utimensat(AT_FDCWD, folder + "/a/b", [timespec(), timespec()], 0) == 0)
      try CrateFiles.makeFolder(folder + "/another")
      let after = try TreeDigest.sha256(directory: folder)
      #expect(after == before)

      #expect(chmod(folder + "/a/b", 0o744) == 0)
      let executable = try TreeDigest.sha256(directory: folder)
      #expect(rename(folder + "/a/b", folder + "/a/c") == 0)
      let renamed = try TreeDigest.sha256(directory: folder)
      try CrateFiles.write([UInt8]("onf".utf8), to: folder + "/a/c")
      let changed = try TreeDigest.sha256(directory: folder)
      #expect(Set([before, executable, renamed, changed]).count == 4)
    }
  }

  @Test("A copy has the same digest")
  func copies() throws {
    try withTree { folder in
      let copy = try CrateFiles.makeTemporary(in: "/tmp")
      defer { CrateFiles.remove(copy) }
      try CrateFiles.copyTree(folder, to: copy)
      let (original, copied) = (try TreeDigest.sha256(directory: folder), try TreeDigest.sha256(directory: copy))
      #expect(copied == original)
    }
  }

  @Test(
    "Links that lead out are refused",
    arguments: [
      ("in", "b", "a", true), ("to a neighbour folder", "x/l", "../y/z", true), ("dots", "x/l", "./y", true),
      ("absolute", "l", "/etc", false), ("above the root", "l", "..", false), ("far above", "x/l", "../../y", false),
      ("behind a name", "x/y/l", "d/../../z", false), ("empty", "l", "", false), ("a space", "l", "a b", false),
      ("a line feed", "l", "a\nb", false),
    ])
  func judgesLinks(_ row: (name: String, path: String, target: String, isInside: Bool)) {
    let isInside = TreeDigest.staysInside(target: [UInt8](row.target.utf8), path: [UInt8](row.path.utf8))
    #expect(isInside == row.isInside, "\(row.name)")
  }

  @Test("What is no source tree is refused")
  func refuses() throws {
    try withTree { folder in
      #expect(mkfifo(folder + "/pipe", 0o644) == 0)
      #expect(throws: PluginError(.invalid, "")) { try TreeDigest.sha256(directory: folder) }
      #expect(unlink(folder + "/pipe") == 0)
      #expect(symlink("/etc/passwd", folder + "/out") == 0)
      #expect(throws: PluginError(.invalid, "")) { try TreeDigest.sha256(directory: folder) }
      #expect(unlink(folder + "/out") == 0)
      try CrateFiles.write([], to: folder + "/line\nfeed")
      #expect(throws: PluginError(.invalid, "")) { try TreeDigest.sha256(directory: folder) }
      #expect(throws: PluginError(.notFound, "")) { try TreeDigest.sha256(directory: folder + "/none") }
      #expect(throws: PluginError(.notFound, "")) { try TreeDigest.sha256(directory: folder + "/a/b") }
    }
  }

  @Test("Each bound holds: at it, and one beyond")
  func holdsBounds() throws {
    try withTree { folder in
      // .hidden, a, a-b, a/b, a/link to, empty, empty/folder
      let rows: [(name: String, set: (inout TreeLimits, Int) -> Void, enough: Int)] = [
        ("entries", { $0.entriesMax = $1 }, 7), ("bytes", { $0.bytesMax = UInt64($1) }, 6),
        ("path", { $0.pathBytesMax = $1 }, 12), ("depth", { $0.depthMax = $1 }, 2),
      ]
      for row in rows {
        var limits = TreeLimits()
        row.set(&limits, row.enough)
        _ = try TreeDigest.sha256(directory: folder, limits: limits)
        row.set(&limits, row.enough - 1)
        #expect(throws: PluginError(.invalid, ""), "\(row.name)") {
          try TreeDigest.sha256(directory: folder, limits: limits)
        }
      }
    }
  }
}
