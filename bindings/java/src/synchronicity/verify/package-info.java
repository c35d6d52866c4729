/**
 * The verifier: {@link synchronicity.verify.Policy} says yes or why not, {@link synchronicity.verify.Proof} shows what
 * a proof file says, {@link synchronicity.verify.Hasher} gives an artifact's digest.
 *
 * <p>Where the format has unsigned 64-bit numbers, a {@code long} holds their bits, as {@link Long#toUnsignedString}
 * and {@link Long#compareUnsigned} read them. No parameter may be {@code null} and no result is.
 */
package synchronicity.verify;
