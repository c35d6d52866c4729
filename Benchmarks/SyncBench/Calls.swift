import CSync
import CSyncABI
import CSyncNode
import CSyncNodeABI
import Foundation
import SyncProof
import SyncRuntime

/// What a call through the C interface costs beside the same in Swift: both in this process, by turns.
enum Calls {
  /// - Parameters:
  ///   - folder: A node's, with its config.toml; the node runs meanwhile.
  ///   - policy: A file, as is `proof`, which is of the artifact with the digest.
  static func compare(folder: String, policy: String, proof: String, artifact: Digest) async throws -> Bool {
    let (policy, proof) = (
      [UInt8](try Data(contentsOf: URL(filePath: policy))),
      [UInt8](try Data(contentsOf: URL(filePath: proof)))
    )
    let verifying = try await ratio(rounds: 41) {
      for _ in 0..<50 {
        let status = artifact.bytes.withUnsafeBufferPointer { digest in
          sync_verify(policy, policy.count, proof, proof.count, digest.baseAddress, 0, nil, nil)
        }
        guard status == SYNC_OK else { throw PluginError(.invalid, "sync_verify: \(status)") }
      }
    } swift: {
      for _ in 0..<50 {
        _ = try Verifier.verify(proof: proof, policy: try Policy(parsing: policy), artifact: artifact)
      }
    }
    let node = try start(folder)
    defer { sync_node_destroy(node) }
    let view = try nodeView(node)
    let address = UInt(bitPattern: node)
    let asking = try await ratio(rounds: 41) {
      let node = OpaquePointer(bitPattern: address)
      var status = sync_node_status()
      (status.struct_size, status.abi_version) = (
        UInt32(MemoryLayout<sync_node_status>.size), UInt32(SYNC_ABI_VERSION)
      )
      for _ in 0..<100 {
        guard sync_node_get_status(node, &status, nil) == SYNC_OK else { throw PluginError(.io, "no status") }
      }
    } swift: {
      for _ in 0..<100 { _ = await view.status() }
    }
    let unknown = Digest.zero
    let looking = try await ratio(rounds: 41) {
      let node = OpaquePointer(bitPattern: address)
      var status = sync_job_status()
      (status.struct_size, status.abi_version) = (UInt32(MemoryLayout<sync_job_status>.size), UInt32(SYNC_ABI_VERSION))
      try unknown.bytes.withUnsafeBufferPointer { job in
        for _ in 0..<100 {
          guard sync_node_get_job(node, job.baseAddress, &status, nil) == SYNC_OK else {
            throw PluginError(.io, "no job")
          }
        }
      }
    } swift: {
      for _ in 0..<100 { _ = await view.job(unknown) }
    }
    let describing = try await ratio(rounds: 41) {
      let node = OpaquePointer(bitPattern: address)
      for _ in 0..<100 {
        var json: OpaquePointer?
        guard sync_node_copy_status_json(node, &json, nil) == SYNC_OK else { throw PluginError(.io, "no status") }
        sync_bytes_destroy(json)
      }
    } swift: {
      for _ in 0..<100 {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        _ = try encoder.encode(await view.status())
      }
    }
    let figures = [
      ("sync_verify", verifying, 50.0), ("sync_node_get_status", asking, 100), ("sync_node_get_job", looking, 100),
      ("sync_node_copy_status_json", describing, 100),
    ]
    // The bound is of what is done on the caller's own thread. What asks the node costs C's caller two changes of
    // threads, where a task that asks it is taken up by one that is awake; an idle node's status is not asked for.
    for (number, (name, figure, calls)) in figures.enumerated() {
      row(name, figure, calls: calls, isBound: number == 0)
    }
    return verifying.ratio <= bound
  }

  private static let bound = 1.2

  private struct Figure {
    /// Milliseconds of a round.
    var c: Double
    var swift: Double
    var ratio: Double { c / swift }
  }

  private static func row(_ name: String, _ figure: Figure, calls: Double, isBound: Bool) {
    let name = name.padding(toLength: 28, withPad: " ", startingAt: 0)
    let format = "\(name) %8.2f us   the same in Swift %8.2f us   ratio %.2f, "
    print(
      String(format: format, figure.c * 1e3 / calls, figure.swift * 1e3 / calls, figure.ratio)
        + "\(isBound ? "bound" : "wanted") \(bound)" + (isBound && figure.ratio > bound ? " NOT KEPT" : ""))
  }

  private static func ratio(
    rounds: Int, c: @escaping @Sendable () throws -> Void, swift: @escaping @Sendable () async throws -> Void
  ) async throws -> Figure {
    var (times, others): ([Double], [Double]) = ([], [])
    for round in 0...rounds {
      // C's caller has a thread of its own, as a program has.
      let time = try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try timed(c) }) }
      }
      let start = ContinuousClock.now
      try await Task.detached { try await swift() }.value
      let other = SyncBench.milliseconds(ContinuousClock.now - start)
      if round > 0 { times.append(time); others.append(other) }
    }
    return Figure(c: times.sorted()[rounds / 2], swift: others.sorted()[rounds / 2])
  }

  private static func timed(_ body: () throws -> Void) throws -> Double {
    let start = ContinuousClock.now
    try body()
    return SyncBench.milliseconds(ContinuousClock.now - start)
  }

  private static func start(_ folder: String) throws -> OpaquePointer {
    let text = [UInt8](try Data(contentsOf: URL(filePath: folder + "/config.toml")))
    var (node, error): (OpaquePointer?, OpaquePointer?) = (nil, nil)
    guard sync_node_create(text, text.count, folder, nil, nil, &node, &error) == SYNC_OK, let node,
      sync_node_start(node, &error) == SYNC_OK
    else { throw PluginError(.invalid, String(cString: sync_error_get_message(error))) }
    return node
  }
}
