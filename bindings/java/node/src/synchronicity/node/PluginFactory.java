package synchronicity.node;

/**
 * Makes instances of a plugin.
 *
 * @param <T> what they are
 */
@FunctionalInterface
public interface PluginFactory<T extends Plugin> {
  /**
   * Makes an instance, in 60 s.
   *
   * @param request for whom it is
   * @return the instance, which is closed when its node has ended
   * @throws Exception if there can be none; then the node does not start
   */
  T create(CreateRequest request) throws Exception;
}
