import CVerifyFiles
import SyncProof

/// Reads artifacts: their digests, and the proofs that some of them carry.
enum ArtifactContent {
  /// The digest of a regular file's first bytes.
  ///
  /// - Parameter size: How many; all of them if it is the file's size.
  /// - Throws: ``VerifyStatus/environment`` if it cannot be read or changes meanwhile.
  static func digest(of file: borrowing InputFile, size: UInt64) throws(VerifyRefusal) -> Digest {
    let buffer = ReadBuffer(count: Int(min(max(1, size), UInt64(ReadBuffer.hashBytes))))
    var hash = SHA256.Stream()
    var left = size
    while left > 0 {
      let got = vf_read(file.descriptor, buffer.bytes.baseAddress, Int(min(left, UInt64(buffer.bytes.count))))
      guard got >= 0 else { throw VerifyRefusal(.environment, "Cannot read \(file.name): \(reason(Int32(got)))") }
      guard got > 0 else { throw file.changed() }
      hash.update(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<got]))
      left -= UInt64(got)
    }
    // Some files, those of /proc among them, go on behind the size that they say they have.
    guard size < file.info.size || vf_read(file.descriptor, buffer.bytes.baseAddress, 1) == 0 else {
      throw file.changed()
    }
    try file.checkUnchanged()
    return hash.finish()
  }

  /// The digest of all that comes through a descriptor.
  static func digest(ofStream descriptor: Int32, name: Text) throws(VerifyRefusal) -> Digest {
    let buffer = ReadBuffer(count: ReadBuffer.hashBytes)
    var hash = SHA256.Stream()
    while true {
      let got = vf_read(descriptor, buffer.bytes.baseAddress, buffer.bytes.count)
      guard got >= 0 else { throw VerifyRefusal(.environment, "Cannot read \(name): \(reason(Int32(got)))") }
      if got == 0 { return hash.finish() }
      hash.update(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<got]))
    }
  }

  /// Whether a regular file ends like one that carries a proof.
  static func isMarked(_ file: borrowing InputFile) throws(VerifyRefusal) -> Bool {
    let markBytes = UInt64(EmbeddedProof.mark.count)
    guard file.info.size >= markBytes else { return false }
    return EmbeddedProof.isMarked(try file.read(Int(markBytes), at: file.info.size - markBytes))
  }

  /// The proof that a regular file carries, and how much of the file it is about.
  ///
  /// - Returns: `nil` if it carries none.
  static func embeddedProof(of file: borrowing InputFile) throws(VerifyRefusal) -> (
    proof: [UInt8], contentSize: UInt64
  )? {
    guard try isMarked(file) else { return nil }
    let size = file.info.size
    let head = try file.read(Int(min(size, UInt64(EmbeddedProof.headBytes))), at: 0)
    let tailBytes = min(size, UInt64(EmbeddedProof.tailBytes))
    let tail = try file.read(Int(tailBytes), at: size - tailBytes)
    guard let found = try find(head: head, tail: tail, fileSize: size, name: file.name) else { return nil }
    let start = Int(found.proofOffset - (size - tailBytes))
    return (Array(tail[start..<start + found.proofSize]), found.contentSize)
  }

  /// The same for a stream, which it reads to its end: the proof and the digest of what stands before it.
  static func embeddedProof(
    ofStream descriptor: Int32, name: Text
  ) throws(VerifyRefusal) -> (proof: [UInt8], digest: Digest, fileSize: UInt64)? {
    // The end of what has come is held back: it may be a proof.
    let window = ReadBuffer(count: 2 * EmbeddedProof.tailBytes)
    var (hash, head, held, hashed) = (SHA256.Stream(), [UInt8](), 0, UInt64(0))
    while true {
      let got = vf_read(descriptor, window.bytes.baseAddress! + held, window.bytes.count - held)
      guard got >= 0 else { throw VerifyRefusal(.environment, "Cannot read \(name): \(reason(Int32(got)))") }
      if got == 0 { break }
      held += got
      if hashed == 0 { head = Array(window.bytes[..<min(held, EmbeddedProof.headBytes)]) }
      guard held == window.bytes.count else { continue }
      let old = held - EmbeddedProof.tailBytes
      hash.update(UnsafeRawBufferPointer(rebasing: window.bytes[..<old]))
      hashed += UInt64(old)
      let start = UnsafeMutableRawBufferPointer(rebasing: window.bytes[..<EmbeddedProof.tailBytes])
      start.copyMemory(from: UnsafeRawBufferPointer(rebasing: window.bytes[old...]))
      held = EmbeddedProof.tailBytes
    }
    let tail = UnsafeRawBufferPointer(rebasing: window.bytes[max(0, held - EmbeddedProof.tailBytes)..<held])
    let fileSize = hashed + UInt64(held)
    let found = try find(head: head, tail: tail, fileSize: fileSize, name: name)
    guard let found else { return nil }
    hash.update(UnsafeRawBufferPointer(rebasing: window.bytes[..<Int(found.contentSize - hashed)]))
    let start = Int(found.proofOffset - hashed)
    return (Array(window.bytes[start..<start + found.proofSize]), hash.finish(), fileSize)
  }

  private static func find(
    head: [UInt8], tail: some RandomAccessCollection<UInt8>, fileSize: UInt64, name: Text
  ) throws(VerifyRefusal) -> EmbeddedProof? {
    do throws(ProofError) {
      let found = try EmbeddedProof.find(head: head, tail: tail, fileSize: fileSize)
      return found.form == .none ? nil : found
    } catch {
      throw VerifyRefusal(error, artifact: name)
    }
  }
}
