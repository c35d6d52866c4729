import SyncProof

/// What some builders of a job got, as the evidence lists it.
public struct OutcomeStatus: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Codable {
    case built
    case failed
    /// The evidence had no room for more than the digest.
    case unlisted
  }
  /// SHA-256 of the outcome's text.
  public let digest: String
  public let kind: Kind
  /// Who revealed it, by name.
  public let builders: [String]
  /// The way in which it failed, such as `exit-status 101` or `wall-time`.
  public let failure: String?
  /// With `built` only.
  public let artifacts: [OutcomeArtifact]?

  init(digest: Digest, outcome: Outcome?, builders: [String]) {
    self.digest = digest.hex
    self.builders = builders
    switch outcome {
    case nil: (kind, failure, artifacts) = (.unlisted, nil, nil)
    case .built(let list): (kind, failure, artifacts) = (.built, nil, list.map(OutcomeArtifact.init))
    case .failed(let reason): (kind, failure, artifacts) = (.failed, reason.words, nil)
    }
  }
}

public struct OutcomeArtifact: Sendable, Equatable, Codable {
  public let path: String
  /// Four octal digits.
  public let mode: String
  public let sha256: String
  public let size: UInt64

  init(_ artifact: Artifact) {
    path = artifact.path.string
    let octal = String(artifact.mode, radix: 8)
    mode = String(repeating: "0", count: max(0, 4 - octal.count)) + octal
    sha256 = artifact.sha256.hex
    size = artifact.size
  }
}

/// A builder without an outcome: `no-commitment`, `no-reveal`, `wrong-opening` or `sandbox-fault`.
public struct AbsentBuilder: Sendable, Equatable, Codable {
  public let builder: String
  public let reason: String
}

extension Evidence {
  /// Who got what, most supporters first.
  var outcomeStatus: [OutcomeStatus] {
    outcomes.indices.map { index in
      OutcomeStatus(digest: outcomes[index].digest, outcome: outcomes[index].outcome, builders: names(behind: index))
    }
  }

  var absentBuilders: [AbsentBuilder] {
    builders.compactMap { line in
      guard case .absent(let name, let absence) = line else { return nil }
      return AbsentBuilder(builder: name.string, reason: absence.text.string)
    }
  }

  /// Names of those who revealed an outcome, sorted.
  func names(behind outcome: Int) -> [String] {
    builders.filter { $0.outcome == outcome }.map(\.name.string)
  }
}

extension FailureReason {
  /// The words of the outcome's own text, such as `exit-status 101`.
  var words: String {
    let lines = Outcome.failed(self).encode().split(separator: 0x0A)
    return String(decoding: lines[lines.count - 1].dropFirst("failed ".utf8.count), as: UTF8.self)
  }
}

/// One attempt of this node at a job.
public struct AttemptStatus: Sendable, Equatable, Codable {
  /// From 1 on.
  public let number: Int
  /// Unix milliseconds by this node's clock.
  public let startedMilliseconds: UInt64
  /// `built`, the words of a failure, `fault` and its kind, or `unfinished`: it runs, or the node was stopped.
  public let ending: String
  /// What is kept of the transcript.
  public let bytes: UInt64
}

/// How far this node's report on a divergence is.
public struct DivergenceStatus: Sendable, Equatable, Codable {
  public enum State: String, Sendable, Codable {
    case waiting, fetching, comparing, done
  }
  public let state: State
  /// Paths at this node's gateway, once they are there.
  public let summary: String?
  public let text: String?
  public let html: String?
}
