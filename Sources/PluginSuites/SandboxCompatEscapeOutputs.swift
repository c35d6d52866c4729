import Foundation
import Glibc
import SyncRuntime

/// What a run leaves behind to harm who looks at it, and what it does to those who end it.
extension SandboxCompatTest {
  static let escapeChecks: [EscapeCheck] = [
    EscapeCheck("a process that left its parents and its session ends with the run") { suite, program in
      let word = "synchronicity-stays-\(UInt32.random(in: .min ... .max))"
      _ = try program.runOutside(["stay:\(word)"])
      let outside = Self.processes(with: word)
      for pid in outside { kill(pid, SIGKILL) }
      try require(!outside.isEmpty, "it does not stay without a sandbox: it shows nothing")
      try await suite.withRun { run in
        try program.copy(to: run.folder + "/input/escape", mode: 0o755)
        let text = try await run.text("/input/package/escape stay:\(word)")
        try require(text == "stay:\(word) worked\n", "it says \(text)")
      }
      try require(Self.processes(with: word).isEmpty, "it outlives its run")
    },
    EscapeCheck("signals to process 1 and to everybody hurt nobody else") { suite, _ in
      try await suite.withRun { run in
        let text = try await run.text(
          "for s in KILL STOP TERM HUP INT USR1; do kill -$s 1 2>/dev/null; done; kill -KILL -1 2>/dev/null; echo up"
        )
        try require(text == "up\n", "it says \(text)")
      }
    },
    EscapeCheck("links in a writable mount lead the host nowhere") { suite, _ in
      try await suite.withRun { run in
        let canary = run.folder + "/canary"
        try FileManager.default.createDirectory(atPath: canary, withIntermediateDirectories: true)
        try Data("alive".utf8).write(to: URL(fileURLWithPath: canary + "/file"))
        chmod(canary, 0o777)
        chmod(canary + "/file", 0o666)
        let scripts = [
          "cd /output; mkdir folder; echo x >folder/file; echo x >name",
          // A folder becomes a link, and so does a file; what is written through them stays inside.
          "cd /output; rm -r folder name; ln -s \(canary) folder; ln -s \(canary)/file name; ln -s ../canary up; "
            + "echo gone >name; rm -f folder/file up/file; echo x >folder/new; true",
          "true",
          "cd /output; rm folder name up; mkdir -p folder; true",
        ]
        for (number, script) in scripts.enumerated() {
          try await run.text("(\(script)) 2>/dev/null")
          let left = try FileManager.default.contentsOfDirectory(atPath: canary)
          try require(left == ["file"], "after script \(number) the host's folder has \(left)")
          let text = FileManager.default.contents(atPath: canary + "/file")
          try require(text == Data("alive".utf8), "after script \(number) the host's file is another")
          guard number == 1 || number == 2 else { continue }
          for name in ["folder", "name", "up"] {
            var info = stat()
            try require(
              lstat("\(run.folder)/output/\(name)", &info) == 0 && info.st_mode & S_IFMT == S_IFLNK,
              "after script \(number) \(name) is no link")
          }
        }
      }
    },
    EscapeCheck("odd names arrive as they are") { suite, _ in
      try await suite.withRun { run in
        let names = ["a\nb", "-rf", "...", "*", "\\", "%s%n", "\u{1B}[2J", " ", String(repeating: "n", count: 255)]
        let script = names.map { "echo x >'./\($0)'" }.joined(separator: "\n")
        try await run.text("cd /output\n\(script)\nprintf x >\"$(printf 'bytes\\377')\"")
        let folder = try requireValue(opendir(run.folder + "/output"), "the output folder is gone")
        defer { closedir(folder) }
        var found: [[UInt8]] = []
        while let entry = readdir(folder) {
          let name = withUnsafeBytes(of: entry.pointee.d_name) { [UInt8]($0.prefix { $0 != 0 }) }
          if name != [0x2E] && name != [0x2E, 0x2E] { found.append(name) }
        }
        let wanted = names.map { [UInt8]($0.utf8) } + [[UInt8]("bytes".utf8) + [0xFF]]
        let order: ([UInt8], [UInt8]) -> Bool = { $0.lexicographicallyPrecedes($1) }
        try require(found.sorted(by: order) == wanted.sorted(by: order), "they are \(found)")
      }
    },
    EscapeCheck("a tree that is deeper than any path can be removed") { suite, program in
      try await suite.withRun { run in
        try program.copy(to: run.folder + "/input/escape", mode: 0o755)
        let text = try await run.text("/input/package/escape deep:/output:100")
        try require(text == "deep:/output:100 worked\n", "it says \(text)")
        // As a node removes it.
        Folder.remove(run.folder + "/output")
        try FileManager.default.createDirectory(atPath: run.folder + "/output", withIntermediateDirectories: false)
      }
    },
    EscapeCheck("no device and no socket arrives, and nothing with a set-user-ID bit") { suite, _ in
      try await suite.withRun { run in
        try await run.text(
          """
          cd /output; mkfifo pipe; (busybox mknod device c 0 0) 2>/dev/null; echo x >file; chmod 7777 file
          mkdir folder; chmod 7777 folder
          /bin/bash -c 'exec 3<>/dev/null'; (busybox nc -l -U socket 2>/dev/null & sleep 0.2; kill $! 2>/dev/null); true
          """)
        for name in try FileManager.default.contentsOfDirectory(atPath: run.folder + "/output") {
          var info = stat()
          try require(lstat("\(run.folder)/output/\(name)", &info) == 0, "\(name) cannot be looked at")
          let kind = info.st_mode & S_IFMT
          try require(kind == S_IFREG || kind == S_IFDIR || kind == S_IFIFO, "\(name) is of kind \(kind)")
          try require(info.st_mode & 0o7000 == 0, "\(name) has the mode \(String(info.st_mode, radix: 8))")
          // Who only reads regular files is not kept waiting.
          if ["pipe", "device", "socket"].contains(name) { try require(kind == S_IFIFO, "\(name) is no FIFO") }
        }
      }
    },
    EscapeCheck("no second name of an input or of the toolchain is made") { suite, _ in
      try await suite.withRun { run in
        let text = try await run.text(
          """
          for f in /input/package/file /bin/true /etc/passwd; do
            for d in /output /tmp /build /dev/shm; do ln $f $d/hard 2>/dev/null && echo $f in $d; done
          done; true
          """)
        try require(text.isEmpty, "there is a second name of \(text)")
        var info = stat()
        try require(stat(run.folder + "/input/file", &info) == 0 && info.st_nlink == 1, "an input has a second name")
      }
    },
  ]
}
