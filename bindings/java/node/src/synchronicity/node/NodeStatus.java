package synchronicity.node;

/**
 * A node at a glance.
 *
 * @param state where it is in its life; where it is not {@link NodeState#RUNNING}, the rest is zero
 * @param isObserving whether it signs nothing, since its journal may be older than what it has signed
 * @param epoch the group's
 * @param view the group's
 * @param height of the last decided block
 * @param logSize leaves of the log
 * @param checkpointSize of the newest checkpoint that a quorum has cosigned
 * @param openJobs jobs that are not over
 * @param connectedPeers members to which it is connected
 * @param replicas members that vote
 * @param quorum how many of them decide
 */
public record NodeStatus(
    NodeState state, boolean isObserving, long epoch, long view, long height, long logSize, long checkpointSize,
    int openJobs, int connectedPeers, int replicas, int quorum) {
  static NodeStatus of(byte[] packed) {
    Reader from = new Reader(packed);
    return new NodeStatus(
        NodeState.of(from.int32()), from.bool(), from.int64(), from.int64(), from.int64(), from.int64(), from.int64(),
        from.int32(), from.int32(), from.int32(), from.int32());
  }
}
