import SyncLedger
import SyncProof
import Testing

/// What a ledger's snapshot holds is tested by every other test here, which all go on from one behind each block; these
/// are about bytes that no ledger writes.
@Suite struct SnapshotTests {
  /// Jobs in both phases and with every kind of answer, a closed one, two records of misbehaviour and a proposal.
  private static func busy() -> World {
    var world = World()
    let builders = world.builders
    let specs = (0..<4).map { BuildSpec.sample(rebuild: $0) }
    let done = world.committed(specs[0], ["a", "a", "a", "a"].map { Outcome.sample($0, of: specs[0]) })
    world.block(of: builders.names.map { builders.opening(done, by: $0, of: .sample("a", of: specs[0])) })
    let revealing = world.committed(specs[1], ["a", "b", "a", "a"].map { Outcome.sample($0, of: specs[1]) })
    world.block(
      builders.opening(revealing, by: "ada", of: .sample("a", of: specs[1])),
      builders.opening(revealing, by: "bob", of: .sample("a", of: specs[1])))
    world.block(builders.submission(specs[2], by: "cyd"), builders.submission(specs[3], by: "dan"), later: 1_000)
    world.block(
      builders.commitment(specs[2].jobID, by: "ada", to: .sample("a", of: specs[2])),
      builders.commitment(specs[2].jobID, by: "ada", to: .sample("b", of: specs[2])),
      builders.abstention(specs[3].jobID, by: "bob"))
    let next = builders.next(builders.names + ["eve"])
    world.block(builders.proposal(of: next.encode(), by: "ada"))
    world.block(builders.approval(of: next, by: "bob"))
    return world
  }

  private static func read(_ bytes: [UInt8], _ world: World) throws(ProofError) -> Ledger {
    try Ledger(group: world.builders.group, snapshot: bytes, closed: world.closed, judge: World.judge)
  }

  @Test func whatIsOpenComesBack() throws {
    let world = Self.busy()
    let ledger = try Self.read(world.ledger.snapshot(), world)
    #expect(ledger.openJobs == world.ledger.openJobs && ledger.openJobs.count == 3)
    #expect(ledger.logSize == 3 && ledger.logRoot == world.ledger.logRoot)
    #expect(ledger.nextDeadlineMilliseconds == world.ledger.nextDeadlineMilliseconds)
    #expect(ledger.handoverProposals == world.ledger.handoverProposals && ledger.handoverProposals.count == 1)
    for job in ledger.openJobs {
      guard case .open(let now)? = ledger.job(job), case .open(let before)? = world.ledger.job(job) else {
        Issue.record("a job is not open")
        continue
      }
      #expect(now.steps == before.steps && now.phase == before.phase)
      #expect(now.deadlineMilliseconds == before.deadlineMilliseconds)
      #expect(ledger.submitter(of: now) == world.ledger.submitter(of: before))
    }
  }

  /// Whatever byte is another, the bytes are refused, or are those of another ledger that goes on without a trap.
  @Test func flippedBits() throws {
    let world = Self.busy()
    let bytes = world.ledger.snapshot()
    var refused = 0
    for place in bytes.indices {
      var flipped = bytes
      flipped[place] ^= 1 << UInt8(place % 8)
      do {
        var other = try Self.read(flipped, world)
        #expect(other.snapshot() == flipped)
        let spec = BuildSpec.sample(rebuild: 99)
        _ = other.apply(entries: [world.builders.submission(spec)], height: 1 << 40, timeMilliseconds: 1 << 50)
        _ = other.apply(entries: [], height: .max, timeMilliseconds: .max)
        _ = other.apply(entries: [], height: .max, timeMilliseconds: .max)
      } catch {
        refused += 1
      }
    }
    #expect(refused > bytes.count / 4)
  }

  @Test func truncatedOrLongerBytesAreRefused() {
    let world = Self.busy()
    let bytes = world.ledger.snapshot()
    for count in bytes.indices {
      #expect(throws: ProofError.self, "\(count)") { try Self.read(Array(bytes[..<count]), world) }
    }
    #expect(throws: ProofError.self) { try Self.read(bytes + [0], world) }
  }

  @Test func anotherLedgersSnapshotIsRefused() throws {
    let world = Self.busy()
    let bytes = world.ledger.snapshot()
    let other = Builders(salt: "other").group
    #expect(throws: ProofError.self, "another group's") { try Ledger(group: other, snapshot: bytes, closed: [:]) }
    // A job that is open here and closed there.
    var closed = world.closed
    closed[world.ledger.openJobs[0]] = closed.values.first
    #expect(throws: ProofError.self, "a closed job") {
      try Ledger(group: world.builders.group, snapshot: bytes, closed: closed)
    }
    // As many as were ever ordered would not fit a number.
    var full = bytes
    let counted = 1 + 32 + 8 + 4 + Int(world.ledger.logSize.nonzeroBitCount) * 32 + 8
    for place in counted..<counted + 8 { full[place] = 0xFF }
    #expect(throws: ProofError.self, "no number is left") { try Self.read(full, world) }
    var later = bytes
    later[0] = 2
    #expect { try Self.read(later, world) } throws: { ($0 as? ProofError)?.code == .unsupportedVersion }
  }
}
