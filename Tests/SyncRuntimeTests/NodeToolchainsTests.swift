import Foundation
import SyncProof
import Testing

@testable import SyncRuntime

@Suite struct NodeToolchainsTests {
  @Test func `toolchains of open jobs are read as they were written, none too`() throws {
    let folder = NSTemporaryDirectory() + "node-toolchains-\(UInt64.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(try NodeToolchains.ofOpenJobs(dataDirectory: folder).isEmpty)
    for toolchains in [[SHA256.hash([1]), SHA256.hash([2])].sorted(), []] {
      try NodeToolchains.write(toolchains.reversed(), dataDirectory: folder)
      #expect(try NodeToolchains.ofOpenJobs(dataDirectory: folder) == toolchains)
    }
    for damage in ["x\n", Digest.zero.hex + "0\n"] {
      try Data(damage.utf8).write(to: URL(fileURLWithPath: NodeToolchains.path(folder)))
      #expect(throws: PluginError(.invalid, "")) { try NodeToolchains.ofOpenJobs(dataDirectory: folder) }
    }
  }
}
