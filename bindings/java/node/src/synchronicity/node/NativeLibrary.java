package synchronicity.node;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Finds the native library, as the verifier's does: the file that a system property names, or else the one that the jar
 * carries. It wants libsync, which is in no jar: the file that another property or the environment names, or else the
 * loader's.
 */
final class NativeLibrary {
  private static final String PROPERTY = "synchronicity.node.library";
  private static final String LIBSYNC_PROPERTY = "synchronicity.libsync";
  private static final String LIBSYNC_VARIABLE = "SYNC_LIBRARY";
  private static final String NAME = "libsyncnodejni.so";

  private NativeLibrary() {}

  static void load() {
    String libsync = System.getProperty(LIBSYNC_PROPERTY, System.getenv(LIBSYNC_VARIABLE));
    // The loader takes the one that is there already for every other of its name.
    if (libsync != null && !libsync.isEmpty()) System.load(Path.of(libsync).toAbsolutePath().toString());
    try {
      loadBridge();
    } catch (UnsatisfiedLinkError error) {
      if (error.getMessage() == null || !error.getMessage().contains("libsync.so.1")) throw error;
      throw (Error) new UnsatisfiedLinkError("libsync cannot be loaded: -D" + LIBSYNC_PROPERTY + "=FILE, or "
          + LIBSYNC_VARIABLE + " in the environment, names its libsync.so.1 (" + error.getMessage() + ")")
              .initCause(error);
    }
  }

  private static void loadBridge() {
    String path = System.getProperty(PROPERTY);
    if (path != null) {
      System.load(Path.of(path).toAbsolutePath().toString());
      return;
    }
    String resource = "/META-INF/native/" + platform() + "/" + NAME;
    try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
      if (library == null) {
        throw new UnsatisfiedLinkError("no " + resource + " in the jar; -D" + PROPERTY + "=FILE names one elsewhere");
      }
      loadCopy(library);
    } catch (IOException error) {
      throw (Error) new UnsatisfiedLinkError("the native library cannot be written to a temporary file: " + error
          + "; -D" + PROPERTY + "=FILE names one that is there").initCause(error);
    }
  }

  /** The folder is new and its owner's alone, so that nobody else can put another file in the copy's place. */
  private static void loadCopy(InputStream library) throws IOException {
    Path folder = Files.createTempDirectory("syncnode");
    Path copy = folder.resolve(NAME);
    try {
      Files.copy(library, copy);
      System.load(copy.toString());
    } finally {
      // What is loaded stays in memory.
      Files.deleteIfExists(copy);
      Files.deleteIfExists(folder);
    }
  }

  private static String platform() {
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String processor = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return system + "-" + (processor.equals("amd64") ? "x86_64" : processor);
  }
}
