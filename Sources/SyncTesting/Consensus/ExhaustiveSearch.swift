import SyncConsensus
import SyncProof

/// Visits every state that a small group can reach by the choices below, and checks each step on the way.
///
/// The replicas are the real ones, driven through ``Replica/step(_:now:)`` alone. Each has a clock of its own, which
/// moves when its timer fires, and a disk. A choice is one of:
///
/// - a replica receives a proposal that was sent;
/// - a replica receives enough of the votes that were sent for one block to hold its certificate;
/// - a replica receives two others' timeouts of a view, and so gives it up too and holds the view's TC;
/// - a replica's view timer fires;
/// - a replica crashes and starts again from its records.
///
/// What was sent can be received by each replica at any later time, or never. A signature leaves in the step that asks
/// for it, since a crash between the two is the same as a message that nobody receives. Votes below a quorum are no
/// choice, since they change nothing until the quorum is there; nor is which of several quorums' signers a certificate
/// names: who signed changes no more than which leader that failed is back, and no turn of one comes again before view
/// n + 1, where the search does not go. Three things are left out, as bounds: status
/// messages and lone timeouts, so that certificates travel with proposals, quorums and pairs alone; entries that are
/// sent on, since every replica has its own; and missing or late answers to a fetch, which is answered at once.
///
/// Two states are the same when each replica's records and digest, what was sent, and what is left of the bounds are:
/// see ``Replica/stateDigest(name:)``. Then every choice leads to the same states from both, so one is followed. What a
/// replica does depends on nothing but itself and what it receives, so that is computed once for all states in which
/// the same replica receives the same.
public struct ExhaustiveSearch: Sendable {
  /// What bounds the search, and who lies.
  public struct Bounds: Sendable {
    public var replicas = 4
    /// Replicas in a later view take no more steps.
    public var viewMax: UInt64 = 3
    /// Timers that fire, all replicas together.
    public var timers = 3
    public var crashes = 0
    /// The replica that runs twice under one key: both copies receive everything, and wait for different entries.
    public var twin: Int?
    /// Breaks the rule that records are durable before a signature leaves: a crash loses them all.
    public var losesRecords = false
    /// The search gives up here; ``Result/isExhausted`` says whether it did.
    public var statesMax = Int.max

    public init() {}
  }

  /// What was found.
  public struct Result: Sendable {
    public var states = 0
    public var steps = 0
    public var depth = 0
    /// The most blocks that were decided in one state.
    public var heightMax = 0
    /// Whether every state within the bounds was visited.
    public var isExhausted = true
    /// The first broken promise, with the choices that lead to it; `nil` for none.
    public var failure: String?
  }

  private struct Process: Sendable {
    let index: Int
    let entry: [UInt8]
    var replica: Replica<AppendLog>
    var disk: [[UInt8]: [UInt8]] = [:]
    var now = Instant(monotonicNanoseconds: 1_000_000_000, wallMilliseconds: 1_000)
    /// Of the replica and its records, with blocks by their names, and by their identities.
    var digests: (shape: Digest, exact: Digest)?
  }

  /// One message that was sent to all, by what it says; whatever certificates ride on it, the first sending counts.
  private struct Sent: Sendable {
    let author: Int
    let view: UInt64
    let digest: Digest
    let bytes: [UInt8]
    /// Of what the message says, with blocks by their names; `exact` is that of its bytes.
    let shape: Digest
    let exact: Digest
  }

  private struct State: Sendable {
    var processes: [Process] = []
    var proposals: [Sent] = []
    /// Here the digest is that of the statement.
    var votes: [Sent] = []
    var timeouts: [Sent] = []
    var timers = 0
    var crashes = 0
    /// By height, from 1 on: what any honest replica has decided.
    var chain: [Digest] = []
  }

  /// What one process takes in within one choice, and nothing but it.
  private enum Action: Sendable {
    /// Starts from its records, and receives its entry.
    case start
    /// Receives messages, while it is in this view or below.
    case receive([(author: Int, bytes: [UInt8], exact: Digest)], viewMax: UInt64)
    case timer

    func digest(of process: Process) -> Digest {
      var bytes = process.digests?.exact.bytes ?? []
      bytes += [UInt8(process.index), process.entry[0]]
      switch self {
      case .start: bytes.append(0)
      case .receive(let messages, let viewMax):
        bytes += [1, UInt8(truncatingIfNeeded: viewMax)]
        for message in messages { bytes += [UInt8(message.author)] + message.exact.bytes }
      case .timer: bytes.append(2)
      }
      return SHA256.hash(bytes)
    }
  }

  /// What comes of it: the process after it, and what it did that others can see.
  private struct Outcome: Sendable {
    var process: Process
    var outputs: [Output] = []
  }

  private enum Output: Sendable {
    case sent(Message, [UInt8])
    case asked(peer: Int, [UInt8])
    case decided(DecidedBlock<AppendLog>)
    case accused(Int)
    case halted(ConsensusError)
  }

  private enum Choice: Sendable, CustomStringConvertible {
    case proposal(to: Int, Int)
    case votes(to: Int, [Int])
    case timeouts(to: Int, [Int])
    case timer(Int)
    case crash(Int)

    var description: String {
      switch self {
      case .proposal(let to, let at): "process \(to) receives proposal \(at)"
      case .votes(let to, let at): "process \(to) receives votes \(at)"
      case .timeouts(let to, let at): "process \(to) receives timeouts \(at)"
      case .timer(let process): "process \(process)'s timer fires"
      case .crash(let process): "process \(process) starts again"
      }
    }
  }

  private let bounds: Bounds
  private let group: FixtureGroup
  private var failure: String?
  /// Blocks' names, by identity; see ``learn(_:)``.
  private var names: [Digest: Digest] = [:]
  private var shapes: [[UInt8]: Digest] = [:]
  private var outcomes: [Digest: Outcome] = [:]

  /// - Throws: ``ConsensusError/Code/configuration`` for views in which a leader's turn comes again.
  public init(_ bounds: Bounds) throws {
    guard bounds.viewMax <= UInt64(bounds.replicas) else {
      throw ConsensusError(
        .configuration, "A search of \(bounds.viewMax) views with \(bounds.replicas) replicas; each leads once at most")
    }
    self.bounds = bounds
    group = try FixtureGroup(replicas: bounds.replicas)
  }

  // MARK: The search

  /// Searches depth first.
  public mutating func run() throws -> Result {
    var result = Result()
    var state = try initialState()
    var visited: Set<Digest> = [digest(of: state)]
    var stack = [(state: state, choices: choices(in: state), taken: nil as Choice?)]
    result.states = 1
    while let top = stack.last {
      guard let choice = top.choices.last else {
        stack.removeLast()
        continue
      }
      stack[stack.count - 1].choices.removeLast()
      state = top.state
      result.steps += 1
      guard try take(choice, in: &state) else { continue }
      if let failure {
        let path = stack.compactMap { $0.taken } + [choice]
        result.failure = failure + ":\n" + path.map { "  \($0)" }.joined(separator: "\n")
        result.isExhausted = false
        return result
      }
      guard visited.insert(digest(of: state)).inserted else { continue }
      result.states += 1
      result.heightMax = max(result.heightMax, state.chain.count)
      guard result.states < bounds.statesMax else {
        result.isExhausted = false
        return result
      }
      stack.append((state, choices(in: state), choice))
      result.depth = max(result.depth, stack.count - 1)
    }
    return result
  }

  private mutating func initialState() throws -> State {
    var state = State()
    (state.timers, state.crashes) = (bounds.timers, bounds.crashes)
    for index in 0..<bounds.replicas { state.processes.append(try process(index, entry: [1])) }
    if let twin = bounds.twin { state.processes.append(try process(twin, entry: [2])) }
    for process in state.processes.indices { try act(.start, process, in: &state) }
    return state
  }

  private mutating func process(_ index: Int, entry: [UInt8]) throws -> Process {
    var process = Process(
      index: index, entry: entry,
      replica: try Replica(configuration: try group.configuration(of: index), genesis: AppendLog()))
    seal(&process)
    return process
  }

  private mutating func seal(_ process: inout Process) {
    process.digests = (digest(of: process, isExact: false), digest(of: process, isExact: true))
  }

  private mutating func digest(of process: Process, isExact: Bool) -> Digest {
    var records: [Digest] = []
    for (key, value) in process.disk {
      records.append(SHA256.hash(key.prefix(2) + (isExact ? SHA256.hash(value) : shape(of: key, value)).bytes))
    }
    let names = isExact ? [:] : names
    var writer = ByteWriter()
    writer.write(process.replica.stateDigest { names[$0] ?? $0 })
    for record in records.sorted() { writer.write(record) }
    return SHA256.hash(writer.bytes)
  }

  /// What a record says, whoever signed its certificates.
  private mutating func shape(of key: [UInt8], _ value: [UInt8]) -> Digest {
    if let known = shapes[value] { return known }
    let names = names
    let name = { (id: Digest) in names[id] ?? id }
    let shape: Digest
    if key.starts(with: Array("b/".utf8)), let block = try? Block(decoding: value) {
      shape = name(block.id)
    } else if key.starts(with: Array("d/".utf8)), let record = try? DecidedRecord(decoding: value) {
      shape = SHA256.hash(name(record.block.id).bytes + name(record.finality.proposed.id).bytes)
    } else if key == Array("p".utf8), let certificates = try? SyncInfo(decoding: value) {
      shape = certificates.shape(name)
    } else if key == Array("s".utf8) {
      shape = .zero  // The replica has the same in memory, and that is part of its digest.
    } else {
      shape = SHA256.hash(value)
    }
    shapes[value] = shape
    return shape
  }

  /// Gives a block its name: what it says, but for the signers of its certificates.
  private mutating func learn(_ block: Block) {
    guard names[block.id] == nil else { return }
    var writer = ByteWriter()
    writer.write(block.view)
    writer.write(names[block.parent] ?? block.parent)
    writer.write(UInt64(block.timeMilliseconds))
    writer.write(block.timeoutCertificate?.shape { [names] in names[$0] ?? $0 } ?? .zero)
    for entry in block.entries { writer.write(SHA256.hash(entry)) }
    names[block.id] = SHA256.hash(writer.bytes)
  }

  private func digest(of state: State) -> Digest {
    // Where two blocks of one state have the same name, nothing may be left out.
    let isExact = Set(state.proposals.map { names[$0.digest] ?? $0.digest }).count < state.proposals.count
    var writer = ByteWriter()
    writer.write(UInt32(truncatingIfNeeded: state.timers))
    writer.write(UInt32(truncatingIfNeeded: state.crashes))
    for process in state.processes {
      guard let digests = process.digests else { continue }
      writer.write(isExact ? digests.exact : digests.shape)
    }
    for sent in [state.proposals, state.votes, state.timeouts] {
      writer.write(UInt32(truncatingIfNeeded: sent.count))
      for digest in sent.map({ isExact ? $0.exact : $0.shape }).sorted() { writer.write(digest) }
    }
    return SHA256.hash(writer.bytes)
  }

  // MARK: Choices

  private func isLiar(_ index: Int) -> Bool { index == bounds.twin }

  private func choices(in state: State) -> [Choice] {
    var choices: [Choice] = []
    for (i, process) in state.processes.enumerated() {
      let view = process.replica.currentView
      guard view <= bounds.viewMax else { continue }
      let others = { (sent: Sent) in sent.author != process.index && sent.view >= view && sent.view <= bounds.viewMax }
      if state.crashes > 0 { choices.append(.crash(i)) }
      if state.timers > 0, process.replica.nextWakeUp != nil, !hasGivenUp(process) { choices.append(.timer(i)) }
      let held = state.timeouts.indices.filter { others(state.timeouts[$0]) }
      for (position, a) in held.enumerated() {
        for b in held[(position + 1)...] {
          let (one, other) = (state.timeouts[a], state.timeouts[b])
          if one.view == other.view, one.author != other.author { choices.append(.timeouts(to: i, [a, b])) }
        }
      }
      var statements: [Digest] = []
      for vote in state.votes where vote.view >= view && !statements.contains(vote.digest) {
        statements.append(vote.digest)
        let votes = state.votes.indices.filter { state.votes[$0].digest == vote.digest }
        let received = votes.filter { others(state.votes[$0]) }
          .sorted { state.votes[$0].author < state.votes[$1].author }
        if votes.count >= group.set.quorum { choices.append(.votes(to: i, received)) }
      }
      for at in state.proposals.indices where others(state.proposals[at]) { choices.append(.proposal(to: i, at)) }
    }
    return choices
  }

  private func hasGivenUp(_ process: Process) -> Bool {
    process.replica.safetyState.lastTimeout?.view == process.replica.currentView
  }

  /// - Returns: `false` where nothing comes of the choice that another one does not cover.
  private mutating func take(_ choice: Choice, in state: inout State) throws -> Bool {
    switch choice {
    case .proposal(let to, let at):
      let before = state.processes[to].digests?.exact
      try receive([state.proposals[at]], to: to, viewMax: .max, in: &state)
      return failure != nil || state.processes[to].digests?.exact != before
    case .votes(let to, let list):
      guard let view = list.first.map({ state.votes[$0].view }) else { return false }
      try receive(list.map { state.votes[$0] }, to: to, viewMax: view, in: &state)
      return state.processes[to].replica.currentView > view || failure != nil
    case .timeouts(let to, let list):
      let view = state.timeouts[list[0]].view
      try receive(list.map { state.timeouts[$0] }, to: to, viewMax: view, in: &state)
      return state.processes[to].replica.currentView > view || failure != nil
    case .timer(let process):
      state.timers -= 1
      try act(.timer, process, in: &state)
    case .crash(let process):
      state.crashes -= 1
      if bounds.losesRecords {
        state.processes[process].disk = [:]
        seal(&state.processes[process])
      }
      try act(.start, process, in: &state)
    }
    return true
  }

  private mutating func receive(_ sent: [Sent], to process: Int, viewMax: UInt64, in state: inout State) throws {
    let messages = sent.map { (author: $0.author, bytes: $0.bytes, exact: $0.exact) }
    try act(.receive(messages, viewMax: viewMax), process, in: &state)
  }

  // MARK: One process

  /// Lets a process act, and the others see it.
  private mutating func act(_ action: Action, _ process: Int, in state: inout State) throws {
    let outcome = try outcome(of: action, for: state.processes[process])
    state.processes[process] = outcome.process
    for output in outcome.outputs where failure == nil { try show(output, of: process, in: &state) }
  }

  private mutating func outcome(of action: Action, for process: Process) throws -> Outcome {
    let key = action.digest(of: process)
    if let known = outcomes[key] { return known }
    var outcome = Outcome(process: process)
    switch action {
    case .start:
      let records = process.disk.map { (key: $0.key, value: $0.value) }
      outcome.process.replica = try Replica(
        configuration: try group.configuration(of: process.index), genesis: AppendLog(),
        recovered: RecoveredRecords(records))
      step(.start, &outcome)
      step(.submit([process.entry]), &outcome)
    case .receive(let messages, let viewMax):
      for message in messages where outcome.process.replica.currentView <= viewMax {
        step(.message(from: ReplicaIndex(rawValue: UInt16(message.author)), message.bytes), &outcome)
      }
    case .timer:
      // A fetch's timer may come first.
      for _ in 0..<8 where !hasGivenUp(outcome.process) {
        guard let at = outcome.process.replica.nextWakeUp else { break }
        outcome.process.now.monotonicNanoseconds = max(outcome.process.now.monotonicNanoseconds, at)
        step(.wakeUp, &outcome)
      }
    }
    for case .sent(let message, _) in outcome.outputs {
      if case .proposal(let proposal) = message.body { learn(proposal.block) }
    }
    seal(&outcome.process)
    outcomes[key] = outcome
    return outcome
  }

  /// One step, and what its signatures and reads lead to.
  private func step(_ input: Input, _ outcome: inout Outcome) {
    var inputs = [input]
    while !inputs.isEmpty {
      let effects = outcome.process.replica.step(inputs.removeFirst(), now: outcome.process.now)
      for effect in effects { perform(effect, &outcome, &inputs) }
    }
  }

  private func perform(_ effect: Effect<AppendLog>, _ outcome: inout Outcome, _ inputs: inout [Input]) {
    switch effect {
    case .persist(let records, let then):
      for record in records { outcome.process.disk[record.key] = record.value }
      for effect in then { perform(effect, &outcome, &inputs) }
    case .sign(let request):
      inputs.append(.signed(request, group.keys[outcome.process.index].sign(request.message)))
    case .load(let request):
      let records = outcome.process.disk.map { (key: $0.key, value: $0.value) }
      let found = try? RecoveredRecords(records).scan(request.prefix, request.from, request.limit)
      inputs.append(.loaded(request, found ?? []))
    case .broadcast(let bytes):
      if let message = try? Message(decoding: bytes) { outcome.outputs.append(.sent(message, bytes)) }
    case .send(let peer, let bytes):
      guard let message = try? Message(decoding: bytes) else { return }
      switch message.body {
      case .fetch, .blocks: outcome.outputs.append(.asked(peer: Int(peer.rawValue), bytes))
      default: outcome.outputs.append(.sent(message, bytes))
      }
    case .decided(let block): outcome.outputs.append(.decided(block))
    case .misbehaviour(let proof): outcome.outputs.append(.accused(Int(proof.offender.rawValue)))
    // Nothing is restored in a search, and twins are no news to each other.
    case .observation: break
    case .halted(let error): outcome.outputs.append(.halted(error))
    }
  }

  // MARK: What others see

  private mutating func show(_ output: Output, of process: Int, in state: inout State) throws {
    let index = state.processes[process].index
    switch output {
    case .sent(let message, let bytes): send(message, bytes, by: index, in: &state)
    case .asked(let peer, let bytes):
      let message = (author: index, bytes: bytes, exact: SHA256.hash(bytes))
      for to in state.processes.indices where state.processes[to].index == peer {
        try act(.receive([message], viewMax: .max), to, in: &state)
      }
    case .decided(let block): decided(block, by: process, in: &state)
    case .accused(let offender): if !isLiar(offender) { fail("honest replica \(offender) is accused") }
    case .halted(let error): if !isLiar(index) { fail("process \(process) halts: \(error)") }
    }
  }

  private mutating func send(_ message: Message, _ bytes: [UInt8], by index: Int, in state: inout State) {
    switch message.body {
    case .proposal(let proposal):
      add(message, bytes, by: index, view: proposal.block.view, proposal.block.id, to: &state.proposals)
      vote(proposal.vote, message, bytes, in: &state)
    case .vote(let vote): self.vote(vote, message, bytes, in: &state)
    case .timeout(let timeout):
      let digest = SHA256.hash(timeout.content.encode())
      for known in state.timeouts where known.author == index && known.view == timeout.view && known.digest != digest {
        if !isLiar(index) { return fail("replica \(index) signed two timeouts of view \(timeout.view)") }
      }
      add(message, bytes, by: index, view: timeout.view, digest, to: &state.timeouts)
    default: break
    }
  }

  private func add(
    _ message: Message, _ bytes: [UInt8], by author: Int, view: UInt64, _ digest: Digest, to list: inout [Sent]
  ) {
    guard !list.contains(where: { $0.author == author && $0.digest == digest }) else { return }
    let name = { (id: Digest) in names[id] ?? id }
    let said: Digest =
      switch message.body {
      case .proposal(let proposal): name(proposal.block.id)
      case .vote(let vote): name(vote.statement.proposed.id)
      case .timeout(let timeout): timeout.content.shape(name)
      default: .zero
      }
    let shape = SHA256.hash([UInt8(author)] + said.bytes + message.sync.shape(name).bytes)
    list.append(
      Sent(author: author, view: view, digest: digest, bytes: bytes, shape: shape, exact: SHA256.hash(bytes)))
  }

  // MARK: What must hold

  private mutating func fail(_ message: String) {
    if failure == nil { failure = message }
  }

  private mutating func vote(_ vote: Vote, _ message: Message, _ bytes: [UInt8], in state: inout State) {
    let (author, digest) = (Int(vote.author.rawValue), SHA256.hash(vote.statement.encode()))
    for known in state.votes where known.author == author && known.view == vote.view && known.digest != digest {
      if !isLiar(author) { return fail("replica \(author) signed two votes in view \(vote.view)") }
    }
    add(message, bytes, by: author, view: vote.view, digest, to: &state.votes)
  }

  private mutating func decided(_ decided: DecidedBlock<AppendLog>, by process: Int, in state: inout State) {
    guard !isLiar(state.processes[process].index) else { return }
    let height = Int(decided.height)
    guard height <= state.chain.count + 1 else { return fail("process \(process) skips to height \(height)") }
    if height == state.chain.count + 1 {
      if let below = state.chain.last, decided.block.parent != below { fail("height \(height) is on no chain") }
      state.chain.append(decided.info.id)
    } else if state.chain[height - 1] != decided.info.id {
      fail("two blocks are final at height \(height), the second by process \(process)")
    }
  }
}
