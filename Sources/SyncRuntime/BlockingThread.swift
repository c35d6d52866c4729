import Foundation

/// A thread for work that blocks for minutes, which must not take one of the concurrency pool's.
package enum BlockingThread {
  package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws(PluginError) -> Value) async
    -> Result<Value, PluginError>
  {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        do throws(PluginError) { continuation.resume(returning: .success(try body())) } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
  }
}
