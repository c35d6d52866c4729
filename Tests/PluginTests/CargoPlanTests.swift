import SyncRuntime
import Testing

@testable import CratesSource

@Suite("What cargo is asked to build")
struct CargoPlanTests {
  private static let json = """
    {"packages": [{"name": "made-up", "version": "1.2.3", "targets": [
      {"name": "made_up", "kind": ["rlib", "cdylib"]}, {"name": "c-side", "kind": ["staticlib"]},
      {"name": "tool", "kind": ["bin"]}, {"name": "extra", "kind": ["bin"], "required-features": ["extra"]},
      {"name": "build-script-build", "kind": ["custom-build"]}, {"name": "bench", "kind": ["bench"]}],
      "features": {"extra": []}, "dependencies": []}]}
    """
  private static let macro = """
    {"packages": [{"name": "made-up", "version": "1.2.3", "targets": [{"name": "made-up", "kind": ["proc-macro"]}],
      "features": {}, "dependencies": []}]}
    """

  private static let host = "x86_64-unknown-linux-gnu"

  private func plan(_ selection: BuildSelection, json: String = Self.json, features: Set<String> = []) throws
    -> CargoPlan
  {
    let manifest = try CrateManifest.parse([UInt8](json.utf8))
    let facts = CargoFacts(
      manifest: manifest, rustc: "", host: Self.host,
      targets: ["aarch64-apple-darwin", "wasm32-unknown-unknown", "x86_64-pc-windows-gnu", Self.host],
      profiles: ["bench", "release", "small"])
    return try CargoPlan(selection, manifest: manifest, features: features, facts: facts)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let selection: BuildSelection
    var features: Set<String> = []
    let options: String
    let directory: String
    let artifacts: [String]
  }

  private static let whole = ["libc_side.a", "libmade_up.rlib", "libmade_up.so", "tool"]

  static let rows = [
    Row(
      testDescription: "nothing asked", selection: BuildSelection(), options: "", directory: "release",
      artifacts: whole),
    Row(
      testDescription: "what is usual, spelt out", selection: BuildSelection(profile: "release", target: host),
      options: "", directory: "release", artifacts: whole),
    Row(
      testDescription: "a feature brings its program", selection: BuildSelection(), features: ["extra"], options: "",
      directory: "release", artifacts: ["extra"] + whole),
    Row(
      testDescription: "dev", selection: BuildSelection(profile: "dev"), options: "--profile dev", directory: "debug",
      artifacts: whole),
    Row(
      testDescription: "a profile of the crate's own", selection: BuildSelection(profile: "small"),
      options: "--profile small", directory: "small", artifacts: whole),
    Row(
      testDescription: "no default features", selection: BuildSelection(withDefaultFeatures: false),
      options: "--profile release --no-default-features", directory: "release", artifacts: whole),
    Row(
      testDescription: "one program", selection: BuildSelection(programs: ["tool"]),
      options: "--profile release --bin tool", directory: "release", artifacts: ["tool"]),
    Row(
      testDescription: "programs twice and the library",
      selection: BuildSelection(programs: ["tool", "extra", "tool"], library: true),
      features: ["extra"], options: "--profile release --lib --bin extra --bin tool", directory: "release",
      artifacts: ["extra"] + whole),
    Row(
      testDescription: "wasm", selection: BuildSelection(target: "wasm32-unknown-unknown"),
      options: "--profile release --target wasm32-unknown-unknown", directory: "wasm32-unknown-unknown/release",
      artifacts: ["libc_side.a", "libmade_up.rlib", "made_up.wasm", "tool.wasm"]),
    Row(
      testDescription: "windows", selection: BuildSelection(profile: "dev", target: "x86_64-pc-windows-gnu"),
      options: "--profile dev --target x86_64-pc-windows-gnu", directory: "x86_64-pc-windows-gnu/debug",
      artifacts: ["libc_side.a", "libmade_up.rlib", "made_up.dll", "tool.exe"]),
    Row(
      testDescription: "apple", selection: BuildSelection(target: "aarch64-apple-darwin", library: true),
      options: "--profile release --target aarch64-apple-darwin --lib", directory: "aarch64-apple-darwin/release",
      artifacts: ["libc_side.a", "libmade_up.dylib", "libmade_up.rlib"]),
  ]

  @Test("Options, folder and artifacts follow the choice", arguments: rows)
  func plans(_ row: Row) throws {
    let plan = try plan(row.selection, features: row.features)
    #expect(plan.options.joined(separator: " ") == row.options)
    #expect(plan.directory == row.directory)
    #expect(plan.artifacts == row.artifacts)
    #expect(plan.profile == row.selection.profile ?? "release")
    #expect(plan.target == row.selection.target ?? Self.host)
  }

  static let refused: [(BuildSelection, PluginError.Code, String)] = [
    (BuildSelection(profile: "tiny"), .profileMissing, "dev, release, small"),
    (BuildSelection(profile: "debug"), .profileMissing, "dev, release, small"),
    (BuildSelection(profile: "bench"), .profileMissing, "dev, release, small"),
    (BuildSelection(profile: ""), .profileMissing, "dev, release, small"),
    (BuildSelection(profile: "small --offline"), .profileMissing, "dev, release, small"),
    (BuildSelection(target: "riscv64gc-unknown-linux-gnu"), .targetMissing, host),
    (BuildSelection(target: ""), .targetMissing, host),
    (BuildSelection(programs: ["toll"]), .programMissing, "extra, tool"),
    (BuildSelection(programs: ["made_up"]), .programMissing, "extra, tool"),
    (BuildSelection(programs: ["extra"]), .featureMissing, "the features extra"),
  ]

  @Test("What is not there is refused by name", arguments: refused)
  func refuses(_ row: (selection: BuildSelection, code: PluginError.Code, words: String)) {
    let error = #expect(throws: PluginError.self) { try plan(row.selection) }
    #expect(error?.code == row.code)
    #expect(error?.message.contains(row.words) == true, "\(error?.message ?? "")")
  }

  @Test("A procedural macro is built for the host alone")
  func keepsMacroAtHome() throws {
    #expect(try plan(BuildSelection(library: true), json: Self.macro).artifacts == ["libmade_up.so"])
    #expect(throws: PluginError(.targetMissing, "")) {
      try plan(BuildSelection(target: "wasm32-unknown-unknown"), json: Self.macro)
    }
    #expect(throws: PluginError(.programMissing, "")) {
      try plan(BuildSelection(programs: ["made-up"]), json: Self.macro)
    }
  }

  @Test("A program alone has no library")
  func refusesMissingLibrary() {
    let json = Self.json.replacing("\"rlib\", \"cdylib\"", with: "\"example\"").replacing("staticlib", with: "test")
    #expect(throws: PluginError(.programMissing, "")) { try plan(BuildSelection(library: true), json: json) }
  }
}
