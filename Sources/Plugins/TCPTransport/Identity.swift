import NIOCore
import NIOSSL
import SyncProof
import SyncRuntime
import Synchronization

/// Who we are and whom we know, in TLS's terms.
struct Identity: Sendable {
  let context: NIOSSLContext
  private let key: SignerKey
  /// Names by the encoding of their keys.
  private let names: [[UInt8]: String]

  init(signer: any Signer, peers: [TCPTransport.Peer]) throws(PluginError) {
    key = SignerKey(SignerBox(signer), publicKey: try signer.publicKey(for: .transport))
    let certificate = try Certificate.encode(signer: signer)
    do {
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: [.certificate(try NIOSSLCertificate(bytes: certificate, format: .der))],
        privateKey: .privateKey(NIOSSLPrivateKey(customPrivateKey: key)))
      configuration.minimumTLSVersion = .tlsv13
      configuration.maximumTLSVersion = .tlsv13
      configuration.signingSignatureAlgorithms = [.ed25519]
      configuration.verifySignatureAlgorithms = [.ed25519]
      // Demands a certificate of the client too. Which one is right is for the verification callback to say.
      configuration.certificateVerification = .noHostnameVerification
      configuration.trustRoots = .certificates([])
      context = try NIOSSLContext(configuration: configuration)
    } catch {
      throw PluginError(.unavailable, "TLS cannot be set up with an Ed25519 key: \(error)")
    }
    names = Dictionary(uniqueKeysWithValues: peers.map { (Certificate.subjectPublicKeyInfo(of: $0.key), $0.name) })
  }

  /// Lets go of the signer: what TLS and its threads still hold of a connection signs no more.
  func forget() { key.box.signer.withLock { $0 = nil } }

  /// The peer whose key the first certificate carries. TLS itself has the other side prove that it holds the key.
  func peer(for chain: [NIOSSLCertificate]) -> String? {
    guard let key = try? chain.first?.extractPublicKey().toSPKIBytes() else { return nil }
    return names[key]
  }
}

/// The transport key as TLS sees it: a thing that signs, somewhere else.
private struct SignerKey: NIOSSLCustomPrivateKey, Hashable {
  let box: SignerBox
  let publicKey: PublicKey

  init(_ box: SignerBox, publicKey: PublicKey) { (self.box, self.publicKey) = (box, publicKey) }

  var signatureAlgorithms: [SignatureAlgorithm] { [.ed25519] }

  // A signer may ask another process or a device: never on the event loop.
  func sign(channel: any Channel, algorithm: SignatureAlgorithm, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
    let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
    // Nor on threads that others wait for: one that hangs holds up its own connection.
    BlockingThread.start { [box] in
      promise.completeWith(
        Result { () throws in
          guard let signer = box.signer.withLock({ $0 }) else { throw PluginError(.io, "The transport has stopped") }
          return ByteBuffer(bytes: try signer.sign([UInt8](data.readableBytesView), as: .transport).bytes)
        })
    }
    return promise.futureResult
  }

  func decrypt(channel: any Channel, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
    channel.eventLoop.makeFailedFuture(PluginError(.invalid, "An Ed25519 key does not decrypt"))
  }

  static func == (a: SignerKey, b: SignerKey) -> Bool { a.publicKey == b.publicKey }
  func hash(into hasher: inout Hasher) { hasher.combine(publicKey) }
}

/// A signer for as long as its transport runs.
private final class SignerBox: Sendable {
  let signer: Mutex<(any Signer)?>
  init(_ signer: any Signer) { self.signer = Mutex(signer) }
}
