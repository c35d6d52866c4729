/**
 * Runs builders in this process: {@link synchronicity.node.Node} is where to begin. What they have proven is verified
 * with the module {@code synchronicity.verify}, which is a jar of its own.
 */
module synchronicity.node {
  exports synchronicity.node;
}
