package synchronicity.verify;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Reads what native code packed: numbers in the machine's byte order, text as its size and its UTF-8 bytes. */
final class Answer {
  private final ByteBuffer bytes;

  Answer(byte[] bytes) {
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
  }

  int int32() {
    return bytes.getInt();
  }

  long int64() {
    return bytes.getLong();
  }

  String text() {
    byte[] text = new byte[bytes.getInt()];
    bytes.get(text);
    return new String(text, StandardCharsets.UTF_8);
  }

  Digest digest() {
    byte[] digest = new byte[Digest.SIZE];
    bytes.get(digest);
    return Digest.ofOwned(digest);
  }

  /** The numbers of the bits that are set in the next 16 bytes. */
  List<Integer> bits() {
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; i < 128; i++) {
      if ((bytes.get(bytes.position() + i / 8) >> (i % 8) & 1) != 0) numbers.add(i);
    }
    bytes.position(bytes.position() + 16);
    return List.copyOf(numbers);
  }

  <T> List<T> items(int count, Function<Answer, T> read) {
    List<T> items = new ArrayList<>(count);
    for (int i = 0; i < count; i++) items.add(read.apply(this));
    return List.copyOf(items);
  }

  /** The library is inside the same jar, so that both know the same numbers. */
  static <T> T constant(T[] values, int index) {
    if (index < 0 || index >= values.length) {
      throw new IllegalStateException("the native library is not this jar's own: it gave " + index);
    }
    return values[index];
  }
}
