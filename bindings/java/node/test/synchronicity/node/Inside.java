package synchronicity.node;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** What the tests want to see that is not public. */
public final class Inside {
  private Inside() {}

  /** Factories, instances and logs that are held. */
  public static List<Integer> held() {
    return Host.held();
  }

  /** What comes of so many lines of a log, whose taker takes the first and then nothing before the last has come. */
  public static List<String> flooded(int count) throws InterruptedException {
    List<String> taken = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch first = new CountDownLatch(1);
    CountDownLatch last = new CountDownLatch(1);
    LogThread log = new LogThread((level, line) -> {
      taken.add(line);
      first.countDown();
      try {
        last.await();
      } catch (InterruptedException interrupted) {
        taken.add("interrupted");
      }
    });
    log.put(LogLevel.INFO, "0");
    first.await();
    for (int i = 1; i < count; i++) log.put(LogLevel.INFO, Integer.toString(i));
    last.countDown();
    while (taken.size() < Math.min(count, 1000)) Thread.sleep(1);
    log.put(LogLevel.INFO, "end");
    log.close();
    log.put(LogLevel.INFO, "behind the end");
    return List.copyOf(taken);
  }
}
