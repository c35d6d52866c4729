import Foundation
import Hummingbird
import NIOCore
import SyncRuntime

/// The body of a submission, read strictly: a field that is misspelt would else ask for something other than what its
/// writer meant.
struct SubmitBody: Decodable {
  let request: SubmitRequest

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    guard container.allKeys.allSatisfy({ Self.known.contains($0.stringValue) }) else {
      let names = Self.known.joined(separator: ", ")
      throw APIError.badRequest("A submission has the fields \(names); remove all others.")
    }
    func optional<Value: Decodable>(_ name: String) throws -> Value? {
      try container.decodeIfPresent(Value.self, forKey: Key(stringValue: name))
    }
    request = SubmitRequest(
      package: try container.decode(String.self, forKey: Key(stringValue: "package")),
      features: try optional("features"), defaultFeatures: try optional("defaultFeatures"),
      profile: try optional("profile"), target: try optional("target"), programs: try optional("programs"),
      library: try optional("library"), toolchain: try optional("toolchain"), rebuild: try optional("rebuild"),
      normalise: try optional("normalise"), priority: try optional("priority"))
  }

  private static let known = [
    "package", "features", "defaultFeatures", "profile", "target", "programs", "library", "toolchain", "rebuild",
    "normalise", "priority",
  ]

  /// Checks the declared size and type before a byte of the body is kept.
  static func read(_ request: Request) async throws -> SubmitRequest {
    try checkType(request.headers)
    let tooLarge = APIError(
      status: .contentTooLarge, code: "too_large",
      message: "A submission is at most \(GatewayLimits.bodyBytesMax) bytes; name the package and few features.")
    if let length = request.headers[.contentLength] {
      guard let bytes = Int(length), bytes <= GatewayLimits.bodyBytesMax else { throw tooLarge }
    }
    let body: ByteBuffer
    do {
      body = try await request.body.collect(upTo: GatewayLimits.bodyBytesMax)
    } catch is NIOTooManyBytesError {
      throw tooLarge
    }
    return try parse(Array(body.readableBytesView))
  }

  static func parse(_ bytes: [UInt8]) throws(APIError) -> SubmitRequest {
    // A zero byte is how UTF-16 and UTF-32 begin, which the decoder would guess.
    guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
      throw .badRequest("The body is not JSON in UTF-8; send an object such as {\"package\":\"pkg:cargo/itoa@1.0.1\"}.")
    }
    let request: SubmitRequest
    do {
      request = try JSONDecoder().decode(SubmitBody.self, from: Data(bytes)).request
    } catch let error as APIError {
      throw error
    } catch DecodingError.keyNotFound {
      throw .badRequest("The submission names no package; add \"package\", such as \"pkg:cargo/itoa@1.0.1\".")
    } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
      let field = context.codingPath.first?.stringValue ?? "body"
      throw .badRequest(
        "The \(field) has the wrong type: the body is an object; package, profile, target and toolchain are strings; "
          + "features, programs and normalise lists of strings; defaultFeatures and library true or false; rebuild "
          + "and priority whole numbers.")
    } catch {
      throw .badRequest("The body is not JSON; send an object such as {\"package\":\"pkg:cargo/itoa@1.0.1\"}.")
    }
    try check(request)
    return request
  }

  private static func checkType(_ headers: HTTPFields) throws(APIError) {
    let values = headers.filter { $0.name == .contentType }.map { $0.value.lowercased() }
    let parts = values.first?.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
    guard values.count == 1, parts.first == "application/json",
      parts.dropFirst().allSatisfy({ $0 == "charset=utf-8" || $0 == "charset=\"utf-8\"" })
    else {
      throw APIError(
        status: .unsupportedMediaType, code: "unsupported_media_type",
        message: "A submission is JSON in UTF-8; send it with the header Content-Type: application/json.")
    }
  }

  /// Bounds only: what a package is called is for the node's Source to know.
  private static func check(_ request: SubmitRequest) throws(APIError) {
    guard request.package.hasPrefix("pkg:"), request.package.utf8.count <= GatewayLimits.packageBytesMax,
      isPrintable(request.package)
    else {
      throw .badRequest("The package is not a package URL; write one such as pkg:cargo/itoa@1.0.1.")
    }
    for (field, names) in [("features", request.features ?? []), ("programs", request.programs ?? [])] {
      guard names.count <= GatewayLimits.featuresMax, names.allSatisfy(isName) else {
        throw .badRequest(
          "The \(field) are at most \(GatewayLimits.featuresMax) names of 1 to \(GatewayLimits.featureBytesMax) "
            + "printable ASCII characters without spaces.")
      }
    }
    for (field, name) in [("profile", request.profile), ("target", request.target)] {
      guard name.map(isName) ?? true else {
        throw .badRequest(
          "The \(field) is 1 to \(GatewayLimits.featureBytesMax) printable ASCII characters without spaces.")
      }
    }
    let normalise = request.normalise ?? []
    guard normalise.count <= GatewayLimits.featuresMax else {
      throw .badRequest("The list normalise has \(normalise.count) names; name each normalisation once.")
    }
    do throws(PluginError) { _ = try Normalisation.parse(normalise) } catch { throw .badRequest(error.message + ".") }
    guard SubmitRequest.priorities.contains(request.priority ?? 0) else {
      let (least, most) = (SubmitRequest.priorities.lowerBound, SubmitRequest.priorities.upperBound)
      throw .badRequest("The priority is a whole number from \(least) to \(most).")
    }
    if let toolchain = request.toolchain { _ = try Route.digest(toolchain[...], of: "A toolchain") }
  }

  private static func isName(_ text: String) -> Bool {
    (1...GatewayLimits.featureBytesMax).contains(text.utf8.count) && isPrintable(text)
  }

  private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}
