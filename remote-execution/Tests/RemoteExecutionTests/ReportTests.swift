import Foundation
import RemoteExecution
import Testing

/// What comes back as text: the launcher's report, and the node's request.
@Suite struct ReportTests {
  @Test func aReportIsRead() throws {
    let report = try RunReport(parsing: "end exited 3\nwall 1500\ncpu 900\nmemory 4096\npacked\n")
    #expect(report.end == .exited(status: 3) && report.isPacked)
    #expect(report.wallNanoseconds == 1_500 && report.cpuNanoseconds == 900 && report.memoryPeakBytes == 4_096)
    let sparse = try RunReport(parsing: "end wall\nwall 7\n")
    #expect(sparse.end == .limit("wall") && !sparse.isPacked && sparse.cpuNanoseconds == nil)
    #expect(try RunReport(parsing: "end signalled 9\nwall 7\n").end == .signalled(9))
  }

  static let unfit: [(name: String, text: String)] = [
    ("nothing", ""),
    ("no end", "wall 7\n"),
    ("no time", "end exited 0\n"),
    ("two ends", "end exited 0\nend exited 0\nwall 7\n"),
    ("two times", "end exited 0\nwall 7\nwall 8\n"),
    ("packed twice", "end exited 0\nwall 7\npacked\npacked\n"),
    ("an unknown line", "end exited 0\nwall 7\nhello\n"),
    ("an unknown limit", "end patience\nwall 7\n"),
    ("a status beyond 255", "end exited 256\nwall 7\n"),
    ("a negative status", "end exited -1\nwall 7\n"),
    ("a signal 0", "end signalled 0\nwall 7\n"),
    ("a number that is none", "end exited 0\nwall seven\n"),
    ("a negative time", "end exited 0\nwall -7\n"),
    ("words behind packed", "end exited 0\nwall 7\npacked well\n"),
  ]

  @Test(arguments: unfit.map(\.name)) func aReportThatIsNoneIsRefused(_ name: String) throws {
    let text = try #require(Self.unfit.first { $0.name == name }).text
    let error = #expect(throws: Fault.self) { _ = try RunReport(parsing: text) }
    #expect(error?.code == .io)
  }

  @Test func aFaultWinsWhereverItStands() {
    let rows: [(String, Fault)] = [
      ("fault 1 Cannot make namespaces: no\n", Fault(.unavailable, "Cannot make namespaces: no")),
      ("end exited 0\nwall 7\nfault 5 Cannot write x\n", Fault(.io, "Cannot write x")),
      ("fault 6 The run was cancelled\n", Fault(.cancelled, "The run was cancelled")),
      ("fault 4 x y\n", Fault(.invalid, "x y")),
      ("fault 99 x\n", Fault(.io, "x")),
    ]
    for (text, fault) in rows { #expect(throws: fault) { _ = try RunReport(parsing: text) } }
  }

  private static let run = """
    {"archive":null,"command":["/bin/true","é"],"environment":[{"name":"A","value":"b=c"}],"hostName":"builder",\
    "limits":{"cpuSeconds":1,"diskBytes":2,"memoryBytes":3,"processes":4,"transcriptBytes":5,"wallSeconds":6},\
    "mounts":[{"source":"/s","target":"/input/package","writable":false},{"source":"/o","target":"/output",\
    "writable":true}],"protocol":"synchronicity-exec/1","resultFile":"/r","runID":"id-1","scratchFolder":"/c",\
    "toolchain":{"digest":"aa","folder":"/t"},"verb":"run","workingDirectory":"/build"}
    """

  @Test func aRequestIsReadAndItsSettingsAreWritten() throws {
    let request = try ExecRequest(parsing: Data(Self.run.utf8), verb: .run)
    #expect(request.mounts?.count == 2 && request.limits?.wallSeconds == 6)
    let settings = try LauncherSettings.bytes(for: request)
    let text = String(decoding: settings.dropFirst(8), as: UTF8.self).replacingOccurrences(of: "\0", with: "|")
    #expect(
      text == "run|id-1|state|/state|toolchain|/toolchain|host-name|builder|directory|/build|wall-seconds|6|"
        + "cpu-seconds|1|memory-bytes|3|processes|4|disk-bytes|2|transcript-bytes|5|argument|/bin/true|argument|é|"
        + "environment|A=b=c|read|/mount/0|at|/input/package|write|/mount/1|at|/output|")
    let count = settings.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    #expect(count == UInt64(settings.count - 8))
  }

  @Test func requestsThatLackSomethingAreRefused() {
    let rows: [(name: String, from: String, to: String)] = [
      ("another protocol", "exec/1", "exec/2"), ("another verb", #""verb":"run""#, #""verb":"clean""#),
      ("no verb", #""verb":"run""#, #""verb":"dance""#), ("no command", #"["/bin/true","é"]"#, "[]"),
      ("no mounts", "mounts", "amounts"), ("no limits", "limits", "limit"), ("no JSON", "{", ""),
      ("a negative limit", ":6}", ":-6}"),
    ]
    for row in rows {
      let text = Self.run.replacingOccurrences(of: row.from, with: row.to)
      #expect(text != Self.run)
      #expect(throws: Fault.self, "\(row.name)") { _ = try ExecRequest(parsing: Data(text.utf8), verb: .run) }
    }
    let nul = Self.run.replacingOccurrences(of: "b=c", with: #"b\u0000c"#)
    #expect(throws: Fault.self) {
      _ = try LauncherSettings.bytes(for: try ExecRequest(parsing: Data(nul.utf8), verb: .run))
    }
  }

  @Test func answersAppearWhole() throws {
    try withFolder { folder in
      let line = Self.run.replacingOccurrences(of: #""/r""#, with: "\"\(folder)/result.json\"")
      let request = try ExecRequest(parsing: Data(line.utf8), verb: .run)
      let report = try RunReport(parsing: "end exited 3\nwall 1500\ncpu 900\nmemory 4096\n")
      try ExecAnswer.ended(report).write(for: request)
      let text = try String(contentsOfFile: folder + "/result.json", encoding: .utf8)
      #expect(
        text == #"{"cpuNanoseconds":900,"end":"exited","memoryPeakBytes":4096,"protocol":"synchronicity-exec/1","#
          + #""runID":"id-1","status":3,"verb":"run","wallNanoseconds":1500}"#)
      try ExecAnswer.fault(Fault(.io, "Two \"words\"")).write(for: request)
      let fault = try String(contentsOfFile: folder + "/result.json", encoding: .utf8)
      #expect(
        fault == #"{"fault":"io","message":"Two \"words\"","protocol":"synchronicity-exec/1","runID":"id-1","#
          + #""verb":"run"}"#)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["result.json"])
    }
  }

  @Test func addresses() {
    let rows: [(String, String?, Int, Bool)] = [
      ("grpc://127.0.0.1:50052", "127.0.0.1", 50_052, false), ("grpcs://farm.example", "farm.example", 443, true),
      ("grpcs://[::1]:8443", "::1", 8_443, true), ("grpc://farm", "farm", 80, false),
      ("http://farm:80", nil, 0, false), ("farm:80", nil, 0, false), ("grpc://:80", nil, 0, false),
      ("grpc://farm:0", nil, 0, false), ("grpc://farm:70000", nil, 0, false), ("grpc://engine/path", nil, 0, false),
      ("grpc://user@farm", nil, 0, false), ("", nil, 0, false),
    ]
    for (text, host, port, isSecure) in rows {
      let address = EngineOptions.Address(text)
      #expect(address?.host == host, "\(text)")
      if let address { #expect(address.port == port && address.isSecure == isSecure, "\(text)") }
    }
    #expect(EngineOptions.Property("OSFamily=linux=x")?.value == "linux=x")
    #expect(EngineOptions.Property("=x") == nil && EngineOptions.Property("x") == nil)
  }

  @Test func aSecretThatOthersCanReadIsRefused() throws {
    try withFolder { folder in
      let path = folder + "/token"
      try Data("abc.def\n".utf8).write(to: URL(fileURLWithPath: path))
      try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
      let error = #expect(throws: Fault.self) { _ = try EngineOptions.secret(path) }
      #expect(error?.message.contains("chmod 600") == true && error?.message.contains("abc") == false)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      #expect(try EngineOptions.secret(path) == "abc.def")
      for text in ["", "a b", "a\nb", "é"] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: Fault.self) { _ = try EngineOptions.secret(path) }
      }
    }
  }

  @Test func findingsOfAWorker() {
    let lines =
      "namespaces\tmet\tmade by an ordinary user\t\nmemory limit\tweaker\tsampled\tDelegate=yes\n"
      + "cpu limit\tmet\tcgroup version 2\t\ngarbage\n"
    let findings = WorkerFindings.findings(in: lines)
    #expect(findings.first { $0.name == "network" }?.met == true)
    #expect(findings.first { $0.name == "memory limit" }?.detail == "on a worker: sampled")
    // What the trial does not speak of counts as not met.
    #expect(findings.first { $0.name == "processes limit" }?.met == false)
    #expect(findings.first { $0.name == "privileges" }?.met == false)
  }
}

func withFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
  let folder = NSTemporaryDirectory() + "remote-\(UInt64.random(in: .min ... .max))"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
  let folder = NSTemporaryDirectory() + "remote-\(UInt64.random(in: .min ... .max))"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}
