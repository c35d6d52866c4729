import Foundation
import RemoteExecution
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Folders as the API describes them.
@Suite struct TreeTests {
  private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private func make(_ folder: String) throws {
    let manager = FileManager.default
    for name in ["b", "a/deep", "B"] {
      try manager.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try Data("hello\n".utf8).write(to: URL(fileURLWithPath: folder + "/run"))
    try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/run")
    try Data("hello\n".utf8).write(to: URL(fileURLWithPath: folder + "/a/é"))
    try manager.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder + "/a/é")
    try manager.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "a/é")
  }

  /// The digest is what another implementation, BuildStream's Python messages, gives for the same folder.
  @Test func aFolderHasTheDigestThatOthersGiveIt() throws {
    try withFolder { (folder: String) in
      try make(folder)
      var tree = MerkleTree(.init())
      let root = try tree.addFolder(folder)
      #expect(root.hash == "3d73aea3e2d6e0b18c0d0793dae3079b4f5db278e646d2fff603fadec0ce1012")
      // One empty folder three times, one content twice.
      #expect(tree.blobs.count == 3 && tree.files.count == 1)
      #expect(tree.blobs.keys.contains { $0.hash == Self.emptyHash })
    }
  }

  @Test func namesAreInTheOrderOfTheirBytes() throws {
    try withFolder { (folder: String) in
      try make(folder)
      var tree = MerkleTree(.init())
      let root = try tree.addFolder(folder)
      let directory = try REDirectory(serializedBytes: try #require(tree.blobs[root]))
      #expect(directory.directories.map(\.name) == ["B", "a", "b"])
      #expect(directory.files.map(\.name) == ["run"] && directory.files[0].isExecutable)
      #expect(directory.symlinks.map(\.target) == ["a/é"])
      #expect(!directory.hasNodeProperties && !directory.files[0].hasNodeProperties)
    }
  }

  @Test func modesAndTimesGoAlongWhereTheyAreTaken() throws {
    try withFolder { (folder: String) in
      try make(folder)
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o751, .modificationDate: Date(timeIntervalSince1970: 1_000)],
        ofItemAtPath: folder + "/run")
      var tree = MerkleTree(.init(modes: true, times: true))
      let root = try tree.addFolder(folder)
      let properties = try REDirectory(serializedBytes: try #require(tree.blobs[root])).files[0].nodeProperties
      #expect(properties.unixMode.value == 0o751 && properties.mtime.seconds == 1_000)
    }
  }

  @Test func whatATreeCannotTellIsRefused() throws {
    let rows: [(String, (String) -> Void)] = [
      ("a pipe", { mkfifo($0 + "/pipe", 0o600) }),
      ("an absolute link", { symlink("/etc", $0 + "/link") }),
      (
        "a name that is not UTF-8",
        { folder in
          let path = Array(folder.utf8) + [0x2F, 0xFF, 0]
          path.withUnsafeBufferPointer { $0.withMemoryRebound(to: CChar.self) { _ = mkdir($0.baseAddress!, 0o700) } }
        }
      ),
      (
        "a folder that is too deep",
        { folder in
          _ = chdir(folder)
          for _ in 0..<140 where mkdir("d", 0o700) == 0 { _ = chdir("d") }
          _ = chdir("/")
        }
      ),
    ]
    for (name, change) in rows {
      try withFolder { (folder: String) in
        change(folder)
        var tree = MerkleTree(.init(absoluteLinks: false))
        let error = #expect(throws: Fault.self, "\(name)") { _ = try tree.addFolder(folder) }
        #expect(error?.code == .invalid, "\(name)")
      }
    }
  }

  @Test func whatWasPreparedIsReadAgain() throws {
    try withFolder { (folder: String) in
      let root = folder + "/root"
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
      try make(root)
      var tree = MerkleTree(.init())
      let digest = try tree.addFolder(root)
      try PreparedTree.write(tree, root: digest, below: root, to: folder + "/tree")
      var again = MerkleTree(.init())
      #expect(try PreparedTree.read(folder + "/tree", below: root, into: &again) == digest)
      #expect(again.blobs == tree.blobs && again.files.keys == tree.files.keys)
      #expect(throws: Fault.self) { _ = try PreparedTree.read(folder + "/none", below: root, into: &again) }
      let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/tree"))
      try whole.dropLast(7).write(to: URL(fileURLWithPath: folder + "/tree"))
      #expect(throws: Fault.self) {
        var cut = MerkleTree(.init())
        _ = try PreparedTree.read(folder + "/tree", below: root, into: &cut)
      }
    }
  }

  @Test func digestsThatAreNone() {
    var digest = REDigest(of: Data("x".utf8))
    #expect(digest.isSound)
    digest.sizeBytes = -1
    #expect(!digest.isSound)
    for hash in ["", "abc", String(repeating: "g", count: 64), Self.emptyHash.uppercased(), "../" + Self.emptyHash] {
      (digest.hash, digest.sizeBytes) = (hash, 1)
      #expect(!digest.isSound, "\(hash)")
    }
  }
}
