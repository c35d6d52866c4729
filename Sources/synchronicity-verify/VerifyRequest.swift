import SyncProof

/// What a program was asked to check, and how to say what came of it.
///
/// `synchronicity verify` and `synchronicity-verify` differ in how they read their arguments; from here on they are
/// one.
public struct VerifyRequest: Sendable {
  /// Path of the trust policy.
  public var policy: [UInt8]
  /// Paths of hand-overs, in their order: they lead from the policy to those that took its place.
  public var handovers: [[UInt8]] = []
  /// The policy's epoch in decimal, which the first hand-over must end; there where there are hand-overs.
  public var epoch: [UInt8]?
  /// Path of the proof; `nil` to take each artifact's own, inside it or beside it.
  public var proof: [UInt8]?
  /// The artifact's digest, 64 hexadecimal digits, in place of the artifact.
  public var sha256: [UInt8]?
  /// Paths of files and folders; `-` is standard input.
  public var artifacts: [[UInt8]]
  /// The package that must be proven, with its version or without; `nil` for any.
  public var package: [UInt8]?
  /// Whether a folder may hold more than what is proven.
  public var allowsExtra = false
  /// One object on a line for each artifact, instead of lines for people.
  public var isJSON = false
  /// Whether lines on standard output, and on standard error, are painted.
  public var paints: (output: Bool, errors: Bool) = (false, false)

  public init(policy: [UInt8], proof: [UInt8]?, sha256: [UInt8]?, artifacts: [[UInt8]]) {
    (self.policy, self.proof, self.sha256, self.artifacts) = (policy, proof, sha256, artifacts)
  }

  /// The path that stands for standard input.
  static let standardInput: [UInt8] = [UInt8(ascii: "-")]

  /// What is wrong with the request before any file is looked at.
  var problem: Text? {
    if let sha256 {
      guard Digest(hex: sha256) != nil else {
        return "\(shown(sha256)) is not a SHA-256 of 64 lower-case hexadecimal digits"
      }
      guard artifacts.isEmpty else { return "--sha256 stands in for the artifact: give one or the other" }
      guard proof != nil else { return "A digest alone leads to no proof; name one with --proof" }
    } else if artifacts.isEmpty {
      return "Nothing to verify: name an artifact, a folder, - for standard input, or a digest with --sha256"
    }
    if let package {
      guard package.starts(with: Text("pkg:").utf8), package.last != UInt8(ascii: "@") else {
        return "\(shown(package)) is no package URL, such as pkg:cargo/itoa@1.0.1, or pkg:cargo/itoa for any version"
      }
    }
    if let epoch {
      guard Decimal.decode(epoch) != nil else { return "\(shown(epoch)) is no epoch: write a decimal number" }
      guard !handovers.isEmpty else { return "--epoch says which epoch the first --handover ends; name that as well" }
    } else if !handovers.isEmpty {
      return "--handover wants the epoch that the policy is of: --epoch 0 for a group's first policy"
    }
    guard artifacts.count(where: { $0 == Self.standardInput }) < 2 else {
      return "Standard input can be read once, so - can stand once"
    }
    return nil
  }
}

/// How a check ended; the exit codes of both programs, in the order in which one outweighs another.
public enum VerifyStatus: Int32, Sendable {
  case verified = 0
  /// A well-formed input that does not prove what was asked.
  case notVerified = 1
  /// Wrong usage, or malformed input.
  case malformed = 2
  /// The environment: something cannot be read.
  case environment = 3
}

/// Why something was not verified.
public struct VerifyRefusal: Error, Sendable {
  public let status: VerifyStatus
  /// What the verifier says; `nil` where it was not asked, because something could not be read.
  public let error: ProofError?
  /// One sentence that names the file.
  public let message: Text

  /// Something that cannot be read, or was asked for wrongly.
  init(_ status: VerifyStatus, _ message: Text) {
    (self.status, error, self.message) = (status, nil, message)
  }

  /// A proof that does not hold for the artifact, or is none.
  init(_ error: ProofError, artifact: Text) {
    status = error.isMalformedInput ? .malformed : .notVerified
    (self.error, message) = (error, "\(artifact) is not verified: \(error.sentence)")
  }

  /// A policy or proof that is larger than any; the message names it.
  init(tooLarge message: Text) {
    let error = ProofError(.tooLarge, message)
    (status, self.error, self.message) = (.malformed, error, message)
  }

  /// A hand-over that the policy does not believe, or none.
  init(_ error: ProofError, handover: Text) {
    status = error.isMalformedInput ? .malformed : .notVerified
    (self.error, message) = (error, "The hand-over \(handover) does not hold: \(error.sentence)")
  }

  /// A policy that is not one.
  init(_ error: ProofError, policy: Text) {
    (status, self.error, message) = (.malformed, error, "\(policy): \(error.sentence)")
  }
}

extension ProofError {
  /// Whether the input is not in its format at all, in contrast to one that does not prove what is asked.
  var isMalformedInput: Bool { code == .malformed || code == .tooLarge || code == .unsupportedVersion }
}
