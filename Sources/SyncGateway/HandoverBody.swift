import Hummingbird
import NIOCore
import SyncRuntime

/// The body of a signed proposal or approval: an entry's bytes.
enum HandoverBody {
  static let type = "application/octet-stream"

  /// Checks the declared size and type before a byte of the body is kept.
  static func read(_ request: Request) async throws -> [UInt8] {
    guard request.headers.filter({ $0.name == .contentType }).map({ $0.value.lowercased() }) == [type] else {
      throw APIError(
        status: .unsupportedMediaType, code: "unsupported_media_type",
        message: "A hand-over's entry is bytes; send it with the header Content-Type: \(type).")
    }
    let bytesMax = HandoverEntry.bytesMax
    let tooLarge = APIError(
      status: .contentTooLarge, code: "too_large", message: "An entry is at most \(bytesMax) bytes.")
    if let length = request.headers[.contentLength] {
      guard let bytes = Int(length), bytes <= bytesMax else { throw tooLarge }
    }
    do {
      return Array(try await request.body.collect(upTo: bytesMax).readableBytesView)
    } catch is NIOTooManyBytesError {
      throw tooLarge
    }
  }
}
