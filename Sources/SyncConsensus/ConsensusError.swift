/// Why the consensus could not begin, or refused something. Equal by code alone, so that callers may switch on it.
public struct ConsensusError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong, as a number that never changes its meaning.
  public struct Code: Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The set or the configuration cannot be.
    public static let configuration = Code(rawValue: 1)
    /// The stored records contradict each other, the genesis state or the epoch.
    public static let corruptedRecords = Code(rawValue: 2)
    /// The caller's storage failed while records were read; thrown by the caller's scan.
    public static let storage = Code(rawValue: 3)
    /// A certificate does not prove what it says.
    public static let invalidCertificate = Code(rawValue: 4)
    /// A rule of ``SafetyRules`` forbids the signature.
    public static let unsafe = Code(rawValue: 5)
    /// The quorum certified something that contradicts this replica's state: it has stopped.
    public static let diverged = Code(rawValue: 6)
    /// The signer's signature is not by this replica's key: it has stopped.
    public static let wrongKey = Code(rawValue: 7)
    /// Another process signs with this replica's key: it has stopped.
    public static let sharedKey = Code(rawValue: 8)
  }

  public let code: Code
  /// One sentence: what was got and what was wanted.
  public let message: String

  public init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

  public var description: String { message }
  public static func == (a: ConsensusError, b: ConsensusError) -> Bool { a.code == b.code }
}
