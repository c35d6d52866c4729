package synchronicity.node;

import java.util.List;
import java.util.Optional;

/**
 * One ordered map from byte strings to byte strings, on a disk. The node waits for each call, a minute at most, and so
 * no method may call it. Keys are ordered as unsigned bytes: {@link java.util.Arrays#compareUnsigned(byte[], byte[])}.
 */
public interface Storage extends Plugin {
  /**
   * The value of a key.
   *
   * @param key the key
   * @param call the call
   * @return the value, where there is one
   * @throws Exception fails the call
   */
  Optional<byte[]> get(byte[] key, Call call) throws Exception;

  /**
   * The records whose keys begin with the prefix and are not below the start, ascending.
   *
   * @param prefix may be empty
   * @param start the lowest key that is wanted
   * @param limit the most records, unsigned
   * @param call the call
   * @return the records
   * @throws Exception fails the call
   */
  Iterable<StoredRecord> scan(byte[] prefix, byte[] start, long limit, Call call) throws Exception;

  /**
   * Applies all changes or none, in this order.
   *
   * @param changes of two with one key the later counts; may be empty
   * @param durable whether they survive a power cut once this returns, with all that was applied before
   * @param call the call
   * @throws Exception fails the call
   */
  void apply(List<Change> changes, boolean durable, Call call) throws Exception;
}
