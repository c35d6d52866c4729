import ChrootSandbox
import Foundation
import SourceTools
import SyncProof
import SyncRuntime
import Testing

@testable import CratesSource
@testable import DockerSandbox
@testable import ToolchainShelf

@Suite("Toolchains on the shelf")
struct ToolchainShelfTests {
  private static let lock = """
    # synchronicity toolchain, version 1
    # variant: extract
    # include: bash,libc6
    # digest: \(Digest.zero.hex)
    libc6 2.36-9+deb12u14 amd64
    bash 5.2.15-2+b13 amd64
    busybox-static 1:1.35.0-4 amd64

    """

  @Test("A lock file is read")
  func readsLock() throws {
    let lock = try ToolchainLock(parsing: [UInt8](Self.lock.utf8))
    #expect(lock.variant == .extract && lock.include == ["bash", "libc6"] && lock.digest == Digest.zero)
    #expect(lock.packages.map(\.name) == ["libc6", "bash", "busybox-static"])
    #expect(lock.packages.last?.version == "1:1.35.0-4")
  }

  static let damages: [(String, String, String)] = [
    ("another version", "version 1", "version 2"), ("another variant", "extract", "minbase"),
    ("no include", "bash,libc6", ""), ("an option as include", "bash,libc6", "--purge"),
    ("digest too short", Digest.zero.hex, "00"), ("two words", "2.36-9+deb12u14 amd64", "2.36"),
    ("four words", "b13 amd64", "b13 amd64 x"), ("a shell's word", "5.2.15-2+b13", "5.2;reboot"),
    ("an option", "bash 5", "-bash 5"), ("a package twice", "busybox-static 1", "bash 1"),
    ("no line feed at the end", "1:1.35.0-4 amd64\n", "1:1.35.0-4 amd64"),
  ]

  @Test("A damaged lock file is refused", arguments: damages)
  func refusesLock(_ row: (name: String, what: String, by: String)) {
    let text = Self.lock.replacingOccurrences(of: row.what, with: row.by)
    #expect(text != Self.lock)
    #expect(throws: PluginError(.invalid, "")) { try ToolchainLock(parsing: [UInt8](text.utf8)) }
  }

  @Test("Tars come in by their digest, are found damaged, and go")
  func keepsTars() async throws {
    try await withScratch { scratch in
      let shelf = Shelf(directory: scratch + "/shelf")
      #expect(try shelf.items().isEmpty)
      try SourceFiles.write([1, 2, 3], to: scratch + "/a.tar")
      let digest = try shelf.add(tar: scratch + "/a.tar", origin: "a test")
      #expect(digest == SHA256.hash([1, 2, 3]))
      #expect(try shelf.add(tar: scratch + "/a.tar", origin: "again") == digest)
      let other = Digest.zero
      let index = "tiny 00 \(other.hex)\nmine 01 \(digest.hex)\n"
      try SourceFiles.write([UInt8](index.utf8), to: shelf.directory + "/index")
      let item = try #require(try shelf.items().first)
      #expect(item.digest == digest && item.kinds == ["mine"] && item.bytes == 3 && item.origin == "a test")
      #expect(try shelf.digest(kind: "tiny") == other)
      try shelf.verify(digest)
      try SourceFiles.write([1, 2, 4], to: shelf.path(of: digest))
      #expect(throws: PluginError(.checksumMismatch, "")) { try shelf.verify(digest) }
      try shelf.remove(digest)
      #expect(try shelf.items().isEmpty && shelf.digest(kind: "mine") == nil && shelf.digest(kind: "tiny") == other)
      #expect(SourceFiles.names(in: shelf.directory) == [".lock-index", "index"])
      #expect(throws: PluginError(.notFound, "")) { try shelf.verify(digest) }
      #expect(throws: PluginError(.notFound, "")) { try shelf.lockBytes(of: digest) }
      #expect(throws: PluginError(.notFound, "")) { _ = try shelf.add(tar: scratch + "/none", origin: "") }
    }
  }

  @Test("The canonical tar is the same whatever the order and the owners were")
  func packsCanonically() async throws {
    try await withScratch { scratch in
      let root = scratch + "/files"
      for folder in ["bin", "etc", "dev"] { try SourceFiles.makeFolder("\(root)/\(folder)") }
      for (name, text) in [("bin/sh", "a shell"), ("etc/hosts", "127.0.0.1 here"), ("etc/motd", "hi"), ("dev/x", "")] {
        try SourceFiles.write([UInt8](text.utf8), to: "\(root)/\(name)")
        // Older than the packing, since the times stay.
        var times = [timespec(tv_sec: 1_000, tv_nsec: 0), timespec(tv_sec: 1_000, tv_nsec: 0)]
        utimensat(AT_FDCWD, "\(root)/\(name)", &times, 0)
      }
      for folder in ["bin", "etc", "dev", "."] {
        var times = [timespec(tv_sec: 2_000, tv_nsec: 0), timespec(tv_sec: 2_000, tv_nsec: 0)]
        utimensat(AT_FDCWD, "\(root)/\(folder)", &times, 0)
      }
      var digests: Set<Digest> = []
      for (number, words) in [["--sort=name", "."], ["--sort=none", "--owner=7", "etc", "dev", "bin"]].enumerated() {
        let own = "\(scratch)/\(number)"
        try SourceFiles.makeFolder(own)
        try await Tool(name: "tar").run(["--create", "--file=\(own)/in.tar", "--directory=\(root)"] + words)
        try CanonicalTar.write(from: own + "/in.tar", to: own + "/out.tar", scratch: own)
        digests.insert(try FileDigest.sha256(path: own + "/out.tar").digest)
        let names = try CanonicalTar.names(in: own + "/out.tar")
        #expect(names.contains("./bin/sh") && names.contains("./etc/motd"))
        #expect(!names.contains { $0.contains("hosts") || $0.contains("dev/x") })
        #expect(SourceFiles.names(in: own) == ["in.tar", "out.tar"])
      }
      #expect(digests.count == 1)
      try SourceFiles.write([UInt8]("no tar".utf8), to: scratch + "/no.tar")
      #expect(throws: PluginError(.invalid, "")) { try CanonicalTar.names(in: scratch + "/no.tar") }
    }
  }

  @Test(
    "An image of a Docker Engine comes in by its digest, and builds run in it",
    .enabled("no engine: SYNC_DOCKER_SOCKET") { DockerWorld.isPossible }, .timeLimit(.minutes(5)))
  func importsImage() async throws {
    try await DockerWorld.with { docker in
      let images = DockerImages(engine: docker.engine, directory: docker.root)
      let image = try #require(try await images.trusted(docker.toolchain))
      var digests: Set<Digest> = []
      for number in 0...1 {
        let own = try docker.folder("import-\(number)")
        try await DockerExport.write(image: image, socketPath: docker.socket, to: own + "/export.tar")
        try CanonicalTar.write(from: own + "/export.tar", to: own + "/root.tar", scratch: own)
        digests.insert(try FileDigest.sha256(path: own + "/root.tar").digest)
      }
      let digest = try #require(digests.first)
      #expect(digests.count == 1)
      let chroot = try ChrootSandbox(stateDirectory: docker.root + "/chroot", initPath: ChrootWorld.initPath)
      try await chroot.prepare(toolchain: digest, archive: docker.root + "/import-0/root.tar")
      var request = docker.request("echo from $(stat -c %a /usr/bin/env)")
      request.toolchain = digest
      let result = try await chroot.run(request)
      #expect(result.termination == .exited(status: 0))
      #expect(String(decoding: result.transcript, as: UTF8.self) == "from 755\n")
      for name in ["synchronicity-toolchain:\(docker.toolchain.hex)", "sha256:abc", "bookworm", "x@sha256:\(digest)Z"] {
        await #expect(throws: PluginError(.invalid, "")) {
          try await DockerExport.write(image: name, socketPath: docker.socket, to: docker.root + "/no.tar")
        }
      }
      await #expect(throws: PluginError(.notFound, "")) {
        try await DockerExport.write(
          image: "sha256:" + Digest.zero.hex, socketPath: docker.socket, to: docker.root + "/no.tar")
      }
      #expect(!SourceFiles.exists(docker.root + "/no.tar"))
    }
  }
}
