package synchronicity.node;

/** Keeps private keys and signs with them (Ed25519, RFC 8032). No method may call the node, which waits for it. */
public interface Signer extends Plugin {
  /**
   * A role's public key. Asked once for each role. 10 s.
   *
   * @param role what it signs
   * @param call the call
   * @return 32 bytes
   * @throws Exception fails the call
   */
  byte[] publicKey(KeyRole role, Call call) throws Exception;

  /**
   * Signs exactly this message. The node waits for it. 10 s.
   *
   * @param role what it signs
   * @param message the message
   * @param call the call
   * @return 64 bytes
   * @throws Exception fails the call
   */
  byte[] sign(KeyRole role, byte[] message, Call call) throws Exception;
}
