package synchronicity.node;

import java.io.Closeable;
import java.io.IOException;

/**
 * An instance of a plugin, for one node, or one epoch of it. Its methods run on threads of libsync's, which may block;
 * calls overlap, of one instance too. What a method returns is its call's answer. What it throws fails the call: a
 * {@link PluginException} with its code, anything else as {@link PluginException.Code#IO}.
 */
public interface Plugin extends Closeable {
  /**
   * Ends the instance, once, after its last method has returned. What it throws goes to the thread's handler of
   * uncaught exceptions.
   *
   * @throws IOException if what it held cannot be let go of
   */
  @Override
  default void close() throws IOException {}
}
