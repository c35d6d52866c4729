import Foundation
import SyncRuntime
import Testing

@testable import ChrootSandbox

/// The very program that the kernel gets, for either processor, read by an interpreter of its own.
@Suite struct ChrootSandboxFilterTests {
  enum Answer: Equatable {
    case allow, kill
    case refuse(Int32)
  }

  struct Row {
    let call: String
    let x86: UInt32?
    let arm: UInt32?
    var arguments: [UInt64] = []
    let answer: Answer
  }

  /// Numbers as the kernel's tables of system calls have them.
  static let rows: [Row] = [
    Row(call: "read", x86: 0, arm: 63, answer: .allow),
    Row(call: "openat", x86: 257, arm: 56, answer: .allow),
    Row(call: "execve", x86: 59, arm: 221, answer: .allow),
    Row(call: "exit_group", x86: 231, arm: 94, answer: .allow),
    Row(call: "landlock_restrict_self", x86: 446, arm: 446, answer: .allow),
    Row(call: "getrandom", x86: 318, arm: 278, answer: .allow),
    Row(call: "mount", x86: 165, arm: 40, answer: .refuse(EPERM)),
    Row(call: "umount2", x86: 166, arm: 39, answer: .refuse(EPERM)),
    Row(call: "pivot_root", x86: 155, arm: 41, answer: .refuse(EPERM)),
    Row(call: "chroot", x86: 161, arm: 51, answer: .refuse(EPERM)),
    Row(call: "ptrace", x86: 101, arm: 117, answer: .refuse(EPERM)),
    Row(call: "unshare", x86: 272, arm: 97, answer: .refuse(EPERM)),
    Row(call: "setns", x86: 308, arm: 268, answer: .refuse(EPERM)),
    Row(call: "keyctl", x86: 250, arm: 219, answer: .refuse(EPERM)),
    Row(call: "bpf", x86: 321, arm: 280, answer: .refuse(EPERM)),
    Row(call: "perf_event_open", x86: 298, arm: 241, answer: .refuse(EPERM)),
    Row(call: "userfaultfd", x86: 323, arm: 282, answer: .refuse(EPERM)),
    Row(call: "io_uring_setup", x86: 425, arm: 425, answer: .refuse(EPERM)),
    Row(call: "open_tree_attr", x86: 467, arm: 467, answer: .refuse(EPERM)),
    Row(call: "clock_settime", x86: 227, arm: 112, answer: .refuse(EPERM)),
    Row(call: "open_by_handle_at", x86: 304, arm: 265, answer: .refuse(EPERM)),
    Row(call: "process_vm_writev", x86: 311, arm: 271, answer: .refuse(EPERM)),
    Row(call: "iopl", x86: 172, arm: nil, answer: .refuse(EPERM)),
    Row(call: "modify_ldt", x86: 154, arm: nil, answer: .refuse(EPERM)),
    // The same number is another call on the other processor.
    Row(call: "getpid of aarch64", x86: nil, arm: 172, answer: .allow),
    Row(call: "getegid, mount of aarch64's neighbour", x86: 40, arm: nil, answer: .allow),
    Row(call: "clone3", x86: 435, arm: 435, answer: .refuse(ENOSYS)),
    Row(call: "clone of a thread", x86: 56, arm: 220, arguments: [0x3D0F00], answer: .allow),
    Row(call: "clone of a process", x86: 56, arm: 220, arguments: [17], answer: .allow),
    Row(call: "clone with a user namespace", x86: 56, arm: 220, arguments: [0x1000_0011], answer: .refuse(EPERM)),
    Row(call: "clone with a mount namespace", x86: 56, arm: 220, arguments: [0x0002_0011], answer: .refuse(EPERM)),
    Row(call: "clone with a cgroup namespace", x86: 56, arm: 220, arguments: [0x0200_0011], answer: .refuse(EPERM)),
    Row(
      call: "clone, high half set", x86: 56, arm: 220, arguments: [0xFFFF_FFFF_1000_0011], answer: .refuse(EPERM)),
    Row(call: "socket unix", x86: 41, arm: 198, arguments: [1, 1, 0], answer: .allow),
    Row(call: "socket TCP", x86: 41, arm: 198, arguments: [2, 1, 0], answer: .allow),
    Row(call: "socket TCP by name", x86: 41, arm: 198, arguments: [2, 1, 6], answer: .allow),
    Row(call: "socket UDP 6", x86: 41, arm: 198, arguments: [10, 2, 17], answer: .allow),
    Row(call: "socket SCTP", x86: 41, arm: 198, arguments: [2, 1, 132], answer: .refuse(EPROTONOSUPPORT)),
    Row(call: "socket DCCP 6", x86: 41, arm: 198, arguments: [10, 6, 33], answer: .refuse(EPROTONOSUPPORT)),
    Row(call: "netlink route", x86: 41, arm: 198, arguments: [16, 3, 0], answer: .allow),
    Row(call: "netlink audit", x86: 41, arm: 198, arguments: [16, 3, 9], answer: .refuse(EPROTONOSUPPORT)),
    Row(call: "netlink filter", x86: 41, arm: 198, arguments: [16, 3, 12], answer: .refuse(EPROTONOSUPPORT)),
    Row(call: "vsock", x86: 41, arm: 198, arguments: [40, 1, 0], answer: .refuse(EAFNOSUPPORT)),
    Row(call: "packet", x86: 41, arm: 198, arguments: [17, 3, 768], answer: .refuse(EAFNOSUPPORT)),
    Row(call: "vsock, high half set", x86: 41, arm: 198, arguments: [1 << 32 | 40], answer: .refuse(EAFNOSUPPORT)),
    Row(call: "socketpair unix", x86: 53, arm: 199, arguments: [1, 1, 0], answer: .allow),
    Row(call: "socketpair TIPC", x86: 53, arm: 199, arguments: [30, 1, 0], answer: .refuse(EAFNOSUPPORT)),
    Row(call: "personality asked", x86: 135, arm: 92, arguments: [0xFFFF_FFFF], answer: .allow),
    Row(call: "personality of 32 bits", x86: 135, arm: 92, arguments: [8], answer: .allow),
    Row(call: "personality without random", x86: 135, arm: 92, arguments: [0x0004_0000], answer: .refuse(EPERM)),
    Row(call: "TIOCSTI", x86: 16, arm: 29, arguments: [0, 0x5412], answer: .refuse(EPERM)),
    Row(call: "TIOCSTI, high half", x86: 16, arm: 29, arguments: [0, 1 << 32 | 0x5412], answer: .refuse(EPERM)),
    Row(call: "TIOCLINUX", x86: 16, arm: 29, arguments: [0, 0x541C], answer: .refuse(EPERM)),
    Row(call: "TIOCSETD", x86: 16, arm: 29, arguments: [0, 0x5423], answer: .refuse(EPERM)),
    Row(call: "TCGETS", x86: 16, arm: 29, arguments: [0, 0x5401], answer: .allow),
    Row(call: "an x32 call", x86: 0x4000_0000, arm: nil, answer: .refuse(ENOSYS)),
    Row(call: "mount by x32", x86: 0x4000_00A5, arm: nil, answer: .refuse(ENOSYS)),
    Row(call: "a call of no number", x86: 0xFFFF_FFFF, arm: nil, answer: .refuse(ENOSYS)),
  ]

  private static let x86: UInt32 = 0xC000_003E
  private static let arm: UInt32 = 0xC000_00B7
  private static let i386: UInt32 = 0x4000_0003

  @Test(.enabled { ChrootWorld.isPossible }) func eachCallHasItsAnswer() throws {
    let programs = try (Self.printed("x86_64"), Self.printed("aarch64"))
    for row in Self.rows {
      if let number = row.x86 {
        #expect(programs.0.answer(Self.x86, number, row.arguments) == row.answer, "\(row.call) on x86_64")
      }
      if let number = row.arm {
        #expect(programs.1.answer(Self.arm, number, row.arguments) == row.answer, "\(row.call) on aarch64")
      }
    }
  }

  /// A 32-bit call, or one of another processor, has other numbers; nothing of it is let through.
  @Test(.enabled { ChrootWorld.isPossible }) func anotherProcessorsCallEndsTheProgram() throws {
    let programs = try (Self.printed("x86_64"), Self.printed("aarch64"))
    for number in [0, 11, 165, 102] as [UInt32] {
      #expect(programs.0.answer(Self.i386, number, []) == .kill)
      #expect(programs.0.answer(Self.arm, number, []) == .kill)
      #expect(programs.1.answer(Self.x86, number, []) == .kill)
    }
  }

  /// Every call has an answer, whatever its number and arguments: the kernel refuses a program with another end.
  @Test(.enabled { ChrootWorld.isPossible }) func everyNumberHasAnAnswer() throws {
    for (name, architecture) in [("x86_64", Self.x86), ("aarch64", Self.arm)] {
      let program = try Self.printed(name)
      #expect(program.instructions.count < 320)
      for number in 0..<600 as Range<UInt32> {
        for argument in [0, 1, 2, 16, 40, UInt64.max] {
          #expect(program.answer(architecture, number, [argument, argument, argument]) != nil)
        }
      }
    }
  }

  /// The compilers of both processors know the numbers by their own headers.
  @Test(.enabled { ChrootWorld.isPossible }, arguments: [("x86_64", "gcc"), ("aarch64", "aarch64-linux-gnu-gcc")])
  func theNumbersAreTheHeaders(_ architecture: String, _ compiler: String) throws {
    let triple = ["x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"][architecture] ?? ""
    let candidates: [String] = ["/usr/bin/\(triple)-gcc", "/usr/bin/\(compiler)"]
    let found = candidates.first { (path: String) in access(path, X_OK) == 0 }
    let path = try #require(found, "no compiler for \(architecture): scripts/setup installs one")
    let calls = try Self.printed(architecture).calls
    #expect(calls.count > 60)
    let source =
      "#include <asm/unistd.h>\nint known;\n"
      + calls.map {
        "#ifdef __NR_\($0.name)\n_Static_assert(__NR_\($0.name) == \($0.number), \"\($0.name)\");\n#endif\n"
      }.joined()
    let file = NSTemporaryDirectory() + "calls-\(architecture)-\(UInt64.random(in: .min ... .max)).c"
    try Data(source.utf8).write(to: URL(fileURLWithPath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    #expect(try Self.run(path, ["-fsyntax-only", file]).status == 0)
    // It can fail.
    try Data((source + "_Static_assert(__NR_mount == 1, \"\");\n").utf8).write(to: URL(fileURLWithPath: file))
    #expect(try Self.run(path, ["-fsyntax-only", file]).status != 0)
  }

  @Test(.enabled { ChrootWorld.isPossible }) func anUnknownProcessorIsASentence() throws {
    let end = try Self.run(try #require(ChrootWorld.initPath), ["filter", "riscv64"])
    #expect(end.status == 2 && end.text.contains("riscv64"))
  }

  private static func printed(_ architecture: String) throws -> FilterProgram {
    let end = try run(try #require(ChrootWorld.initPath), ["filter", architecture])
    try #require(end.status == 0)
    return FilterProgram(text: end.text)
  }

  private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }
}

/// What the launcher prints, and a machine for the few instructions that it uses (linux/filter.h).
struct FilterProgram {
  struct Instruction {
    let code: UInt32
    let whenTrue: Int
    let whenFalse: Int
    let operand: UInt32
  }

  private(set) var calls: [(name: String, number: UInt32)] = []
  private(set) var instructions: [Instruction] = []

  init(text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 3, words[0] == "call", let number = UInt32(words[2]) {
        calls.append((String(words[1]), number))
      }
      let numbers = words.dropFirst().compactMap { UInt32($0) }
      if words.first == "instruction", numbers.count == 4 {
        instructions.append(
          Instruction(
            code: numbers[0], whenTrue: Int(numbers[1]), whenFalse: Int(numbers[2]), operand: numbers[3]))
      }
    }
  }

  /// Nil when the program runs over its end, or does what no filter may.
  func answer(_ architecture: UInt32, _ number: UInt32, _ arguments: [UInt64]) -> ChrootSandboxFilterTests.Answer? {
    var data: [UInt32] = [number, architecture, 0, 0]
    for index in 0..<6 {
      let value = index < arguments.count ? arguments[index] : 0
      data += [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    }
    var (accumulator, at): (UInt32, Int) = (0, 0)
    while at < instructions.count {
      let instruction = instructions[at]
      at += 1
      let isTrue: Bool
      switch instruction.code {
      case 0x20:  // load a word
        guard instruction.operand % 4 == 0, Int(instruction.operand / 4) < data.count else { return nil }
        accumulator = data[Int(instruction.operand / 4)]
        continue
      case 0x15: isTrue = accumulator == instruction.operand
      case 0x35: isTrue = accumulator >= instruction.operand
      case 0x45: isTrue = accumulator & instruction.operand != 0
      case 0x06:
        switch instruction.operand {
        case 0x7FFF_0000: return .allow
        case 0x8000_0000: return .kill
        case 0x0005_0000...0x0005_0FFF: return .refuse(Int32(instruction.operand & 0xFFF))
        default: return nil
        }
      default: return nil
      }
      at += isTrue ? instruction.whenTrue : instruction.whenFalse
    }
    return nil
  }
}
