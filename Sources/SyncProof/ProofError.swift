/// Why bytes from outside were refused. Equal by code alone, so that callers may switch on it.
public struct ProofError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong, as a number that never changes its meaning.
  public struct Code: Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The bytes are not in the format: truncated, not canonical, trailing, out of bounds.
    public static let malformed = Code(rawValue: 1)
    /// A named limit was passed (size, count).
    public static let tooLarge = Code(rawValue: 2)
    /// The format's first line names a version that this library does not know.
    public static let unsupportedVersion = Code(rawValue: 3)
    /// A Merkle path does not lead to the root.
    public static let inclusionMismatch = Code(rawValue: 4)
    /// A consistency path does not lead from the old root to the new one.
    public static let consistencyMismatch = Code(rawValue: 5)
    /// No log of the policy signed the checkpoint.
    public static let untrustedLog = Code(rawValue: 6)
    /// A signature by a known key does not verify.
    public static let invalidSignature = Code(rawValue: 7)
    /// Too few cosignatures for the policy's quorum.
    public static let quorumMissed = Code(rawValue: 8)
    /// Too few builders of the policy revealed the artifact, or approved the hand-over.
    public static let reproducersMissed = Code(rawValue: 9)
    /// The artifact's digest is not among the artifacts on which the builders agreed.
    public static let artifactMismatch = Code(rawValue: 10)
    /// The evidence's verdict is not the one that its own lines give.
    public static let verdictMismatch = Code(rawValue: 11)
  }

  public let code: Code
  /// One sentence: what was got, what was wanted and, where there is something to do, what.
  public let sentence: Text
  /// Byte offset into the input at which parsing stopped, where one applies.
  public let offset: Int?

  public init(_ code: Code, _ sentence: Text, at offset: Int? = nil) {
    (self.code, self.sentence, self.offset) = (code, sentence, offset)
  }

  /// Runs the parser of a text that stands at `start` of the input, so that an error's offset is into the input.
  static func within<Value>(
    _ start: Int, _ parse: @autoclosure () throws(ProofError) -> Value
  ) throws(ProofError) -> Value {
    do {
      return try parse()
    } catch {
      throw ProofError(error.code, error.sentence, at: error.offset.map { start + $0 })
    }
  }

  /// ``sentence`` for people and for APIs that take `String`.
  public var message: String { sentence.string }
  public var description: String { message }
  public static func == (a: ProofError, b: ProofError) -> Bool { a.code == b.code }
}
