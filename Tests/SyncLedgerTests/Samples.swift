import SyncProof

extension BuildSpec {
  /// A small spec in good order, with `artifacts` besides `bin/itoa`.
  static func sample(rebuild: UInt64 = 0, moreArtifacts: [Text] = [], recipeBytes: Int? = nil) -> BuildSpec {
    let package: Text = "pkg:cargo/itoa@1.0.1"
    return BuildSpec(
      package: package, rebuild: rebuild, toolchain: SHA256.hash(Array("toolchain".utf8)),
      target: "x86_64-unknown-linux-gnu", profile: "release", features: [],
      sources: [
        SourceItem(
          purl: package, tree: SHA256.hash(Array("tree".utf8)), claim: SHA256.hash(Array("claim".utf8)),
          origin: "pkg:deb/debian/librust-itoa-dev@1.0.1-1?arch=amd64")
      ],
      lock: nil, environment: [EnvironmentVariable(name: "SOURCE_DATE_EPOCH", value: "0")],
      limits: Limits(
        wallSeconds: 600, cpuSeconds: 1200, memoryBytes: 1 << 31, processes: 256, diskBytes: 1 << 32,
        transcriptBytes: 1 << 20),
      recipe: recipeBytes.map { [UInt8](repeating: UInt8(ascii: "#"), count: $0) } ?? Array("cargo build\n".utf8),
      artifacts: (["bin/itoa"] + moreArtifacts).sorted())
  }
}

extension Artifact {
  static func sample(_ content: String, path: Text) -> Artifact {
    Artifact(
      path: path, mode: 0o644, size: UInt64(content.utf8.count), sha256: SHA256.hash(Array(content.utf8)))
  }
}

extension Outcome {
  /// What a build of `spec` gives whose artifacts hold `content`.
  static func sample(_ content: String, of spec: BuildSpec) -> Outcome {
    .built(spec.artifacts.map { Artifact.sample(content, path: $0) })
  }
}
