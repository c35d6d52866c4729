package synchronicity.node;

import java.util.Objects;
import java.util.function.BiConsumer;

/** What a node is made with beside its configuration. Not for several threads at once. */
public final class NodeOptions {
  Registry registry;
  BiConsumer<LogLevel, String> log;
  boolean isRestored;

  /** Built-in plugins, no log, a data folder that is its own. */
  public NodeOptions() {}

  /**
   * What the configuration can choose by name beside what is built in. The node keeps what it needs: the registry may
   * be closed as soon as the node is made.
   *
   * @param chosen the registry
   * @return this
   */
  public NodeOptions registry(Registry chosen) {
    registry = Objects.requireNonNull(chosen);
    return this;
  }

  /**
   * Gets the node's log, line by line, on a thread of its own. Of more than 4,096 lines that wait, the newest are
   * dropped, and counted in a line. What it throws goes to that thread's handler of uncaught exceptions.
   *
   * @param taker takes the lines
   * @return this
   */
  public NodeOptions log(BiConsumer<LogLevel, String> taker) {
    log = Objects.requireNonNull(taker);
    return this;
  }

  /**
   * For one start: the data folder was put back from an older copy, or is new although this builder has signed before.
   *
   * @return this
   */
  public NodeOptions restored() {
    isRestored = true;
    return this;
  }
}
