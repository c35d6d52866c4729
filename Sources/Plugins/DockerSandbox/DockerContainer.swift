import AsyncHTTPClient
import Foundation
import Glibc
import SyncRuntime

/// One container by its ID.
struct DockerContainer: Sendable {
  struct State: Decodable {
    let pid: Int32
    let running: Bool
    let isOutOfMemory: Bool
    enum CodingKeys: String, CodingKey {
      case pid, running
      // "OOMKilled", its first letter made small.
      case isOutOfMemory = "oOMKilled"
    }
  }

  struct Inspection: Decodable {
    struct Configuration: Decodable { let labels: [String: String]? }
    let id: String
    let state: State
    let config: Configuration
  }

  private static let attempts = 50
  private static let pause = Duration.milliseconds(100)

  let engine: DockerEngine
  let id: String

  /// - Throws: ``PluginError/Code/invalid`` for what the engine refuses to make, and for a name that is taken.
  static func create(_ engine: DockerEngine, name: String, _ spec: ContainerSpec) async throws(PluginError)
    -> DockerContainer
  {
    struct Created: Decodable { let id: String }
    let json = try spec.encoded()
    let path = "/containers/create"
    var answer = try await engine.call("POST", path, query: [("name", name)], json: json)
    if answer.status == 409, let old = try await inspect(engine, name),
      old.config.labels?[DockerLabel.state] == spec.labels[DockerLabel.state]
    {
      // The caller holds the run's mark, so this is what a crash left.
      try await DockerContainer(engine: engine, id: old.id).remove()
      answer = try await engine.call("POST", path, query: [("name", name)], json: json)
    }
    guard answer.status == 201 else {
      throw PluginError(
        answer.status / 100 == 4 ? .invalid : .io, "The Docker engine cannot make \(name): \(answer.message)")
    }
    return DockerContainer(engine: engine, id: try answer.decoded(Created.self, "POST \(path)").id)
  }

  /// - Parameter name: Its name or ID.
  /// - Returns: `nil` when there is none.
  static func inspect(_ engine: DockerEngine, _ name: String) async throws(PluginError) -> Inspection? {
    let path = "/containers/\(name)/json"
    let answer = try await engine.call("GET", path)
    if answer.status == 404 { return nil }
    guard answer.status == 200 else {
      throw PluginError(.io, "The Docker engine cannot show \(name): \(answer.message)")
    }
    return try answer.decoded(Inspection.self, "GET \(path)")
  }

  func state() async throws(PluginError) -> State? { try await Self.inspect(engine, id)?.state }

  /// Output and errors from the first byte on, if it is called before the start.
  func attach() async throws(PluginError) -> HTTPClientResponse.Body {
    try await engine.stream(
      "POST", "/containers/\(id)/attach", query: [("stream", "1"), ("stdout", "1"), ("stderr", "1")])
  }

  func start() async throws(PluginError) {
    let answer = try await engine.call("POST", "/containers/\(id)/start")
    guard answer.status == 204 else {
      throw PluginError(
        answer.status / 100 == 4 ? .invalid : .io, "The Docker engine cannot start the run: \(answer.message)")
    }
  }

  /// Whether there is a file or folder of that path in the container, which need not run.
  func has(_ path: String) async throws(PluginError) -> Bool {
    let answer = try await engine.call("HEAD", "/containers/\(id)/archive", query: [("path", path)])
    switch answer.status {
    case 200: return true
    case 404: return false
    default: throw PluginError(.io, "The Docker engine cannot look for \(path) in the toolchain")
    }
  }

  /// Kills every process and removes the container; returns when both are done. One that is gone is no error.
  func remove() async throws(PluginError) {
    var message = ""
    for _ in 0..<Self.attempts {
      let answer = try await engine.call("DELETE", "/containers/\(id)", query: [("force", "1"), ("v", "1")])
      if answer.status == 404 { return }
      // A removal that has answered is done; one that another has begun is waited for.
      if answer.status == 204 { return }
      message = answer.message
      try? await Task.sleep(for: Self.pause)
    }
    throw PluginError(.io, "The Docker engine cannot remove the container \(id.prefix(12)): \(message)")
  }

  /// Kills the container's processes without the engine, as far as they are to be seen: by their cgroups, which carry
  /// its ID. With process 1 the kernel ends all of them.
  func killWithoutEngine() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    for process in names.compactMap({ Int32($0) }) {
      guard let text = Folder.readKernelFile("/proc/\(process)/cgroup"), text.contains(id) else { continue }
      _ = kill(process, SIGKILL)
    }
  }
}
