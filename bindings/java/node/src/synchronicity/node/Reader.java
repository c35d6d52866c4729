package synchronicity.node;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** Reads what native code packed: numbers in the machine's byte order; text, paths and bytes behind their sizes. */
final class Reader {
  private final ByteBuffer bytes;

  Reader(byte[] bytes) {
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
  }

  int int32() {
    return bytes.getInt();
  }

  boolean bool() {
    return bytes.getInt() != 0;
  }

  long int64() {
    return bytes.getLong();
  }

  byte[] bytes() {
    byte[] found = new byte[bytes.getInt()];
    bytes.get(found);
    return found;
  }

  String text() {
    return new String(bytes(), StandardCharsets.UTF_8);
  }

  Optional<String> optionalText() {
    return bool() ? Optional.of(text()) : Optional.empty();
  }

  Path path() {
    return path(bytes());
  }

  Sha256 digest() {
    byte[] digest = new byte[Sha256.SIZE];
    bytes.get(digest);
    return Sha256.of(digest);
  }

  <T> List<T> items(Function<Reader, T> read) {
    int count = int32();
    List<T> items = new ArrayList<>(count);
    for (int i = 0; i < count; i++) items.add(read.apply(this));
    return List.copyOf(items);
  }

  List<String> texts() {
    return items(Reader::text);
  }

  /** The path of these bytes, which are absolute, in every locale: a URI has them as they are. */
  static Path path(byte[] bytes) {
    StringBuilder escaped = new StringBuilder("file://");
    for (byte one : bytes) {
      boolean isPlain = one >= 'a' && one <= 'z' || one >= 'A' && one <= 'Z' || one >= '-' && one <= '9';
      if (isPlain) escaped.append((char) one);
      else escaped.append('%').append(HexFormat.of().withUpperCase().toHexDigits(one));
    }
    return Path.of(URI.create(escaped.toString()));
  }

  /** What has the number that is its place, or the other one. */
  static <T> T constant(T[] values, int number, T other) {
    return number >= 0 && number < values.length ? values[number] : other;
  }
}
