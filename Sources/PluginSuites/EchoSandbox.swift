import Foundation
import SyncProof
import SyncRuntime

/// A sandbox that executes nothing: it follows a recipe of a few words, for tests of what stands around a sandbox.
///
/// Each line of `/input/recipe.sh` is one of
///
/// | line | effect |
/// |---|---|
/// | `echo PATH TEXT` | writes TEXT and a newline to `/output/PATH` |
/// | `who PATH` | writes the name that this sandbox was made with, so that builders differ |
/// | `crowd COUNT` | writes it to so many files: `/output/1000` and on |
/// | `say TEXT` | adds to the transcript |
/// | `sleep MILLISECONDS` | waits |
/// | `exit STATUS` | ends the run with that status |
/// | `fault` | fails as a sandbox does |
///
/// It isolates nothing and must not be shipped in a node. Thread: any.
public struct EchoSandbox: Sandbox {
  public let name = "echo"
  public let version = "1"
  private let who: String

  private let isFaulty: Bool

  /// - Parameters:
  ///   - who: What `who` writes.
  ///   - isFaulty: Whether every run fails as a sandbox does.
  public init(who: String, isFaulty: Bool = false) { (self.who, self.isFaulty) = (who, isFaulty) }

  public func probe() async -> SandboxProbe {
    SandboxProbe(findings: [.init(name: "isolation", isMet: true, detail: "none is wanted in a test")])
  }

  public func hasToolchain(_ toolchain: Digest) async -> Bool { true }
  public func prepare(toolchain: Digest, archive: String) async throws(PluginError) {}

  public func run(_ request: SandboxRequest) async throws(PluginError) -> SandboxResult {
    guard let recipe = request.mounts.first(where: { $0.insidePath == "/input/recipe.sh" })?.hostPath,
      let output = request.mounts.first(where: { $0.insidePath == "/output" })?.hostPath,
      let text = try? String(contentsOfFile: recipe, encoding: .utf8)
    else { throw PluginError(.invalid, "A run needs /input/recipe.sh and /output") }
    guard !isFaulty else { throw PluginError(.unavailable, "This sandbox fails every run") }
    var transcript = ""
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      switch words.first {
      case "echo": try write(words.count > 2 ? words[2] : "", to: "\(output)/\(words[1])")
      case "who": try write(who, to: "\(output)/\(words[1])")
      case "crowd": for number in 0..<(Int(words[1]) ?? 0) { try write(who, to: "\(output)/\(1_000 + number)") }
      case "say": transcript += line.dropFirst(4) + "\n"
      case "sleep":
        do {
          try await Task.sleep(for: .milliseconds(Int(words[1]) ?? 0))
        } catch {
          throw PluginError(.cancelled, "The run was cancelled")
        }
      case "exit": return result(.exited(status: Int32(words[1]) ?? 1), transcript)
      case "fault": throw PluginError(.unavailable, "The recipe asks for a fault of the sandbox")
      default: return result(.exited(status: 127), transcript + "\(line): not found\n")
      }
    }
    return result(.exited(status: 0), transcript)
  }

  private func write(_ text: String, to path: String) throws(PluginError) {
    guard FileManager.default.createFile(atPath: path, contents: Data((text + "\n").utf8)) else {
      throw PluginError(.io, "Cannot write \(path)")
    }
  }

  private func result(_ termination: SandboxTermination, _ transcript: String) -> SandboxResult {
    SandboxResult(
      termination: termination, transcript: [UInt8](transcript.utf8), wallNanoseconds: 1, cpuNanoseconds: nil,
      memoryPeakBytes: nil)
  }
}

/// A source of packages that hold one empty folder and are built by the ``EchoSandbox`` recipe that is their name.
///
/// `pkg:echo/NAME@1` is built by the recipe that was given for NAME. Thread: any.
public struct EchoSource: Source {
  public let name = "echo"
  private let recipes: [String: String]

  public init(recipes: [String: String]) { self.recipes = recipes }

  public func resolve(_ request: ResolveRequest, sandbox: any Sandbox, scratchDirectory: String)
    async throws(PluginError) -> BuildSpec
  {
    let name = request.package.dropFirst("pkg:echo/".count).split(separator: "@").first.map(String.init) ?? ""
    guard let recipe = recipes[name] else {
      throw PluginError(.notFound, "There is no recipe for \(request.package)")
    }
    var spec = EchoSource.spec(name: name, recipe: recipe, toolchain: request.toolchain, rebuild: request.rebuild)
    if !request.normalise.isEmpty {
      let names = request.normalise.map(\.rawValue).joined(separator: " ")
      spec.environment.append(EnvironmentVariable(name: Text(Normalisation.variable), value: Text(names)))
    }
    return spec
  }

  /// A small valid spec whose one artifact is the file `out`.
  public static func spec(name: String, recipe: String, toolchain: Digest, rebuild: UInt64 = 0) -> BuildSpec {
    let purl = Text("pkg:echo/\(name)@1")
    return BuildSpec(
      package: purl, rebuild: rebuild, toolchain: toolchain, target: "none", profile: "release", features: [],
      sources: [SourceItem(purl: purl, tree: tree, claim: nil, origin: purl)], lock: nil, environment: [],
      limits: Limits(
        wallSeconds: 60, cpuSeconds: 60, memoryBytes: 1 << 26, processes: 8, diskBytes: 1 << 20,
        transcriptBytes: 1 << 16),
      recipe: [UInt8](recipe.utf8), artifacts: ["out"])
  }

  public func fetch(_ item: SourceItem, into directory: String) async throws(PluginError) {
    guard item.tree == EchoSource.tree else {
      throw PluginError(.checksumMismatch, "\(item.purl.string) has the tree \(EchoSource.tree), not \(item.tree)")
    }
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw PluginError(.io, "Cannot create \(directory)")
    }
  }

  /// The tree digest of an empty folder.
  private static let tree = SHA256.hash([UInt8]("synchronicity-tree/v1\n".utf8))
}
