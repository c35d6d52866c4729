package synchronicity.node;

/** Finds packages and fetches their sources. */
public interface Source extends Plugin {
  /**
   * Pins every input of a package. An hour.
   *
   * @param request which
   * @param call the call
   * @return a build spec, as docs/FORMATS.md has it
   * @throws Exception fails the call
   */
  String resolve(ResolveRequest request, Call call) throws Exception;

  /**
   * Puts a source's tree into a directory; its digest is checked by the node. An hour.
   *
   * @param request which
   * @param call the call
   * @throws Exception fails the call
   */
  void fetch(FetchRequest request, Call call) throws Exception;
}
