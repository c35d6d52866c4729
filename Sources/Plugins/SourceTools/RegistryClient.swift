import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SyncRuntime

/// How much of a registry's time, bytes and patience is taken.
package struct RegistryLimits: Sendable {
  package var configBytesMax = 1 << 16
  /// The largest files of crates.io's index have a few MiB.
  package var indexBytesMax = 32 << 20
  /// crates.io takes archives of at most 10 MiB, with exceptions.
  package var archiveBytesMax = 128 << 20
  package var redirectsMax = 5
  package var attemptsMax = 5
  /// Before the second attempt; doubled before each further one, and up to half of it is left to chance.
  package var backoffMilliseconds: UInt64 = 500
  /// A registry that asks for a longer pause is not waited for.
  package var retryAfterSecondsMax: UInt64 = 60
  /// From a request to its last byte.
  package var requestMilliseconds: UInt64 = 120_000
  package var concurrentMax = 16
  /// Crates whose index files are read for one resolution.
  package var namesMax = 10_000

  package init() {}
}

/// What a server said last of a file, to ask whether that still holds.
package struct RegistryValidator: Sendable, Equatable {
  package var etag: String?
  package var lastModified: String?

  package init(etag: String? = nil, lastModified: String? = nil) {
    (self.etag, self.lastModified) = (etag, lastModified)
  }
}

/// Gets files over HTTP: bounded, patient with servers in trouble, and never over plain http unasked.
///
/// Thread: any; calls may overlap. All of the process's clients share one pool of connections.
package struct RegistryClient: Sendable {
  package struct Answer: Sendable {
    package var status: Int
    package var validator = RegistryValidator()
    /// Of status 200 alone.
    package var body: [UInt8] = []
  }

  private enum Attempt: Sendable {
    case done(Answer)
    case failed(String, pauseMilliseconds: UInt64?)
  }

  package var allowsPlainHTTP: Bool
  package var limits: RegistryLimits
  /// What the registry's protocol wants in each request, `accept` among it.
  package var headers: [String: String]

  package init(
    allowsPlainHTTP: Bool = false, limits: RegistryLimits = RegistryLimits(), headers: [String: String] = [:]
  ) {
    (self.allowsPlainHTTP, self.limits, self.headers) = (allowsPlainHTTP, limits, headers)
  }

  private static let client: HTTPClient = {
    var configuration = HTTPClient.Configuration(
      certificateVerification: .fullVerification, redirectConfiguration: .disallow,
      timeout: HTTPClient.Configuration.Timeout(connect: .seconds(10), read: .seconds(30)), decompression: .disabled)
    configuration.httpVersion = .automatic
    // Attempts are counted here.
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  /// - Parameter known: Asks for the file only if it is another by now; 304 says that it is not.
  /// - Returns: An answer below 500 that is neither a redirect nor 429.
  /// - Throws: ``PluginError/Code/unreachable`` after the last attempt, ``PluginError/Code/invalid`` for too many bytes
  ///   or redirects, ``PluginError/Code/authenticationRequired``, ``PluginError/Code/cancelled``.
  package func get(_ url: RegistryURL, bytesMax: Int, known: RegistryValidator = RegistryValidator())
    async throws(PluginError) -> Answer
  {
    var failure = ""
    for number in 1...limits.attemptsMax {
      let pause: UInt64?
      switch try await bounded(url, bytesMax: bytesMax, known: known) {
      case .done(let answer):
        guard answer.status != 401, answer.status != 403 else {
          throw PluginError(
            .authenticationRequired,
            "\(url.place) answers \(answer.status): it wants a token, and builders have none; use an open registry")
        }
        return answer
      case .failed(let reason, let wanted): (failure, pause) = (reason, wanted)
      }
      if let pause, pause > limits.retryAfterSecondsMax * 1_000 {
        throw PluginError(.unreachable, "\(url.place) \(failure) and asks to come back in \(pause / 1_000) s; do that")
      }
      guard number < limits.attemptsMax else { break }
      let backoff = limits.backoffMilliseconds << UInt64(number - 1)
      let wait = max(pause ?? 0, backoff - UInt64.random(in: 0...backoff / 2))
      do { try await Task.sleep(for: .milliseconds(wait)) } catch {
        throw PluginError(.cancelled, "Waiting for \(url.place) was cancelled")
      }
    }
    throw PluginError(
      .unreachable,
      "\(url.place) \(failure), \(limits.attemptsMax) times; check the registry's address and the network")
  }

  /// One attempt, ended when its time is over.
  private func bounded(_ url: RegistryURL, bytesMax: Int, known: RegistryValidator) async throws(PluginError) -> Attempt
  {
    do {
      return try await withThrowingTaskGroup(of: Attempt.self) { group in
        defer { group.cancelAll() }
        group.addTask { try await attempt(url, bytesMax: bytesMax, known: known) }
        group.addTask {
          try await Task.sleep(for: .milliseconds(limits.requestMilliseconds))
          return .failed("does not end its answer within \(limits.requestMilliseconds) ms", pauseMilliseconds: nil)
        }
        let first = try await group.next()
        // A body whose task is cancelled ends early, and as if it were whole.
        try Task.checkCancellation()
        return first ?? .failed("gives no answer", pauseMilliseconds: nil)
      }
    } catch let error as PluginError {
      throw error
    } catch is NIOTooManyBytesError {
      throw PluginError(.invalid, "\(url.place) gives a file of more than \(bytesMax) bytes, which is refused")
    } catch {
      guard !Task.isCancelled else { throw PluginError(.cancelled, "Asking \(url.place) was cancelled") }
      return .failed("cannot be reached (\(String(describing: error).prefix(200)))", pauseMilliseconds: nil)
    }
  }

  private func attempt(_ first: RegistryURL, bytesMax: Int, known: RegistryValidator) async throws -> Attempt {
    var url = first
    for _ in 0...limits.redirectsMax {
      let response = try await Self.client.execute(request(url, known: known), deadline: .distantFuture)
      let status = Int(response.status.code)
      switch status {
      case 301, 302, 303, 307, 308:
        guard let location = response.headers.first(name: "location") else {
          throw PluginError(.invalid, "\(url.place) redirects to nowhere")
        }
        url = try url.redirected(to: location, allowsPlainHTTP: allowsPlainHTTP)
      case 429, 500...599:
        let seconds = response.headers.first(name: "retry-after").flatMap { UInt32($0) }
        return .failed("answers \(status)", pauseMilliseconds: seconds.map { UInt64($0) * 1_000 })
      case 200:
        let body = try await response.body.collect(upTo: bytesMax)
        let validator = RegistryValidator(
          etag: Self.header("etag", of: response), lastModified: Self.header("last-modified", of: response))
        return .done(Answer(status: status, validator: validator, body: Array(body.readableBytesView)))
      default:
        return .done(Answer(status: status))
      }
    }
    throw PluginError(.invalid, "\(first.place) redirects more than \(limits.redirectsMax) times")
  }

  private func request(_ url: RegistryURL, known: RegistryValidator) -> HTTPClientRequest {
    var request = HTTPClientRequest(url: url.text)
    request.headers.add(name: "user-agent", value: "synchronicity")
    // Compressed bodies are not asked for: their bound would be another.
    for (name, value) in headers.merging(["accept": "*/*"], uniquingKeysWith: { own, _ in own }).sorted(by: <) {
      request.headers.add(name: name, value: value)
    }
    if let etag = known.etag {
      request.headers.add(name: "if-none-match", value: etag)
    } else if let date = known.lastModified {
      request.headers.add(name: "if-modified-since", value: date)
    }
    return request
  }

  /// A value that may be kept in a line and sent back.
  private static func header(_ name: String, of response: HTTPClientResponse) -> String? {
    guard let value = response.headers.first(name: name), (1...512).contains(value.utf8.count),
      value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
    else { return nil }
    return value
  }
}
