// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/verify.h: the proof that is taken apart.

import CSync
import SyncProof

/// What sync_proof points to. Nothing in it changes between create and destroy.
struct ProofObject {
  let inspection: Inspection
  /// In the order of `texts(of:)`.
  private let strings: CStrings

  var evidence: Evidence { inspection.evidence }

  init(_ inspection: Inspection) throws(CallError) {
    self.inspection = inspection
    strings = try CStrings(ProofObject.texts(of: inspection))
  }

  func freeStrings() { strings.free() }

  // Where each kind of text begins among the strings.
  private static let builderTexts = 4
  private static let sourceTexts = 2
  private static let infoTexts = 5
  private var artifactsStart: Int { ProofObject.infoTexts + evidence.builders.count * ProofObject.builderTexts }
  private var sourcesStart: Int { artifactsStart + evidence.artifacts.count }
  private var signaturesStart: Int { sourcesStart + evidence.spec.sources.count * ProofObject.sourceTexts }

  func infoText(_ number: Int) -> UnsafePointer<CChar> { strings[number] }

  func builderText(_ builder: Int, _ number: Int) -> UnsafePointer<CChar> {
    strings[ProofObject.infoTexts + builder * ProofObject.builderTexts + number]
  }

  func artifactText(_ artifact: Int) -> UnsafePointer<CChar> { strings[artifactsStart + artifact] }

  func sourceText(_ source: Int, _ number: Int) -> UnsafePointer<CChar> {
    strings[sourcesStart + source * ProofObject.sourceTexts + number]
  }

  func signatureText(_ signature: Int) -> UnsafePointer<CChar> { strings[signaturesStart + signature] }

  private static func texts(of inspection: Inspection) -> [Text] {
    let evidence = inspection.evidence
    let package = evidence.spec.package
    let (name, version) = nameAndVersion(ofPackage: package)
    var texts = [inspection.proof.checkpoint.origin, package, name, version, evidence.submitter]
    for builder in evidence.builders {
      texts.append(builder.name)
      if case .revealed(_, _, _, let statement, _) = builder {
        texts += [statement.sandbox, statement.processor, statement.kernel]
      } else {
        texts += ["", "", ""]
      }
    }
    for artifact in evidence.artifacts { texts.append(artifact.path) }
    for source in evidence.spec.sources { texts += [source.purl, source.origin] }
    for signature in inspection.proof.note.signatures { texts.append(signature.name) }
    return texts
  }

  /// `pkg:<type>/<name>@<version>`: the name with its namespace, where it has one.
  private static func nameAndVersion(ofPackage package: Text) -> (name: Text, version: Text) {
    let bytes = package.utf8
    let end = bytes.lastIndex(of: UInt8(ascii: "@")) ?? bytes.count
    let start = bytes[..<end].firstIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
    return (Text(utf8: [UInt8](bytes[start..<end])), Text(utf8: [UInt8](bytes[end...].dropFirst())))
  }
}

/// Texts as C sees them: in one block, each ended by a NUL.
private struct CStrings {
  private let block: UnsafeMutableRawPointer
  private let starts: [Int]

  /// - Throws: If a text holds a NUL, which C would take for its end. The formats forbid it; this makes sure.
  init(_ texts: [Text]) throws(CallError) {
    var bytes: [UInt8] = []
    var starts: [Int] = []
    for text in texts {
      guard !text.utf8.contains(0) else { throw CallError(SYNC_ERROR_MALFORMED, "A name in the proof holds a NUL") }
      starts.append(bytes.count)
      bytes += text.utf8
      bytes.append(0)
    }
    self.starts = starts
    block = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
    block.initializeMemory(as: UInt8.self, from: bytes, count: bytes.count)
  }

  subscript(number: Int) -> UnsafePointer<CChar> {
    UnsafePointer((block + starts[number]).assumingMemoryBound(to: CChar.self))
  }

  func free() { block.deallocate() }
}

@c @implementation
public func sync_proof_create(
  _ proof: UnsafePointer<UInt8>!, _ proofSize: Int, _ flags: UInt32,
  _ created: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<OpaquePointer?>!
) -> sync_status {
  call(error) { () throws(CallError) in
    let created = try slot(created)
    try check(flags: flags)
    let bytes = try Input(proof, proofSize, "proof").copy(max: ProofLimits.proofBytesMax)
    let inspection = try refusing { () throws(ProofError) in try Verifier.inspect(proof: bytes) }
    created.pointee = makeObject(try ProofObject(inspection))
  }
}

@c @implementation
public func sync_proof_destroy(_ proof: OpaquePointer!) {
  guard let proof else { return }
  UnsafePointer<ProofObject>(proof).pointee.freeStrings()
  destroyObject(proof, ProofObject.self)
}
