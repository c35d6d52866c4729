/// Everything that goes wrong in one simulation, in no order that matters.
public struct ConsensusFaultPlan: Hashable, Sendable {
  public var faults: [ConsensusFault]
  /// In the next epoch, where this one ends; times count from its beginning.
  public var next: [ConsensusFault]

  public init(_ faults: [ConsensusFault] = [], next: [ConsensusFault] = []) {
    (self.faults, self.next) = (faults, next)
  }

  /// One line for each fault, with semicolons between: what `--faults` takes.
  public var text: String {
    (faults.map(\.description) + next.map { Self.nextMark + $0.description }).joined(separator: ";")
  }

  /// What a line of the next epoch begins with.
  private static let nextMark = "next "

  /// Reads lines that are separated by semicolons or line feeds; blanks around a line and empty lines do not matter.
  /// A line of the next epoch begins with `next` and one blank.
  ///
  /// - Throws: With the first line that is none.
  public init(parsing text: String) throws(ConsensusFaultError) {
    (faults, next) = ([], [])
    for line in text.split(whereSeparator: { $0 == ";" || $0.isNewline }) {
      let line = line.drop { $0 == " " }
      guard let end = line.lastIndex(where: { $0 != " " }) else { continue }
      if line.hasPrefix(Self.nextMark) {
        next.append(try ConsensusFault(parsing: String(line[...end].dropFirst(Self.nextMark.count))))
      } else {
        faults.append(try ConsensusFault(parsing: String(line[...end])))
      }
    }
  }

  /// Replicas that prove nothing about the rules: twins and liars.
  var faulty: Set<UInt16> {
    Set(
      faults.compactMap {
        switch $0 {
        case .twin(let replica), .liar(let replica): UInt16(replica)
        default: nil
        }
      })
  }

  /// Replicas that run twice, ascending.
  var twins: [UInt16] {
    Set(faults.compactMap { if case .twin(let replica) = $0 { UInt16(replica) } else { nil } }).sorted()
  }

  var dead: Set<Int> { Set(faults.compactMap { if case .dead(let instance, _) = $0 { instance } else { nil } }) }

  /// Instances whose disks are put back: away, as it were, until they sign again.
  var restored: Set<Int> {
    Set(faults.compactMap { if case .restored(let instance, _, _, _) = $0 { instance } else { nil } })
  }

  /// Of this epoch alone.
  ///
  /// - Throws: When it names what the group has not, or makes more replicas faulty or dead than the group tolerates.
  func check(replicas: Int) throws(ConsensusFaultError) {
    let instances = replicas + twins.count
    for fault in faults {
      let bound =
        switch fault {
        case .twin, .liar: replicas
        default: instances
        }
      guard fault.named.allSatisfy({ $0 < bound }) else {
        throw ConsensusFaultError("\"\(fault)\" names what a group of \(replicas) has not")
      }
    }
    let lost = faulty.union(dead.union(restored).map { $0 < replicas ? UInt16($0) : twins[$0 - replicas] })
    let tolerated = (replicas - 1) / 3
    guard lost.count <= tolerated else {
      throw ConsensusFaultError(
        "\(lost.count) replicas are faulty, dead or restored; a group of \(replicas) tolerates \(tolerated)")
    }
  }
}
