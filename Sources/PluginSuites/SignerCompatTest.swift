import SyncProof
import SyncRuntime

/// Checks that a ``Signer`` keeps its protocol's promises.
public struct SignerCompatTest: Sendable {
  /// Gives a signer; each call gives one with the same keys, as after a restart.
  public typealias Make = @Sendable () async throws -> any Signer

  private let make: Make
  private static let messages: [[UInt8]] = [[], [0], [UInt8]("message".utf8), [UInt8](repeating: 7, count: 1 << 20)]

  public init(make: @escaping Make) { self.make = make }

  public func run() async -> [CompatFinding] {
    [
      await CompatFinding.check("each role has a key of its own") {
        let signer = try await make()
        var keys: Set<PublicKey> = []
        for role in KeyRole.allCases {
          let key = try signer.publicKey(for: role)
          try require(keys.insert(key).inserted, "the \(role.rawValue) key is another role's too")
        }
      },
      await CompatFinding.check("signatures verify, and only on their message") {
        let signer = try await make()
        for role in KeyRole.allCases {
          let key = try signer.publicKey(for: role)
          for message in SignerCompatTest.messages {
            let signature = try signer.sign(message, as: role)
            try require(key.accepts(signature, on: message), "\(role.rawValue), \(message.count) bytes: refused")
            try require(!key.accepts(signature, on: message + [0]), "\(role.rawValue): taken for a longer message")
            var bytes = signature.bytes
            bytes[40] ^= 1
            let flipped = Signature(bytes: bytes).map { key.accepts($0, on: message) } ?? false
            try require(!flipped, "\(role.rawValue): a flipped signature is taken")
          }
        }
      },
      await CompatFinding.check("no role signs for another") {
        let signer = try await make()
        for role in KeyRole.allCases {
          let signature = try signer.sign([1, 2, 3], as: role)
          for other in KeyRole.allCases where other != role {
            let isTaken = try signer.publicKey(for: other).accepts(signature, on: [1, 2, 3])
            try require(!isTaken, "a signature of \(role.rawValue) is one of \(other.rawValue)")
          }
        }
      },
      await CompatFinding.check("keys and signatures are the same after a restart") {
        let (first, second) = (try await make(), try await make())
        for role in KeyRole.allCases {
          try require(first.publicKey(for: role) == second.publicKey(for: role), "the \(role.rawValue) key changed")
          let signatures = try [first, first, second].map { try $0.sign([5], as: role) }
          try require(Set(signatures).count == 1, "\(role.rawValue): the same message has two signatures")
        }
      },
      await CompatFinding.check("calls may overlap") {
        let signer = try await make()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          for task in 0..<8 {
            tasks.addTask {
              for i in 0..<100 {
                let role = KeyRole.allCases[(task + i) % KeyRole.allCases.count]
                let message = [UInt8](repeating: UInt8(i), count: task)
                let signature = try signer.sign(message, as: role)
                let isTaken = try signer.publicKey(for: role).accepts(signature, on: message)
                try require(isTaken, "a signature made beside others is wrong")
              }
            }
          }
          try await tasks.waitForAll()
        }
      },
    ]
  }
}
