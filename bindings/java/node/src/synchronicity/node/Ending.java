package synchronicity.node;

/** How a run ended. */
public enum Ending {
  /** The program has exited; the status is its own. */
  EXITED,
  /** A signal ended it; the status is its number. */
  SIGNALLED,
  /** It took too long. */
  WALL_TIME_EXCEEDED,
  /** It worked too long. */
  CPU_TIME_EXCEEDED,
  /** It wanted too much memory. */
  MEMORY_EXCEEDED,
  /** It had too many processes. */
  PROCESSES_EXCEEDED,
  /** It wrote too much. */
  DISK_EXCEEDED,
  /** It printed too much. */
  TRANSCRIPT_EXCEEDED;
}
