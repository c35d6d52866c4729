import SyncRuntime
import Testing

@testable import CratesSource

@Suite("What cargo says of a crate")
struct CratesSourceManifestTests {
  private static let json = """
    {"packages": [{"name": "made-up", "version": "1.2.3", "id": "x", "targets": [
      {"name": "made_up", "kind": ["rlib", "cdylib"]}, {"name": "old-name", "kind": ["lib"]},
      {"name": "tool", "kind": ["bin"]}, {"name": "extra", "kind": ["bin"], "required-features": ["extra"]},
      {"name": "build-script-build", "kind": ["custom-build"]}, {"name": "bench", "kind": ["bench"]}],
      "features": {"default": ["std"], "std": ["alloc", "weak?/std"], "alloc": [], "extra": ["dep:one", "two/more"],
        "two": ["dep:two"], "weak": ["dep:weak"], "unused": ["dep:one"]},
      "dependencies": [
        {"name": "always", "rename": null, "optional": false, "kind": null},
        {"name": "one", "rename": null, "optional": true, "kind": null},
        {"name": "second", "rename": "two", "optional": true, "kind": "build"},
        {"name": "weak", "rename": null, "optional": true, "kind": null},
        {"name": "only-tests", "rename": null, "optional": false, "kind": "dev"}]}]}
    """

  private func manifest(_ change: (String) -> String = { $0 }) throws -> CrateManifest {
    try CrateManifest.parse([UInt8](change(Self.json).utf8))
  }

  @Test("The default features leave out what they do not reach")
  func selectsDefault() throws {
    let selection = try FeatureSelection(manifest: manifest(), requested: [])
    #expect(selection.table == "alloc= default=std std=alloc")
    #expect(selection.dropped == ["one", "two", "weak"])
    #expect(selection.hasDependencies)
  }

  @Test("A feature switches dependencies on, in each of the three ways")
  func selectsRequested() throws {
    let selection = try FeatureSelection(manifest: manifest(), requested: ["extra", "weak"])
    #expect(
      selection.table
        == "alloc= default=std extra=dep:one,two/more std=alloc,weak?/std two=dep:two weak=dep:weak")
    #expect(selection.dropped.isEmpty)
  }

  @Test("A crate without dependencies but for tests has none")
  func seesNoDependencies() throws {
    let manifest = try manifest {
      $0.split(separator: "{\"name\": \"always\"").joined(separator: "{\"name\": \"always\"")
    }
    #expect(try FeatureSelection(manifest: manifest, requested: []).hasDependencies)
    let text = """
      {"packages": [{"name": "a", "version": "1.0.0", "targets": [], "features": {}, "dependencies": [
        {"name": "b", "optional": false, "kind": "dev"}, {"name": "c", "optional": true, "kind": null}]}]}
      """
    let bare = try CrateManifest.parse([UInt8](text.utf8))
    let selection = try FeatureSelection(manifest: bare, requested: [])
    #expect(!selection.hasDependencies)
    #expect(selection.dropped == ["c"])
  }

  @Test("Without the default features, only what is asked for is on")
  func selectsWithoutDefault() throws {
    #expect(try FeatureSelection(manifest: manifest(), requested: [], withDefault: false).table.isEmpty)
    let selection = try FeatureSelection(manifest: manifest(), requested: ["alloc"], withDefault: false)
    #expect(selection.table == "alloc=")
  }

  @Test("An unknown feature is refused with the known ones")
  func refusesFeature() throws {
    let manifest = try manifest()
    let error = #expect(throws: PluginError.self) { try FeatureSelection(manifest: manifest, requested: ["nope"]) }
    #expect(error?.code == .featureMissing)
    #expect(error?.message.contains("alloc, default, extra") == true)
  }

  @Test("What is not cargo's description is refused", arguments: ["", "{}", "[]", "{\"packages\": []}"])
  func refusesDescription(_ text: String) {
    #expect(throws: PluginError(.invalid, "")) { try CrateManifest.parse([UInt8](text.utf8)) }
  }

  @Test("A lock's packages are read, its dependency lists are not")
  func readsLock() throws {
    let lock = """
      version = 4

      [[package]]
      name = "a"
      version = "1.0.0"
      dependencies = [
       "b 2.0.0",
      ]

      [[package]]
      name = "b"
      version = "2.0.0+meta"
      checksum = "00"
      """
    let packages = try CargoLock.packages([UInt8](lock.utf8))
    #expect(
      packages == [
        LockedCrate(name: "a", version: "1.0.0"), LockedCrate(name: "b", version: "2.0.0+meta", checksum: "00"),
      ])
    let hostile = lock.split(separator: "\"b\"").joined(separator: "\"../b\"")
    #expect(throws: PluginError(.invalid, "")) { try CargoLock.packages([UInt8](hostile.utf8)) }
  }
}
