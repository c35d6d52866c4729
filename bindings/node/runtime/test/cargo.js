'use strict';
// Loaded before the README's sample: gives its registry a source, of packages that need no network.
const { Words, specFor } = require('./plugins.js');
const { Registry } = require(process.env.SYNC_PACKAGE);

class Crates extends Words {
  async resolve(request) {
    return specFor(request.package, request, "printf 'made by the recipe itoa\\n' >/output/out");
  }
}

const add = Registry.prototype.add;
Registry.prototype.add = function addWithSource(plugin) {
  Registry.prototype.add = add;
  return this.add({ kind: 'source', name: 'js-words', type: 'cargo', originType: 'cargo', create: () => new Crates() })
    .add(plugin);
};
