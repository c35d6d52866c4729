import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import synchronicity.node.Call;
import synchronicity.node.CreateRequest;
import synchronicity.node.KeyRole;
import synchronicity.node.Signer;

/** Keys of java.security, which are made when they are first asked for and kept in this process. */
class Keys implements Signer {
  private static final Map<String, KeyPair> PAIRS = new ConcurrentHashMap<>();

  private final String owner;

  Keys(CreateRequest request) {
    owner = request.node();
  }

  private static KeyPair pair(String owner, KeyRole role) {
    return PAIRS.computeIfAbsent(owner + " " + role, name -> {
      try {
        return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
      } catch (GeneralSecurityException error) {
        throw new AssertionError(name, error);
      }
    });
  }

  /** The key's encoded form ends with its 32 bytes (RFC 8410). */
  static byte[] publicKey(String owner, KeyRole role) {
    byte[] encoded = pair(owner, role).getPublic().getEncoded();
    return Arrays.copyOfRange(encoded, encoded.length - 32, encoded.length);
  }

  @Override
  public byte[] publicKey(KeyRole role, Call call) {
    return publicKey(owner, role);
  }

  @Override
  public byte[] sign(KeyRole role, byte[] message, Call call) throws GeneralSecurityException {
    Signature signature = Signature.getInstance("Ed25519");
    signature.initSign(pair(owner, role).getPrivate());
    signature.update(message);
    return signature.sign();
  }
}
