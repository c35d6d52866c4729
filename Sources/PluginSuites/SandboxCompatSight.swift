import Foundation
import Glibc
import SyncRuntime

/// What a run sees: the same on every host and with every plugin.
extension SandboxCompatTest {
  static let sight: [Check] = [
    Check("the environment is the given one alone") { suite in
      try await suite.withRun { run in
        var request = run.request(["/usr/bin/env"])
        request.environment = [("A", "1"), ("PATH", "/usr/bin:/bin"), ("Z", "=a b\n\u{E9}")]
        let result = try await suite.sandbox.run(request)
        let wanted = "A=1\nPATH=/usr/bin:/bin\nZ==a b\n\u{E9}\n"
        try require(
          result.transcript == [UInt8](wanted.utf8), "it is \(String(decoding: result.transcript, as: UTF8.self))")
      }
    },
    Check("host name, user, umask and folder are fixed") { suite in
      try await suite.withRun { run in
        let text = try await run.text("cat /proc/sys/kernel/hostname; id -u; id -g; id -G; umask; pwd; echo $$ >/tmp/x")
        try require(text == "builder\n1000\n1000\n1000\n0022\n/build\n", "they are \(text)")
        var request = run.request("cat /proc/sys/kernel/hostname; pwd")
        (request.hostName, request.workingDirectory) = ("other", "/tmp")
        let result = try await suite.sandbox.run(request)
        try require(result.transcript == [UInt8]("other\n/tmp\n".utf8), "the request's own values are not taken")
      }
    },
    Check("the working folder, /tmp and /dev/shm are private, empty and writable") { suite in
      for _ in 0..<2 {
        try await suite.withRun { run in
          let text = try await run.text(
            "for d in /build /tmp /dev/shm; do ls -A $d; echo x >$d/file && cat $d/file; done; ls -A /build")
          try require(text == "x\nx\nx\nfile\n", "a run finds \(text)")
        }
      }
    },
    Check("the devices are null, zero, full, random and urandom") { suite in
      try await suite.withRun { run in
        let text = try await run.text(
          """
          for d in null zero full random urandom; do test -c /dev/$d || echo no $d; done
          echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; head -c 3 /dev/random | wc -c
          (echo x >/dev/full) 2>/dev/null && echo full is not full
          for f in /dev/*; do test -b $f && echo block device $f; done; test -e /dev/mem && echo mem
          cat </dev/stdin; true
          """)
        try require(text == "3\n3\n3\n", "what it found: \(text)")
      }
    },
    Check("a read-only mount is seen and refuses writes") { suite in
      try await suite.withRun { run in
        let text = try await run.text(
          """
          cd /input/package && cat file && echo
          for c in 'echo x >file' 'echo x >new' 'rm file' 'mkdir d' 'chmod 777 file' 'mv file other'; do
            (eval "$c") 2>/dev/null && echo "$c works"
          done; true
          """)
        try require(text == "given\n", "it says \(text)")
        let file = run.folder + "/input/file"
        try require(FileManager.default.contents(atPath: file) == Data("given".utf8), "the host's file changed")
        try require(
          FileManager.default.contentsOfDirectory(atPath: run.folder + "/input") == ["file"],
          "the host's folder changed")
      }
    },
    Check("one file can be mounted") { suite in
      try await suite.withRun { run in
        var request = run.request("cat /input/recipe.sh; (echo x >/input/recipe.sh) 2>/dev/null || echo refused")
        request.mounts.append(
          SandboxMount(hostPath: run.folder + "/input/file", insidePath: "/input/recipe.sh", isWritable: false))
        let result = try await suite.sandbox.run(request)
        let text = String(decoding: result.transcript, as: UTF8.self)
        try require(text == "givenrefused\n", "it says \(text)")
      }
    },
    Check("a run does not change the toolchain") { suite in
      let script = "for f in /etc/left /usr/left /left /bin/left /var/left; do echo x >$f; done 2>/dev/null; true"
      _ = try await suite.withRun { run in try await run.text(script + "; rm -f /etc/passwd /bin/cat 2>/dev/null; true")
      }
      try await suite.withRun { run in
        let text = try await run.text(
          "ls /etc/left /usr/left /left /bin/left /var/left 2>/dev/null; cat /dev/null; true")
        try require(text.isEmpty, "the next run finds \(text)")
      }
    },
    Check("what is left in a writable mount comes to the host") { suite in
      try await suite.withRun { run in
        try await run.text(
          "cd /output; printf 'a\\000\\377' >a; mkdir -p d/e; echo b >d/e/b; chmod 755 a; chmod 000 d/e/b")
        try require(try run.output("a") == [0x61, 0, 0xFF], "a file has other bytes")
        try require(try run.output("d/e/b") == [0x62, 0x0A], "a file without any right is not readable")
        let mode = try FileManager.default.attributesOfItem(atPath: run.folder + "/output/a")[.posixPermissions] as? Int
        try require(mode == 0o755, "the mode is \(String(mode ?? -1, radix: 8))")
      }
    },
    Check("two runs of one request give the same bytes") { suite in
      // One by one: in a list the links of /proc, which are the host's processes, make a column wider.
      let script = """
        env; id; for f in /* /dev/* /build/* /output/* /input/*; do ls -ldn "$f"; done 2>&1 | grep -v :
        ulimit -a; cat /proc/self/cgroup
        cd /output; echo out >out; ls -l out | cut -c 1-10; sha256sum out
        stat -c '%a %u %g %n' / /tmp /build /output /input
        """
      let first = try await suite.withRun { run in try await (run.busyText(script), run.output("out")) }
      let second = try await suite.withRun { run in try await (run.busyText(script), run.output("out")) }
      try require(first.0 == second.0 && first.1 == second.1, "first \(first.0), then \(second.0)")
    },
  ]
}

extension SandboxCompatRun {
  /// As `text`, with busybox's tools where the toolchain has no others.
  func busyText(_ script: String) async throws -> String {
    try await text("for t in grep; do eval \"$t() { busybox $t \\\"\\$@\\\"; }\"; done\n" + script)
  }
}
