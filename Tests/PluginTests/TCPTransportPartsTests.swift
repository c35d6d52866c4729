import NIOCore
import SyncProof
import SyncRuntime
import Testing

@testable import TCPTransport

@Suite struct TCPTransportPartsTests {
  // MARK: Frames

  private static let allocator = ByteBufferAllocator()

  @Test(arguments: [
    Frame.hello(version: 1, group: [UInt8](repeating: 7, count: 32)), .hello(version: 0xFFFE, group: []),
    .message([]), .message([1, 2, 3]), .message([UInt8](repeating: 9, count: 100_000)), .alive,
  ])
  func framesComeBackHoweverTheyAreCut(_ frame: Frame) throws {
    let bytes = [UInt8](frame.encode(allocator: TCPTransportPartsTests.allocator).readableBytesView)
    for pieceBytes in [1, 3, 4, 5, 1_000, bytes.count] where pieceBytes > 5 || bytes.count < 1_000 {
      var decoder = FrameDecoder()
      decoder.frameBytesMax = 1 << 20
      var found: [Frame] = []
      for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
        decoder.feed(ByteBuffer(bytes: bytes[start..<min(start + pieceBytes, bytes.count)]))
        while let next = try decoder.next() { found.append(next) }
      }
      #expect(found == [frame])
    }
  }

  @Test func severalFramesInOnePieceComeInOrder() throws {
    var decoder = FrameDecoder()
    var bytes = ByteBuffer()
    for frame in [Frame.message([1]), .alive, .message([2])] {
      var encoded = frame.encode(allocator: TCPTransportPartsTests.allocator)
      bytes.writeBuffer(&encoded)
    }
    decoder.feed(bytes)
    #expect(try decoder.next() == .message([1]))
    #expect(try decoder.next() == .alive)
    #expect(try decoder.next() == .message([2]))
    #expect(try decoder.next() == nil)
  }

  static let badFrames: [(name: String, bytes: [UInt8])] = [
    ("empty", [0, 0, 0, 0]),
    ("longer than a hello", [0, 0, 1, 1]),
    ("longest length", [0xFF, 0xFF, 0xFF, 0xFF]),
    ("HTTP", [UInt8]("GET / HTTP/1.1\r\n\r\n".utf8)),
    ("hello without a version", [0, 0, 0, 2, 0, 0]),
    ("alive with a body", [0, 0, 0, 2, 2, 0]),
    ("unknown kind", [0, 0, 0, 1, 3]),
  ]

  @Test(arguments: badFrames) func badFramesAreRefused(_ row: (name: String, bytes: [UInt8])) {
    var decoder = FrameDecoder()
    decoder.feed(ByteBuffer(bytes: row.bytes))
    #expect(throws: FrameDecoder.Failure.self) { try decoder.next() }
  }

  // MARK: Admission

  private static func bounds(_ slots: Int, perAddress: Int) -> TCPTransport.AdmissionBounds {
    var bounds = TCPTransport.AdmissionBounds()
    (bounds.slotsMax, bounds.slotsPerAddressMax, bounds.cooldownMilliseconds) = (slots, perAddress, 1_000)
    return bounds
  }

  private static func time(_ milliseconds: Int64) -> NIODeadline {
    .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000)
  }

  @Test func oneAddressHasABoundedNumberOfSlots() {
    var admission = Admission(bounds: TCPTransportPartsTests.bounds(10, perAddress: 2))
    let now = TCPTransportPartsTests.time(0)
    #expect(admission.admit([1], now: now) == .init(slot: 0, evicted: nil))
    #expect(admission.admit([1], now: now) == .init(slot: 1, evicted: nil))
    #expect(admission.admit([1], now: now) == .init(slot: nil, evicted: nil))
    #expect(admission.admit([2], now: now) == .init(slot: 2, evicted: nil))
    admission.authenticated(0)
    #expect(admission.admit([1], now: now) == .init(slot: 3, evicted: nil))
  }

  @Test func failedConnectionsKeepTheirSlotForAWhile() {
    var admission = Admission(bounds: TCPTransportPartsTests.bounds(10, perAddress: 1))
    #expect(admission.admit([1], now: TCPTransportPartsTests.time(0)).slot == 0)
    admission.failed(0, now: TCPTransportPartsTests.time(10))
    #expect(admission.admit([1], now: TCPTransportPartsTests.time(1_009)).slot == nil)
    #expect(admission.admit([1], now: TCPTransportPartsTests.time(1_010)).slot == 1)
    #expect(admission.slotsTaken == 1)
  }

  @Test func theOldestGivesWayWhenAllSlotsAreTaken() {
    var admission = Admission(bounds: TCPTransportPartsTests.bounds(3, perAddress: 3))
    let now = TCPTransportPartsTests.time(0)
    for address in 1...3 { #expect(admission.admit([UInt8(address)], now: now).evicted == nil) }
    #expect(admission.admit([4], now: now) == .init(slot: 3, evicted: 0))
    admission.failed(2, now: now)
    #expect(admission.admit([5], now: now) == .init(slot: 4, evicted: nil), "a failed one goes before one that tries")
    #expect(admission.slotsTaken == 3)
  }

  @Test func addressesAreCountedByNetwork() throws {
    func key(_ text: String) throws -> [UInt8] { Admission.key(of: try SocketAddress(ipAddress: text, port: 1)) }
    #expect(try key("192.0.2.1") == [192, 0, 2, 1])
    #expect(try key("::ffff:192.0.2.1") == [192, 0, 2, 1])
    #expect(try key("2001:db8::1") == key("2001:db8::2:3"))
    #expect(try key("2001:db8::1") != key("2001:db8:0:1::1"))
  }

  // MARK: Queue and backoff

  @Test func queueDropsTheOldest() {
    let queue = SendQueue(bytesMax: 10)
    for i in 0..<6 { _ = queue.append([UInt8](repeating: UInt8(i), count: 4)) }
    #expect(queue.bytes == 8)
    #expect(queue.dropped == 4)
    #expect(queue.next()?.first == 4)
    #expect(queue.next()?.first == 5)
    #expect(queue.next() == nil)
  }

  @Test func queueAsksForOneWakeUp() {
    let queue = SendQueue(bytesMax: 10)
    #expect(!queue.append([1]), "before the first connection nobody is woken")
    #expect(queue.next() == [1])
    #expect(queue.next() == nil)
    #expect(queue.append([2]))
    #expect(!queue.append([3]))
    #expect(queue.next() == [2])
    queue.pause()
    #expect(!queue.append([4]))
  }

  @Test func backoffGrowsToItsBoundAndStartsAgain() {
    var backoff = Backoff(timing: TCPTransport.Timing())
    var random = SystemRandomNumberGenerator()
    for ceiling: Int64 in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
      let delay = backoff.next(using: &random)
      #expect(delay >= .milliseconds(ceiling / 2) && delay <= .milliseconds(ceiling))
    }
    backoff.reset()
    #expect(backoff.next(using: &random) <= .milliseconds(100))
  }
}
