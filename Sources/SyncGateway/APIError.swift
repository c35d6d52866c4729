import Foundation
import Hummingbird
import NIOCore
import SyncRuntime

typealias FieldName = HTTPFields.Element.Name

/// An answer that is not what the client asked for.
///
/// Nothing of the host goes in here: no path, no trace, no text of an error that was not meant for the asker.
struct APIError: Error, Equatable {
  let status: HTTPResponse.Status
  /// For programs; never changes its meaning.
  let code: String
  /// For people: one sentence that says what to do.
  let message: String
  var headers: HTTPFields = [:]

  static func badRequest(_ message: String) -> APIError {
    APIError(status: .badRequest, code: "bad_request", message: message)
  }

  static func notFound(_ message: String) -> APIError {
    APIError(status: .notFound, code: "not_found", message: message)
  }

  static func unavailable(_ message: String) -> APIError {
    APIError(status: .serviceUnavailable, code: "unavailable", message: message, headers: [.retryAfter: "1"])
  }

  /// What the asker is told of a node's error: their own mistakes word for word, the node's troubles in general.
  init(_ error: PluginError) {
    switch error.code {
    case .invalid:
      self = .badRequest(
        Self.isPublic(error.message)
          ? error.message : "The node refuses this request; check its fields against the HTTP documentation.")
    case .notFound:
      self = .notFound(
        Self.isPublic(error.message)
          ? error.message : "The node's source does not have this; check the name and version.")
    case let code where Self.prepareWords[code] != nil:
      self = APIError(
        status: .badRequest, code: Self.prepareWords[code] ?? "bad_request",
        message: Self.isPublic(error.message)
          ? error.message : "The package cannot be prepared for a build; ask the node's operator to read its log.")
    default:
      self = .unavailable("The node cannot do this now; try again later, or ask its operator to read its log.")
    }
  }

  /// Why a package cannot be prepared, each in one word.
  private static let prepareWords: [PluginError.Code: String] = [
    .manifestMissing: "manifest_missing", .dependencyMissing: "dependency_missing", .yanked: "yanked",
    .cyclicDependency: "cyclic_dependency", .featureMissing: "feature_missing", .compilerTooOld: "compiler_too_old",
    .targetMissing: "target_missing", .profileMissing: "profile_missing", .programMissing: "program_missing",
  ]

  init(
    status: HTTPResponse.Status, code: String, message: String, headers: HTTPFields = [:]
  ) {
    (self.status, self.code, self.message, self.headers) = (status, code, message, headers)
  }

  /// Whether a message may be repeated: no absolute path of this host, on one line, short.
  ///
  /// A slash is inside a relative path or a package URL only behind a letter, digit or one of `.-_@%+`; anywhere else
  /// it may begin an absolute path.
  static func isPublic(_ message: String) -> Bool {
    var isInsideWord = false
    for byte in message.utf8 {
      guard byte >= 0x20, byte != 0x7f, byte != UInt8(ascii: "/") || isInsideWord else { return false }
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        isInsideWord = true
      default: isInsideWord = ".-_@%+".utf8.contains(byte)
      }
    }
    return message.utf8.count <= 1_000
  }

  func response() -> Response {
    struct Body: Encodable {
      struct Detail: Encodable { let code: String, message: String }
      let error: Detail
    }
    var response = JSON.response(Body(error: .init(code: code, message: message)), status: status)
    for field in headers { response.headers[field.name] = field.value }
    return response
  }
}

/// One value, one encoding: keys sorted, no spaces, a line feed at the end.
enum JSON {
  static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Only values without floating point and with string keys come here, which always encode.
    guard var data = try? encoder.encode(value) else { return Response(status: .internalServerError) }
    data.append(UInt8(ascii: "\n"))
    return Response(
      status: status,
      headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }
}
