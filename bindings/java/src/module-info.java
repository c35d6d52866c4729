/**
 * Checks, offline, that independent builders rebuilt an artifact: from a proof file ({@code .tlog-proof}), a trust
 * policy and the artifact's bytes, and from nothing else. {@link synchronicity.verify.Policy} is where to begin.
 */
module synchronicity.verify {
  exports synchronicity.verify;
}
