import Glibc
import SyncRuntime

/// Takes the crate out of a package's tar stream, and nothing else: regular files, folders and symbolic links below
/// `usr/share/cargo/registry/NAME-VERSION`.
///
/// The stream is not trusted. Nothing is written outside `directory`: folders are made here and links come last, when
/// no more file is opened. Counts, sizes and lengths are bounded before they are used.
/// Source: POSIX.1-1988 ustar, with GNU's long names (types `L` and `K`), which is what dpkg writes.
struct CrateArchive: Sendable {
  /// `NAME-VERSION`; `nil` until the stream has shown a crate.
  private(set) var folder: String?

  private static let prefix = ["usr", "share", "cargo", "registry"]
  private static let blockBytes = 512

  private enum Rest: Sendable { case file(OpenFile), longName, longLink, skipped }

  private let directory: String
  private let limits: TreeLimits
  private var buffer: [UInt8] = []
  private var rest: Rest?
  private var restBytes: UInt64 = 0
  private var padding = 0
  private var longName: [UInt8]?
  private var longLink: [UInt8]?
  private var collected: [UInt8] = []
  private var madeFolders: Set<String> = []
  private var links: [(path: String, target: [UInt8])] = []
  private var entryCount = 0
  private var byteCount: UInt64 = 0

  /// - Parameter directory: An existing, empty folder that becomes the crate's tree.
  init(directory: String, limits: TreeLimits = TreeLimits()) { (self.directory, self.limits) = (directory, limits) }

  mutating func feed(_ bytes: [UInt8]) throws(PluginError) {
    var input = bytes[...]
    while !input.isEmpty {
      if rest != nil {
        try takeContent(&input)
      } else if padding > 0 {
        let count = min(padding, input.count)
        input = input.dropFirst(count)
        padding -= count
      } else {
        let count = min(Self.blockBytes - buffer.count, input.count)
        buffer += input.prefix(count)
        input = input.dropFirst(count)
        guard buffer.count == Self.blockBytes else { continue }
        let header = buffer
        buffer = []
        try takeHeader(header)
      }
    }
  }

  /// Ends the stream and makes the symbolic links.
  mutating func finish() throws(PluginError) {
    guard rest == nil, buffer.isEmpty else { throw malformed("it ends in the middle of a file") }
    for (path, target) in links {
      guard symlink(String(decoding: target, as: UTF8.self), "\(directory)/\(path)") == 0 else { throw failed(path) }
    }
  }

  private mutating func takeContent(_ input: inout ArraySlice<UInt8>) throws(PluginError) {
    let piece = input.prefix(Int(min(restBytes, UInt64(input.count))))
    input = input.dropFirst(piece.count)
    restBytes -= UInt64(piece.count)
    switch rest {
    case .file(let file): try write(piece, to: file.descriptor)
    case .longName, .longLink: collected += piece
    case .skipped, nil: break
    }
    if restBytes == 0 { try endContent() }
  }

  private mutating func endContent() throws(PluginError) {
    switch rest {
    case .longName: longName = Array(collected.prefix { $0 != 0 })
    case .longLink: longLink = Array(collected.prefix { $0 != 0 })
    case .file, .skipped, nil: break
    }
    collected = []
    rest = nil
  }

  private mutating func takeHeader(_ header: [UInt8]) throws(PluginError) {
    if header.allSatisfy({ $0 == 0 }) { return }
    guard checksumFits(header), let size = octal(header[124..<136]), let mode = octal(header[100..<108]) else {
      throw malformed("a header's checksum or numbers are wrong")
    }
    padding = Int((512 - size % 512) % 512)
    let type = header[156]
    if type == UInt8(ascii: "L") || type == UInt8(ascii: "K") {
      guard size <= UInt64(limits.pathBytesMax) + 512 else { throw malformed("a name of \(size) bytes") }
      begin(type == UInt8(ascii: "L") ? .longName : .longLink, size: size)
      return
    }
    var name = longName ?? Array(header[0..<100].prefix { $0 != 0 })
    let ustarPrefix = header[345..<500].prefix { $0 != 0 }
    if longName == nil, header[257..<263].elementsEqual("ustar\0".utf8), !ustarPrefix.isEmpty {
      name = ustarPrefix + [UInt8(ascii: "/")] + name
    }
    let link = longLink ?? Array(header[157..<257].prefix { $0 != 0 })
    (longName, longLink) = (nil, nil)
    try takeEntry(name: name, type: type, size: size, isExecutable: mode & 0o100 != 0, link: link)
  }

  private mutating func takeEntry(name: [UInt8], type: UInt8, size: UInt64, isExecutable: Bool, link: [UInt8])
    throws(PluginError)
  {
    guard name.count <= limits.pathBytesMax, TreeDigest.isPlain(name) else {
      throw malformed("a path is too long or has characters that no crate needs")
    }
    let parts = String(decoding: name, as: UTF8.self).split(separator: "/").map(String.init).filter { $0 != "." }
    guard !parts.contains("..") else { throw malformed("'\(String(decoding: name, as: UTF8.self))' leaves the folder") }
    guard parts.count > Self.prefix.count, parts.starts(with: Self.prefix) else {
      begin(.skipped, size: size)
      return
    }
    let crate = parts[Self.prefix.count]
    guard folder == nil || folder == crate else { throw malformed("it holds two crates, \(folder ?? "") and \(crate)") }
    folder = crate
    entryCount += 1
    guard entryCount <= limits.entriesMax, parts.count <= limits.depthMax else {
      throw malformed("it has more than \(limits.entriesMax) files or too deep folders")
    }
    let path = parts[(Self.prefix.count + 1)...].joined(separator: "/")
    switch type {
    case UInt8(ascii: "5"):
      try makeFolder(path)
      begin(.skipped, size: size)
    case UInt8(ascii: "0"), 0:
      try openFile(path, size: size, isExecutable: isExecutable)
    case UInt8(ascii: "2"):
      try makeParent(of: path)
      guard !path.isEmpty, TreeDigest.staysInside(target: link, path: [UInt8](path.utf8)) else {
        throw malformed("'\(path)' is a link to '\(String(decoding: link, as: UTF8.self))', out of the crate")
      }
      links.append((path, link))
      begin(.skipped, size: size)
    default:
      throw malformed("'\(path)' is neither a file, a folder nor a symbolic link")
    }
  }

  private mutating func begin(_ rest: Rest, size: UInt64) {
    (self.rest, restBytes) = (size == 0 ? nil : rest, size)
  }

  private mutating func openFile(_ path: String, size: UInt64, isExecutable: Bool) throws(PluginError) {
    byteCount += min(size, limits.bytesMax + 1)
    guard byteCount <= limits.bytesMax else { throw malformed("it has more than \(limits.bytesMax) bytes") }
    guard !path.isEmpty else { throw malformed("the crate is a file, not a folder") }
    try makeParent(of: path)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let descriptor = open("\(directory)/\(path)", flags, isExecutable ? 0o755 : 0o644)
    guard descriptor >= 0 else { throw failed(path) }
    let file = OpenFile(descriptor: descriptor)
    // The process's umask must not decide about the tree's digest.
    guard fchmod(descriptor, isExecutable ? 0o755 : 0o644) == 0 else { throw failed(path) }
    begin(.file(file), size: size)
  }

  private mutating func makeParent(of path: String) throws(PluginError) {
    guard let slash = path.lastIndex(of: "/") else { return }
    try makeFolder(String(path[..<slash]))
  }

  private mutating func makeFolder(_ path: String) throws(PluginError) {
    guard !path.isEmpty, !madeFolders.contains(path) else { return }
    try makeParent(of: path)
    guard mkdir("\(directory)/\(path)", 0o755) == 0 else { throw failed(path) }
    madeFolders.insert(path)
  }

  private func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) throws(PluginError) {
    var left = bytes
    while !left.isEmpty {
      let count = left.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failed("a file") }
      left = left.dropFirst(count)
    }
  }

  /// The sum of the header's bytes, its own field read as spaces.
  private func checksumFits(_ header: [UInt8]) -> Bool {
    guard let wanted = octal(header[148..<156]) else { return false }
    var sum: UInt64 = 8 * 0x20
    for i in 0..<Self.blockBytes where !(148..<156).contains(i) { sum += UInt64(header[i]) }
    return sum == wanted
  }

  private func octal(_ field: ArraySlice<UInt8>) -> UInt64? {
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
    guard !digits.isEmpty, digits.count <= 12 else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      value = value << 3 | UInt64(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private func malformed(_ what: String) -> PluginError {
    PluginError(.invalid, "The package is refused: \(what)")
  }

  private func failed(_ path: String) -> PluginError {
    PluginError(.io, "Cannot write \(path) below \(directory): \(String(cString: strerror(errno)))")
  }
}

/// Closed with its last owner, however the stream ends.
private final class OpenFile: Sendable {
  let descriptor: Int32
  init(descriptor: Int32) { self.descriptor = descriptor }
  deinit { close(descriptor) }
}
