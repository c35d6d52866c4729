import Foundation
import Glibc
import SyncRuntime

/// The operator's command, and how it is called.
struct ExecCommand: Sendable {
  static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  let path: String
  let arguments: [String]
  /// Names of this process's variables that the command gets besides PATH, HOME and LANG.
  let environmentNames: [String]
  let grace: Duration

  /// - Throws: ``PluginError/Code/invalid`` for a path that is not absolute, or a name that is none.
  init(path: String, arguments: [String], environmentNames: [String], grace: Duration) throws(PluginError) {
    guard path.hasPrefix("/"), !path.utf8.contains(0) else {
      throw PluginError(.invalid, "The exec sandbox's command '\(path)' is not an absolute path")
    }
    for argument in arguments where argument.utf8.contains(0) {
      throw PluginError(.invalid, "An argument of the exec sandbox's command holds a NUL byte")
    }
    for name in environmentNames where !Self.isVariableName(name) {
      throw PluginError(
        .invalid, "'\(name)' cannot be the name of an environment variable: letters, digits and '_' are wanted")
    }
    (self.path, self.arguments, self.environmentNames, self.grace) = (path, arguments, environmentNames, grace)
  }

  private static func isVariableName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
      byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
        || (0x61...0x7A).contains(byte)
    }
  }

  /// How errors name it.
  var who: String { "The command \(path)" }

  /// Everything the command inherits; keys and tokens of the node are not among it.
  func environment() -> [String] {
    let own = ProcessInfo.processInfo.environment
    var variables = ["PATH=\(own["PATH"] ?? Self.defaultPath)", "HOME=\(own["HOME"] ?? "/")", "LANG=C.UTF-8"]
    for name in environmentNames where !["PATH", "HOME", "LANG"].contains(name) {
      if let value = own[name] { variables.append("\(name)=\(value)") }
    }
    return variables
  }

  /// What a call came to.
  struct Reply {
    /// `nil` when it printed too much; a failure is the command's own fault, or that it broke the contract.
    let answer: Result<ExecAnswer?, PluginError>
    let output: [UInt8]
    let elapsed: Duration
    /// It did not end by itself and well, so that something of the run may be left on the farm.
    let leavesWork: Bool
  }

  /// Calls it once, to its end.
  ///
  /// - Throws: ``PluginError/Code/unavailable`` when it cannot be started.
  func call(
    _ message: ExecMessage, in folder: ExecFolder, time: Duration, outputBytesMax: UInt64,
    onOutput: (@Sendable ([UInt8]) -> Void)? = nil
  ) async throws(PluginError) -> Reply {
    let line = try message.line()
    guard access(path, X_OK) == 0 else {
      throw PluginError(
        .unavailable, "\(who) cannot be executed: \(String(cString: strerror(errno))); see plugins.exec-command")
    }
    let signal = ExecCall.Signal()
    let begin = ContinuousClock.now
    let child = try ChildProcess(
      path: path, arguments: arguments + [message.verb.rawValue], environment: environment(), hasOutput: true)
    let bounds = ExecCall.Bounds(time: time, grace: grace, outputBytesMax: outputBytesMax)
    let result = await withTaskCancellationHandler {
      await BlockingThread.run { () throws(PluginError) in
        var call = ExecCall(child: child, input: line, bounds: bounds, signal: signal, onOutput: onOutput)
        return call.perform()
      }
    } onCancel: {
      signal.cancel()
    }
    let ended = try result.get()
    let answer: Result<ExecAnswer?, PluginError>
    do throws(PluginError) { answer = .success(try judge(ended, message, folder, time)) } catch {
      answer = .failure(error)
    }
    return Reply(
      answer: answer, output: ended.output, elapsed: ContinuousClock.now - begin,
      leavesWork: ended.wasKilled || ended.status != 0)
  }

  private func judge(_ ended: ExecCall.Ended, _ message: ExecMessage, _ folder: ExecFolder, _ time: Duration)
    throws(PluginError) -> ExecAnswer?
  {
    if ended.stop == .cancelled { throw PluginError(.cancelled, "The call of \(path) was cancelled") }
    try require(ended, time, said: said(ended))
    if ended.stop == .tooMuch { return nil }
    let answer = try ExecAnswer.read(
      folder: folder.answer, verb: message.verb, runID: message.runID, who: who + said(ended))
    if case .fault(let fault) = answer { throw fault }
    return answer
  }

  private func require(_ ended: ExecCall.Ended, _ time: Duration, said: String) throws(PluginError) {
    guard let status = ended.status else {
      throw PluginError(.io, "\(who) does not die, even of SIGKILL; is a file system that it uses gone?\(said)")
    }
    switch ended.stop {
    case .cancelled, .tooMuch: return
    case .late:
      throw PluginError(
        .io,
        "\(who) did not end within \(time.components.seconds) s and was killed; a farm whose queue is longer wants"
          + " a larger plugins.exec-patience-seconds\(said)")
    case nil: break
    }
    // The status alone says nothing of a run; but a command that failed did not come to a result that can be trusted.
    let number = status & 0x7F
    if number != 0 { throw PluginError(.io, "\(who) died of signal \(number)\(said)") }
    let code = status >> 8 & 0xFF
    guard code == 0 else {
      throw PluginError(.io, "\(who) ended with status \(code); 0 is wanted, and a result file\(said)")
    }
  }

  /// The last line of its standard error, to stand behind a sentence.
  private func said(_ ended: ExecCall.Ended) -> String {
    let lines = String(decoding: ended.errors, as: UTF8.self).split(whereSeparator: \.isNewline)
    guard let last = lines.map({ ExecAnswer.plain(String($0)) }).last(where: { !$0.isEmpty }) else { return "" }
    return " (it said: \(last.prefix(300)))"
  }
}
