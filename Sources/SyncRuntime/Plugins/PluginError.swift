/// Why a plugin could not do what it was asked for. Equal by code alone.
public struct PluginError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong; numbers never change their meaning.
  public struct Code: Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The host lacks something that the plugin needs: a program, a permission, a kernel feature, a free port.
    public static let unavailable = Code(rawValue: 1)
    /// There is no such package, toolchain or record.
    public static let notFound = Code(rawValue: 2)
    /// Bytes do not have the digest that was asked for.
    public static let checksumMismatch = Code(rawValue: 3)
    /// The request itself is malformed or out of bounds.
    public static let invalid = Code(rawValue: 4)
    /// Reading or writing failed: disk full, device error, connection lost.
    public static let io = Code(rawValue: 5)
    /// The caller cancelled.
    public static let cancelled = Code(rawValue: 6)
  }

  public let code: Code
  /// One sentence: what was got, what was wanted, what the user can do.
  public let message: String

  public init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

  public var description: String { message }
  public static func == (a: PluginError, b: PluginError) -> Bool { a.code == b.code }
}
