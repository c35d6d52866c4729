import SyncProof

/// What changes for proofs when verifiers replace one trust policy by another.
///
/// Two questions, each answered for every proof that there can be, not for those that there are. *Accepted*: is what
/// the old policy accepts accepted by the new one? *Trusted*: is what the new policy accepts accepted by the old one,
/// so that nobody gains a say that it did not have? Both policies are monotone, so that one of the least sets of
/// signers that satisfy the one and not the other is a counterexample, and shows whose signatures it takes.
///
/// Of proofs that lines signed by nobody were added to, this says nothing: a policy that knows a name refuses a line
/// by that name under another key, where one that does not know it passes over the line.
public struct PolicyChange: Hashable, Sendable {
  /// Why a proof that one policy accepts is not accepted by the other.
  public enum Finding: Hashable, Sendable {
    /// A log's key that the other does not have; its name and the start of its key.
    case log(key: Text)
    /// Cosignatures by these, names of the first policy, meet its quorum and not the other's. May be empty: the first
    /// asks for no quorum.
    case quorum(by: [Text])
    /// The same for reveals by builders.
    case reproducers(by: [Text])
    /// A reveal that this builder, a name of the first policy, signs: the other knows its name under other keys alone
    /// and refuses the whole proof.
    case keyOfBuilder(Text)
    /// More than ``workMax`` would be to look at; named is what: `quorum` or `reproducers`.
    case undecided(Text)
  }

  /// What the old policy accepts and the new one does not.
  public let refused: [Finding]
  /// What the new policy accepts and the old one does not.
  public let weakened: [Finding]

  /// Partial sets of signers that are looked at for one question, times the groups of both policies: what bounds time
  /// (some seconds) and memory (some 100 MB). Two policies of one flat group of 1,024 take an eighth of it.
  public static let workMax = 8_000_000

  public init(from old: Policy, to new: Policy) {
    refused = PolicyChange.findings(accepted: old, by: new)
    weakened = PolicyChange.findings(accepted: new, by: old)
  }

  private static func findings(accepted first: Policy, by second: Policy) -> [Finding] {
    var findings: [Finding] = []
    for log in first.logs where !second.logs.contains(where: { $0.key == log.key }) {
      findings.append(.log(key: shortened(log.key)))
    }
    let quorum = Requirement(first.quorum, groups: first.groups, signers: first.witnesses.map { ($0.name, $0.key) })
    let otherQuorum = Requirement(
      second.quorum, groups: second.groups, signers: second.witnesses.map { ($0.name, $0.key) })
    switch Search(quorum, otherQuorum).counterexample() {
    case .none: break
    case .found(let names): findings.append(.quorum(by: names))
    case .tooMany: findings.append(.undecided("quorum"))
    }
    for builder in first.builders {
      let namesakes = second.builders.filter { $0.key.name == builder.key.name }
      if !namesakes.isEmpty, !namesakes.contains(where: { $0.key == builder.key }) {
        findings.append(.keyOfBuilder(builder.name))
      }
    }
    let reproducers = Requirement(
      first.reproducers, groups: first.groups, signers: first.builders.map { ($0.name, $0.key) })
    let otherReproducers = Requirement(
      second.reproducers, groups: second.groups, signers: second.builders.map { ($0.name, $0.key) })
    switch Search(reproducers, otherReproducers).counterexample() {
    case .none: break
    case .found(let names): findings.append(.reproducers(by: names))
    case .tooMany: findings.append(.undecided("reproducers"))
    }
    return findings
  }

  /// A key as people recognise it: its name and ID.
  private static func shortened(_ key: NoteKey) -> Text {
    let text = key.vkey
    return Text(utf8: [UInt8](text[..<(text.lastIndex(of: UInt8(ascii: "+")) ?? text.endIndex)]))
  }
}

/// What a policy asks for, as a tree whose leaves are keys. No key and no group is in it twice (``Policy`` sees to it).
private struct Requirement {
  struct Gate {
    let threshold: Int
    let members: Int
    /// `nil` at the root.
    let parent: Int?
  }

  /// The root first, each group before its members. Empty where nothing is asked for.
  private(set) var gates: [Gate] = []
  /// In the order of the tree, so that groups come to an end one after another.
  private(set) var leaves: [(name: Text, key: NoteKey, gate: Int)] = []

  init(_ root: Text?, groups: [PolicyGroup], signers: [(Text, NoteKey)]) {
    guard let root else { return }
    gates.append(Gate(threshold: 1, members: 1, parent: nil))
    // Depth first, without recursion: a policy may nest a thousand groups.
    var waiting = [(root, 0)]
    while let (name, parent) = waiting.popLast() {
      if let group = groups.first(where: { $0.name == name }) {
        gates.append(Gate(threshold: group.threshold, members: group.members.count, parent: parent))
        for member in group.members.reversed() { waiting.append((member, gates.count - 1)) }
      } else if let (_, key) = signers.first(where: { $0.0 == name }) {
        leaves.append((name, key, parent))
      }
    }
  }

  /// How far each gate is: signers and groups that hold, and such as no longer can.
  struct Count: Hashable {
    var held: Int32 = 0
    var lost: Int32 = 0
  }

  enum Answer: Equatable { case yes, no, open }

  func start() -> [Count] { [Count](repeating: Count(), count: gates.count) }

  func answer(_ counts: [Count]) -> Answer {
    guard let root = gates.first else { return .yes }
    return answer(of: root, counts[0])
  }

  private func answer(of gate: Gate, _ count: Count) -> Answer {
    if Int(count.held) >= gate.threshold { return .yes }
    return Int(count.lost) > gate.members - gate.threshold ? .no : .open
  }

  /// Records whether the leaf signs. What a decided group still has coming changes nothing, so that its counts stay as
  /// they were when it was decided: fewer cases are then different.
  func take(_ leaf: Int, signs: Bool, _ counts: inout [Count]) {
    var (gate, holds) = (leaves[leaf].gate, signs)
    while answer(of: gates[gate], counts[gate]) == .open {
      if holds { counts[gate].held += 1 } else { counts[gate].lost += 1 }
      let now = answer(of: gates[gate], counts[gate])
      guard now != .open, let parent = gates[gate].parent else { return }
      // Decided, all that led here is alike.
      counts[gate] = now == .yes ? Count(held: Int32(gates[gate].threshold)) : Count(lost: Int32(gates[gate].members))
      (gate, holds) = (parent, now == .yes)
    }
  }
}

/// Looks for signers that satisfy the first requirement and not the second.
private struct Search {
  enum Result { case none, found([Text]), tooMany }

  private let first: Requirement
  private let second: Requirement
  private var counts: [Requirement.Count]
  private var others: [Requirement.Count]
  /// Leaves of the first that the second knows too, with their places in the second.
  private var shared: [(first: Int, second: Int)] = []
  /// Those that it does not know: they sign, which helps the first alone.
  private var alone: [Int] = []

  init(_ first: Requirement, _ second: Requirement) {
    (self.first, self.second) = (first, second)
    (counts, others) = (first.start(), second.start())
    var known = Set<Int>()
    for i in first.leaves.indices {
      if let j = second.leaves.firstIndex(where: { $0.key == first.leaves[i].key }) {
        shared.append((i, j))
        known.insert(j)
      } else {
        alone.append(i)
        first.take(i, signs: true, &counts)
      }
    }
    for j in second.leaves.indices where !known.contains(j) { second.take(j, signs: false, &others) }
  }

  private struct Case: Hashable {
    let next: Int
    let counts: [Requirement.Count]
    let others: [Requirement.Count]
  }

  func counterexample() -> Result {
    var seen = Set<Case>()
    var waiting: [(at: Case, signed: [Int])] = [(Case(next: 0, counts: counts, others: others), [])]
    while let (at, signed) = waiting.popLast() {
      let (mine, theirs) = (first.answer(at.counts), second.answer(at.others))
      // Nothing below here is an example: the first cannot be satisfied any more, or the second is.
      guard mine != .no, theirs != .yes else { continue }
      if mine == .yes { return .found(example(signed)) }
      guard at.next < shared.count, seen.insert(at).inserted else { continue }
      guard seen.count * (counts.count + others.count) <= PolicyChange.workMax else { return .tooMany }
      let pair = shared[at.next]
      for signs in [true, false] {
        var (counts, others) = (at.counts, at.others)
        first.take(pair.first, signs: signs, &counts)
        second.take(pair.second, signs: signs, &others)
        let next = Case(next: at.next + 1, counts: counts, others: others)
        waiting.append((next, signs ? signed + [pair.first] : signed))
      }
    }
    return .none
  }

  /// The signers without those that it does not take, in the order of the tree.
  private func example(_ signed: [Int]) -> [Text] {
    var needed = (signed + alone).sorted()
    for candidate in needed {
      let fewer = needed.filter { $0 != candidate }
      if satisfies(fewer) { needed = fewer }
    }
    return needed.map { first.leaves[$0].name }
  }

  private func satisfies(_ signed: [Int]) -> Bool {
    var counts = first.start()
    for leaf in first.leaves.indices { first.take(leaf, signs: signed.contains(leaf), &counts) }
    return first.answer(counts) == .yes
  }
}
