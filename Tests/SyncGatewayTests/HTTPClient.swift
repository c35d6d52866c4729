import Foundation
import Glibc

/// A client that says exactly what it is told to, well-formed or not, over one blocking socket.
final class HTTPClient: Sendable {
  private let descriptor: Int32

  struct Failure: Error, CustomStringConvertible { let description: String }

  struct Reply: Equatable, Sendable {
    let status: Int
    let fields: [String: String]
    let body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
    subscript(name: String) -> String? { fields[name.lowercased()] }
  }

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Failure(description: "connect: errno \(errno)") }
  }

  deinit { close(descriptor) }

  /// - Returns: Whether the peer still took the bytes.
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  @discardableResult func send(_ text: String) -> Bool { send([UInt8](text.utf8)) }

  /// - Returns: Empty at the end of the stream; `nil` on an error or after 20 s.
  func receive(max: Int = 65_536) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: max)
    let count = recv(descriptor, &buffer, max, 0)
    return count < 0 ? nil : Array(buffer[..<count])
  }

  /// Whether the peer has closed, without waiting; what it sent before is thrown away.
  var isClosed: Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var count: Int
    repeat { count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)) } while count > 0
    return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)
  }

  /// Reads one response; what `Content-Length` promises must arrive, and no byte more.
  func reply(toHead: Bool = false) throws -> Reply {
    var bytes: [UInt8] = []
    let end = Array("\r\n\r\n".utf8)
    var headEnd: Int?
    while headEnd == nil {
      guard let more = receive(), !more.isEmpty else { throw Failure(description: "no response head") }
      bytes += more
      headEnd = bytes.firstRange(of: end)?.upperBound
    }
    guard let headEnd else { throw Failure(description: "unreachable") }
    let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).components(separatedBy: "\r\n")
    guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw Failure(description: "status line \(lines[0])")
    }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() where !line.isEmpty {
      let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2, fields.updateValue(parts[1], forKey: parts[0].lowercased()) == nil else {
        throw Failure(description: "field \(line)")
      }
    }
    var body = Array(bytes[headEnd...])
    if fields["transfer-encoding"] == "chunked", !toHead {
      while let more = receive(), !more.isEmpty { body += more }
      return Reply(status: status, fields: fields, body: try HTTPClient.joined(chunks: body))
    }
    let promised = toHead || status == 304 ? 0 : Int(fields["content-length"] ?? "") ?? 0
    while body.count < promised {
      guard let more = receive(), !more.isEmpty else {
        throw Failure(description: "\(body.count) of \(promised) bytes")
      }
      body += more
    }
    guard body.count == promised else { throw Failure(description: "\(body.count) bytes for \(promised)") }
    return Reply(status: status, fields: fields, body: body)
  }
}

extension HTTPClient {
  /// The bytes of a chunked body; the last chunk must be there, and no byte behind it.
  fileprivate static func joined(chunks: [UInt8]) throws -> [UInt8] {
    var rest = chunks[...]
    var body: [UInt8] = []
    while let end = rest.firstRange(of: [0x0D, 0x0A]) {
      let text = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
      guard let size = Int(text, radix: 16), rest[end.upperBound...].count >= size + 2 else { break }
      body += rest[end.upperBound...].prefix(size)
      rest = rest[end.upperBound...].dropFirst(size + 2)
      if size == 0, rest.isEmpty { return body }
    }
    throw Failure(description: "a chunked body without its end")
  }
}

/// Runs blocking socket code on a thread of its own: the test's and the server's tasks share a few threads.
func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result(catching: work)) }
  }
}

/// One request on one connection. `Host` and `Connection: close` are added where `fields` has none of its own.
func request(
  _ port: Int, _ method: String, _ target: String, fields: [String] = [], body: [UInt8] = [], host: String? = nil
) async throws -> HTTPClient.Reply {
  var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\nConnection: close\r\n"
  for field in fields { head += field + "\r\n" }
  if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
  let bytes = Array((head + "\r\n").utf8) + body
  return try await blocking {
    let client = try HTTPClient(port: port)
    client.send(bytes)
    return try client.reply(toHead: method == "HEAD")
  }
}

func get(_ port: Int, _ target: String, _ fields: String...) async throws -> HTTPClient.Reply {
  try await request(port, "GET", target, fields: fields)
}

func post(_ port: Int, _ body: String, _ fields: String...) async throws -> HTTPClient.Reply {
  try await request(
    port, "POST", "/v1/jobs", fields: ["Content-Type: application/json"] + fields, body: Array(body.utf8))
}
