import java.nio.file.Path;

/** The tests of one suite: {@code ROOT PROGRAM SUITE}, with the repository's root and the program synchronicity. */
public final class NodeMain {
  private NodeMain() {}

  public static void main(String[] arguments) throws Exception {
    Group.Place place = new Group.Place(Path.of(arguments[0]), Path.of(arguments[1]));
    Runner runner = new Runner();
    switch (arguments[2]) {
      case "group" -> {
        new GroupTests(place).run(runner);
        new RefusalTests(place).run(runner);
        new CheckTests().run(runner);
      }
      case "hostile" -> new HostileTests(place).run(runner);
      case "lives" -> new LivesTests(place).run(runner);
      case "ends" -> new EndTests(place).run(runner);
      default -> throw new IllegalArgumentException(arguments[2] + " is no suite");
    }
    System.exit(runner.finish());
  }
}
