import Foundation
import Glibc
import SyncRuntime

/// What a run must not see or do.
extension SandboxCompatTest {
  static let isolation: [Check] = [
    Check("a run has no capability and gets none") { suite in
      try await suite.withRun { run in
        let text = try await run.text("busybox grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'")
        let zero = String(repeating: "0", count: 16)
        let wanted = ["Inh", "Prm", "Eff", "Bnd", "Amb"].map { "Cap\($0):\(zero)\n" }.joined() + "NoNewPrivs:1\n"
        try require(text == wanted, "it has \(text)")
      }
    },
    Check("mounts, namespaces, other roots and devices are refused") { suite in
      try await suite.withRun { run in
        let text = try await run.text(
          """
          mkdir d
          for c in 'busybox mount -t tmpfs none d' 'busybox mount -o bind /etc d' 'busybox umount /proc' \
            'busybox chroot / true' 'busybox unshare -U true' 'busybox unshare -r true' 'busybox unshare -m true' \
            'busybox mknod d/null c 1 3' 'busybox mknod d/disk b 8 0' 'busybox chown 0 d' 'busybox hostname x' \
            'echo 1 >/proc/sys/kernel/core_pattern' 'echo b >/proc/sysrq-trigger' \
            'echo -1000 >/proc/1/oom_score_adj'; do
            (eval "$c") >/dev/null 2>&1 && echo "$c works"
          done; true
          """)
        try require(text.isEmpty, text)
      }
    },
    Check("the host's processes are out of sight") { suite in
      try await suite.withRun { run in
        let text = try await run.text("for p in /proc/[0-9]*; do echo ${p#/proc/}; done")
        let count = text.split(separator: "\n").count
        try require(count <= 4, "a run sees \(count) processes")
        try await run.text("! kill -0 \(getpid()) 2>/dev/null")
      }
    },
    Check("there is no network, not even the host's loopback") { suite in
      let listener = try Listener()
      defer { listener.close() }
      try require(listener.connects(), "the suite's own listener does not work")
      try await suite.withRun { run in
        let script = "(exec 3<>/dev/tcp/127.0.0.1/\(listener.port)) 2>/dev/null && echo reached; cat /proc/net/dev"
        let result = try await suite.sandbox.run(run.request(["/bin/bash", "-c", script]))
        let text = String(decoding: result.transcript, as: UTF8.self)
        try require(!text.contains("reached"), "a run reaches the host's loopback")
        let devices = text.split(separator: "\n").dropFirst(2).map { $0.split(separator: ":")[0].filter { $0 != " " } }
        try require(devices == ["lo"], "a run has the network devices \(devices)")
      }
    },
    Check("odd things in a writable mount arrive harmless") { suite in
      try await suite.withRun { run in
        try await run.text(
          """
          cd /output; ln -s /etc/passwd link; ln -s ../../input escape; mkfifo pipe; echo x >file; ln file hard
          chmod 6755 file; mkdir locked; echo y >locked/inner; chmod 000 locked
          """)
        var info = stat()
        for (name, kind) in [("link", S_IFLNK), ("escape", S_IFLNK), ("file", S_IFREG), ("hard", S_IFREG)] {
          try require(lstat("\(run.folder)/output/\(name)", &info) == 0, "\(name) is not there")
          try require(info.st_mode & S_IFMT == kind, "\(name) has become something else")
        }
        try require(lstat("\(run.folder)/output/pipe", &info) == 0 && info.st_mode & S_IFMT != S_IFREG, "no pipe")
        try require(try run.output("hard") == [0x78, 0x0A], "a hard link lost its bytes")
        try require(try run.output("locked/inner") == [0x79, 0x0A], "a locked folder stays locked")
        try FileManager.default.removeItem(atPath: run.folder + "/output/locked")
      }
    },
    Check("runs at the same time do not meet") { suite in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<4 {
          group.addTask {
            try await suite.withRun { run in
              let text = try await run.text(
                "echo \(number) >/tmp/f; echo \(number) >/output/f; sleep 0.3; cat /tmp/f; ls -A /tmp;"
                  + " ls /proc | busybox grep -c '^[0-9]'"
              )
              try require(text.hasPrefix("\(number)\nf\n"), "run \(number) finds \(text)")
              try require(try run.output("f") == [UInt8]("\(number)\n".utf8), "run \(number) has another's output")
            }
          }
        }
        try await group.waitForAll()
      }
    },
  ]
}

/// A TCP listener on the host's loopback.
private struct Listener {
  let descriptor: Int32
  let port: UInt16

  init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listens = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard listens else { throw CompatFailure("cannot listen on loopback: \(String(cString: strerror(errno)))") }
    (self.descriptor, port) = (descriptor, UInt16(bigEndian: address.sin_port))
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    return address
  }

  func connects() -> Bool {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { _ = Glibc.close(client) }
    var address = Self.loopback(port: port)
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  func close() { _ = Glibc.close(descriptor) }
}
