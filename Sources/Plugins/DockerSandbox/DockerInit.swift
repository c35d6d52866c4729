import CDockerInit
import Glibc
import SyncRuntime

/// Process 1 of a run's container: a program of our own that needs nothing of the toolchain.
///
/// It gives the worker one stream for output and errors, so that they stay interleaved as they came, and the
/// environment it shall have; bounds what an engine may have forgotten to bound; reaps orphans; tells the worker's wait
/// status on its own errors, which no build can open; and waits to be killed, so that the cgroups' counters can still
/// be read.
enum DockerInit {
  /// The program removes its file before it starts the worker.
  static let name = "init"
  static let insidePath = "/dev/shm/" + name

  /// Writes the program into the folder that is `/dev/shm` inside.
  static func write(into folder: String, bounds: [ContainerSpec.Ulimit]) throws(PluginError) {
    guard let bytes = program(bounds: bounds) else {
      throw PluginError(.unavailable, "The Docker sandbox runs on x86-64 and AArch64; this processor is another one")
    }
    let path = "\(folder)/\(name)"
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o555)
    guard file >= 0 else { throw DockerDisk.error("make", path) }
    defer { close(file) }
    guard Glibc.write(file, bytes, bytes.count) == bytes.count, fchmod(file, 0o555) == 0 else {
      throw DockerDisk.error("write", path)
    }
  }

  /// Rootless Podman's service for Docker's API passes over all of these without a word (Podman issue 25881), so that
  /// process 1 sets them itself.
  private static func program(bounds: [ContainerSpec.Ulimit]) -> [UInt8]? {
    var (count, size) = (0, 0)
    guard let begin = synchronicity_docker_init(&count) else { return nil }
    var bytes = [UInt8](UnsafeRawBufferPointer(start: begin, count: count))
    let at = synchronicity_docker_init_bounds_at(&size)
    let words = bounds.flatMap { [$0.resource, $0.soft, $0.hard] }
    precondition(words.count * 8 == size, "the program has room for another number of bounds")
    bytes.replaceSubrange(at..<at + size, with: words.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })
    return bytes
  }

  /// How the worker ended: of the report, the first whole line `end XXXX`, whose digits are the wait status.
  ///
  /// Source: wait(2), WIFEXITED and its kin.
  static func end(in report: [UInt8]) -> SandboxTermination? {
    let lines = String(decoding: report, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    for line in lines.dropLast() where line.hasPrefix("end ") {
      let digits = line.dropFirst(4)
      guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit), let status = Int32(digits, radix: 16) else {
        continue
      }
      let signal = status & 0x7F
      return signal == 0 ? .exited(status: status >> 8) : .signalled(signal)
    }
    return nil
  }
}
