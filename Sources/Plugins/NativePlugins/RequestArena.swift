import CSyncNode
import Glibc
import SyncProof

/// The memory of one request: strings, lists and bytes for C, freed together when the method has returned.
final class RequestArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  func text(_ text: String) -> UnsafePointer<CChar> {
    // A NUL inside would end the string early: what has one is refused before it comes here, or is shown cut.
    guard let copy = strdup(text) else { preconditionFailure("No memory for a text of \(text.utf8.count) bytes") }
    blocks.append(UnsafeMutableRawPointer(copy))
    return UnsafePointer(copy)
  }

  func text(orNull text: String?) -> UnsafePointer<CChar>? { text.map { self.text($0) } }

  /// Never NULL, also for no bytes.
  func bytes(_ bytes: [UInt8]) -> UnsafePointer<UInt8> {
    let block = list(max(1, bytes.count), of: UInt8.self)
    bytes.withUnsafeBufferPointer { if let start = $0.baseAddress { block.update(from: start, count: $0.count) } }
    return UnsafePointer(block)
  }

  /// The texts with a NULL behind the last.
  func texts(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
    let block = list(texts.count + 1, of: UnsafePointer<CChar>?.self)
    for (place, text) in texts.enumerated() { block[place] = self.text(text) }
    block[texts.count] = nil
    return UnsafePointer(block)
  }

  func structs<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafePointer<Value>? {
    guard !values.isEmpty else { return nil }
    let block = list(values.count, of: Value.self)
    for (place, value) in values.enumerated() { (block + place).initialize(to: value) }
    return UnsafePointer(block)
  }

  private func list<Value>(_ count: Int, of type: Value.Type) -> UnsafeMutablePointer<Value> {
    guard let block = calloc(count, max(1, MemoryLayout<Value>.stride)) else {
      preconditionFailure("No memory for a list of \(count)")
    }
    blocks.append(block)
    return block.bindMemory(to: type, capacity: count)
  }

  deinit { for block in blocks { free(block) } }
}

/// The two words that every open struct begins with.
func head<Struct>(of: Struct.Type) -> (size: UInt32, version: UInt32) {
  (UInt32(MemoryLayout<Struct>.size), UInt32(SYNC_ABI_VERSION))
}
