import ArgumentParser
import Foundation
import SyncProof
import SyncRuntime

extension ProofCommand {
  /// `proof embed`: an artifact that brings its proof along.
  struct Embed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Puts a proof into its artifact, an ELF file or an ar archive such as an .rlib.",
      discussion: """
        The artifact's own bytes stay as they are, and the proof comes behind them: programs run and archives link as \
        before, and `proof extract --strip` gives the artifact back byte for byte. `verify` finds the proof by itself. \
        The file is replaced in one step.
        """)

    @Option(help: ArgumentHelp("The proof.", valueName: "file"))
    var proof: String
    @Option(help: ArgumentHelp("The file to write; the artifact itself unless given.", valueName: "file"))
    var output: String?
    @Argument(help: "The artifact.")
    var artifact: String

    func run() async throws {
      let bytes = try BoundedFile.read(proof, what: "proof", bytesMax: ProofLimits.proofBytesMax)
      let proven: [Artifact]
      do {
        proven = try Verifier.inspect(proof: bytes).evidence.artifacts
      } catch {
        throw CommandFailure(.usage, "\(proof): \(error.message)")
      }
      let content = try ContentFile(artifact)
      let head = try content.read(EmbeddedProof.headBytes, at: 0)
      let region: [UInt8]
      do {
        region = try EmbeddedProof.region(
          for: bytes, contentHead: head, contentEnd: content.end(EmbeddedProof.mark.count), contentSize: content.size)
      } catch let error as ProofError {
        throw CommandFailure(.usage, "\(artifact): \(error.message)")
      }
      let written = try AtomicFile(output ?? content.path, like: content)
      let digest = try content.copy(content.size, to: written)
      guard proven.contains(where: { $0.sha256 == digest }) else {
        throw CommandFailure(
          .notVerified,
          "\(artifact) has the SHA-256 \(digest.hex), which \(proof) does not speak of; it was not changed")
      }
      try written.append(region)
      try written.commit()
      Console.line(output ?? artifact)
    }
  }

  /// `proof extract`: the proof that an artifact brought along.
  struct Extract: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes the proof out of an artifact; with --strip, the artifact is then as its builders made it.")

    @Option(
      help: ArgumentHelp("Where to write the proof; ARTIFACT.tlog-proof unless given, - prints it.", valueName: "file"))
    var output: String?
    @Flag(help: "Take the proof away from the artifact, which is replaced in one step.")
    var strip = false
    @Argument(help: "The artifact.")
    var artifact: String

    func run() async throws {
      let content = try ContentFile(artifact)
      let found: EmbeddedProof
      do {
        found = try EmbeddedProof.find(
          head: content.read(EmbeddedProof.headBytes, at: 0), tail: content.end(EmbeddedProof.tailBytes),
          fileSize: content.size)
      } catch let error as ProofError {
        throw CommandFailure(.usage, "\(artifact): \(error.message)")
      }
      guard found.form != .none else { throw CommandFailure(.usage, "\(artifact) carries no proof") }
      let proof = try content.read(found.proofSize, at: found.proofOffset)
      // The proof is safe before the artifact loses it.
      if output == "-" {
        Console.write(String(decoding: proof, as: UTF8.self), to: STDOUT_FILENO)
      } else {
        try BoundedFile.write(proof, to: output ?? artifact + ".tlog-proof")
        Console.line(output ?? artifact + ".tlog-proof")
      }
      guard strip else { return }
      let written = try AtomicFile(content.path, like: content)
      _ = try content.copy(found.contentSize, to: written)
      try written.commit()
    }
  }
}

/// A regular file of any size that is read, and must not change meanwhile.
struct ContentFile: ~Copyable {
  /// Where it is, links resolved: what replaces it must not replace a link to it.
  let path: String
  let size: UInt64
  let info: stat
  private let descriptor: Int32
  private let name: String

  init(_ name: String) throws(CommandFailure) {
    path = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
    self.name = name
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    var info = stat()
    let status = descriptor < 0 ? -1 : fstat(descriptor, &info)
    self.info = info
    size = UInt64(max(0, info.st_size))
    guard status == 0 else {
      throw CommandFailure(.environment, "Cannot open \(name): \(String(cString: strerror(errno)))")
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw CommandFailure(.usage, "\(name) is not a regular file")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// So many bytes from an offset on; fewer at the file's end.
  func read(_ count: Int, at offset: UInt64) throws(CommandFailure) -> [UInt8] {
    let wanted = Int(min(UInt64(count), size - min(offset, size)))
    var bytes = [UInt8](repeating: 0, count: wanted)
    var done = 0
    while done < wanted {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, wanted - done, off_t(offset) + off_t(done))
      }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw unreadable(got) }
      done += got
    }
    return bytes
  }

  /// The last bytes.
  func end(_ count: Int) throws(CommandFailure) -> [UInt8] {
    try read(count, at: size - min(UInt64(count), size))
  }

  /// Copies the first bytes.
  ///
  /// - Returns: Their digest.
  func copy(_ count: UInt64, to file: borrowing AtomicFile) throws(CommandFailure) -> Digest {
    var (hash, offset) = (SHA256.Stream(), UInt64(0))
    while offset < count {
      let piece = try read(Int(min(1 << 20, count - offset)), at: offset)
      hash.update(piece)
      try file.append(piece)
      offset += UInt64(piece.count)
    }
    var now = stat()
    guard fstat(descriptor, &now) == 0, now.st_size == info.st_size, now.st_mtim.tv_sec == info.st_mtim.tv_sec,
      now.st_mtim.tv_nsec == info.st_mtim.tv_nsec
    else { throw unreadable(0) }
    return hash.finish()
  }

  private func unreadable(_ got: Int) -> CommandFailure {
    got < 0
      ? CommandFailure(.environment, "Cannot read \(name): \(String(cString: strerror(errno)))")
      : CommandFailure(.environment, "\(name) changed while it was read; leave it alone and try again")
  }
}

/// A file that appears whole under its name, or not at all.
struct AtomicFile: ~Copyable {
  private let path: String
  private let temporary: String
  private let descriptor: Int32

  /// - Parameter like: Whose owner and mode it takes.
  init(_ path: String, like other: borrowing ContentFile) throws(CommandFailure) {
    (self.path, temporary) = (path, "\(path).\(getpid()).partial")
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw CommandFailure(.environment, "Cannot write \(path): \(String(cString: strerror(errno)))")
    }
    // Who is not the owner may not be able to make it the owner's; then it must not run with anybody's rights either.
    let isOwned = fchown(descriptor, other.info.st_uid, other.info.st_gid) == 0
    guard fchmod(descriptor, other.info.st_mode & (isOwned ? 0o7777 : 0o1777)) == 0 else { throw failure() }
  }

  /// After a commit the temporary name is gone already.
  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporary)
  }

  func append(_ bytes: [UInt8]) throws(CommandFailure) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, bytes.count - written) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure() }
      written += count
    }
  }

  func commit() throws(CommandFailure) {
    guard fsync(descriptor) == 0 || errno == EINVAL, rename(temporary, path) == 0 else { throw failure() }
  }

  private func failure() -> CommandFailure {
    CommandFailure(.environment, "Cannot write \(path): \(String(cString: strerror(errno)))")
  }
}
