import Glibc
import SyncRuntime

/// Takes the crate out of a tar stream, and nothing else: regular files and folders, from Debian's packages symbolic
/// links too.
///
/// The stream is not trusted. Nothing is written outside `directory`: folders are made here and links come last, when
/// no more file is opened. Counts, sizes and lengths are bounded before they are used.
/// Source: POSIX.1-1988 ustar, with GNU's long names (types `L` and `K`), which dpkg and cargo write, and the extended
/// headers of POSIX.1-2001.
struct CrateArchive: Sendable {
  /// `NAME-VERSION`; `nil` until the stream has shown a crate.
  private(set) var folder: String?

  /// What the stream is, and how much is let pass.
  enum Layout: Sendable, Equatable {
    /// Debian's, which apt has authenticated: the crate lies below `usr/share/cargo/registry/NAME-VERSION`, the rest is
    /// skipped, links may stay inside.
    case package
    /// A registry's `.crate`: all of it lies below this one folder, without links, set-ID bits and surprises.
    case crate(folder: String)

    fileprivate var prefix: [String] { self == .package ? ["usr", "share", "cargo", "registry"] : [] }
    fileprivate var isStrict: Bool { self != .package }
  }

  private static let blockBytes = TarHeader.bytes

  private enum Rest: Sendable { case file(OpenFile), longName, longLink, pax, globalPax, skipped }

  private let directory: String
  private let layout: Layout
  private let limits: TreeLimits
  private var buffer: [UInt8] = []
  private var rest: Rest?
  private var restBytes: UInt64 = 0
  private var padding = 0
  private var longName: [UInt8]?
  private var longLink: [UInt8]?
  private var paxSize: UInt64?
  private var emptyBlocks = 0
  private var collected: [UInt8] = []
  private var madeFolders: Set<String> = []
  private var links: [(path: String, target: [UInt8])] = []
  private var entryCount = 0
  private var byteCount: UInt64 = 0

  /// - Parameter directory: An existing, empty folder that becomes the crate's tree.
  init(directory: String, layout: Layout = .package, limits: TreeLimits = TreeLimits()) {
    (self.directory, self.layout, self.limits) = (directory, layout, limits)
  }

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
    guard !layout.isStrict || emptyBlocks >= 2 && longName == nil && longLink == nil && paxSize == nil else {
      throw malformed("it ends without its end mark")
    }
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
    case .longName, .longLink, .pax, .globalPax: collected += piece
    case .skipped, nil: break
    }
    if restBytes == 0 { try endContent() }
  }

  private mutating func endContent() throws(PluginError) {
    let (ended, bytes) = (rest, collected)
    (rest, collected) = (nil, [])
    switch ended {
    case .longName: try name(Array(bytes.prefix { $0 != 0 }))
    case .longLink: longLink = Array(bytes.prefix { $0 != 0 })
    case .pax: try takePax(bytes, isGlobal: false)
    case .globalPax: try takePax(bytes, isGlobal: true)
    case .file, .skipped, nil: break
    }
  }

  private mutating func takeHeader(_ block: [UInt8]) throws(PluginError) {
    if block.allSatisfy({ $0 == 0 }) {
      emptyBlocks += 1
      return
    }
    guard !layout.isStrict || emptyBlocks == 0 else { throw malformed("something stands behind its end") }
    guard let header = TarHeader(block) else { throw malformed("a header's checksum or numbers are wrong") }
    let isMember = !"LKxg".utf8.contains(header.type)
    let size = isMember ? paxSize ?? header.size : header.size
    padding = Int((512 - size % 512) % 512)
    switch header.type {
    case UInt8(ascii: "L"), UInt8(ascii: "K"):
      guard size <= UInt64(limits.pathBytesMax) + 512 else { throw malformed("a name of \(size) bytes") }
      begin(header.type == UInt8(ascii: "L") ? .longName : .longLink, size: size)
    case UInt8(ascii: "x"), UInt8(ascii: "g"):
      guard size <= UInt64(PaxRecords.bytesMax) else { throw malformed("an extended header of \(size) bytes") }
      begin(header.type == UInt8(ascii: "x") ? .pax : .globalPax, size: size)
    default:
      let (name, link) = (longName ?? header.name, longLink ?? header.link)
      (longName, longLink, paxSize) = (nil, nil, nil)
      try takeEntry(name: name, type: header.type, size: size, mode: header.mode, link: link)
    }
  }

  /// - Parameter isGlobal: Of a header for all members that follow; it may not name any of them.
  private mutating func takePax(_ bytes: [UInt8], isGlobal: Bool) throws(PluginError) {
    guard let records = PaxRecords.parse(bytes) else { throw malformed("an extended header is malformed") }
    for record in records where ["path", "linkpath", "size"].contains(record.key) {
      guard !isGlobal else { throw malformed("a header for all members has a '\(record.key)'") }
      switch record.key {
      case "path": try name(record.value)
      case "linkpath": longLink = record.value
      default:
        guard let size = PaxRecords.decimal(record.value), paxSize == nil else { throw malformed("a size is none") }
        paxSize = UInt64(size)
      }
    }
  }

  /// Two names for one member would be read otherwise by other programs.
  private mutating func name(_ bytes: [UInt8]) throws(PluginError) {
    guard longName == nil else { throw malformed("a member has two names") }
    longName = bytes
  }

  private mutating func takeEntry(name: [UInt8], type: UInt8, size: UInt64, mode: UInt64, link: [UInt8])
    throws(PluginError)
  {
    guard name.count <= limits.pathBytesMax, TreeDigest.isPlain(name) else {
      throw malformed("a path is too long or has characters that no crate needs")
    }
    let shown = String(decoding: name, as: UTF8.self)
    let parts = shown.split(separator: "/").map(String.init).filter { $0 != "." }
    guard !parts.contains("..") else { throw malformed("'\(shown)' leaves the folder") }
    let prefix = layout.prefix
    guard parts.count > prefix.count, parts.starts(with: prefix) else {
      guard !layout.isStrict else { throw malformed("a member has no name") }
      begin(.skipped, size: size)
      return
    }
    let crate = parts[prefix.count]
    if layout.isStrict { try checkStrictly(shown, crate: crate, type: type, mode: mode) }
    guard folder == nil || folder == crate else { throw malformed("it holds two crates, \(folder ?? "") and \(crate)") }
    folder = crate
    entryCount += 1
    guard entryCount <= limits.entriesMax, parts.count <= limits.depthMax else {
      throw malformed("it has more than \(limits.entriesMax) files or too deep folders")
    }
    let path = parts[(prefix.count + 1)...].joined(separator: "/")
    try make(path, type: type, size: size, isExecutable: mode & 0o100 != 0, link: link)
  }

  /// What a registry's archive may not have, and Debian's packages may.
  private func checkStrictly(_ name: String, crate: String, type: UInt8, mode: UInt64) throws(PluginError) {
    if case .crate(let wanted) = layout, crate != wanted { throw malformed("'\(name)' is not below \(wanted)") }
    guard !name.hasPrefix("/") else { throw malformed("'\(name)' is an absolute path") }
    guard mode & 0o7000 == 0 else { throw malformed("'\(name)' would run as another user or group") }
    guard type != UInt8(ascii: "2") else { throw malformed("'\(name)' is a link; a crate needs none") }
    guard type == UInt8(ascii: "5") || !name.hasSuffix("/") else { throw malformed("'\(name)' is a file and a folder") }
    guard name.split(separator: "/").dropFirst() != [".cargo-checksum.json"] else {
      throw malformed("'\(name)' is cargo's own note, which is written here")
    }
  }

  private mutating func make(_ path: String, type: UInt8, size: UInt64, isExecutable: Bool, link: [UInt8])
    throws(PluginError)
  {
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

  private func malformed(_ what: String) -> PluginError {
    PluginError(.invalid, "The \(layout == .package ? "package" : "crate's archive") is refused: \(what)")
  }

  private func failed(_ path: String) -> PluginError {
    if errno == EEXIST { return malformed("'\(path)' stands in it twice") }
    return PluginError(.io, "Cannot write \(path) below \(directory): \(String(cString: strerror(errno)))")
  }
}

/// Closed with its last owner, however the stream ends.
private final class OpenFile: Sendable {
  let descriptor: Int32
  init(descriptor: Int32) { self.descriptor = descriptor }
  deinit { close(descriptor) }
}
