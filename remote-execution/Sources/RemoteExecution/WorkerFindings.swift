/// What the launcher's trial on a worker found, in the words that the node asks for.
package enum WorkerFindings {
  /// - Parameter text: Lines of name, `met` or `weaker`, detail and remedy, with tabs between them.
  package static func findings(in text: String) -> [ExecAnswer.Finding] {
    var details: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard words.count >= 3, words[1] == "met" || words[1] == "weaker" else { continue }
      details[words[0]] = words[2]
    }
    // What was not possible at all has ended the trial with a fault.
    let rows: [(String, String?)] = [
      ("network", details["namespaces"].map { _ in "none but the run's own loopback" }),
      (
        "privileges", details["system call filter"].map { _ in "no capability, no new privilege, a system call filter" }
      ),
      ("Landlock", details["Landlock"]),
      ("wall time limit", details["namespaces"].map { _ in "watched by the launcher" }),
      ("cpu time limit", details["cpu limit"]),
      ("memory limit", details["memory limit"]),
      ("processes limit", details["processes limit"]),
      ("disk limit", details["disk limit"]),
      ("transcript limit", details["namespaces"].map { _ in "counted byte by byte" }),
    ]
    return rows.map { name, detail in
      ExecAnswer.Finding(
        name, detail != nil, detail.map { "on a worker: \($0)" } ?? "the launcher's trial does not say")
    }
  }
}
