import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import synchronicity.node.Call;
import synchronicity.node.Change;
import synchronicity.node.Storage;
import synchronicity.node.StoredRecord;

/** A storage in memory. */
final class Tree implements Storage {
  private final TreeMap<byte[], byte[]> records = new TreeMap<>(Arrays::compareUnsigned);

  @Override
  public synchronized Optional<byte[]> get(byte[] key, Call call) {
    return Optional.ofNullable(records.get(key));
  }

  @Override
  public synchronized Iterable<StoredRecord> scan(byte[] prefix, byte[] start, long limit, Call call) {
    List<StoredRecord> found = new ArrayList<>();
    byte[] first = Arrays.compareUnsigned(prefix, start) < 0 ? start : prefix;
    for (var entry : records.tailMap(first).entrySet()) {
      byte[] key = entry.getKey();
      boolean begins = key.length >= prefix.length && Arrays.equals(key, 0, prefix.length, prefix, 0, prefix.length);
      if (!begins || Long.compareUnsigned(found.size(), limit) >= 0) break;
      found.add(new StoredRecord(key, entry.getValue()));
    }
    return found;
  }

  @Override
  public synchronized void apply(List<Change> changes, boolean durable, Call call) {
    for (Change change : changes) {
      if (change.value() == null) records.remove(change.key());
      else records.put(change.key(), change.value());
    }
  }
}
