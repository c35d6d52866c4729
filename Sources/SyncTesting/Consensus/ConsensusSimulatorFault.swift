/// One thing that goes wrong in a simulation, with its time; one line of text.
///
/// Instances are processes, numbered as the replicas; the second process of a twin comes behind them. Times and
/// durations are whole milliseconds of virtual time, rates are per mille, a window holds its first millisecond and not
/// its last.
///
/// ```
/// crash 1 write 17 before down 300       the process ends at its 17th write: before anything is written,
/// crash 1 write 17 inside down 300       in it, with the power: a suffix of what is not synced is lost,
/// crash 1 write 17 after down 300        or once it is durable, and before anything that waited for it
/// crash 1 effect 40 down 300             the process ends behind the 40th effect that it performed
/// crash 1 at 900 down 300                the process ends at a time
/// power 1 at 900 down 300                the same with its power: a suffix of what is not synced is lost
/// restored 1 to 300 at 900 down 300      the process ends, its disk is put back to what it was, its operator says so
/// sync-fails 1 write 17 lost down 300    the sync reports an error, so the process must stop; nothing was written,
/// sync-fails 1 write 17 kept down 300    or it was written all the same
/// crashes 50 from 0 to 4000              at so many of all writes and effects a process ends
/// dead 2 at 900                          the process ends and stays away, to the end
/// slow 1 by 200 from 0 to 4000           its messages and its writes take so much longer
/// partition 0,1|2,3 from 500 to 900      nothing passes between the two sides
/// one-way 0,1>2,3 from 500 to 900        nothing passes from the first to the second
/// drop 50 from 0 to 4000                 messages are lost
/// duplicate 30 from 0 to 4000            messages arrive twice
/// delay 50 by 400 from 0 to 4000         messages take up to so much longer
/// reorder 50 from 0 to 4000              messages wait for ones that were sent after them
/// garbage 50 from 0 to 4000              behind a message comes what its sender never sent: noise, or it with a bit
///                                        turned
/// clock 1 by -500 at 900                 the wall clock jumps
/// drift 1 by 200                         both clocks run so many parts in a million faster
/// twin 2                                 two processes run with the replica's keys
/// liar 2                                 the replica votes for everything, leads from stale certificates, and hides
///                                        certificates
/// ```
public enum ConsensusFault: Hashable, Sendable {
  /// Where in a write a process ends.
  public enum Moment: String, Hashable, Sendable, CaseIterable { case before, inside, after }

  /// Milliseconds from the start of the simulation.
  public struct Window: Hashable, Sendable {
    public let from: UInt64
    public let to: UInt64
    public init(from: UInt64, to: UInt64) { (self.from, self.to) = (from, to) }
  }

  case crashAtWrite(instance: Int, write: Int, Moment, down: UInt64)
  case crashAtEffect(instance: Int, effect: Int, down: UInt64)
  case crash(instance: Int, at: UInt64, down: UInt64)
  case powerCut(instance: Int, at: UInt64, down: UInt64)
  case restored(instance: Int, to: UInt64, at: UInt64, down: UInt64)
  case failedSync(instance: Int, write: Int, isKept: Bool, down: UInt64)
  case crashes(perMille: UInt64, Window)
  case dead(instance: Int, at: UInt64)
  case slow(instance: Int, by: UInt64, Window)
  case partition([Int], [Int], Window)
  case oneWay(from: [Int], to: [Int], Window)
  case drop(perMille: UInt64, Window)
  case duplicate(perMille: UInt64, Window)
  case delay(perMille: UInt64, by: UInt64, Window)
  case reorder(perMille: UInt64, Window)
  case garbage(perMille: UInt64, Window)
  case clock(instance: Int, by: Int64, at: UInt64)
  case drift(instance: Int, partsPerMillion: Int64)
  case twin(replica: Int)
  case liar(replica: Int)

  /// Whether it ends a process that comes back.
  var isCrash: Bool {
    switch self {
    case .crashAtWrite, .crashAtEffect, .crash, .powerCut, .restored, .failedSync, .crashes: true
    default: false
    }
  }

  /// The instances and replicas that it names.
  var named: [Int] {
    switch self {
    case .crashAtWrite(let instance, _, _, _), .crashAtEffect(let instance, _, _), .crash(let instance, _, _),
      .powerCut(let instance, _, _), .restored(let instance, _, _, _), .failedSync(let instance, _, _, _),
      .dead(let instance, _), .slow(let instance, _, _), .clock(let instance, _, _), .drift(let instance, _),
      .twin(let instance),
      .liar(let instance):
      [instance]
    case .partition(let a, let b, _), .oneWay(let a, let b, _): a + b
    case .crashes, .drop, .duplicate, .delay, .reorder, .garbage: []
    }
  }
}

/// Why a text is no plan of faults, or a plan none for a group.
public struct ConsensusFaultError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

// MARK: - Text

extension ConsensusFault.Window {
  var text: String { "from \(from) to \(to)" }
}

extension ConsensusFault: CustomStringConvertible {
  /// The line of the table.
  public var description: String {
    func list(_ instances: [Int]) -> String { instances.map(String.init).joined(separator: ",") }
    return switch self {
    case .crashAtWrite(let i, let write, let moment, let down): "crash \(i) write \(write) \(moment) down \(down)"
    case .crashAtEffect(let i, let effect, let down): "crash \(i) effect \(effect) down \(down)"
    case .crash(let i, let at, let down): "crash \(i) at \(at) down \(down)"
    case .powerCut(let i, let at, let down): "power \(i) at \(at) down \(down)"
    case .restored(let i, let to, let at, let down): "restored \(i) to \(to) at \(at) down \(down)"
    case .failedSync(let i, let write, let isKept, let down):
      "sync-fails \(i) write \(write) \(isKept ? "kept" : "lost") down \(down)"
    case .crashes(let rate, let window): "crashes \(rate) \(window.text)"
    case .dead(let i, let at): "dead \(i) at \(at)"
    case .slow(let i, let by, let window): "slow \(i) by \(by) \(window.text)"
    case .partition(let a, let b, let window): "partition \(list(a))|\(list(b)) \(window.text)"
    case .oneWay(let a, let b, let window): "one-way \(list(a))>\(list(b)) \(window.text)"
    case .drop(let rate, let window): "drop \(rate) \(window.text)"
    case .duplicate(let rate, let window): "duplicate \(rate) \(window.text)"
    case .delay(let rate, let by, let window): "delay \(rate) by \(by) \(window.text)"
    case .reorder(let rate, let window): "reorder \(rate) \(window.text)"
    case .garbage(let rate, let window): "garbage \(rate) \(window.text)"
    case .clock(let i, let by, let at): "clock \(i) by \(by) at \(at)"
    case .drift(let i, let parts): "drift \(i) by \(parts)"
    case .twin(let replica): "twin \(replica)"
    case .liar(let replica): "liar \(replica)"
    }
  }

  /// Reads one line of the table, as ``description`` writes it: single spaces, numbers without leading zeros.
  ///
  /// - Throws: With the line, where it is none of the table's or passes a bound: 1 to 1,000 per mille, windows that are
  ///   not empty and end within an hour, a minute's delay or time away, clocks that jump by at most a minute and drift
  ///   by at most 100,000 parts, each side of a cut named in ascending order.
  public init(parsing line: String) throws(ConsensusFaultError) {
    var words = FaultWords(line)
    guard let fault = ConsensusFault(&words), words.isAtEnd, fault.description == line else {
      throw ConsensusFaultError("\"\(line)\" is no fault")
    }
    self = fault
  }

  private init?(_ words: inout FaultWords) {
    switch words.next() {
    case "crash":
      guard let instance = words.instance() else { return nil }
      switch words.next() {
      case "write":
        guard let write = words.count(), let moment = Moment(rawValue: words.next()), let down = words.down() else {
          return nil
        }
        self = .crashAtWrite(instance: instance, write: write, moment, down: down)
      case "effect":
        guard let effect = words.count(), let down = words.down() else { return nil }
        self = .crashAtEffect(instance: instance, effect: effect, down: down)
      case "at":
        guard let at = words.time(), let down = words.down() else { return nil }
        self = .crash(instance: instance, at: at, down: down)
      default: return nil
      }
    case "power":
      guard let instance = words.instance(), let at = words.time(after: "at"), let down = words.down() else {
        return nil
      }
      self = .powerCut(instance: instance, at: at, down: down)
    case "restored":
      guard let instance = words.instance(), let to = words.time(after: "to"), let at = words.time(after: "at"),
        to < at, let down = words.down()
      else { return nil }
      self = .restored(instance: instance, to: to, at: at, down: down)
    case "sync-fails":
      guard let instance = words.instance(), words.take("write"), let write = words.count(),
        let isKept = ["lost": false, "kept": true][words.next()], let down = words.down()
      else { return nil }
      self = .failedSync(instance: instance, write: write, isKept: isKept, down: down)
    case "dead":
      guard let instance = words.instance(), let at = words.time(after: "at") else { return nil }
      self = .dead(instance: instance, at: at)
    case "slow":
      guard let instance = words.instance(), let by = words.duration(), let window = words.window() else { return nil }
      self = .slow(instance: instance, by: by, window)
    case "clock":
      guard let instance = words.instance(), let by = words.signed(max: 60_000), let at = words.time(after: "at")
      else { return nil }
      self = .clock(instance: instance, by: by, at: at)
    case "drift":
      guard let instance = words.instance(), let parts = words.signed(max: 100_000) else { return nil }
      self = .drift(instance: instance, partsPerMillion: parts)
    case "twin":
      guard let replica = words.instance() else { return nil }
      self = .twin(replica: replica)
    case "liar":
      guard let replica = words.instance() else { return nil }
      self = .liar(replica: replica)
    case let kind: self.init(ofNetwork: kind, &words)
    }
  }

  private init?(ofNetwork kind: String, _ words: inout FaultWords) {
    switch kind {
    case "partition", "one-way":
      let separator: Character = kind == "partition" ? "|" : ">"
      guard let (a, b) = words.sides(separator), let window = words.window() else { return nil }
      self = kind == "partition" ? .partition(a, b, window) : .oneWay(from: a, to: b, window)
    case "delay":
      guard let rate = words.rate(), let by = words.duration(), let window = words.window() else { return nil }
      self = .delay(perMille: rate, by: by, window)
    case "crashes", "drop", "duplicate", "reorder", "garbage":
      guard let rate = words.rate(), let window = words.window() else { return nil }
      switch kind {
      case "crashes": self = .crashes(perMille: rate, window)
      case "drop": self = .drop(perMille: rate, window)
      case "duplicate": self = .duplicate(perMille: rate, window)
      case "reorder": self = .reorder(perMille: rate, window)
      default: self = .garbage(perMille: rate, window)
      }
    default: return nil
    }
  }
}

/// The words of a line, taken one by one.
private struct FaultWords {
  private var words: ArraySlice<Substring>

  init(_ line: String) { words = line.split(separator: " ", omittingEmptySubsequences: false)[...] }

  var isAtEnd: Bool { words.isEmpty }
  mutating func next() -> String { words.popFirst().map(String.init) ?? "" }
  mutating func take(_ word: String) -> Bool { next() == word }

  private func number(_ text: some StringProtocol, max: UInt64) -> UInt64? {
    UInt64(text).flatMap { $0 <= max ? $0 : nil }
  }

  mutating func instance() -> Int? { number(next(), max: 1_000).map(Int.init) }
  mutating func count() -> Int? { number(next(), max: 1_000_000_000).flatMap { $0 > 0 ? Int($0) : nil } }
  mutating func time() -> UInt64? { number(next(), max: 3_600_000) }
  mutating func time(after word: String) -> UInt64? { take(word) ? time() : nil }
  mutating func down() -> UInt64? { take("down") ? number(next(), max: 60_000) : nil }
  mutating func duration() -> UInt64? { take("by") ? number(next(), max: 60_000) : nil }
  mutating func rate() -> UInt64? { number(next(), max: 1_000).flatMap { $0 > 0 ? $0 : nil } }

  mutating func signed(max: Int64) -> Int64? {
    guard take("by"), let value = Int64(next()), (-max...max).contains(value) else { return nil }
    return value
  }

  mutating func window() -> ConsensusFault.Window? {
    guard let from = time(after: "from"), let to = time(after: "to"), from < to else { return nil }
    return ConsensusFault.Window(from: from, to: to)
  }

  mutating func sides(_ separator: Character) -> ([Int], [Int])? {
    let sides = next().split(separator: separator, omittingEmptySubsequences: false).map { side in
      side.split(separator: ",", omittingEmptySubsequences: false).map { number($0, max: 1_000).map(Int.init) }
    }
    guard sides.count == 2, !sides.joined().contains(nil) else { return nil }
    let (a, b) = (sides[0].compactMap(\.self), sides[1].compactMap(\.self))
    guard a == Set(a).sorted(), b == Set(b).sorted(), Set(a).isDisjoint(with: b) else { return nil }
    return (a, b)
  }
}
