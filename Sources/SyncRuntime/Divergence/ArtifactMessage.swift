import SyncProof

/// What builders say to each other in the message room for artifacts. Format: docs/DIVERGENCE.md.
enum ArtifactMessage: Equatable, Sendable {
  static let pieceBytesMax = 1 << 20

  /// Asks for a piece of what stands under `digest` in the evidence of `job`.
  struct Request: Equatable, Sendable {
    /// Chosen by the asker; comes back with the answer.
    let number: UInt32
    let job: Digest
    let digest: Digest
    let offset: UInt64
    /// 1...1 MiB.
    let count: UInt32
  }

  struct Answer: Equatable, Sendable {
    enum Status: UInt8, Sendable {
      case piece = 0
      /// The evidence names it, but it is not here (any more).
      case notHeld = 1
      /// No evidence of that job names it.
      case refused = 2
      /// This peer has had its share for now.
      case busy = 3
    }
    let number: UInt32
    let status: Status
    /// Bytes of the whole; 0 unless a piece comes.
    let total: UInt64
    let bytes: [UInt8]
  }

  case request(Request)
  case answer(Answer)

  func encode() -> [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .request(let request):
      writer.write(UInt8(1))
      writer.write(request.number)
      writer.write(request.job)
      writer.write(request.digest)
      writer.write(request.offset)
      writer.write(request.count)
    case .answer(let answer):
      writer.write(UInt8(2))
      writer.write(answer.number)
      writer.write(answer.status.rawValue)
      writer.write(answer.total)
      writer.writeCounted(answer.bytes)
    }
    return writer.bytes
  }

  /// - Throws: ``ProofError/Code/malformed`` or ``ProofError/Code/tooLarge`` for anything but what is encoded.
  init(parsing bytes: [UInt8]) throws(ProofError) {
    var reader = ByteReader(bytes)
    switch try reader.read(UInt8.self) {
    case 1:
      let request = Request(
        number: try reader.read(), job: try reader.readDigest(), digest: try reader.readDigest(),
        offset: try reader.read(), count: try reader.read())
      guard (1...UInt32(ArtifactMessage.pieceBytesMax)).contains(request.count), request.offset <= 1 << 50 else {
        throw ProofError(.malformed, "A request wants 1 byte to 1 MiB, at an offset below 2^50")
      }
      self = .request(request)
    case 2:
      let number = try reader.read(UInt32.self)
      guard let status = Answer.Status(rawValue: try reader.read()) else {
        throw ProofError(.malformed, "An answer has a status of 0 to 3")
      }
      let total = try reader.read(UInt64.self)
      let piece = try reader.readCounted(max: ArtifactMessage.pieceBytesMax)
      guard status == .piece ? !piece.isEmpty : piece.isEmpty && total == 0 else {
        throw ProofError(.malformed, "A piece has bytes, and nothing else has")
      }
      self = .answer(Answer(number: number, status: status, total: total, bytes: piece))
    default: throw ProofError(.malformed, "Neither a request for an artifact nor an answer", at: 0)
    }
    try reader.expectEnd()
  }
}
