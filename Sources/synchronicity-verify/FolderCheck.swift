import CVerifyFiles
import SyncProof

/// Compares a folder with the artifacts of one piece of evidence. No link is followed, wherever it leads.
struct FolderCheck: ~Copyable {
  let folder: Int32
  let name: Text
  /// In the order of their paths, as the evidence has them.
  let artifacts: [Artifact]
  private var problems: [Text] = []
  private var problemCount = 0

  /// Problems that are told in full.
  private static let toldMax = 5

  init(_ folder: borrowing InputFile, artifacts: [Artifact]) {
    (self.folder, name, self.artifacts) = (folder.descriptor, folder.name, artifacts)
  }

  /// - Throws: ``ProofError/Code/artifactMismatch`` that names what differs; ``VerifyStatus/environment``.
  mutating func run(allowsExtra: Bool) throws(VerifyRefusal) {
    for artifact in artifacts { try check(artifact) }
    if !allowsExtra { try findExtra(in: nil, below: []) }
    guard problemCount > 0 else { return }
    var list: Text = ""
    for problem in problems { list = list.utf8.isEmpty ? problem : "\(list); \(problem)" }
    if problemCount > problems.count { list = "\(list); and \(problemCount - problems.count) more" }
    throw VerifyRefusal(
      ProofError(.artifactMismatch, "The folder is not what the builders agree on: \(list)"), artifact: name)
  }

  private mutating func add(_ problem: Text) {
    problemCount += 1
    if problems.count < Self.toldMax { problems.append(problem) }
  }

  private mutating func check(_ artifact: Artifact) throws(VerifyRefusal) {
    let path = artifact.path
    guard let file = try open(artifact.path) else { return }
    guard file.info.kind == VF_REGULAR else { return add("\(path) is \(kindName(file.info.kind))") }
    guard file.info.size == artifact.size else {
      return add("\(path) has \(file.info.size) bytes where \(artifact.size) are proven")
    }
    guard file.info.mode == UInt32(artifact.mode) else {
      return add("\(path) has the mode \(octal(file.info.mode)) where \(octal(UInt32(artifact.mode))) is proven")
    }
    guard try ArtifactContent.digest(of: file, size: file.info.size) == artifact.sha256 else {
      return add("\(path) has other bytes")
    }
  }

  /// Opens a file below the folder, one name after the other.
  ///
  /// - Returns: `nil` if it is not there, which is then told.
  private mutating func open(_ path: Text) throws(VerifyRefusal) -> InputFile? {
    let names = path.utf8.split(separator: UInt8(ascii: "/")).map { [UInt8]($0) }
    var at = folder
    defer { if at != folder { vf_close(at) } }
    for (i, part) in names.enumerated() {
      var info = vf_info()
      let found = withCString(part) { vf_get_info_below(at, $0, &info) }
      if vf_is_missing(found) != 0 {
        add("\(path) is missing")
        return nil
      }
      guard found >= 0 else { throw unreadable(path.utf8, found) }
      let isLast = i == names.count - 1
      // Said before it is opened: opening a device may do something.
      guard info.kind == (isLast ? VF_REGULAR : VF_FOLDER) else {
        add(isLast ? "\(path) is \(kindName(info.kind))" : "\(path) is not below a folder")
        return nil
      }
      let next = withCString(part) { isLast ? vf_open_below(at, $0) : vf_open_folder_below(at, $0) }
      guard next >= 0 else { throw unreadable(path.utf8, next) }
      if isLast { return try InputFile(next, name: "\(name)/\(path)") }
      if at != folder { vf_close(at) }
      at = next
    }
    return nil
  }

  /// Tells every name that is no artifact's and on no artifact's way.
  ///
  /// - Parameter below: The path, which ends in a slash unless it is empty.
  private mutating func findExtra(in parent: Int32?, below prefix: [UInt8]) throws(VerifyRefusal) {
    let last = prefix.dropLast().lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    let own = prefix.isEmpty ? [UInt8(ascii: ".")] : [UInt8](prefix[last..<(prefix.count - 1)])
    let descriptor = withCString(own) { vf_open_folder_below(parent ?? folder, $0) }
    guard descriptor >= 0 else { throw unreadable(prefix, descriptor) }
    guard let listing = vf_names_open(descriptor) else {
      vf_close(descriptor)
      throw unreadable(prefix, -1)
    }
    defer { vf_names_close(listing) }
    var (extra, extraCount, folders) = ([[UInt8]](), 0, [[UInt8]]())
    var error: Int32 = 0
    while let entry = vf_names_next(listing, &error) {
      let path = prefix + bytes(of: entry)
      switch place(of: path) {
      case .artifact: continue
      case .aboveArtifacts: folders.append(path + [UInt8(ascii: "/")])
      case .neither:
        extraCount += 1
        // The first few in order, whatever order the folder has.
        let at = extra.firstIndex { path.lexicographicallyPrecedes($0) } ?? extra.count
        if at < Self.toldMax { extra.insert(path, at: at) }
        if extra.count > Self.toldMax { extra.removeLast() }
      }
    }
    guard error >= 0 else { throw unreadable(prefix, error) }
    for path in extra { add("\(shown(path)) is no artifact") }
    problemCount += extraCount - extra.count
    folders.sort { $0.lexicographicallyPrecedes($1) }
    for path in folders {
      var info = vf_info()
      let name = [UInt8](path[prefix.count..<(path.count - 1)])
      let found = withCString(name) { vf_get_info_below(descriptor, $0, &info) }
      // What is no folder here is told already: the artifacts below it are missing.
      if found >= 0, info.kind == VF_FOLDER { try findExtra(in: descriptor, below: path) }
    }
  }

  private enum Place { case artifact, aboveArtifacts, neither }

  private func place(of path: [UInt8]) -> Place {
    let start = lowerBound(path)
    if start < artifacts.count, artifacts[start].path.utf8 == path { return .artifact }
    let inside = path + [UInt8(ascii: "/")]
    let first = lowerBound(inside)
    return first < artifacts.count && artifacts[first].path.utf8.starts(with: inside) ? .aboveArtifacts : .neither
  }

  /// The first artifact whose path is not before `path`.
  private func lowerBound(_ path: [UInt8]) -> Int {
    var (low, high) = (0, artifacts.count)
    while low < high {
      let middle = low + (high - low) / 2
      if artifacts[middle].path.utf8.lexicographicallyPrecedes(path) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func unreadable(_ path: [UInt8], _ error: Int32) -> VerifyRefusal {
    VerifyRefusal(.environment, "Cannot read \(name)/\(shown(path)): \(reason(error))")
  }
}

/// `0644`.
private func octal(_ mode: UInt32) -> Text {
  var digits: [UInt8] = []
  for shift in [9, 6, 3, 0] as [UInt32] { digits.append(UInt8(ascii: "0") + UInt8(mode >> shift & 7)) }
  return Text(utf8: digits)
}

/// What kind of file it is, in words.
func kindName(_ kind: Int32) -> Text {
  switch kind {
  case VF_REGULAR: "a regular file"
  case VF_FOLDER: "a folder"
  case VF_LINK: "a symbolic link"
  case VF_PIPE: "a pipe"
  case VF_SOCKET: "a socket"
  default: "a device"
  }
}
