import Foundation
import Logging
import SyncProof
import Synchronization
import Testing

@testable import SyncRuntime

@Suite(.timeLimit(.minutes(1)))
struct ArtifactExchangeTests {
  private static let job = SHA256.hash([UInt8]("job".utf8))
  private static let bytes = ComparisonSamples.noise(300_000, seed: 7)
  private static let digest = SHA256.hash(bytes)
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// What a peer answers; `nil` for nothing.
  typealias Peer = @Sendable (ArtifactMessage.Request) -> [(from: String, bytes: [UInt8])]

  /// An asker whose messages go to a peer that says what a test wants, and the offsets that it asked for.
  private final class Asker: Sendable {
    private let peer: Mutex<Peer>
    private let box = Mutex<ArtifactExchange?>(nil)
    let offsets = Mutex<[UInt64]>([])

    init(_ peer: @escaping Peer) {
      self.peer = Mutex(peer)
      var limits = ArtifactExchange.Limits()
      limits.answerTimeout = .milliseconds(400)
      limits.busyPauses = [.milliseconds(10), .milliseconds(10)]
      let exchange = ArtifactExchange(
        limits: limits,
        send: { [weak self] bytes, _ in
          guard let self, case .request(let request)? = try? ArtifactMessage(parsing: Array(bytes.dropFirst())) else {
            return
          }
          offsets.withLock { $0.append(request.offset) }
          let answers = self.peer.withLock { $0 }(request)
          for answer in answers { self.exchange?.take(answer.bytes, from: answer.from) }
        }, holding: { _, _ in .unnamed }, logger: ArtifactExchangeTests.quiet)
      box.withLock { $0 = exchange }
    }

    var exchange: ArtifactExchange? { box.withLock { $0 } }
    func set(_ peer: @escaping Peer) { self.peer.withLock { $0 = peer } }

    func fetch(in folder: String) async throws -> ExchangeError? {
      let fetch = ArtifactFetch(
        exchange: try #require(exchange), job: job, digest: digest, size: .exactly(UInt64(bytes.count)), peer: "elm")
      do throws(ExchangeError) {
        try await fetch.run(partial: folder + "/.partial", to: folder + "/whole")
        return nil
      } catch {
        return error
      }
    }
  }

  private static func piece(
    _ request: ArtifactMessage.Request, of bytes: [UInt8] = bytes, number: UInt32? = nil, total: Int? = nil,
    count: Int? = nil
  ) -> [UInt8] {
    let start = min(Int(request.offset), bytes.count)
    let piece = bytes[start..<min(bytes.count, start + (count ?? Int(request.count)))]
    return ArtifactMessage.answer(
      ArtifactMessage.Answer(
        number: number ?? request.number, status: .piece, total: UInt64(total ?? bytes.count), bytes: Array(piece))
    ).encode()
  }

  private static func without(_ status: ArtifactMessage.Answer.Status) -> Peer {
    { [("elm", ArtifactMessage.answer(.init(number: $0.number, status: status, total: 0, bytes: [])).encode())] }
  }

  private static let honest: Peer = { [("elm", piece($0))] }

  struct HostileRow: CustomTestStringConvertible, Sendable {
    let name: String
    let peer: Peer
    let error: ExchangeError.Code
    var testDescription: String { name }
  }

  @Test(arguments: [
    HostileRow(name: "nothing", peer: { _ in [] }, error: .silent),
    HostileRow(name: "noise", peer: { _ in [("elm", ComparisonSamples.noise(100, seed: 3))] }, error: .garbage),
    HostileRow(name: "an empty message", peer: { _ in [("elm", [])] }, error: .garbage),
    HostileRow(
      name: "bytes behind the answer", peer: { [("elm", piece($0) + [0])] }, error: .garbage),
    HostileRow(
      name: "more than any piece has",
      peer: { request in
        var writer = ByteWriter()
        writer.write(UInt8(2))
        writer.write(request.number)
        writer.write(UInt8(0))
        writer.write(UInt64(bytes.count))
        writer.writeCounted([UInt8](repeating: 1, count: ArtifactMessage.pieceBytesMax + 1))
        return [("elm", writer.bytes)]
      }, error: .garbage),
    HostileRow(name: "an answer by somebody else", peer: { [("birch", piece($0))] }, error: .silent),
    HostileRow(
      name: "an answer to another question", peer: { [("elm", piece($0, number: $0.number &+ 1))] }, error: .silent),
    HostileRow(name: "not held", peer: without(.notHeld), error: .notHeld),
    HostileRow(name: "refused", peer: without(.refused), error: .refused),
    HostileRow(name: "busy for ever", peer: without(.busy), error: .busy),
    HostileRow(name: "a short piece", peer: { [("elm", piece($0, count: 5))] }, error: .wrongPiece),
    HostileRow(
      name: "a long piece", peer: { [("elm", piece($0, count: Int($0.count) + 1))] }, error: .wrongPiece),
    HostileRow(name: "another size", peer: { [("elm", piece($0, total: 5))] }, error: .wrongSize),
    HostileRow(name: "an enormous size", peer: { [("elm", piece($0, total: 1 << 60))] }, error: .wrongSize),
    HostileRow(
      name: "other bytes", peer: { [("elm", piece($0, of: [UInt8](repeating: 1, count: bytes.count)))] },
      error: .wrongBytes),
    HostileRow(
      name: "one flipped bit at the end",
      peer: { request in
        var wrong = bytes
        wrong[wrong.count - 1] ^= 1
        return [("elm", piece(request, of: wrong))]
      }, error: .wrongBytes),
  ])
  func `a hostile peer costs one fetch, and the next one works`(row: HostileRow) async throws {
    let scratch = try Scratch()
    let asker = Asker(row.peer)
    let error = try await asker.fetch(in: scratch.path)
    #expect(error?.code == row.error, "\(error?.message ?? "none")")
    #expect(error?.message.contains("elm") == true)
    #expect(access(scratch.path + "/whole", F_OK) != 0)
    asker.set(Self.honest)
    #expect(try await asker.fetch(in: scratch.path) == nil)
    #expect(try FileDigest.sha256(path: scratch.path + "/whole").digest == Self.digest)
    #expect(access(scratch.path + "/.partial", F_OK) != 0)
  }

  @Test func `a fetch that was cut off goes on where it was`() async throws {
    let scratch = try Scratch()
    let first = Asker { request in request.offset < 100_000 ? [("elm", Self.piece(request))] : [] }
    #expect(try await first.fetch(in: scratch.path)?.code == .silent)
    let kept = try #require(Folder.read(scratch.path + "/.partial", bytesMax: 1 << 20))
    #expect(kept.count >= 100_000 && kept == Array(Self.bytes.prefix(kept.count)))
    // Another process: a new exchange, the same file.
    let second = Asker(Self.honest)
    #expect(try await second.fetch(in: scratch.path) == nil)
    #expect(second.offsets.withLock { $0.first } == UInt64(kept.count))
  }

  @Test func `a partial file that is longer than the artifact begins anew`() async throws {
    let scratch = try Scratch()
    try Data(count: Self.bytes.count + 1).write(to: URL(fileURLWithPath: scratch.path + "/.partial"))
    let asker = Asker(Self.honest)
    #expect(try await asker.fetch(in: scratch.path) == nil)
    #expect(asker.offsets.withLock { $0.first } == 0)
  }

  @Test func `a link in the place of the partial file is not followed`() async throws {
    let scratch = try Scratch()
    symlink(scratch.path + "/elsewhere", scratch.path + "/.partial")
    #expect(try await Asker(Self.honest).fetch(in: scratch.path)?.code == .io)
    #expect(access(scratch.path + "/elsewhere", F_OK) != 0)
  }

  // MARK: Giving

  /// Gives what it is told to hold, and records the answers.
  private final class Giver: Sendable {
    let answers = Mutex<[ArtifactMessage.Answer]>([])
    private let box = Mutex<ArtifactExchange?>(nil)

    init(_ holding: ArtifactExchange.Holding, _ change: (inout ArtifactExchange.Limits) -> Void = { _ in }) {
      var limits = ArtifactExchange.Limits()
      change(&limits)
      let exchange = ArtifactExchange(
        limits: limits,
        send: { [weak self] bytes, _ in
          guard case .answer(let answer)? = try? ArtifactMessage(parsing: Array(bytes.dropFirst())) else { return }
          self?.answers.withLock { $0.append(answer) }
        }, holding: { _, _ in holding }, logger: ArtifactExchangeTests.quiet)
      box.withLock { $0 = exchange }
    }

    func ask(_ number: UInt32, offset: UInt64 = 0, count: UInt32 = 1 << 16) {
      let request = ArtifactMessage.Request(number: number, job: job, digest: digest, offset: offset, count: count)
      box.withLock { $0 }?.take(ArtifactMessage.request(request).encode(), from: "elm")
    }

    func wait(_ count: Int) async throws -> [ArtifactMessage.Answer] {
      let deadline = ContinuousClock.now + .seconds(20)
      while answers.withLock({ $0.count }) < count, ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(5))
      }
      return answers.withLock { $0 }
    }
  }

  struct GivingRow: CustomTestStringConvertible, Sendable {
    let name: String
    let holding: ArtifactExchange.Holding
    var offset: UInt64 = 0
    let status: ArtifactMessage.Answer.Status
    var testDescription: String { name }
  }

  @Test(arguments: [
    GivingRow(name: "named by no evidence", holding: .unnamed, status: .refused),
    GivingRow(name: "named and gone", holding: .missing, status: .notHeld),
    GivingRow(name: "a file that is not there", holding: .file("/nonexistent/x"), status: .notHeld),
    GivingRow(name: "a folder in its place", holding: .file("/"), status: .notHeld),
    GivingRow(name: "a device in its place", holding: .file("/dev/zero"), status: .notHeld),
    GivingRow(name: "behind the end", holding: .file("/proc/self/exe"), offset: 1 << 50, status: .notHeld),
  ])
  func `what is not given has a status`(row: GivingRow) async throws {
    let giver = Giver(row.holding)
    giver.ask(1, offset: row.offset)
    #expect(try await giver.wait(1).map(\.status) == [row.status])
  }

  @Test func `pieces are given as asked for, at most so many bytes an hour`() async throws {
    let scratch = try Scratch()
    try Data(Self.bytes).write(to: URL(fileURLWithPath: scratch.path + "/x"))
    let giver = Giver(.file(scratch.path + "/x")) { $0.hourBytesMax = 150_000 }
    for number in 1...4 {
      giver.ask(UInt32(number), offset: 65_536 * UInt64(number - 1), count: 65_536)
      _ = try await giver.wait(number)
    }
    let answers = try await giver.wait(4)
    #expect(answers.map(\.status) == [.piece, .piece, .piece, .busy])
    #expect(answers.flatMap(\.bytes) == Array(Self.bytes.prefix(3 * 65_536)))
    #expect(answers[0].total == UInt64(Self.bytes.count))
  }

  @Test func `a flood of requests is dropped beyond the few that wait`() async throws {
    let scratch = try Scratch()
    try Data(Self.bytes).write(to: URL(fileURLWithPath: scratch.path + "/x"))
    let giver = Giver(.file(scratch.path + "/x")) { $0.rateBytesMax = 1 << 20 }
    for number in 1...10_000 { giver.ask(UInt32(number)) }
    _ = try await giver.wait(1)
    try await Task.sleep(for: .milliseconds(800))
    // A piece of 64 KiB takes 62 ms at this rate.
    #expect((1...20).contains(giver.answers.withLock { $0.count }))
  }

  @Test func `messages are what is encoded, and every cut of one is refused`() throws {
    let messages: [ArtifactMessage] = [
      .request(.init(number: 7, job: Self.job, digest: Self.digest, offset: 1 << 40, count: 1 << 20)),
      .answer(.init(number: 7, status: .piece, total: 9, bytes: [1, 2, 3])),
      .answer(.init(number: 7, status: .refused, total: 0, bytes: [])),
    ]
    for message in messages {
      let bytes = message.encode()
      #expect(try ArtifactMessage(parsing: bytes) == message)
      for count in bytes.indices {
        #expect(throws: ProofError.self) { try ArtifactMessage(parsing: Array(bytes.prefix(count))) }
      }
    }
    for bad: ArtifactMessage in [
      .request(.init(number: 7, job: Self.job, digest: Self.digest, offset: 0, count: 0)),
      .request(.init(number: 7, job: Self.job, digest: Self.digest, offset: 0, count: 1 << 20 + 1)),
      .request(.init(number: 7, job: Self.job, digest: Self.digest, offset: .max, count: 1)),
      .answer(.init(number: 7, status: .piece, total: 9, bytes: [])),
      .answer(.init(number: 7, status: .busy, total: 9, bytes: [])),
    ] {
      #expect(throws: ProofError.self) { try ArtifactMessage(parsing: bad.encode()) }
    }
  }
}
