import CVerifyFiles
import SyncProof

/// An open file, closed with the value.
struct InputFile: ~Copyable {
  let descriptor: Int32
  /// For messages.
  let name: Text
  /// As it was when it was opened.
  let info: vf_info

  /// - Throws: ``VerifyStatus/environment``; a missing file too.
  init(opening path: [UInt8], what: Text) throws(VerifyRefusal) {
    let name = shown(path)
    let descriptor = withCString(path) { vf_open($0) }
    guard descriptor >= 0 else {
      throw VerifyRefusal(.environment, "Cannot open the \(what) \(name): \(reason(descriptor))")
    }
    try self.init(descriptor, name: name)
  }

  /// Takes over the descriptor.
  init(_ descriptor: Int32, name: Text) throws(VerifyRefusal) {
    var info = vf_info()
    let status = vf_get_info(descriptor, &info)
    (self.descriptor, self.name, self.info) = (descriptor, name, info)
    guard status >= 0 else { throw VerifyRefusal(.environment, "Cannot look at \(name): \(reason(status))") }
  }

  deinit { vf_close(descriptor) }

  /// - Throws: ``VerifyStatus/environment`` if the file is not what it was when it was opened.
  func checkUnchanged() throws(VerifyRefusal) {
    var now = vf_info()
    let status = vf_get_info(descriptor, &now)
    guard status >= 0, now.size == info.size, now.modified_seconds == info.modified_seconds,
      now.modified_nanoseconds == info.modified_nanoseconds, now.changed_seconds == info.changed_seconds,
      now.changed_nanoseconds == info.changed_nanoseconds
    else { throw changed() }
  }

  func changed() -> VerifyRefusal {
    VerifyRefusal(.environment, "\(name) changed while it was read; leave it alone and try again")
  }

  /// So many bytes from an offset on.
  func read(_ size: Int, at offset: UInt64) throws(VerifyRefusal) -> [UInt8] {
    var got = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      got = vf_read_at(descriptor, buffer.baseAddress, size, offset)
      count = max(0, got)
    }
    guard got >= 0 else { throw VerifyRefusal(.environment, "Cannot read \(name): \(reason(Int32(got)))") }
    guard got == size else { throw changed() }
    return bytes
  }

  /// How long a pipe may stay silent, and how long it may take in all.
  private static let (silentSeconds, wholeSeconds): (Int32, Int64) = (10, 30)

  /// The whole of a policy or proof, which may come through a pipe; a larger one is refused before it is read.
  static func readAll(_ path: [UInt8], what: Text, bytesMax: Int) throws(VerifyRefusal) -> [UInt8] {
    let file = try InputFile(opening: path, what: what)
    let isRegular = file.info.kind == VF_REGULAR
    guard file.info.kind != VF_FOLDER else {
      throw VerifyRefusal(.malformed, "\(file.name) is a folder where a \(what) is expected")
    }
    guard file.info.size <= UInt64(bytesMax) else {
      throw VerifyRefusal(
        tooLarge: "\(file.name) has \(file.info.size) bytes; a \(what) has at most \(bytesMax). Is it the right file?")
    }
    let start = vf_now()
    // One byte more than is known to be there shows the end of it.
    var capacity = isRegular ? Int(file.info.size) + 1 : pieceBytes
    var bytes: [UInt8] = []
    while true {
      if !isRegular { try awaitPiece(of: file, since: start, what: what) }
      var got = 0
      let piece = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        got = vf_read(file.descriptor, buffer.baseAddress, capacity)
        count = max(0, got)
      }
      guard got >= 0 else {
        throw VerifyRefusal(.environment, "Cannot read the \(what) \(file.name): \(reason(Int32(got)))")
      }
      if bytes.isEmpty { bytes = piece } else { bytes += piece }
      guard bytes.count <= bytesMax else {
        throw VerifyRefusal(tooLarge: "\(file.name) goes on after \(bytesMax) bytes, the most that a \(what) has")
      }
      if got == 0 || (isRegular && got < capacity) { return bytes }
      capacity = pieceBytes
    }
  }

  private static let pieceBytes = 65_536

  /// - Throws: ``VerifyStatus/environment`` for a pipe whose writer does not get on.
  private static func awaitPiece(
    of file: borrowing InputFile, since start: Int64, what: Text
  ) throws(VerifyRefusal) {
    guard vf_wait(file.descriptor, silentSeconds) == 1 else {
      throw VerifyRefusal(
        .environment, "Nothing came from \(file.name) for \(silentSeconds) s; a \(what) is expected")
    }
    guard vf_now() - start <= wholeSeconds else {
      throw VerifyRefusal(
        .environment, "\(file.name) did not end in \(wholeSeconds) s; write the \(what) into a file and name that")
    }
  }

  /// Whether there is nothing by that name.
  static func isMissing(_ path: [UInt8]) -> Bool {
    var info = vf_info()
    return withCString(path) { vf_is_missing(vf_get_info_below(vf_here(), $0, &info)) } != 0
  }
}

/// Bytes that are read into, and hashed from.
struct ReadBuffer: ~Copyable {
  let bytes: UnsafeMutableRawBufferPointer

  init(count: Int) { bytes = .allocate(byteCount: count, alignment: 4_096) }
  deinit { bytes.deallocate() }

  /// Small enough for the processor's second cache, large enough for system calls to cost nothing.
  static let hashBytes = 1 << 17
}

/// A path for C.
func withCString<Value>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Value) -> Value {
  let terminated = path + [0]
  return terminated.withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
}

/// What went wrong, in the system's words.
func reason(_ error: Int32) -> Text {
  guard let text = vf_reason(error) else { return "error \(error)" }
  return Text(utf8: bytes(of: text))
}

/// A path for people.
func shown(_ path: [UInt8]) -> Text { Text(utf8: VisibleText.encode(path)) }

/// The bytes of a C string.
func bytes(of text: UnsafePointer<CChar>) -> [UInt8] {
  var count = 0
  while text[count] != 0 { count += 1 }
  return [UInt8](UnsafeRawBufferPointer(start: text, count: count))
}
