'use strict';
// What is refused before anything runs, and how.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { readFileSync, rmSync } = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { configuration, groupFor, held, makeGroup, packageFolder, root, synchronicity, until } = require('./support.js');
const { Plain, Words, makeRegistry } = require('./plugins.js');
const { Events, Node, PluginError, Registry, SyncError, errorCodes, version } = synchronicity;

const nothing = '0'.repeat(64);
let folder;
let text;

before(() => {
  folder = makeGroup(['alder']);
  text = readFileSync(configuration(folder, 'alder'), 'utf8');
});
after(() => rmSync(folder, { recursive: true, force: true }));

const inAlder = (options) => ({ folder: path.join(folder, 'alder'), ...options });

/** Runs with --expose-gc; finalizers run in turns of their own. */
function collected(isSo, what) {
  return until(() => {
    globalThis.gc();
    return isSo();
  }, what);
}

test('the numbers of the errors are those of the C headers', () => {
  const header = ['version.h', 'plugin.h'].map((name) => readFileSync(path.join(root, 'include/sync', name), 'utf8'));
  const defined = [...header.join('').matchAll(/^#define (SYNC_ERROR_\w+) (\d+)$/gm)];
  assert.deepEqual(Object.entries(errorCodes), defined.map((match) => [match[1], Number(match[2])]));
  const types = readFileSync(path.join(packageFolder, 'index.d.ts'), 'utf8');
  const declared = [...types.matchAll(/^  readonly (SYNC_ERROR_\w+): (\d+);$/gm)];
  assert.deepEqual(declared.map((match) => [match[1], Number(match[2])]), Object.entries(errorCodes));
});

test('the words of the numbers are in the order of the C headers', () => {
  const header = ['node.h', 'plugin.h'].map((name) => readFileSync(path.join(root, 'include/sync', name), 'utf8'));
  const source = ['node.js', 'plugins.js', 'errors.js', 'native.js'].map(
    (name) => readFileSync(path.join(packageFolder, 'lib', name), 'utf8')).join('');
  const inCapitals = (word) => word.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  for (const [name, prefix] of [
    ['phases', 'SYNC_PHASE_'], ['states', 'SYNC_NODE_'], ['levels', 'SYNC_LOG_'], ['eventKinds', 'SYNC_EVENT_'],
    ['roles', 'SYNC_KEY_'], ['endings', 'SYNC_RUN_'], ['pluginCodes', 'SYNC_PLUGIN_'],
  ]) {
    const defined = [...header.join('').matchAll(new RegExp(`^#define ${prefix}(\\w+) (\\d+)$`, 'gm'))];
    const wanted = defined.filter(([, word]) => word !== 'OK').map(([, word, number]) => [word, Number(number)]);
    assert.ok(wanted.length > 3, name);
    const list = new RegExp(`^const ${name} = (?:Object.freeze\\()?\\[([^\\]]*)\\]`, 'm').exec(source)[1];
    const words = list.split(',').map((word) => word.trim()).filter((word) => word !== '');
    const found = words.map((word, number) => [inCapitals(word.slice(1, -1)), number]);
    assert.deepEqual(found.filter(([word]) => word !== 'NDEFINE'), wanted, name);
  }
});

test('the versions agree', () => {
  assert.equal(require(path.join(packageFolder, 'package.json')).version, version);
});

test('import gives what require gives', async () => {
  const imported = await import(pathToFileURL(path.join(packageFolder, 'index.mjs')));
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(synchronicity).sort());
  for (const [name, value] of Object.entries(synchronicity)) assert.equal(imported[name], value, name);
});

test('the types declare every name that is exported, and every member', () => {
  const types = readFileSync(path.join(packageFolder, 'index.d.ts'), 'utf8');
  const declared = [...types.matchAll(/^export (?:class|const) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(declared.sort(), Object.keys(synchronicity).sort());
  const found = [...types.matchAll(/^export class (\w+)[^{]*\{(.*?)^\}/gms)];
  const blocks = new Map(found.map((match) => [match[1], match[2]]));
  for (const Class of [Node, Events, Registry, PluginError, SyncError]) {
    const members = [...Object.getOwnPropertyNames(Class.prototype), ...Object.getOwnPropertyNames(Class)];
    for (const member of members.filter((name) => !['length', 'name', 'prototype'].includes(name))) {
      const declaration = new RegExp(`^  (private |static )*${member}\\(`, 'm');
      assert.match(blocks.get(Class.name), declaration, `${Class.name}.${member}`);
    }
  }
});

test('configurations', async () => {
  const { registry } = makeRegistry();
  for (const [given, code, part] of [
    ['name = 1', 'SYNC_ERROR_INVALID', /name/],
    ['no toml at all', 'SYNC_ERROR_INVALID', /./],
    ['', 'SYNC_ERROR_INVALID', /name/],
    [`${text}[nothing]\n`, 'SYNC_ERROR_INVALID', /nothing/],
    [text.replace('../group.txt', 'none.txt'), 'SYNC_ERROR_IO', /none\.txt/],
    [text.replace('"js-plain"', '"no-such"'), 'SYNC_ERROR_INVALID', /no-such/],
    [Buffer.alloc(2 ** 20 + 1, ' '), 'SYNC_ERROR_TOO_LARGE', /1048576/],
  ]) {
    assert.throws(() => new Node(given, inAlder({ registry })), { name: 'SyncError', code, message: part });
  }
  assert.throws(() => new Node(text, inAlder()), { code: 'SYNC_ERROR_INVALID', message: /js-plain/ });
  for (const wrong of [
    () => new Node(5), () => new Node(text, inAlder({ registry: {} })), () => new Node(text, inAlder({ log: 'log' })),
    () => new Node(text, { folder: 'a\0b' }), () => new Node(text, inAlder({ isRestored: 1 })), () => new Events(),
  ]) {
    assert.throws(wrong, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  }
  await assert.rejects(Node.load(path.join(folder, 'none.toml')), { code: 'ENOENT' });
});

test('plugins', async () => {
  const { registry } = makeRegistry();
  const create = () => new Plain();
  const good = { kind: 'sandbox', name: 'good', create };
  for (const [wrong, part] of [
    [{ ...good, name: 'Bad Name' }, /lower-case/],
    [{ ...good, version: '' }, /version/],
    [{ ...good, name: 'js-plain' }, /already/],
    [{ ...good, kind: 'source', type: 'Words 1', originType: 'words' }, /purl type/],
  ]) {
    assert.throws(() => registry.add(wrong), { name: 'SyncError', code: 'SYNC_ERROR_INVALID', message: part });
  }
  for (const wrong of [
    undefined, 5, Plain, { ...good, kind: 'other' }, { ...good, create: 5 }, { ...good, name: 5 },
    { ...good, name: 'a\0b' }, { ...good, kind: 'source' },
  ]) {
    assert.throws(() => registry.add(wrong), { name: 'TypeError' });
  }
  for (const [file, part] of [
    ['relative.so', /absolute/], ['/no/such.so', /no\/such\.so/],
    [path.join(packageFolder, `native/linux-${process.arch}/syncnode.node`), /no plugin/],
  ]) {
    assert.throws(() => registry.load(file), { code: 'SYNC_ERROR_INVALID', message: part });
  }
  assert.throws(() => new PluginError('no-such'), TypeError);
});

test('states', async () => {
  const { registry } = makeRegistry();
  const node = new Node(text, inAlder({ registry }));
  assert.deepEqual({ ...await node.status() }, {
    state: 'created', isObserving: false, epoch: 0n, view: 0n, height: 0n, logSize: 0n, checkpointSize: 0n,
    openJobs: 0, connectedPeers: 0, replicas: 0, quorum: 0,
  });
  for (const act of [
    () => node.submit('pkg:words/fine@1'), () => node.wait(nothing), () => node.job(nothing), () => node.proof(nothing),
    () => node.artifactPath(nothing), () => node.drain(), () => node.statusJSON(),
  ]) {
    await assert.rejects(act, { code: 'SYNC_ERROR_STATE', message: /start/ });
  }
  for (const capacity of [0, 65_537]) assert.throws(() => node.events({ capacity }), RangeError);
  const events = node.events({ capacity: 1 });
  const controller = new AbortController();
  const aborted = assert.rejects(node.events({ signal: controller.signal }).next(), { name: 'AbortError' });
  controller.abort();
  await aborted;
  const closed = node.events();
  const taken = closed.next();
  closed.close();
  assert.deepEqual(await taken, { done: true, value: undefined });
  const last = events.next();
  await node.stop();
  assert.deepEqual(await last, { done: true, value: undefined });
  await assert.rejects(node.start(), { code: 'SYNC_ERROR_STATE', message: /once/ });

  const first = node.destroy();
  assert.equal(node.destroy(), first);
  await first;
  for (const use of ['start', 'stop', 'status', 'drain']) {
    await assert.rejects(node[use](), { code: 'SYNC_ERROR_STATE', message: /destroyed/ });
  }
  assert.throws(() => node.events(), { code: 'SYNC_ERROR_STATE' });
  assert.deepEqual(await events.next(), { done: true, value: undefined });
});

test('arguments', async () => {
  const { registry } = makeRegistry();
  const node = new Node(text, inAlder({ registry }));
  for (const [act, name] of [
    [() => node.wait(new Uint8Array(31)), 'TypeError'],
    [() => node.wait('xy'.repeat(32)), 'TypeError'],
    [() => node.wait(nothing, { phase: 'unknown' }), 'TypeError'],
    [() => node.proof(5), 'TypeError'],
    [() => node.submit('a\0b'), 'TypeError'],
    [() => node.submit(new Uint8Array(1)), 'TypeError'],
    [() => node.submit('a', { features: 'bc' }), 'TypeError'],
    [() => node.submit('a', { rebuild: -1 }), 'RangeError'],
    [() => node.submit('a', { rebuild: 2n ** 64n }), 'RangeError'],
    [() => node.submit('a', { rebuild: 0.5 }), 'TypeError'],
    [() => node.submit('a', { priority: 101 }), 'RangeError'],
    [() => node.stop({ timeout: NaN }), 'TypeError'],
    [() => node.drain({ signal: AbortSignal.abort() }), 'AbortError'],
  ]) {
    await assert.rejects(act, { name });
  }
  await node.destroy();
});

test('a start that fails', async (context) => {
  const own = groupFor(context, ['alder']);
  for (const [create, code, part] of [
    [() => { throw new RangeError('no instance'); }, 'SYNC_ERROR_IO', /RangeError: no instance/],
    [async () => { throw new PluginError('unavailable', 'not here'); }, 'SYNC_ERROR_UNAVAILABLE', /not here/],
    [() => 5, 'SYNC_ERROR_IO', /a sandbox is wanted, not number/],
  ]) {
    const registry = new Registry();
    registry.add({ kind: 'sandbox', name: 'js-plain', create });
    registry.add({ kind: 'source', name: 'js-words', type: 'words', originType: 'words', create: () => new Words() });
    const node = await Node.load(configuration(own, 'alder'), { registry });
    await assert.rejects(node.start(), { code, message: part });
    assert.equal((await node.status()).state, 'stopped');
    // Why it ended is told once more.
    await assert.rejects(node.stop(), { code });
    await node.destroy();
  }
  await until(() => held().instances === 0, 'every instance is ended');
});

test('what is forgotten is freed', async () => {
  await (async () => {
    for (let i = 0; i < 20; i++) {
      const { registry } = makeRegistry();
      const node = new Node(text, inAlder({ registry, log: () => node }));
      if (i % 2) node.events();
      if (i % 5 === 0) await node.stop();
    }
  })();
  await collected(() => held().plugins === 0, 'no plugin is held');
});

test('a package whose addon does not find libsync says so', () => {
  const environment = { ...process.env, LD_LIBRARY_PATH: '/nowhere' };
  assert.throws(
    () => execFileSync(
      process.execPath, ['-e', 'require(process.env.SYNC_PACKAGE)'], { env: environment, stdio: 'pipe' }),
    (error) => /synchronicity-node cannot load its addon: .*libsync\.so\.1/.test(String(error.stderr)));
});
