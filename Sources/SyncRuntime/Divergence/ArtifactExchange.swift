import Glibc
import Logging
import SyncProof

/// Asks other builders for artifacts, and gives them what evidence names.
///
/// It has a mailbox of its own, so that nothing here waits in the way of the consensus. What is sent is paced: one
/// piece is asked for at a time, and pieces are given one after the other, at a bounded rate.
///
/// Thread: any.
actor ArtifactExchange {
  struct Limits: Sendable {
    /// How long an answer may take.
    var answerTimeout = Duration.seconds(10)
    /// The first piece of an artifact; later ones grow and shrink with the time that they take.
    var firstPieceBytes = 64 << 10
    /// Below this rate, a fetch is given up.
    var rateBytesMin: UInt64 = 16 << 10
    /// What is given to all peers together.
    var rateBytesMax = 16 << 20
    /// What one peer is given within an hour.
    var hourBytesMax: UInt64 = 4 << 30
    /// Requests of one peer that wait; more are dropped.
    var waitingMax = 4
    /// After how long a peer that is busy is asked again.
    var busyPauses: [Duration] = [.seconds(1), .seconds(5), .seconds(20)]
  }

  /// Something under a digest that this node may hand out.
  enum Holding: Sendable {
    case file(String)
    /// The evidence names it, but it is not here.
    case missing
    /// No evidence of the job names it.
    case unnamed
  }

  private struct Question {
    let peer: String
    let continuation: CheckedContinuation<Result<ArtifactMessage.Answer, ExchangeError>, Never>
    let expiry: Task<Void, Never>
  }

  private static let mailboxBytesMaxPerPeer = 4 << 20
  /// What a request costs at least, whatever it gives.
  private static let costBytesMin = 64 << 10

  private let limits: Limits
  private let send: @Sendable ([UInt8], _ peer: String) -> Void
  private let holding: @Sendable (_ job: Digest, Digest) async -> Holding
  private let logger: Logger
  private let mailbox = Mailbox<(peer: String, bytes: [UInt8])>(bytesMaxPerSender: mailboxBytesMaxPerPeer)

  private var questions: [UInt32: Question] = [:]
  private var lastNumber: UInt32 = 0
  private var waiting: [(peer: String, request: ArtifactMessage.Request)] = []
  private var serving: Task<Void, Never>?
  private var given: [String: (since: ContinuousClock.Instant, bytes: UInt64)] = [:]
  private var isStopped = false

  init(
    limits: Limits = Limits(), send: @escaping @Sendable ([UInt8], String) -> Void,
    holding: @escaping @Sendable (Digest, Digest) async -> Holding, logger: Logger
  ) {
    (self.limits, self.send, self.holding, self.logger) = (limits, send, holding, logger)
  }

  /// Takes a message of the room, without its first byte.
  ///
  /// - Returns: `false`: nobody else has to be woken for it.
  @discardableResult
  nonisolated func take(_ bytes: [UInt8], from peer: String) -> Bool {
    if mailbox.put((peer, bytes), from: peer, bytes: bytes.count) { Task { await drain() } }
    return false
  }

  func stop() async {
    isStopped = true
    waiting = []
    for number in questions.keys.sorted() { finish(number, .failure(ExchangeError(.cancelled, "The node stops"))) }
    serving?.cancel()
    await serving?.value
  }

  private func drain() {
    for (peer, bytes) in mailbox.takeAll() where !isStopped {
      do throws(ProofError) {
        switch try ArtifactMessage(parsing: bytes) {
        case .request(let request): queue(request, from: peer)
        case .answer(let answer):
          // An answer to nothing that this peer was asked is nobody's: dropped.
          if questions[answer.number]?.peer == peer { finish(answer.number, .success(answer)) }
        }
      } catch {
        logger.debug("Refused an artifact message: \(error.message)", metadata: ["peer": "\(peer)"])
        let garbage = ExchangeError(.garbage, "\(peer) sent what is no answer: \(error.message)")
        for (number, question) in questions.sorted(by: { $0.key < $1.key }) where question.peer == peer {
          finish(number, .failure(garbage))
        }
      }
    }
  }

  // MARK: Asking

  /// Asks one peer for one piece.
  func ask(
    _ peer: String, _ job: Digest, _ digest: Digest, offset: UInt64, count: Int
  ) async -> Result<ArtifactMessage.Answer, ExchangeError> {
    guard !isStopped else { return .failure(ExchangeError(.cancelled, "The node stops")) }
    lastNumber &+= 1
    let number = lastNumber
    let request = ArtifactMessage.Request(
      number: number, job: job, digest: digest, offset: offset, count: UInt32(count))
    let timeout = limits.answerTimeout
    return await withCheckedContinuation { continuation in
      let expiry = Task { [weak self] in
        try? await Task.sleep(for: timeout)
        await self?.finish(number, .failure(ExchangeError(.silent, "\(peer) gave no answer within \(timeout)")))
      }
      questions[number] = Question(peer: peer, continuation: continuation, expiry: expiry)
      send(MessageRoom.artifact.frame(ArtifactMessage.request(request).encode()), peer)
    }
  }

  private func finish(_ number: UInt32, _ result: Result<ArtifactMessage.Answer, ExchangeError>) {
    guard let question = questions.removeValue(forKey: number) else { return }
    question.expiry.cancel()
    question.continuation.resume(returning: result)
  }

  nonisolated var bounds: Limits { limits }

  // MARK: Giving

  private func queue(_ request: ArtifactMessage.Request, from peer: String) {
    guard waiting.count(where: { $0.peer == peer }) < limits.waitingMax else { return }
    waiting.append((peer, request))
    if serving == nil { serving = Task { await serve() } }
  }

  private func serve() async {
    while !waiting.isEmpty, !isStopped {
      let (peer, request) = waiting.removeFirst()
      let answer = await answer(to: request, from: peer)
      guard !isStopped else { break }
      send(MessageRoom.artifact.frame(ArtifactMessage.answer(answer).encode()), peer)
      let cost = max(answer.bytes.count, ArtifactExchange.costBytesMin)
      given[peer]?.bytes += UInt64(cost)
      try? await Task.sleep(for: .microseconds(cost * 1_000_000 / max(1, limits.rateBytesMax)))
    }
    serving = nil
  }

  private func answer(to request: ArtifactMessage.Request, from peer: String) async -> ArtifactMessage.Answer {
    func without(_ status: ArtifactMessage.Answer.Status) -> ArtifactMessage.Answer {
      ArtifactMessage.Answer(number: request.number, status: status, total: 0, bytes: [])
    }
    let now = ContinuousClock.now
    if given[peer].map({ now - $0.since > .seconds(3_600) }) ?? true { given[peer] = (now, 0) }
    guard given[peer, default: (now, 0)].bytes < limits.hourBytesMax else { return without(.busy) }
    switch await holding(request.job, request.digest) {
    case .unnamed: return without(.refused)
    case .missing: return without(.notHeld)
    case .file(let path):
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else { return without(.notHeld) }
      defer { close(descriptor) }
      var info = stat()
      guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG,
        let bytes = Folder.read(descriptor, at: request.offset, count: Int(request.count)), !bytes.isEmpty
      else { return without(.notHeld) }
      return ArtifactMessage.Answer(
        number: request.number, status: .piece, total: UInt64(info.st_size), bytes: bytes)
    }
  }
}

/// Why an artifact was not had from a peer.
struct ExchangeError: Error, Equatable, Sendable {
  /// Words never change their meaning.
  enum Code: String, Sendable, CaseIterable {
    /// No answer came.
    case silent
    /// What came was no answer.
    case garbage
    /// The peer does not have it (any more).
    case notHeld = "not-held"
    /// The peer knows of no evidence that names it.
    case refused
    /// The peer gives no more for now.
    case busy
    /// A piece had another length than was asked for.
    case wrongPiece = "wrong-piece"
    /// The whole has another size than the evidence says.
    case wrongSize = "wrong-size"
    /// The bytes do not have the digest.
    case wrongBytes = "wrong-bytes"
    /// Pieces came, but too slowly.
    case tooSlow = "too-slow"
    /// It is larger than what this node keeps for divergences.
    case noRoom = "no-room"
    /// This node's disk failed.
    case io
    case cancelled
  }
  let code: Code
  let message: String
  init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }
  static func == (a: ExchangeError, b: ExchangeError) -> Bool { a.code == b.code }
}
