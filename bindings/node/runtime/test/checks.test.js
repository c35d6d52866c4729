'use strict';
// The conformance suites on plugins in JavaScript.
const assert = require('node:assert/strict');
const { readdirSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { test } = require('node:test');

const { held, synchronicity, until } = require('./support.js');
const { Keys, Memory, makeRegistry } = require('./plugins.js');
const { Registry } = synchronicity;

/** One key for two roles. */
class Twins extends Keys {
  #one = (role) => (role === 'cosigner' ? 'log' : role);

  publicKey(role) {
    return super.publicKey(this.#one(role));
  }

  sign(role, message) {
    return super.sign(this.#one(role), message);
  }
}

/** Maps by their folders, so that opening again finds the same. */
function shelf() {
  const maps = new Map();
  return ({ stateDirectory }) => {
    if (!maps.has(stateDirectory)) maps.set(stateDirectory, new Memory());
    return maps.get(stateDirectory);
  };
}

/** The plugins of these tests, with some that are checked alone. */
function checkable() {
  const { registry, made } = makeRegistry();
  registry.add({ kind: 'storage', name: 'js-shelf', create: shelf() });
  registry.add({ kind: 'signer', name: 'js-twins', version: '2', create: (request) => new Twins(request) });
  return { registry, made };
}

async function reported(registry, name, options, end, failed) {
  const { hasPassed, report } = await registry.check(name, options);
  const lines = report.split('\n');
  assert.equal(lines.pop(), '');
  const last = lines.pop();
  const fails = lines.filter((line) => line.startsWith('FAIL: '));
  assert.ok(lines.every((line) => /^(pass|FAIL): /.test(line)), report);
  assert.equal(last, `${end}: ${lines.length - fails.length} of ${lines.length} checks passed`);
  assert.equal(hasPassed, fails.length === 0, report);
  assert.equal(hasPassed, failed === undefined, report);
  if (failed !== undefined) assert.ok(fails.some((line) => line.startsWith(`FAIL: ${failed}`)), report);
}

test('who keeps the promises passes, and who does not fails', async () => {
  const { registry, made } = checkable();
  const settings = { b: '2', a: 'one', c: '' };
  const known = { package: 'pkg:words/fine@1' };
  for (const row of [
    ['js-keys', { settings }, 'js-keys 1, a signer'],
    ['js-shelf', undefined, 'js-shelf 1, a storage'],
    ['js-words', known, 'js-words 1, a source'],
    ['js-twins', {}, 'js-twins 2, a signer', 'each role has a key of its own: the cosigner key is another role\'s too'],
    ['js-map', {}, 'js-map 1, a storage', 'what was applied is there after opening again: '],
    ['js-words', { package: 'pkg:words/missing@1' }, 'js-words 1, a source', 'the package is resolved: '],
  ]) {
    await reported(registry, ...row);
  }
  assert.deepEqual({ ...made['js-keys'][0].created.settings }, settings);
  await until(() => held().instances === 0, 'every instance is ended');
  assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith('sync-plugin-check')), []);
});

test('what is asked wrongly is refused', async () => {
  const { registry } = checkable();
  registry.add({ kind: 'storage', name: 'js-twins', create: shelf() });
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, number) => [String(number), '']));
  for (const [name, options, code, message] of [
    ['nobody', undefined, 'SYNC_ERROR_NOT_FOUND', /nobody/],
    ['sqlite', undefined, 'SYNC_ERROR_NOT_FOUND', /sqlite/],
    ['js-plain', undefined, 'SYNC_ERROR_INVALID', /toolchain/],
    ['js-plain', { toolchain: 'relative.tar' }, 'SYNC_ERROR_INVALID', /absolute/],
    ['js-plain', { toolchain: '/no/such.tar' }, 'SYNC_ERROR_NOT_FOUND', /\/no\/such\.tar/],
    ['js-words', undefined, 'SYNC_ERROR_INVALID', /package/],
    ['js-words', { package: 'words' }, 'SYNC_ERROR_INVALID', /purl/],
    ['js-twins', undefined, 'SYNC_ERROR_INVALID', /js-twins/],
    ['js-keys', { settings: many }, 'SYNC_ERROR_TOO_LARGE', /1001/],
    ['js-keys', { allowed: { bpf: 'of no harm' } }, 'SYNC_ERROR_INVALID_ARGUMENT', /allowed/],
  ]) {
    await assert.rejects(registry.check(name, options), { name: 'SyncError', code, message });
  }
  for (const [name, options] of [
    [5], ['a\0b'], ['js-keys', { settings: 5 }], ['js-keys', { settings: { a: 1 } }],
    ['js-keys', { settings: { a: '\0' } }], ['js-keys', { allowed: null }], ['js-keys', { withEscapes: 1 }],
    ['js-plain', { toolchain: '/a\0.tar' }], ['js-words', { package: 5 }],
  ]) {
    await assert.rejects(registry.check(name, options), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
});

test('several at once, of a registry that nobody has any more', async () => {
  let isBegun = false;
  const checks = (() => {
    const registry = new Registry().add({
      kind: 'signer',
      name: 'js-keys',
      create(request) {
        isBegun = true;
        return new Keys(request);
      },
    });
    return [registry.check('js-keys'), registry.check('js-keys'), registry.check('js-keys')];
  })();
  await until(() => {
    globalThis.gc();
    return isBegun;
  }, 'the checks begin');
  for (const { hasPassed, report } of await Promise.all(checks)) assert.ok(hasPassed, report);
  await until(() => {
    globalThis.gc();
    return Object.values(held()).every((count) => count === 0);
  }, 'it is let go of');
});

test('a check from within a method', async () => {
  const told = [];
  const registry = new Registry();
  registry.add({ kind: 'storage', name: 'js-shelf', create: shelf() });
  registry.add({
    kind: 'signer',
    name: 'js-asking',
    async create(request) {
      if (told.length === 0) told.push(true, await registry.check('js-shelf'));
      return new Keys(request);
    },
  });
  const { hasPassed, report } = await registry.check('js-asking');
  assert.ok(hasPassed, report);
  assert.ok(told[1].hasPassed, told[1].report);
});
