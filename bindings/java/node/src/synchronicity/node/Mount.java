package synchronicity.node;

import java.nio.file.Path;

/**
 * A folder or file of the host's that a run sees.
 *
 * @param hostPath where it is
 * @param insidePath where it is seen
 * @param isWritable whether it may be written to
 */
public record Mount(Path hostPath, String insidePath, boolean isWritable) {}
