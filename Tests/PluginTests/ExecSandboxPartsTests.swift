import SyncProof
import SyncRuntime
import Testing

@testable import ExecSandbox

/// The JSON between command and plugin, which needs no command.
@Suite struct ExecSandboxPartsTests {
  static let texts: [(String, StrictJSON?)] = [
    ("null", .null), (" true\n", .boolean(true)), ("false", .boolean(false)), ("0", .number(0)),
    ("-7", .number(-7)), ("9223372036854775807", .number(.max)), ("\"\"", .text("")),
    (#""a\n\"\\\/é\ud83d\ude00\b\f\r\t""#, .text("a\n\"\\/\u{E9}\u{1F600}\u{8}\u{C}\r\t")),
    ("[]", .list([])), ("[1, 2 ]", .list([.number(1), .number(2)])), ("{}", .object([])),
    (#"{ "a" : [null] , "b" : {"a":1}}"#, .object([("a", .list([.null])), ("b", .object([("a", .number(1))]))])),
    // Each of these is refused.
    ("", nil), (" ", nil), ("nul", nil), ("True", nil), ("01", nil), ("+1", nil), ("-", nil), ("1.0", nil),
    ("1e3", nil), ("9223372036854775808", nil), ("\"", nil), ("\"a", nil), ("\"\n\"", nil), (#""\x""#, nil),
    (#""\u12""#, nil), (#""\ud800""#, nil), (#""\ud800A""#, nil), (#""\udc00""#, nil), ("[", nil), ("[1", nil),
    ("[1,]", nil), ("[1 2]", nil), ("{", nil), ("{1:2}", nil), (#"{"a"}"#, nil), (#"{"a":}"#, nil),
    (#"{"a":1,}"#, nil), (#"{"a":1,"a":1}"#, nil), (#"{"a":1} {"#, nil), ("1 2", nil), ("'a'", nil), ("NaN", nil),
  ]

  @Test(arguments: texts) func jsonIsRead(_ row: (text: String, value: StrictJSON?)) {
    let value: StrictJSON?
    do throws(StrictJSON.Malformed) { value = try StrictJSON(parsing: [UInt8](row.text.utf8)) } catch {
      value = nil
      #expect(!error.reason.isEmpty && error.offset <= row.text.utf8.count)
    }
    #expect(value == row.value)
  }

  @Test func jsonIsBoundedAndUTF8() throws {
    let nested = { (depth: Int) in
      [UInt8](repeating: UInt8(ascii: "["), count: depth) + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
    }
    _ = try StrictJSON(parsing: nested(StrictJSON.depthMax))
    #expect(throws: StrictJSON.Malformed.self) { try StrictJSON(parsing: nested(StrictJSON.depthMax + 1)) }
    #expect(throws: StrictJSON.Malformed.self) { try StrictJSON(parsing: [0x22, 0xFF, 0x22]) }
    #expect(throws: StrictJSON.Malformed.self) { try StrictJSON(parsing: [0xEF, 0xBB, 0xBF, 0x31]) }
  }

  static let ends: [(String, SandboxTermination?)] = [
    (#""end":"exited","status":0"#, .exited(status: 0)), (#""end":"exited","status":255"#, .exited(status: 255)),
    (#""end":"signalled","signal":9"#, .signalled(9)), (#""end":"wall""#, .wallTimeExceeded),
    (#""end":"cpu""#, .cpuTimeExceeded), (#""end":"memory""#, .memoryExceeded),
    (#""end":"processes""#, .processesExceeded), (#""end":"disk""#, .diskExceeded),
    (#""end":"transcript""#, .transcriptExceeded),
    (#""end":"exited","status":-1"#, nil), (#""end":"exited","status":256"#, nil), (#""end":"exited""#, nil),
    (#""end":"exited","status":"0""#, nil), (#""end":"signalled","signal":0"#, nil),
    (#""end":"signalled","signal":65"#, nil), (#""end":"signalled","status":9"#, nil),
    (#""end":"wall","status":0"#, nil),
    (#""end":"Wall""#, nil), (#""end":7"#, nil), (#""status":0"#, nil),
  ]

  @Test(arguments: ends) func endsAreRead(_ row: (text: String, termination: SandboxTermination?)) {
    let text =
      #"{"protocol":"synchronicity-exec/1","verb":"run","runID":"r","wallNanoseconds":5,"cpuNanoseconds":6,"#
      + row.text + "}"
    let answer = try? ExecAnswer.parse([UInt8](text.utf8), verb: .run, runID: "r")
    guard case .ended(let end) = answer else {
      #expect(row.termination == nil)
      return
    }
    #expect(end.termination == row.termination)
    #expect((end.wallNanoseconds, end.cpuNanoseconds, end.memoryPeakBytes) == (5, 6, nil))
  }

  static let amounts: [(String, Bool)] = [
    (#""wallNanoseconds":0"#, true), (#""wallNanoseconds":-1"#, false), (#""wallNanoseconds":"1""#, false),
    (#""wallNanoseconds":1,"memoryPeakBytes":-1"#, false), (#""wallNanoseconds":1,"cpuNanoseconds":null"#, false),
    (#""cpuNanoseconds":1"#, false),
  ]

  @Test(arguments: amounts) func amountsAreWholeAndNotNegative(_ row: (text: String, isTaken: Bool)) {
    let text = #"{"protocol":"synchronicity-exec/1","verb":"run","runID":"r","end":"wall","# + row.text + "}"
    #expect(((try? ExecAnswer.parse([UInt8](text.utf8), verb: .run, runID: "r")) != nil) == row.isTaken)
  }

  @Test func theRequestIsOneLineInAFixedOrder() async throws {
    let request = SandboxRequest(
      runID: "r", toolchain: .zero, command: ["/bin/sh", "a\nb/c"], environment: [("Z", "1"), ("A", "\u{E9}")],
      workingDirectory: "/build",
      mounts: [
        SandboxMount(hostPath: "/h", insidePath: "/i", isWritable: false),
        SandboxMount(hostPath: "/o", insidePath: "/output", isWritable: true),
      ],
      limits: SandboxLimits(
        wallSeconds: 1, cpuSeconds: 2, memoryBytes: 3, processes: 4, diskBytes: 5, transcriptBytes: 6),
      scratchDirectory: "/s")
    try await ExecWorld.withFolder { root in
      let folder = try ExecFolder(making: root + "/call")
      let message = ExecMessage(request, toolchain: "/t", folder: folder, sources: ["/h", "/w"])
      let line = String(decoding: try message.line(), as: UTF8.self)
      let wanted =
        #"{"command":["/bin/sh","a\nb/c"],"environment":[{"name":"Z","value":"1"},{"name":"A","value":"é"}],"#
        + #""hostName":"builder","limits":{"cpuSeconds":2,"diskBytes":5,"memoryBytes":3,"processes":4,"#
        + #""transcriptBytes":6,"wallSeconds":1},"mounts":[{"source":"/h","target":"/i","writable":false},"#
        + #"{"source":"/w","target":"/output","writable":true}],"protocol":"synchronicity-exec/1","#
        + #""resultFile":"\#(folder.path)/answer/result.json","runID":"r","scratchFolder":"\#(folder.path)/scratch","#
        + #""toolchain":{"digest":"\#(String(repeating: "0", count: 64))","folder":"/t"},"verb":"run","#
        + #""workingDirectory":"/build"}"# + "\n"
      #expect(line == wanted)
    }
  }

  @Test func wordsOfACommandAreOneHarmlessLine() {
    #expect(ExecAnswer.plain("a\u{1B}[31m\nb\u{85}\0 ") == "a [31m b")
    #expect(ExecAnswer.plain(String(repeating: "x", count: 5_000)).count == ExecAnswer.messageBytesMax)
  }
}
