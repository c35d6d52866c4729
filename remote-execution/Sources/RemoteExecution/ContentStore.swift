import Crypto
import Foundation
import GRPCCore

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

extension Engine {
  private static let store = "build.bazel.remote.execution.v2.ContentAddressableStorage"
  /// Digests of one question: some 75 bytes each.
  private static let digestsMax = 10_000
  private static let pieceBytes = 1 << 18
  private static let lanes = 4

  private var prefix: String { options.instance.isEmpty ? "" : options.instance + "/" }

  /// What of the tree the engine does not have.
  func missing(of digests: some Sequence<REDigest>) async throws -> Set<REDigest> {
    var missing: Set<REDigest> = []
    var all = digests.sorted { $0.hash < $1.hash }[...]
    while !all.isEmpty {
      var request = REFindMissingBlobsRequest()
      request.instanceName = options.instance
      request.blobDigests = Array(all.prefix(Self.digestsMax))
      let asked = Set(request.blobDigests)
      all = all.dropFirst(Self.digestsMax)
      let response: REFindMissingBlobsResponse = try await unary("\(Self.store)/FindMissingBlobs", request)
      guard response.missingBlobDigests.allSatisfy(asked.contains) else {
        throw Fault(.io, "The engine says that it lacks content that it was not asked for")
      }
      missing.formUnion(response.missingBlobDigests)
    }
    return missing
  }

  /// Gives the engine what it does not have.
  ///
  /// - Parameter onProgress: Bytes so far, and in all.
  func upload(_ tree: MerkleTree, onProgress: @Sendable (Int64, Int64) -> Void = { _, _ in }) async throws {
    let lacking = try await missing(of: Set(tree.blobs.keys).union(tree.files.keys))
    var batch: [(REDigest, Data)] = [], batchBytes = 0
    var large: [(REDigest, Blob)] = []
    let total = lacking.reduce(0) { $0 + $1.sizeBytes }
    var done: Int64 = 0
    for digest in lacking.sorted(by: { $0.hash < $1.hash }) {
      guard let blob = tree.blobs[digest].map(Blob.data) ?? tree.files[digest].map(Blob.file) else { continue }
      // Beside the content there are digest, lengths and tags: 128 bytes are more than they take.
      guard digest.sizeBytes + 128 <= capabilities.batchBytesMax else {
        large.append((digest, blob))
        continue
      }
      let size = Int(digest.sizeBytes) + 128
      if batchBytes + size > capabilities.batchBytesMax {
        try await upload(batch)
        done += batch.reduce(0) { $0 + $1.0.sizeBytes }
        onProgress(done, total)
        (batch, batchBytes) = ([], 0)
      }
      batch.append((digest, try blob.bytes(Int(digest.sizeBytes))))
      batchBytes += size
    }
    if !batch.isEmpty { try await upload(batch) }
    done += batch.reduce(0) { $0 + $1.0.sizeBytes }
    onProgress(done, total)
    try await withThrowingTaskGroup(of: Int64.self) { group in
      var waiting = large[...]
      for _ in 0..<Self.lanes {
        guard let (digest, blob) = waiting.popFirst() else { break }
        group.addTask { try await upload(digest, blob) }
      }
      while let bytes = try await group.next() {
        done += bytes
        onProgress(done, total)
        guard let (digest, blob) = waiting.popFirst() else { continue }
        group.addTask { try await upload(digest, blob) }
      }
    }
  }

  enum Blob: Sendable {
    case data(Data)
    case file(String)

    func bytes(_ count: Int) throws -> Data {
      switch self {
      case .data(let data): return data
      case .file(let path):
        let data = try HostFile(path).read(count + 1)
        guard data.count == count else { throw Fault(.io, "\(path) has changed while it was sent") }
        return data
      }
    }
  }

  private func upload(_ batch: [(REDigest, Data)]) async throws {
    var request = REBatchUpdateBlobsRequest()
    request.instanceName = options.instance
    request.requests = batch.map { digest, data in
      var one = REBatchUpdateBlobsRequest.Request()
      (one.digest, one.data) = (digest, data)
      return one
    }
    let response: REBatchUpdateBlobsResponse = try await unary("\(Self.store)/BatchUpdateBlobs", request)
    let kept = Set(response.responses.filter { $0.status.code == 0 }.map(\.digest))
    for (digest, _) in batch where !kept.contains(digest) {
      let why = response.responses.first { $0.digest == digest }?.status.message ?? "it says nothing of it"
      throw Fault(.unavailable, "The engine did not take \(digest.hash) of \(digest.sizeBytes) bytes: \(why)")
    }
  }

  private func upload(_ digest: REDigest, _ blob: Blob) async throws -> Int64 {
    let name = "\(prefix)uploads/\(UUID().uuidString.lowercased())/blobs/\(digest.hash)/\(digest.sizeBytes)"
    let response: REWriteResponse = try await upload(
      "google.bytestream.ByteStream/Write", time: .seconds(3_600)
    ) { writer in
      let file: HostFile? = if case .file(let path) = blob { try HostFile(path) } else { nil }
      var offset: Int64 = 0
      repeat {
        var piece = REWriteRequest()
        if offset == 0 { piece.resourceName = name }
        piece.writeOffset = offset
        if let file {
          piece.data = try file.read(Self.pieceBytes)
        } else if case .data(let data) = blob {
          piece.data = data.dropFirst(Int(offset)).prefix(Self.pieceBytes)
        }
        offset += Int64(piece.data.count)
        piece.finishWrite = offset >= digest.sizeBytes
        if piece.data.isEmpty && !piece.finishWrite { throw Fault(.io, "A file has become shorter while it was sent") }
        // An engine that has the content meanwhile answers before the end.
        do { try await writer.write(piece) } catch let error as RPCError where error.code != .cancelled { return }
      } while offset < digest.sizeBytes
    }
    guard response.committedSize == digest.sizeBytes else {
      throw Fault(
        .unavailable, "The engine took \(response.committedSize) bytes of \(digest.hash), not \(digest.sizeBytes)")
    }
    return digest.sizeBytes
  }

  /// Reads content into a new file, and checks that it is what its digest names.
  ///
  /// - Parameter bytesMax: What is larger is refused before any of it is read.
  func download(_ digest: REDigest, to path: String, bytesMax: Int64, _ what: String) async throws {
    guard digest.isSound, digest.sizeBytes <= bytesMax else {
      throw Fault(.io, "The engine gave \(what) of \(digest.sizeBytes) bytes; at most \(bytesMax) are taken")
    }
    if digest.sizeBytes == 0 {
      guard digest == REDigest(of: Data()) else { throw Fault(.io, "The engine gave \(what) with a wrong digest") }
      _ = try HostFile(path, O_WRONLY | O_CREAT | O_EXCL)
      return
    }
    var request = REReadRequest()
    request.resourceName = "\(prefix)blobs/\(digest.hash)/\(digest.sizeBytes)"
    try await download("google.bytestream.ByteStream/Read", request, time: .seconds(3_600)) {
      (pieces: RPCAsyncSequence<REReadResponse, any Error>) in
      let file = try HostFile(path, O_WRONLY | O_CREAT | O_EXCL)
      var hasher = SHA256()
      var count: Int64 = 0
      for try await piece in pieces {
        count += Int64(piece.data.count)
        guard count <= digest.sizeBytes else { break }
        hasher.update(data: piece.data)
        try file.write(piece.data)
      }
      guard count == digest.sizeBytes, REDigest.hex(hasher.finalize()) == digest.hash else {
        throw Fault(.io, "What the engine gave as \(what) is not what its digest says")
      }
    }
  }
}
