import CSyncNode
import SyncProof
import SyncRuntime

/// A signer whose methods are C functions. Nothing wrong leaves it: every signature is verified.
///
/// Thread: any; the caller waits.
public final class ForeignSigner: Signer, ClosablePlugin {
  private let instance: ForeignInstance
  private let keys: [KeyRole: PublicKey]
  private static let deadline = Duration.seconds(10)
  private static let roles: [(KeyRole, Int32)] = [
    (.log, SYNC_KEY_LOG), (.cosigner, SYNC_KEY_COSIGNER), (.builder, SYNC_KEY_BUILDER),
    (.consensus, SYNC_KEY_CONSENSUS), (.transport, SYNC_KEY_TRANSPORT),
  ]

  /// Asks for the five public keys.
  public init(_ plugin: NativePlugin, node: String, stateDirectory: String, settings: [String: String])
    async throws(PluginError)
  {
    instance = try await ForeignInstance(plugin, node: node, stateDirectory: stateDirectory, settings: settings)
    var keys: [KeyRole: PublicKey] = [:]
    let method = plugin.table.signer.public_key
    do throws(PluginError) {
      for (role, number) in ForeignSigner.roles {
        let answer = try await instance.call("public_key", expected: .bytes, deadline: ForeignSigner.deadline) {
          let (size, version) = head(of: sync_sign_request.self)
          var request = sync_sign_request(
            struct_size: size, abi_version: version, role: number, reserved: 0, message: nil, message_size: 0)
          _ = $0
          return method?($1, &request, $2) ?? SYNC_PLUGIN_INVALID
        }
        guard let key = PublicKey(bytes: answer.bytes) else {
          throw PluginError(
            .io, "The signer \(plugin.name) gave \(answer.bytes.count) bytes as its \(role.rawValue) key; 32 are wanted"
          )
        }
        keys[role] = key
      }
    } catch {
      await instance.close()
      throw error
    }
    self.keys = keys
  }

  public func close() async { await instance.close() }

  public func publicKey(for role: KeyRole) throws(PluginError) -> PublicKey {
    guard let key = keys[role] else { throw PluginError(.notFound, "There is no \(role.rawValue) key") }
    return key
  }

  public func sign(_ message: [UInt8], as role: KeyRole) throws(PluginError) -> Signature {
    guard let number = ForeignSigner.roles.first(where: { $0.0 == role })?.1 else {
      throw PluginError(.notFound, "There is no \(role.rawValue) key")
    }
    let method = instance.plugin.table.signer.sign
    let answer = try instance.callAndWait("sign", expected: .bytes, deadline: ForeignSigner.deadline) {
      arena, instance, call in
      let (size, version) = head(of: sync_sign_request.self)
      var request = sync_sign_request(
        struct_size: size, abi_version: version, role: number, reserved: 0, message: arena.bytes(message),
        message_size: message.count)
      return method?(instance, &request, call) ?? SYNC_PLUGIN_INVALID
    }
    let name = instance.plugin.name
    guard let signature = Signature(bytes: answer.bytes) else {
      throw PluginError(.io, "The signer \(name) gave \(answer.bytes.count) bytes as a signature; 64 are wanted")
    }
    guard try publicKey(for: role).accepts(signature, on: message) else {
      throw PluginError(.io, "The signer \(name) gave a signature that its own \(role.rawValue) key does not verify")
    }
    return signature
  }
}
