import Foundation

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Fills folders with what the launcher packed: Sources/Plugins/ChrootSandboxInit/pack.c has the format.
///
/// The launcher wrote it when no process of the build lived, but the way here is long: names are one component each,
/// depth and bytes are bounded, and nothing is followed.
package struct OutputPack {
  private static let head = Data("SYNCPK01".utf8)
  package static let depthMax = 130
  private static let pieceBytes = 1 << 17

  private let file: HostFile
  private var budget: UInt64

  /// - Parameter bytesMax: Of all files' sizes, holes and all.
  /// - Throws: ``Fault/Code/io`` for what is no pack.
  package static func unpack(_ path: String, into folders: [String], bytesMax: UInt64) throws {
    var pack = OutputPack(file: try HostFile(path), budget: bytesMax)
    guard try pack.bytes(head.count) == head else { throw pack.unfit("its first bytes are others") }
    for folder in folders { try pack.folder(HostPath(folder), depth: 0) }
    guard try pack.byte() == UInt8(ascii: "Z"), try pack.file.read(1).isEmpty else {
      throw pack.unfit("it does not end where it should")
    }
  }

  private init(file: HostFile, budget: UInt64) { (self.file, self.budget) = (file, budget) }

  private func unfit(_ what: String) -> Fault {
    Fault(.io, "What the run left came as no pack of the launcher's: \(what)")
  }

  private func bytes(_ count: Int) throws -> Data {
    let data = try file.read(count)
    guard data.count == count else { throw unfit("it is cut off") }
    return data
  }

  private func byte() throws -> UInt8 { try bytes(1)[0] }

  private func number(_ count: Int) throws -> UInt64 {
    try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func folder(_ path: HostPath, depth: Int) throws {
    guard depth <= Self.depthMax else { throw unfit("its folders are deeper than \(Self.depthMax)") }
    while true {
      let kind = try byte()
      if kind == UInt8(ascii: "E") { return }
      let mode = mode_t(try number(2)) & 0o777
      try entry(kind, path.appending(try name()), mode, depth)
    }
  }

  private func name() throws -> Data {
    let count = Int(try number(2))
    guard (1...255).contains(count) else { throw unfit("a name has \(count) bytes") }
    let name = try bytes(count)
    guard !name.contains(0), !name.contains(0x2F), name != Data([0x2E]), name != Data([0x2E, 0x2E]) else {
      throw unfit("a name is none")
    }
    return name
  }

  private mutating func entry(_ kind: UInt8, _ path: HostPath, _ mode: mode_t, _ depth: Int) throws {
    switch kind {
    case UInt8(ascii: "F"): try content(of: path, mode)
    case UInt8(ascii: "D"):
      guard path.withCString({ mkdir($0, 0o700) }) == 0 else { throw Fault.system("make", path.text) }
      try folder(path, depth: depth + 1)
      guard path.withCString({ chmod($0, mode | 0o700) }) == 0 else {
        throw Fault.system("change the mode of", path.text)
      }
    case UInt8(ascii: "L"):
      let count = try number(8)
      guard (1...4_096).contains(count) else { throw unfit("a link's target has \(count) bytes") }
      let target = [UInt8](try bytes(Int(count)))
      guard !target.contains(0) else { throw unfit("a link's target holds a NUL") }
      let done = (target + [0]).withUnsafeBufferPointer { pointer in
        pointer.withMemoryRebound(to: CChar.self) { text in path.withCString { symlink(text.baseAddress!, $0) } }
      }
      guard done == 0 else { throw Fault.system("make", path.text) }
    case UInt8(ascii: "P"):
      guard path.withCString({ mkfifo($0, 0o600) }) == 0 else { throw Fault.system("make", path.text) }
    default: throw unfit("an entry is of kind \(kind)")
    }
  }

  private mutating func content(of path: HostPath, _ mode: mode_t) throws {
    let size = try number(8)
    guard size <= budget else { throw unfit("its files are larger than the disk limit") }
    budget -= size
    let target = try HostFile(path, O_WRONLY | O_CREAT | O_EXCL)
    try target.setSize(size)
    var end: UInt64 = 0
    while true {
      let offset = try number(8)
      var count = try number(8)
      guard offset >= end, offset <= size, count <= size - offset else { throw unfit("a piece lies outside its file") }
      if count == 0 {
        guard offset == size else { throw unfit("a file's last piece is not at its end") }
        break
      }
      try target.seek(to: offset)
      end = offset + count
      while count > 0 {
        let piece = try bytes(Int(min(count, UInt64(Self.pieceBytes))))
        try target.write(piece)
        count -= UInt64(piece.count)
      }
    }
    try target.setMode(mode | 0o400)
  }
}
