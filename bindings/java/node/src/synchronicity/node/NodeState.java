package synchronicity.node;

/** Where a node is in its life. */
public enum NodeState {
  /** It was not started yet. */
  CREATED,
  /** It takes part. */
  RUNNING,
  /** It ends. */
  STOPPING,
  /** It has ended. */
  STOPPED,
  /** One that this package does not know. */
  UNKNOWN;

  static NodeState of(int number) {
    return Reader.constant(values(), number, UNKNOWN);
  }
}
