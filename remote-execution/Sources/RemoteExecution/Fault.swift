/// What the farm or this host could not do; says nothing about the build.
public struct Fault: Error, Equatable, CustomStringConvertible {
  /// The words of `synchronicity-exec/1`.
  public enum Code: String, Sendable {
    case unavailable, notFound, checksumMismatch, invalid, io, cancelled
  }

  public let code: Code
  /// One sentence.
  public let message: String

  private static let charactersMax = 2_000

  /// - Parameter message: May hold an engine's words, which are cut.
  public init(_ code: Code, _ message: String) {
    (self.code, self.message) = (code, String(message.prefix(Self.charactersMax)))
  }

  public var description: String { "\(code.rawValue): \(message)" }

  /// Of a system call that has just failed.
  static func system(_ what: String, _ path: String, _ code: Code = .io) -> Fault {
    Fault(code, "Cannot \(what) \(path): \(String(cString: strerror(errno)))")
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif
