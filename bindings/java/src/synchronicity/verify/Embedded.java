package synchronicity.verify;

/**
 * Where in a file its proof is. The artifact that the proof is about is the file's first {@code contentSize} bytes.
 *
 * @param form how it is embedded
 * @param contentSize bytes of the artifact; the file's size where nothing is embedded
 * @param proofOffset from the file's start; 0 where nothing is embedded
 * @param proofSize the proof's bytes; 0 where nothing is embedded
 */
public record Embedded(Form form, long contentSize, long proofOffset, long proofSize) {
  /** How much of a file's start {@link #find} wants to see. */
  public static final int HEAD_SIZE = 8;
  /** How much of a file's end {@link #find} wants to see. */
  public static final int TAIL_SIZE = 1_048_704;

  /** How a proof is embedded. */
  public enum Form {
    /** No proof is embedded. */
    NONE,
    /** Behind the end of the content: proof, length, magic. */
    TRAILER,
    /** The same inside a last member of an ar archive, such as an {@code .rlib}. */
    ARCHIVE_MEMBER
  }

  /**
   * Looks for a proof inside an artifact's file, from the file's ends alone.
   *
   * @param head the file's first {@link #HEAD_SIZE} bytes, or all of it
   * @param tail the file's last {@link #TAIL_SIZE} bytes, or all of it
   * @param fileSize bytes of the file
   * @return where the proof is, or that there is none
   * @throws SyncException if the file ends like a proof but holds none
   * @throws IllegalArgumentException if the sizes do not fit together
   */
  public static Embedded find(byte[] head, byte[] tail, long fileSize) throws SyncException {
    if (fileSize < 0) throw new IllegalArgumentException("a file size below zero");
    Answer from = new Answer(Native.findEmbedded(head, tail, fileSize));
    return new Embedded(Answer.constant(Form.values(), from.int32()), from.int64(), from.int64(), from.int64());
  }
}
