import Foundation
import NodeAssembly
import SyncRuntime

/// Reading of files that come from outside, with the exit code that a failure has.
enum BoundedFile {
  /// The bytes of a file that must not be larger than `bytesMax`; a larger one is refused before it is read.
  static func read(_ path: String, what: String, bytesMax: Int) throws(CommandFailure) -> [UInt8] {
    try failing { () throws(PluginError) in try SmallFile.read(path, what: what, bytesMax: bytesMax) }
  }

  /// Writes a whole file or nothing: to a temporary name, then renamed.
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(CommandFailure) {
    try failing { () throws(PluginError) in try SmallFile.write(bytes, to: path, mode: mode) }
  }

  static func makeFolder(_ path: String) throws(CommandFailure) {
    try failing { () throws(PluginError) in try SmallFile.makeFolder(path) }
  }
}

/// What the shell's parts refuse, as the command says it.
func failing<T>(_ work: () throws(PluginError) -> T) throws(CommandFailure) -> T {
  do throws(PluginError) {
    return try work()
  } catch {
    throw CommandFailure(error)
  }
}

extension ConfigurationFile {
  init(path: String) throws(CommandFailure) {
    self = try failing { () throws(PluginError) in try ConfigurationFile(path: path, plugins: .shipped) }
  }
}

extension GroupFile {
  static func read(_ path: String) throws(CommandFailure) -> Group {
    try failing { () throws(PluginError) in try GroupFile.load(path) }
  }

  /// The group of the epoch that this node is in, as far as it has written that down.
  static func present(_ file: ConfigurationFile) throws(CommandFailure) -> Group {
    try failing { () throws(PluginError) in try GroupFile.loadPresent(file) }
  }

  static func parse(_ bytes: [UInt8], path: String) throws(CommandFailure) -> Group {
    try failing { () throws(PluginError) in try GroupFile.group(bytes, path: path) }
  }
}
