import Foundation
import SyncProof
import SyncRuntime

/// What the plugin's containers and images are labelled with.
enum DockerLabel {
  static let run = "synchronicity.run"
  /// The SHA-256 of the state folder's path: whose run it is.
  static let state = "synchronicity.state"
  static let toolchain = "synchronicity.toolchain"

  static func stateValue(_ directory: String) -> String { SHA256.hash([UInt8](directory.utf8)).hex }
  static func containerName(_ run: String) -> String { "synchronicity-\(run)" }

  /// The value of a list's `filters`.
  static func filter(_ filters: [String: [String]]) throws(PluginError) -> (String, String) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    do { return ("filters", String(decoding: try encoder.encode(filters), as: UTF8.self)) } catch {
      throw PluginError(.invalid, "No filter can be made of \(filters.keys.sorted()): \(error)")
    }
  }
}
