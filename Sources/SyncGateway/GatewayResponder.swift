import Hummingbird
import Logging
import NIOCore
import Synchronization
import SyncProof
import SyncRuntime

/// Answers one request after the other from a ``NodeView``; keeps no state of its own but the submissions in flight.
struct GatewayResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  private let view: any NodeView
  private let browserGuard: BrowserGuard
  private let submissions: Slots
  private let logger: Logger

  init(view: any NodeView, configuration: GatewayConfiguration, logger: Logger) {
    self.view = view
    self.logger = logger
    browserGuard = BrowserGuard(configuration)
    submissions = Slots(configuration.submissionsMax)
  }

  func respond(to request: Request, context: Context) async throws -> Response {
    var response: Response
    do {
      response = try await answer(request)
    } catch let error as APIError {
      response = error.response()
    } catch let error as PluginError {
      let code = error.code
      if code != .invalid, code != .notFound {
        logger.warning("The node could not answer a request", metadata: ["error": "\(error)"])
      }
      response = APIError(error).response()
    } catch {
      // A connection that ended while its body was read comes here too; nobody reads the answer then.
      logger.debug("A request failed", metadata: ["error": "\(error)"])
      response = APIError(
        status: .internalServerError, code: "internal",
        message: "The gateway failed; try again, and tell its operator if it happens again."
      ).response()
    }
    for field in Self.securityFields where response.headers[field.name] == nil {
      response.headers[field.name] = field.value
    }
    return request.method == .head ? response.createHeadResponse() : response
  }

  private func answer(_ request: Request) async throws -> Response {
    try browserGuard.check(request.head)
    let target = (request.head.path ?? "").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let route = try Route(path: target.first ?? "")
    guard route.methods.contains(request.method) else {
      let methods = route.methods.map(\.rawValue).joined(separator: ", ")
      throw APIError(
        status: .methodNotAllowed, code: "method_not_allowed",
        message: "This path does not take \(request.method.rawValue); use \(methods).", headers: [.allow: methods])
    }
    let query = target.count == 2 ? target[1] : nil
    guard query == nil || (route == .jobs && request.method != .post) else {
      throw APIError.badRequest("This path takes no query; remove the question mark and what follows.")
    }
    return switch route {
    case .checkpoint: try await checkpoint()
    case .tile(let path): try await tile(path)
    case .jobs: request.method == .post ? try await submit(request) : try await jobs(JobsQuery(query))
    case .job(let id): try await job(id)
    case .report(let id, let file): try await report(id, file)
    case .transcript(let id, let attempt): try await transcript(id, attempt)
    case .proof(let id): try await proof(id)
    case .artifact(let digest): try await artifact(digest, request.headers)
    case .status: JSON.response(await view.status())
    case .misbehaviours: JSON.response(Misbehaviours(misbehaviours: await view.misbehaviours()))
    case .handovers: request.method == .post ? try await submitHandover(request) : await handovers()
    case .handover(let epoch): try await handover(epoch)
    case .proposal(let id): try await proposal(id)
    case .live: JSON.response(Live(live: true))
    case .ready: await ready()
    }
  }

  // MARK: C2SP tlog-tiles

  private func checkpoint() async throws -> Response {
    guard let note = await view.checkpoint() else {
      throw APIError.notFound("No quorum has cosigned a checkpoint of this log yet; ask again after the first job.")
    }
    return Self.bytes(note, type: Self.text, cache: "public, max-age=1")
  }

  private func tile(_ path: TilePath) async throws -> Response {
    let bytes =
      switch path.content {
      case .hashes(let level): try await view.tile(level: level, index: path.index, width: path.width)
      case .entries: try await view.entryBundle(index: path.index, width: path.width)
      }
    guard let bytes else {
      throw APIError.notFound("The published tree has no such tile; read its size from /checkpoint.")
    }
    return Self.bytes(bytes, type: "application/octet-stream", cache: Self.forever)
  }

  // MARK: Jobs and proofs

  private func submit(_ request: Request) async throws -> Response {
    guard submissions.take() else {
      throw APIError(
        status: .tooManyRequests, code: "too_many_requests",
        message: "The node works on as many submissions as it takes at once; try again in a second.",
        headers: [.retryAfter: "1"])
    }
    defer { submissions.give() }
    let id = try await view.submit(try await SubmitBody.read(request))
    var response = JSON.response(Submitted(id: id.hex), status: .accepted)
    response.headers[.location] = "/v1/jobs/\(id.hex)"
    return response
  }

  private func jobs(_ query: JobsQuery) async throws -> Response {
    if let before = query.before, await view.job(before) == nil {
      throw APIError.notFound("The job named by before does not exist; list from the newest by leaving it out.")
    }
    let jobs = await view.jobs(limit: query.limit, before: query.before)
    return JSON.response(JobPage(jobs: jobs, next: jobs.count < query.limit ? nil : jobs.last?.id))
  }

  private func job(_ id: Digest) async throws -> Response {
    guard let job = await view.job(id) else { throw Self.noSuchJob }
    return JSON.response(job)
  }

  /// Text and page quote bytes of builds: the text is made harmless, the page may do nothing in a browser.
  private func report(_ id: Digest, _ kind: ReportFile) async throws -> Response {
    guard let path = await view.reportPath(job: id, kind), let file = try await ArtifactFile.open(path) else {
      guard await view.job(id) != nil else { throw Self.noSuchJob }
      throw APIError.notFound(
        "This node has no such report on the job; its JSON says under divergence whether one is made, and what it has.")
    }
    switch kind {
    case .summary:
      return Response(
        status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
        body: file.body(0..<file.size))
    case .text: return Self.harmless(file)
    case .html:
      return Response(
        status: .ok,
        headers: [
          .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
          .contentSecurityPolicy: Self.quotedPagePolicy,
        ], body: file.body(0..<file.size))
    }
  }

  private func transcript(_ id: Digest, _ attempt: Int?) async throws -> Response {
    guard let path = await view.transcriptPath(job: id, attempt: attempt), let file = try await ArtifactFile.open(path)
    else {
      guard await view.job(id) != nil else { throw Self.noSuchJob }
      throw APIError.notFound(
        "This node keeps no such transcript of the job; its JSON lists under attempts those that are kept.")
    }
    return Self.harmless(file)
  }

  private func proof(_ id: Digest) async throws -> Response {
    guard let proof = try await view.proof(job: id) else {
      guard await view.job(id) != nil else { throw Self.noSuchJob }
      throw APIError(
        status: .notFound, code: "not_yet",
        message: "No cosigned checkpoint covers this job's evidence yet; ask again once its phase is cosigned.",
        headers: [.retryAfter: "1"])
    }
    // A later checkpoint gives another proof of the same leaf, so this one is not for ever.
    var response = Self.bytes(proof, type: Self.text, cache: "no-cache")
    response.headers[.contentDisposition] = "attachment; filename=\"\(id.hex).tlog-proof\""
    return response
  }

  // MARK: Epochs

  private func handovers() async -> Response { JSON.response(await view.handovers()) }

  /// The entry is signed by a member's builder key: whoever brings it need not be trusted.
  private func submitHandover(_ request: Request) async throws -> Response {
    try await view.submitHandover(try await HandoverBody.read(request))
    return JSON.response(await view.handovers(), status: .accepted)
  }

  private func proposal(_ id: Digest) async throws -> Response {
    guard let group = await view.proposal(id) else {
      throw APIError.notFound("No such group file is proposed in this epoch; /v1/handovers lists those that are.")
    }
    return Self.bytes(group, type: Self.text, cache: Self.forever)
  }

  private func handover(_ epoch: UInt64) async throws -> Response {
    guard let proof = try await view.handover(epoch: epoch) else {
      throw APIError.notFound(
        "This node keeps no hand-over of epoch \(epoch): the epoch is not over, or was over before it became a member.")
    }
    var response = Self.bytes(proof, type: Self.text, cache: Self.forever)
    response.headers[.contentDisposition] = "attachment; filename=\"handover-\(epoch).tlog-proof\""
    return response
  }

  // MARK: Artifacts

  private func artifact(_ digest: Digest, _ fields: HTTPFields) async throws -> Response {
    guard let path = await view.artifactPath(digest), let file = try await ArtifactFile.open(path) else {
      throw APIError.notFound("This node does not hold the artifact; ask another builder of the group for it.")
    }
    let tag = "\"\(digest.hex)\""
    var headers: HTTPFields = [
      .acceptRanges: "bytes", .cacheControl: Self.forever, .contentType: "application/octet-stream", .eTag: tag,
      .contentDisposition: "attachment; filename=\"\(digest.hex)\"",
    ]
    if Self.matches(fields[.ifNoneMatch], tag) {
      var response = Response(status: .notModified, headers: headers)
      response.headers[.contentLength] = nil
      return response
    }
    let asked = fields[.ifRange] == nil || fields[.ifRange] == tag ? fields[.range] : nil
    switch ByteRange(asked, size: file.size) {
    case .whole: return Response(status: .ok, headers: headers, body: file.body(0..<file.size))
    case .part(let range):
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
      return Response(status: .partialContent, headers: headers, body: file.body(range))
    case .unsatisfiable:
      throw APIError(
        status: .rangeNotSatisfiable, code: "range_not_satisfiable",
        message: "The artifact has \(file.size) bytes; ask for a range that begins inside.",
        headers: [.contentRange: "bytes */\(file.size)"])
    }
  }

  /// Weak comparison, RFC 9110 §13.1.2.
  private static func matches(_ header: String?, _ tag: String) -> Bool {
    guard let header else { return false }
    return header == "*"
      || header.split(separator: ",").contains { item in
        let item = item.drop { $0 == " " || $0 == "\t" }
        return (item.hasPrefix("W/") ? item.dropFirst(2) : item).prefix { $0 != " " && $0 != "\t" } == tag
      }
  }

  // MARK: Probes

  private func ready() async -> Response {
    let status = await view.status()
    let wanted = status.quorum - 1
    let connected = status.connectedPeers.count
    guard connected < wanted else { return JSON.response(Ready(ready: true, reasons: [])) }
    let reason =
      "Connected to \(connected) other replicas, but a quorum of \(status.quorum) needs \(wanted); check that the "
      + "other nodes run and that their addresses in the group file can be reached."
    var response = JSON.response(Ready(ready: false, reasons: [reason]), status: .serviceUnavailable)
    response.headers[.retryAfter] = "1"
    return response
  }

  // MARK: Shapes and constants

  private struct Submitted: Encodable { let id: String }
  private struct JobPage: Encodable { let jobs: [JobStatus], next: String? }
  private struct Live: Encodable { let live: Bool }
  private struct Misbehaviours: Encodable { let misbehaviours: [MisbehaviourStatus] }
  private struct Ready: Encodable { let ready: Bool, reasons: [String] }

  private static let text = "text/plain; charset=utf-8"
  private static let forever = "public, max-age=31536000, immutable"
  private static var noSuchJob: APIError {
    .notFound("The group has ordered no such job; submit it, or check the identity.")
  }

  /// No page is served, so a browser may run, frame and embed nothing of what comes from here.
  private static let securityFields: HTTPFields = {
    var fields: HTTPFields = [
      .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'; sandbox",
      .crossOriginResourcePolicy: "same-origin", .xContentTypeOptions: "nosniff",
    ]
    if let referrerPolicy = FieldName("Referrer-Policy") { fields[referrerPolicy] = "no-referrer" }
    return fields
  }()

  /// Styles of the page's own, and nothing else: no script, no form, no frame, no request.
  private static let quotedPagePolicy =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    + "frame-ancestors 'none'; sandbox"

  private static func harmless(_ file: ArtifactFile) -> Response {
    Response(status: .ok, headers: [.contentType: text, .cacheControl: "no-store"], body: file.harmlessText())
  }

  private static func bytes(_ bytes: [UInt8], type: String, cache: String) -> Response {
    Response(
      status: .ok, headers: [.contentType: type, .cacheControl: cache],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

/// A fixed number of places, taken without waiting.
final class Slots: Sendable {
  private let free: Mutex<Int>

  init(_ count: Int) { free = Mutex(count) }

  func take() -> Bool {
    free.withLock { free in
      guard free > 0 else { return false }
      free -= 1
      return true
    }
  }

  func give() { free.withLock { $0 += 1 } }
}
