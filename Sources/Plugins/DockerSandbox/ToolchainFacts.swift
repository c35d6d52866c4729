import Synchronization

/// Which paths an image has, remembered: asking takes a container. An image never changes under its ID.
final class ToolchainFacts: Sendable {
  private static let imagesMax = 64
  private let paths = Mutex<[String: [String: Bool]]>([:])

  /// - Returns: `nil` when it was not asked yet.
  func has(_ image: String, _ path: String) -> Bool? { paths.withLock { $0[image]?[path] } }

  func learn(_ image: String, _ path: String, _ isThere: Bool) {
    paths.withLock { paths in
      if paths.count >= Self.imagesMax || paths[image]?.count ?? 0 >= Self.imagesMax { paths.removeAll() }
      paths[image, default: [:]][path] = isThere
    }
  }
}
