/**
 * A whole builder in your process, and plugins for it in Java: {@link synchronicity.node.Node} runs one,
 * {@link synchronicity.node.Registry} holds what it can choose by name beside what is built in.
 *
 * <p>Calls that wait block their own thread alone, and where they can be interrupted they say so. Where libsync has
 * unsigned 64-bit numbers, a {@code long} holds their bits, as {@link Long#toUnsignedString} reads them. No parameter
 * may be {@code null} and no result is, but where it is said.
 */
package synchronicity.node;
