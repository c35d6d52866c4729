package synchronicity.node;

import java.util.List;

/** What the tests want to see that is not public. */
public final class Inside {
  private Inside() {}

  /** Factories, instances and logs that are held. */
  public static List<Integer> held() {
    return Host.held();
  }
}
