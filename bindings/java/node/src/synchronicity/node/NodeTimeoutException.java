package synchronicity.node;

/** Time is up. What was asked for may happen all the same. */
public final class NodeTimeoutException extends NodeException {
  private static final long serialVersionUID = 1;

  NodeTimeoutException(String message) {
    super(Code.TIMED_OUT.number(), message, -1);
  }
}
