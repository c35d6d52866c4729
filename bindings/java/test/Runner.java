import java.util.Objects;

/** Runs tests one after the other and says how they went. */
final class Runner {
  interface Body {
    void run() throws Exception;
  }

  private int passed;
  private int failed;

  void test(String name, Body body) {
    long start = System.nanoTime();
    try {
      body.run();
      passed++;
      System.out.printf("ok %s (%d ms)%n", name, (System.nanoTime() - start) / 1_000_000);
    } catch (Exception | Error error) {
      failed++;
      System.out.printf("FAILED %s%n", name);
      error.printStackTrace(System.out);
    }
  }

  /** The program's exit status. */
  int finish() {
    System.out.printf("%d passed, %d failed%n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static void equal(Object got, Object wanted, String what) {
    check(Objects.equals(got, wanted), what + ": " + got + " instead of " + wanted);
  }

  /** What the body throws, which is of this type. */
  static <T extends Throwable> T thrown(Class<T> type, Body body) {
    try {
      body.run();
    } catch (Exception | Error error) {
      if (type.isInstance(error)) return type.cast(error);
      throw new AssertionError("instead of " + type.getName(), error);
    }
    throw new AssertionError("nothing was thrown instead of " + type.getName());
  }
}
