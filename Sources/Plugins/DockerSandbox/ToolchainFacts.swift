import Synchronization

/// Which paths an image has, remembered: asking takes a container. An image never changes under its ID.
final class ToolchainFacts: Sendable {
  private static let imagesMax = 64
  private let paths = Mutex<[String: [String: Bool]]>([:])

  /// - Returns: `nil` unless all are known.
  func known(_ image: String, _ wanted: [String]) -> [Bool]? {
    paths.withLock { paths in
      let known = wanted.compactMap { paths[image]?[$0] }
      return known.count == wanted.count ? known : nil
    }
  }

  func learn(_ image: String, _ wanted: [String], _ found: [Bool]) {
    paths.withLock { paths in
      if paths.count >= Self.imagesMax || paths[image]?.count ?? 0 >= Self.imagesMax { paths.removeAll() }
      for (path, isThere) in zip(wanted, found) { paths[image, default: [:]][path] = isThere }
    }
  }
}
