package synchronicity.node;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * For whom an instance is made.
 *
 * @param node the builder's name in its group
 * @param stateDirectory made for this plugin; what it keeps between starts goes there
 * @param settings {@code [settings.NAME]} of the configuration, in the order of the names
 */
public record CreateRequest(String node, Path stateDirectory, Map<String, String> settings) {
  static CreateRequest of(Reader from) {
    String node = from.text();
    Path directory = from.path();
    Map<String, String> settings = new LinkedHashMap<>();
    for (int left = from.int32(); left > 0; left--) settings.put(from.text(), from.text());
    return new CreateRequest(node, directory, Collections.unmodifiableMap(settings));
  }
}
