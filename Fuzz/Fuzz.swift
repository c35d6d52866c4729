// Entry of the fuzz program: one binary, one target a run, chosen by SYNC_FUZZ_TARGET. scripts/fuzz builds and runs it.
//
// What must hold, besides that nothing traps: what a canonical parser accepts it writes back byte by byte; what the
// verifier accepts is a proof that Tests/Vectors has, since the fuzzer has no keys; no C function gives NULL where the
// header promises a string, or writes beyond a struct. A finding becomes a row of a unit test.

import Glibc
import SyncProof

/// Each reads the bytes in its own way and traps if a property does not hold.
private let targets: [(name: String, run: @Sendable ([UInt8]) -> Void)] = [
  ("note", fuzzNote), ("checkpoint", fuzzCheckpoint), ("proof", fuzzProof), ("evidence", fuzzEvidence),
  ("handover", fuzzHandover), ("policy", fuzzPolicy), ("embedded", fuzzEmbedded), ("spec", fuzzSpec),
  ("outcome", fuzzOutcome), ("parts", fuzzParts), ("abi", fuzzABI),
]

private let target: @Sendable ([UInt8]) -> Void = {
  let name = getenv("SYNC_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let found = targets.first(where: { $0.name == name }) else {
    print("SYNC_FUZZ_TARGET is one of: " + targets.map { $0.name }.joined(separator: " "))
    exit(2)
  }
  return found.run
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target([UInt8](UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// Parses and writes back.
func canonical(_ bytes: [UInt8], _ roundTrip: ([UInt8]) throws(ProofError) -> [UInt8]) {
  guard let back = try? roundTrip(bytes) else { return }
  hold(back == bytes, "What is accepted is canonical")
}

/// A precondition that says what does not hold, since optimized code traps without a word.
func hold(_ condition: Bool, _ what: StaticString, file: StaticString = #fileID, line: UInt = #line) {
  guard !condition else { return }
  let text = [UInt8]("\(file):\(line): this does not hold: \(what)\n".utf8)
  _ = write(2, text, text.count)
  abort()
}
