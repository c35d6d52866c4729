package synchronicity.node;

import java.util.Optional;

/**
 * Something that happened.
 *
 * @param kind what
 * @param job empty where the event is about none
 * @param number what the kind says
 * @param text the builder, package or member, or why; cut to fit
 * @param dropped events that were dropped just before this one, since nobody took them
 */
public record Event(EventKind kind, Optional<Sha256> job, long number, String text, int dropped) {
  static Event of(byte[] packed) {
    Reader from = new Reader(packed);
    EventKind kind = EventKind.of(from.int32());
    int dropped = from.int32();
    long number = from.int64();
    Sha256 job = from.digest();
    return new Event(kind, job.isZero() ? Optional.empty() : Optional.of(job), number, from.text(), dropped);
  }
}
