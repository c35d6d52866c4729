import SyncProof

/// Why bytes differ, as far as they tell: a guess with what it rests on.
public struct DivergenceCause: Sendable, Equatable, Codable {
  /// What the bytes depend on. Words never change their meaning; new ones may come.
  public enum Code: String, Sendable, Codable, CaseIterable {
    /// The clock of the build.
    case time
    /// An absolute path.
    case path
    /// The order in which something was listed.
    case order
    /// Random numbers, or names that are made from a hash.
    case random
    /// Another compiler or linker.
    case compiler
    /// Owner or permissions that an archive records.
    case metadata
    /// None of these shows.
    case unknown
  }
  public enum Confidence: String, Sendable, Codable {
    /// The format says so: a time field, equal lines in another order.
    case certain
    case likely
    case possible
  }
  public let code: Code
  public let confidence: Confidence
  /// Member or section; empty for the file as a whole.
  public let place: String
  /// What stands in the first and in the second file, cut and printable.
  public let first: String
  public let second: String
}

/// Looks for causes in the stretches where two files differ. Pure; every list is bounded.
struct CauseGuess {
  private static let perCodeMax = 3
  private static let stringsMax = 512
  private static let stringBytesMax = 256
  private static let windowBytesMax = 1 << 20

  private let comparison: ByteComparison
  private let clock: BuildClock
  private(set) var causes: [DivergenceCause] = []

  /// - Parameter clock: Around when the builds ran.
  init(_ comparison: ByteComparison, clock: BuildClock) {
    (self.comparison, self.clock) = (comparison, clock)
    if comparison.isReordered {
      add(.order, .certain, "", "the same lines or members", "in another order")
    }
    for difference in comparison.differences { look(at: difference) }
    if causes.isEmpty { for difference in comparison.differences { lookForRandom(in: difference) } }
    if causes.isEmpty, comparison.firstDifference != nil {
      let strings = comparison.differences.first.map { differingStrings($0) }
      add(
        .unknown, .possible, comparison.differences.first?.place ?? "", strings?.first.first?.text ?? "",
        strings?.second.first?.text ?? "")
    }
  }

  private mutating func add(
    _ code: DivergenceCause.Code, _ confidence: DivergenceCause.Confidence, _ place: String, _ first: String,
    _ second: String
  ) {
    guard causes.count(where: { $0.code == code }) < CauseGuess.perCodeMax else { return }
    causes.append(
      DivergenceCause(
        code: code, confidence: confidence, place: place, first: String(first.prefix(200)),
        second: String(second.prefix(200))))
  }

  private mutating func look(at difference: ByteComparison.PartDifference) {
    switch difference.first.role {
    case .arHeader: return lookAtFields(difference, ArFields.all)
    case .zipLocal: return lookAtFields(difference, ZipFields.local)
    case .zipRecord: return lookAtFields(difference, ZipFields.record)
    case .gzipHeader: return lookAtFields(difference, ZipFields.gzip)
    case .content: break
    }
    let place = difference.place
    let strings = differingStrings(difference)
    if place.hasSuffix("section .comment") {
      add(.compiler, .certain, place, strings.first.first?.text ?? "", strings.second.first?.text ?? "")
      return
    }
    if let a = strings.first.first(where: \.namesCompiler), let b = strings.second.first(where: \.namesCompiler) {
      add(.compiler, .likely, place, a.text, b.text)
    }
    if let (a, b) = clock.differing(strings.first, strings.second) {
      add(.time, .likely, place, a, b)
    } else if let (a, b) = clock.differingNumbers(difference.regions, comparison.first, comparison.second) {
      add(.time, .possible, place, a, b)
    }
    let (firstPaths, secondPaths) = (strings.first.flatMap(\.paths), strings.second.flatMap(\.paths))
    if let a = firstPaths.first(where: { !secondPaths.contains($0) }),
      let b = secondPaths.first(where: { !firstPaths.contains($0) })
    {
      add(.path, .likely, place, a, b)
    }
    if !comparison.isReordered, isPermuted(difference) {
      add(.order, .possible, place, "the same bytes", "in another order")
    }
  }

  // MARK: Archives' own fields

  private mutating func lookAtFields(_ difference: ByteComparison.PartDifference, _ fields: [HeaderField]) {
    for field in fields {
      guard let a = field.text(difference.first.range, comparison.first),
        let b = field.text(difference.second.range, comparison.second), a != b
      else { continue }
      add(field.code, .certain, difference.place, "\(field.name) \(a)", "\(field.name) \(b)")
    }
  }

  // MARK: Strings

  /// Printable strings at and around the differing stretches, those that both sides have taken off.
  private func differingStrings(
    _ difference: ByteComparison.PartDifference
  ) -> (first: [FoundString], second: [FoundString]) {
    var first: [FoundString] = []
    var second: [FoundString] = []
    for region in difference.regions {
      collect(comparison.first, region.first, within: difference.first.range, into: &first)
      collect(comparison.second, region.second, within: difference.second.range, into: &second)
    }
    return FoundString.withoutCommon(first, second)
  }

  private func collect(_ bytes: [UInt8], _ region: Range<Int>, within part: Range<Int>, into found: inout [FoundString])
  {
    var start = region.lowerBound
    while start > part.lowerBound, region.lowerBound - start < CauseGuess.stringBytesMax,
      FoundString.isPrintable(bytes[start - 1])
    { start -= 1 }
    var end = min(region.upperBound, region.lowerBound + CauseGuess.windowBytesMax)
    let core = end
    while end < part.upperBound, end - core < CauseGuess.stringBytesMax, FoundString.isPrintable(bytes[end]) {
      end += 1
    }
    for run in bytes[start..<end].split(whereSeparator: { !FoundString.isPrintable($0) })
    where run.count >= FoundString.bytesMin && found.count < CauseGuess.stringsMax {
      found.append(FoundString(bytes: Array(run.prefix(2 * CauseGuess.stringBytesMax))))
    }
  }

  // MARK: Order and randomness

  /// As many of each byte, and the same strings: what was listed is listed in another order.
  private func isPermuted(_ difference: ByteComparison.PartDifference) -> Bool {
    guard difference.first.range.count == difference.second.range.count, difference.differingBytes >= 16 else {
      return false
    }
    var counts = [Int](repeating: 0, count: 256)
    for byte in comparison.first[difference.first.range] { counts[Int(byte)] += 1 }
    for byte in comparison.second[difference.second.range] { counts[Int(byte)] -= 1 }
    return counts.allSatisfy { $0 == 0 }
  }

  private mutating func lookForRandom(in difference: ByteComparison.PartDifference) {
    guard difference.first.role == .content else { return }
    let strings = differingStrings(difference)
    let (named, others) = (strings.first.map(\.withoutHashes), strings.second.map(\.withoutHashes))
    if !named.isEmpty, named.sorted() == others.sorted() {
      return add(.random, .likely, difference.place, strings.first[0].text, strings.second[0].text)
    }
    let a = sample(difference.regions.map(\.first), comparison.first)
    let b = sample(difference.regions.map(\.second), comparison.second)
    if Entropy.isHigh(a), Entropy.isHigh(b) {
      let (x, y) = (Hex.encode(a.prefix(16)), Hex.encode(b.prefix(16)))
      add(.random, .possible, difference.place, String(decoding: x, as: UTF8.self), String(decoding: y, as: UTF8.self))
    }
  }

  private func sample(_ regions: [Range<Int>], _ bytes: [UInt8]) -> [UInt8] {
    var sample: [UInt8] = []
    for region in regions where sample.count < 1 << 16 { sample += bytes[region].prefix(1 << 16) }
    return sample
  }
}

/// A field of an archive's header.
struct HeaderField {
  enum Form { case ascii, littleEndian }
  let name: String
  let code: DivergenceCause.Code
  let offset: Int
  let width: Int
  let form: Form

  func text(_ part: Range<Int>, _ bytes: [UInt8]) -> String? {
    let view = NumberView(bytes: bytes, range: part, isBigEndian: false)
    switch form {
    case .ascii:
      return view.range(at: offset, count: width).map {
        FileStructure.printable(bytes[$0]).split(separator: " ").joined(separator: " ")
      }
    case .littleEndian: return view.number(at: offset, width: width).map { "\($0)" }
    }
  }
}

enum ArFields {
  static let all = [
    HeaderField(name: "time", code: .time, offset: 16, width: 12, form: .ascii),
    HeaderField(name: "owner", code: .metadata, offset: 28, width: 6, form: .ascii),
    HeaderField(name: "group", code: .metadata, offset: 34, width: 6, form: .ascii),
    HeaderField(name: "mode", code: .metadata, offset: 40, width: 8, form: .ascii),
  ]
}

enum ZipFields {
  static let local = [HeaderField(name: "DOS time", code: .time, offset: 10, width: 4, form: .littleEndian)]
  static let record = [
    HeaderField(name: "DOS time", code: .time, offset: 12, width: 4, form: .littleEndian),
    HeaderField(name: "attributes", code: .metadata, offset: 38, width: 4, form: .littleEndian),
  ]
  static let gzip = [HeaderField(name: "time", code: .time, offset: 4, width: 4, form: .littleEndian)]
}

/// How evenly bytes are spread.
enum Entropy {
  private static let sampleBytesMin = 8

  /// Whether the bytes look as random ones do: close to the most different values that so many bytes can have.
  ///
  /// Integers only, so that every builder comes to the same: of n random bytes about 256·(1 − (255/256)ⁿ) values
  /// differ; three quarters of that are wanted, and no value more often than thrice its share and three times.
  static func isHigh(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= sampleBytesMin, !bytes.allSatisfy(FoundString.isPrintable) else { return false }
    var counts = [Int](repeating: 0, count: 256)
    for byte in bytes { counts[Int(byte)] += 1 }
    // Fixed point with 20 bits behind the point.
    var missing: UInt64 = 1 << 20
    for _ in 0..<min(bytes.count, 2_048) { missing = missing * 255 / 256 }
    let expected = (256 * ((1 << 20) - Int(missing))) >> 20
    return counts.count(where: { $0 > 0 }) * 4 >= expected * 3 && (counts.max() ?? 0) <= bytes.count * 3 / 256 + 3
  }
}
