package synchronicity.node;

import java.nio.file.Path;
import java.util.List;

/** Runs one program alone, without network or sight of the host, bounded in everything. */
public interface Sandbox extends Plugin {
  /**
   * Checks what the host can do, without changing it. 60 s.
   *
   * @param call the call
   * @return at least one finding
   * @throws Exception fails the call
   */
  List<Finding> probe(Call call) throws Exception;

  /**
   * Unpacks a tar file, once, after checking its SHA-256. An hour.
   *
   * @param toolchain the file's SHA-256, 64 hexadecimal digits
   * @param archive the file
   * @param call the call
   * @throws Exception fails the call
   */
  void prepare(String toolchain, Path archive, Call call) throws Exception;

  /**
   * Whether a toolchain is prepared. 60 s.
   *
   * @param toolchain its SHA-256, 64 hexadecimal digits
   * @param call the call
   * @return whether it is
   * @throws Exception fails the call
   */
  boolean hasToolchain(String toolchain, Call call) throws Exception;

  /**
   * Runs to the end, and kills the whole tree when the call is cancelled. A program that fails is a result, and only a
   * fault of the sandbox an exception. The request's {@code wallSeconds} and the setting {@code patience-seconds},
   * which is 300 unless given.
   *
   * @param request what to run
   * @param call the call, which takes what the program prints
   * @return how it ended
   * @throws Exception fails the call
   */
  RunResult run(RunRequest request, Call call) throws Exception;

  /**
   * Clears away what a killed run has left, at each start of a node; other nodes of the host may run builds. Ten
   * minutes.
   *
   * @param call the call
   * @return a line for each
   * @throws Exception fails the call
   */
  default List<String> removeLeftovers(Call call) throws Exception {
    return List.of();
  }
}
