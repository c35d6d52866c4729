import Hummingbird
import SyncProof
import SyncRuntime

/// What an address names. Addresses are compared byte by byte: no percent-decoding, no case folding, no trailing
/// slash, so that one resource has one address for every cache.
enum Route: Equatable, Sendable {
  case checkpoint
  case tile(TilePath)
  case jobs
  case job(Digest)
  case report(Digest, ReportFile)
  /// The newest attempt's unless a number is given.
  case transcript(Digest, attempt: Int?)
  case proof(Digest)
  case artifact(Digest)
  case status
  case misbehaviours
  case handovers
  /// Of the epoch that it ended.
  case handover(UInt64)
  case proposal(Digest)
  case live
  case ready

  /// - Parameter path: The request's path without its query.
  init(path: Substring) throws(APIError) {
    let elements = path.split(separator: "/", omittingEmptySubsequences: false)
    guard elements.first == "" else {
      throw .badRequest("The request's target is not a path; write the path only, such as /v1/status.")
    }
    switch elements.dropFirst() {
    case ["checkpoint"]: self = .checkpoint
    case ["livez"]: self = .live
    case ["readyz"]: self = .ready
    case ["v1", "status"]: self = .status
    case ["v1", "misbehaviours"]: self = .misbehaviours
    case ["v1", "jobs"]: self = .jobs
    case ["v1", "handovers"]: self = .handovers
    case let rest where rest.first == "tile":
      guard let tile = TilePath(elements: Array(rest.dropFirst())) else {
        throw .notFound("No tile has this path; C2SP tlog-tiles says how a tile's level, index and width are written.")
      }
      self = .tile(tile)
    case let rest where rest.count == 3 && rest.first == "v1":
      self = try Route(collection: rest[rest.startIndex + 1], member: rest[rest.startIndex + 2])
    case let rest where (4...5).contains(rest.count) && rest.starts(with: ["v1", "jobs"]):
      let job = try Route.digest(rest[rest.startIndex + 2], of: "A job")
      self = try Route(job: job, parts: Array(rest.dropFirst(3)))
    default: throw Route.unknown
    }
  }

  private init(job: Digest, parts: [Substring]) throws(APIError) {
    switch parts {
    case ["divergence"]: self = .report(job, .summary)
    case ["divergence.txt"]: self = .report(job, .text)
    case ["divergence.html"]: self = .report(job, .html)
    case ["transcript"]: self = .transcript(job, attempt: nil)
    case let parts where parts.count == 2 && parts[0] == "transcript":
      guard let number = Route.number(parts[1], max: 999_999) else {
        throw .badRequest("An attempt is a whole number from 1 on; the job's own JSON lists those that are kept.")
      }
      self = .transcript(job, attempt: number)
    default: throw Route.unknown
    }
  }

  private init(collection: Substring, member: Substring) throws(APIError) {
    switch collection {
    case "jobs": self = .job(try Route.digest(member, of: "A job"))
    case "artifacts": self = .artifact(try Route.digest(member, of: "An artifact"))
    case "proofs":
      let suffix = ".tlog-proof"
      let job = member.hasSuffix(suffix) ? member.dropLast(suffix.count) : member
      self = .proof(try Route.digest(job, of: "A job"))
    case "proposals": self = .proposal(try Route.digest(member, of: "A proposal"))
    case "handovers":
      guard let epoch = UInt64(member), String(epoch) == member else {
        throw .badRequest("A hand-over is named by the epoch that it ended, a whole number such as 0.")
      }
      self = .handover(epoch)
    default: throw Route.unknown
    }
  }

  private static var unknown: APIError {
    .notFound("Nothing is served at this path; the HTTP documentation lists what is.")
  }

  static func digest(_ text: Substring, of what: String) throws(APIError) -> Digest {
    guard let digest = Digest(hex: text.utf8) else {
      throw .badRequest("\(what) is named by 64 lower-case hexadecimal digits; this is not such a name.")
    }
    return digest
  }

  /// One to `max`, in digits without a leading zero.
  static func number(_ text: Substring, max: Int) -> Int? {
    guard text.utf8.first != UInt8(ascii: "0"), text.utf8.count <= 6,
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let value = Int(text),
      (1...max).contains(value)
    else { return nil }
    return value
  }

  var methods: [HTTPRequest.Method] {
    self == .jobs || self == .handovers ? [.get, .head, .post] : [.get, .head]
  }
}

/// `limit` and `before` of the job list.
struct JobsQuery: Equatable, Sendable {
  let limit: Int
  let before: Digest?

  /// - Parameter query: What stands behind the question mark, if there is one.
  init(_ query: Substring?) throws(APIError) {
    var limit: Int?
    var before: Digest?
    for pair in query?.split(separator: "&", omittingEmptySubsequences: false) ?? [] {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      switch (parts.first, parts.count) {
      case ("limit", 2) where limit == nil: limit = try Self.limit(parts[1])
      case ("before", 2) where before == nil: before = try Route.digest(parts[1], of: "A job")
      default:
        throw .badRequest("The job list takes limit=1…\(GatewayLimits.jobsMax) and before=JOB, each at most once.")
      }
    }
    self.limit = limit ?? GatewayLimits.jobsDefault
    self.before = before
  }

  private static func limit(_ text: Substring) throws(APIError) -> Int {
    guard let value = Route.number(text, max: GatewayLimits.jobsMax) else {
      throw .badRequest("The job list's limit is a whole number from 1 to \(GatewayLimits.jobsMax).")
    }
    return value
  }
}
