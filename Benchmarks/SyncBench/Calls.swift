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
    let node = try start(folder)
    defer { sync_node_destroy(node) }
    let view = try nodeView(node)
    let address = UInt(bitPattern: node)
    let unknown = Digest.zero
    var areKept: [Bool] = []
    areKept.append(
      try await row("sync_verify", calls: 50) {
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
      })
    areKept.append(
      try await row("sync_node_get_status", calls: 5_000) {
        let node = OpaquePointer(bitPattern: address)
        var status = sync_node_status()
        (status.struct_size, status.abi_version) = (
          UInt32(MemoryLayout<sync_node_status>.size), UInt32(SYNC_ABI_VERSION)
        )
        for _ in 0..<5_000 {
          guard sync_node_get_status(node, &status, nil) == SYNC_OK else { throw PluginError(.io, "no status") }
        }
      } swift: {
        for _ in 0..<5_000 { _ = await view.status() }
      })
    areKept.append(
      try await row("sync_node_get_job", calls: 200) {
        let node = OpaquePointer(bitPattern: address)
        var status = sync_job_status()
        (status.struct_size, status.abi_version) = (
          UInt32(MemoryLayout<sync_job_status>.size), UInt32(SYNC_ABI_VERSION)
        )
        try unknown.bytes.withUnsafeBufferPointer { job in
          for _ in 0..<200 {
            guard sync_node_get_job(node, job.baseAddress, &status, nil) == SYNC_OK else {
              throw PluginError(.io, "no job")
            }
          }
        }
      } swift: {
        for _ in 0..<200 { _ = await view.job(unknown) }
      })
    areKept.append(
      try await row("sync_node_copy_status_json", calls: 200) {
        let node = OpaquePointer(bitPattern: address)
        for _ in 0..<200 {
          var json: OpaquePointer?
          guard sync_node_copy_status_json(node, &json, nil) == SYNC_OK else { throw PluginError(.io, "no status") }
          sync_bytes_destroy(json)
        }
      } swift: {
        for _ in 0..<200 {
          let encoder = JSONEncoder()
          encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
          _ = try encoder.encode(await view.status())
        }
      })
    return areKept.allSatisfy { $0 }
  }

  private static let bound = 1.2
  /// A figure above its bound is taken again, and the least one counts: what else the machine does adds to either side.
  private static let attempts = 3

  private struct Figure {
    /// Milliseconds of a round.
    var c: Double
    var swift: Double
    var ratio: Double { c / swift }
  }

  /// Prints what a call costs on both sides.
  ///
  /// - Returns: Whether the bound is kept.
  private static func row(
    _ name: String, calls: Double, c: @escaping @Sendable () throws -> Void,
    swift: @escaping @Sendable () async throws -> Void
  ) async throws -> Bool {
    var figure = try await ratio(rounds: 41, c: c, swift: swift)
    for _ in 1..<attempts where figure.ratio > bound {
      let again = try await ratio(rounds: 41, c: c, swift: swift)
      if again.ratio < figure.ratio { figure = again }
    }
    let name = name.padding(toLength: 28, withPad: " ", startingAt: 0)
    let format = "\(name) %8.2f us   the same in Swift %8.2f us   ratio %.2f, bound \(bound)"
    print(
      String(format: format, figure.c * 1e3 / calls, figure.swift * 1e3 / calls, figure.ratio)
        + (figure.ratio > bound ? " NOT KEPT" : ""))
    return figure.ratio <= bound
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
