import Foundation
import Glibc
import SyncRuntime

/// The root file system of an image of the engine, as one tar.
public enum DockerExport {
  private static let bytesMax: Int64 = 64 << 30

  /// Writes what a container of the image would start with to `file`, as the engine sends it: flattened, in the
  /// engine's own order. No container is started.
  ///
  /// - Parameter image: `sha256:` and 64 hexadecimal digits, or a repository's name, `@` and those: a tag can be moved.
  /// - Throws: ``PluginError/Code/invalid`` for another name, ``PluginError/Code/notFound`` without such an image.
  public static func write(image: String, socketPath: String, to file: String) async throws(PluginError) {
    let digest = image.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).last ?? ""
    guard digest.hasPrefix("sha256:"), digest.utf8.count == 71,
      digest.dropFirst(7).utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else {
      throw PluginError(
        .invalid,
        "'\(image)' can be moved to another image; name it by its digest, sha256:..., as docker images --no-trunc tells"
      )
    }
    let engine = DockerEngine(socketPath: socketPath)
    struct Request: Encodable {
      let image: String
      let command = ["/bin/true"]
      enum CodingKeys: String, CodingKey {
        case image = "Image"
        case command = "Cmd"
      }
    }
    struct Created: Decodable { let id: String }
    let body = try? JSONEncoder().encode(Request(image: image))
    let answer = try await engine.call("POST", "/containers/create", json: body ?? Data())
    guard answer.status == 201 else {
      throw PluginError(
        answer.status == 404 ? .notFound : .io, "The Docker engine makes no container of \(image): \(answer.message)")
    }
    let container = try answer.decoded(Created.self, "POST /containers/create").id
    let result: Result<Void, PluginError>
    do throws(PluginError) { result = .success(try await copy(container, from: engine, to: file)) } catch {
      result = .failure(error)
    }
    _ = try await engine.call("DELETE", "/containers/\(container)", query: [("force", "1"), ("v", "1")])
    try result.get()
  }

  private static func copy(_ container: String, from engine: DockerEngine, to file: String) async throws(PluginError) {
    let stream = try await engine.stream("GET", "/containers/\(container)/export", query: [])
    let output = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard output >= 0 else { throw PluginError(.io, "Cannot write \(file): \(String(cString: strerror(errno)))") }
    let handle = FileHandle(fileDescriptor: output, closeOnDealloc: true)
    var size: Int64 = 0
    do {
      for try await part in stream {
        size += Int64(part.readableBytes)
        guard size <= bytesMax else { throw PluginError(.invalid, "The image has more than \(bytesMax) bytes") }
        try handle.write(contentsOf: Data(part.readableBytesView))
      }
      try handle.close()
    } catch let error as PluginError {
      throw error
    } catch {
      throw PluginError(.io, "Cannot copy the image to \(file): \(error)")
    }
  }
}
