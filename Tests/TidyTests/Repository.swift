import Foundation

/// The files of the repository that holds this source file, read from disk; nothing that a build or a run left there.
struct Repository {
  let root: URL

  static let here = Repository(
    root: URL(filePath: #filePath).resolvingSymlinksInPath()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent())

  /// Paths relative to the root, sorted; those below `folder` only, when one is named.
  func paths(below folder: String = "", extensions: Set<String>? = nil) -> [String] {
    let start = folder.isEmpty ? root : root.appending(path: folder)
    guard let files = FileManager.default.enumerator(atPath: start.path) else { return [] }
    var found: [String] = []
    for case let path as String in files {
      if isProduct(path) {
        files.skipDescendants()
        continue
      }
      let full = start.appending(path: path)
      guard (try? full.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true else { continue }
      if let extensions, !extensions.contains(full.pathExtension) { continue }
      found.append(folder.isEmpty ? path : "\(folder)/\(path)")
    }
    return found.sorted()
  }

  func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
  }

  func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: path).path)
  }

  /// What .gitignore names: hidden folders but .ci, and what builds and demos write.
  private func isProduct(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return name == ".git" || name.hasPrefix(".build") || ["dist", "demo-out", "__pycache__"].contains(name)
  }
}

/// One broken rule, told as `path:line: what is wrong`.
struct Finding: Equatable, CustomStringConvertible {
  let path: String
  let line: Int
  let what: String
  var description: String { "\(path):\(line): \(what)" }
}

/// All findings in one message, so that one run shows all there is to mend.
func listed(_ findings: [Finding]) -> String {
  findings.map(\.description).joined(separator: "\n")
}
