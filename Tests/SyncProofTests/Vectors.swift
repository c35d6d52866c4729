import Foundation
import SyncProof
import Testing

/// Foreign test vectors: beside the package in `../shared/vectors`, or where SYNC_VECTORS says.
enum Vectors {
  static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// - Returns: The folder, or `nil` with a loud line where there is none: vectors are no part of the repository.
  static func folder(_ name: String) throws -> URL? {
    let environment = ProcessInfo.processInfo.environment
    let stated = environment["SYNC_VECTORS"]
    let base = stated.map { URL(filePath: $0) } ?? packageRoot.appending(path: "../shared/vectors")
    let folder = base.standardizedFileURL.appending(path: name)
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    print("SKIPPED: no foreign test vectors at \(folder.path); set SYNC_VECTORS to the folder that holds \(name)")
    if stated != nil, environment["CI"] == "true" {
      Issue.record("SYNC_VECTORS is set but \(folder.path) is missing")
    }
    return nil
  }

  static func json<T: Decodable>(_ type: T.Type, _ file: URL) throws -> T {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(contentsOf: file))
  }

  /// Every JSON file below a folder, in the order of the paths.
  static func files(below folder: URL) throws -> [URL] {
    let paths = FileManager.default.subpaths(atPath: folder.path) ?? []
    return paths.filter { $0.hasSuffix(".json") }.sorted().map { folder.appending(path: $0) }
  }
}

extension [UInt8] {
  init(_ text: String) { self = Array(text.utf8) }
  var text: String { String(decoding: self, as: UTF8.self) }

  /// With one bit turned over.
  func flipping(bit: Int) -> [UInt8] {
    var copy = self
    copy[bit / 8] ^= 1 << UInt8(bit % 8)
    return copy
  }

  func replacing(_ old: String, with new: String) -> [UInt8] {
    Array(text.replacingOccurrences(of: old, with: new))
  }
}

/// The code with which `body` throws; `nil` where it does not.
func code(of body: () throws -> Void) -> ProofError.Code? {
  do { try body() } catch let error as ProofError { return error.code } catch {
    Issue.record("A foreign error: \(error)")
  }
  return nil
}

/// A reproducible generator (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
