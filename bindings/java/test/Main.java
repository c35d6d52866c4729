/** All tests but those of memory, or those alone: {@code ROOT [memory]}, with the repository's root. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Vectors vectors = new Vectors(java.nio.file.Path.of(arguments[0]));
    Runner runner = new Runner();
    if (arguments.length > 1) {
      new MemoryTests(vectors).run(runner);
    } else {
      new VectorTests(vectors).run(runner);
      new HandoverTests(vectors).run(runner);
      new InterfaceTests(vectors).run(runner);
      new FileTests(vectors).run(runner);
      new ThreadTests(vectors).run(runner);
    }
    System.exit(runner.finish());
  }
}
