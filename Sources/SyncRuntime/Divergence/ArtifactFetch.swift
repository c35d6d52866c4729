import Glibc
import SyncProof

/// Fetches one artifact from one peer, piece by piece, into a file that a restart goes on with.
struct ArtifactFetch: Sendable {
  enum Size: Sendable {
    /// The evidence says how large it is.
    case exactly(UInt64)
    case atMost(UInt64)
  }
  private static let pieceBytesMin = 16 << 10
  private static let quick = Duration.milliseconds(250)
  private static let slow = Duration.seconds(1)
  /// What a fetch may take beside the time that its bytes take at the lowest rate.
  private static let spare = Duration.seconds(60)

  let exchange: ArtifactExchange
  let job: Digest
  let digest: Digest
  let size: Size
  let peer: String

  /// - Parameters:
  ///   - partial: The file that grows; each peer needs its own, so that nobody answers for another's bytes.
  ///   - path: Where it goes once it is whole and has its digest.
  func run(partial: String, to path: String) async throws(ExchangeError) {
    let descriptor = open(partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw failure(partial) }
    defer { close(descriptor) }
    try await fill(descriptor, partial)
    guard fsync(descriptor) == 0, let found = try? FileDigest.sha256(path: partial) else { throw failure(partial) }
    guard found.digest == digest else {
      unlink(partial)
      throw ExchangeError(.wrongBytes, "\(peer) sent bytes with SHA-256 \(found.digest) for \(digest); none were kept")
    }
    guard rename(partial, path) == 0 else { throw failure(path) }
  }

  private func fill(_ descriptor: Int32, _ partial: String) async throws(ExchangeError) {
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw failure(partial) }
    var offset = UInt64(max(0, info.st_size))
    var total: UInt64?
    if case .exactly(let size) = size { total = size }
    if offset > total ?? 0 {
      // Of an unknown size nothing is gone on with: such things are small.
      guard ftruncate(descriptor, 0) == 0 else { throw failure(partial) }
      offset = 0
    }
    var pieceBytes = exchange.bounds.firstPieceBytes
    var pauses = exchange.bounds.busyPauses[...]
    let begin = ContinuousClock.now
    while offset < total ?? .max {
      let asked = Int(min(UInt64(pieceBytes), (total ?? .max) - offset))
      let start = ContinuousClock.now
      let answer = try await exchange.ask(peer, job, digest, offset: offset, count: asked).get()
      if answer.status == .busy, let pause = pauses.popFirst() {
        try? await Task.sleep(for: pause)
        guard !Task.isCancelled else { throw ExchangeError(.cancelled, "The node stops") }
        continue
      }
      total = try check(answer, total: total)
      let wanted = min(UInt64(asked), (total ?? 0) - offset)
      guard answer.bytes.count == Int(wanted) else {
        throw ExchangeError(.wrongPiece, "\(peer) sent \(answer.bytes.count) bytes where \(wanted) were asked for")
      }
      guard pwrite(descriptor, answer.bytes, answer.bytes.count, off_t(offset)) == answer.bytes.count else {
        throw failure(partial)
      }
      offset += wanted
      let took = ContinuousClock.now - start
      if took < ArtifactFetch.quick { pieceBytes = min(pieceBytes * 2, ArtifactMessage.pieceBytesMax) }
      if took > ArtifactFetch.slow { pieceBytes = max(pieceBytes / 2, ArtifactFetch.pieceBytesMin) }
      try checkRate(offset, since: begin)
    }
  }

  private func check(_ answer: ArtifactMessage.Answer, total: UInt64?) throws(ExchangeError) -> UInt64 {
    switch answer.status {
    case .piece: break
    case .notHeld: throw ExchangeError(.notHeld, "\(peer) does not hold \(digest)")
    case .refused: throw ExchangeError(.refused, "\(peer) knows of no evidence that names \(digest)")
    case .busy: throw ExchangeError(.busy, "\(peer) gives no more for now")
    }
    let isWrong =
      switch size {
      case .exactly(let size): answer.total != size
      case .atMost(let most): answer.total > most || total.map { $0 != answer.total } ?? false
      }
    guard !isWrong else {
      throw ExchangeError(.wrongSize, "\(peer) says that \(digest) has \(answer.total) bytes, which it cannot have")
    }
    return answer.total
  }

  private func checkRate(_ bytes: UInt64, since begin: ContinuousClock.Instant) throws(ExchangeError) {
    let most = ArtifactFetch.spare + .seconds(Int64(bytes / max(1, exchange.bounds.rateBytesMin)))
    guard ContinuousClock.now - begin <= most else {
      throw ExchangeError(.tooSlow, "\(peer) sent \(bytes) bytes in \(ContinuousClock.now - begin), which is too slow")
    }
  }

  private func failure(_ path: String) -> ExchangeError { ExchangeError(.io, Folder.error("write", path).message) }
}
