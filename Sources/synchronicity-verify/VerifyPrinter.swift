import CVerifyFiles
import SyncProof

/// Says what came of a check.
struct VerifyPrinter {
  private let isJSON: Bool
  private let paints: (output: Bool, errors: Bool)

  init(_ request: VerifyRequest) { (isJSON, paints) = (request.isJSON, request.paints) }

  func verified(
    _ verification: Verification, name: [UInt8], file: [UInt8]?, proof origin: Report.ProofOrigin
  ) -> VerifyStatus {
    let newline = UInt8(ascii: "\n")
    guard !isJSON else {
      return write(Report.verification(verification, file: file, proof: origin) + [newline], ending: .verified)
    }
    var text = paint("verified", "32", paints.output).utf8
    text += Text("  \(shown(name))\n").utf8
    for line in Report.verificationLines(verification) {
      text += [UInt8(ascii: " "), UInt8(ascii: " ")]
      text += line
      text.append(newline)
    }
    if case .embedded(let fileSize) = origin, let size = verification.artifact?.size {
      text += Text("  its proof    is inside it; the first \(size) of its \(fileSize) bytes were rebuilt\n").utf8
    }
    return write(text, ending: .verified)
  }

  /// Something that was asked for wrongly: a sentence on standard error in both forms, as for any wrong usage.
  func misused(_ problem: Text) -> VerifyStatus {
    writeError(problem)
    return .malformed
  }

  func refused(_ refusal: VerifyRefusal, file: [UInt8]?) -> VerifyStatus {
    guard isJSON else {
      writeError(refusal.message)
      return refusal.status
    }
    let json =
      refusal.error.map { Report.refusal($0, file: file) }
      ?? Report.failure(refusal.message, file: file)
    return write(json + [UInt8(ascii: "\n")], ending: refusal.status)
  }

  private func writeError(_ message: Text) {
    let text = Text("\(paint("error:", "31", paints.errors)) \(message)\n").utf8
    _ = text.withUnsafeBytes { vf_write(2, $0.baseAddress, $0.count) }
  }

  private func paint(_ text: Text, _ colour: Text, _ paints: Bool) -> Text {
    paints ? Text("\u{1B}[\(colour)m\(text)\u{1B}[0m") : text
  }

  /// A result that nobody can read is none: quietly if the reader has gone, else with a sentence.
  private func write(_ bytes: [UInt8], ending status: VerifyStatus) -> VerifyStatus {
    let written = bytes.withUnsafeBytes { vf_write(1, $0.baseAddress, $0.count) }
    guard written < 0 else { return status }
    if vf_is_broken_pipe(written) == 0 {
      writeError("Cannot write to standard output: \(reason(written))")
    }
    return .environment
  }
}
