import Foundation
import Glibc
import SyncProof

/// Where two files that should be the same begin to differ, with a hint for people.
public struct ArtifactDifference: Sendable, Equatable, Codable {
  /// One of the two files.
  public struct Side: Sendable, Equatable, Codable {
    public let sha256: String
    public let bytes: UInt64
    /// The readable text at or behind the first difference, cut.
    public let near: String
    /// Texts that only this file has, in its order; few, and cut.
    public let alone: [String]
  }

  public let path: String
  /// The first byte that differs, or the length of the shorter file; `nil` when only the mode differs.
  public let firstOffset: UInt64?
  public let usual: Side
  public let varied: Side

  private static let nearBytesMax = 60
  private static let aloneMax = 3
  /// Where hints are looked for; offset and digest are of the whole file.
  private static let hintBytesMax = 8 << 20

  /// The artifacts of two builds that differ, in the order of their paths.
  public static func all(_ a: Rebuild, _ b: Rebuild) throws(PluginError) -> [ArtifactDifference] {
    var found: [ArtifactDifference] = []
    for (i, (one, other)) in zip(a.outcome.artifacts, b.outcome.artifacts).enumerated() {
      guard (one.sha256, one.mode & 0o700) != (other.sha256, other.mode & 0o700), i < a.files.count, i < b.files.count
      else { continue }
      found.append(try of(one, a.files[i], other, b.files[i]))
    }
    return found
  }

  static func of(_ one: Artifact, _ first: String, _ other: Artifact, _ second: String) throws(PluginError)
    -> ArtifactDifference
  {
    let offset = one.sha256 == other.sha256 ? nil : try firstOffset(first, second)
    let (a, b) = (try head(first), try head(second))
    let (left, right) = (texts(a), texts(b))
    let (leftSet, rightSet) = (Set(left), Set(right))
    func side(_ artifact: Artifact, _ bytes: [UInt8], _ texts: [String], _ others: Set<String>) -> Side {
      Side(
        sha256: artifact.sha256.hex, bytes: artifact.size, near: near(offset, in: bytes),
        alone: texts.filter { !others.contains($0) }.prefix(aloneMax).map { String($0.prefix(nearBytesMax)) })
    }
    return ArtifactDifference(
      path: one.path.string, firstOffset: offset, usual: side(one, a, left, rightSet),
      varied: side(other, b, right, leftSet))
  }

  private static func firstOffset(_ first: String, _ second: String) throws(PluginError) -> UInt64 {
    let descriptors = [first, second].map { (path: String) in open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
    defer { for descriptor in descriptors where descriptor >= 0 { close(descriptor) } }
    for (descriptor, path) in zip(descriptors, [first, second]) where descriptor < 0 {
      throw Folder.error("open", path)
    }
    var buffers = [[UInt8]](repeating: [UInt8](repeating: 0, count: 1 << 20), count: 2)
    var offset: UInt64 = 0
    while true {
      var counts = [0, 0]
      for i in 0..<2 {
        // Regular files give what is asked for, but at their end.
        counts[i] = pread(descriptors[i], &buffers[i], buffers[i].count, off_t(offset))
        guard counts[i] >= 0 else { throw Folder.error("read", i == 0 ? first : second) }
      }
      let common = min(counts[0], counts[1])
      if memcmp(buffers[0], buffers[1], common) != 0,
        let at = (0..<common).first(where: { buffers[0][$0] != buffers[1][$0] })
      {
        return offset + UInt64(at)
      }
      offset += UInt64(common)
      if counts[0] != counts[1] || common == 0 { return offset }
    }
  }

  private static func head(_ path: String) throws(PluginError) -> [UInt8] {
    guard let file = FileHandle(forReadingAtPath: path) else { throw Folder.error("open", path) }
    defer { try? file.close() }
    return ((try? file.read(upToCount: hintBytesMax)) ?? nil).map { [UInt8]($0) } ?? []
  }

  private static func isReadable(_ byte: UInt8) -> Bool { (0x20...0x7e).contains(byte) }

  /// The run of readable bytes around the offset, or the next one behind it.
  private static func near(_ offset: UInt64?, in bytes: [UInt8]) -> String {
    guard let offset, offset < bytes.count else { return "" }
    var start = Int(offset)
    while start < bytes.count, !isReadable(bytes[start]) { start += 1 }
    let end = bytes[start...].firstIndex { !isReadable($0) } ?? bytes.count
    let least = max(0, start - nearBytesMax / 2)
    while start > least, isReadable(bytes[start - 1]) { start -= 1 }
    return String(decoding: bytes[start..<min(end, start + nearBytesMax)], as: UTF8.self)
  }

  /// Runs of at least five readable bytes, without those that are but one long number or hash, or the end of the header
  /// of an archive's member.
  private static func texts(_ bytes: [UInt8]) -> [String] {
    bytes.split { !isReadable($0) }.filter { run in
      run.count >= 5 && run.last != UInt8(ascii: "`") && !(run.count >= 16 && run.allSatisfy(isHexadecimal))
    }.map { String(decoding: $0, as: UTF8.self) }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
  }
}
