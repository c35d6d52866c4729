'use strict';
// Plugins for the tests: a sandbox that runs recipes as plain processes, a source of words, keys, and a map. For tests
// alone: nothing is isolated, keys are made from words, and what is stored is lost.

const { spawn } = require('node:child_process');
const { createHash, createPrivateKey, createPublicKey, sign } = require('node:crypto');
const { mkdir, readFile } = require('node:fs/promises');

const { PluginError, Registry } = require(process.env.SYNC_PACKAGE);

const roles = ['log', 'cosigner', 'builder', 'consensus', 'transport'];
const emptyTree = createHash('sha256').update('synchronicity-tree/v1\n').digest('hex');

/** What the recipe of a word writes. */
const artifact = (word) => Buffer.from(`made by the recipe ${word}\n`);

// ---- Source ----

function specFor(name, request, recipe) {
  return [
    'synchronicity-spec/v1',
    `package ${name}`,
    `rebuild ${request.rebuild}`,
    `toolchain ${request.toolchain}`,
    'target none',
    'profile release',
    `source ${name} ${emptyTree} - ${name}`,
    'lock -',
    'environment WORD=two words',
    'wall-seconds 2',
    'cpu-seconds 2',
    'memory-bytes 1048576',
    'processes 8',
    'disk-bytes 1048576',
    'transcript-bytes 1024',
    `recipe ${Buffer.from(recipe).toString('base64')}`,
    'artifact out',
    '',
  ].join('\n');
}

const recipes = {
  dies: 'kill -TERM $$',
  exits: 'exit 3',
  hangs: 'echo hangs; exec sleep 100',
  prints: 'head -c 5000 /dev/zero',
  environment: 'test "$WORD" = "two words" && test -z "$HOME" && echo "made by the recipe environment" >/output/out',
};

class Words {
  requests = [];

  async resolve(request, call) {
    this.requests.push(request);
    const word = /^pkg:words\/(.*)@1$/.exec(request.package)?.[1] ?? 'missing';
    if (word === 'missing') throw new PluginError('notFound', 'There is no such word');
    if (word === 'unpinned') throw new RangeError('a sentence with ümlauts and a \0 inside');
    if (word === 'five') return 5;
    if (word === 'nospec') return 'not a spec';
    if (word === 'odd') throw Object.create(null);
    if (word === 'slow') await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
    const recipe = recipes[word] ?? `printf 'made by the recipe %s\\n' ${word} >/output/out`;
    const spec = specFor(request.package, request, recipe);
    return word === 'bytes' ? Buffer.from(spec) : spec;
  }

  async fetch(request) {
    if (request.treeSha256 !== emptyTree) throw new PluginError('checksumMismatch', 'There is one tree');
    await mkdir(request.directory);
  }
}

// ---- Sandbox ----

class Plain {
  created;
  requests = [];
  aborted = [];
  closed = 0;

  constructor(created) {
    this.created = created;
  }

  probe() {
    return [{ name: 'isolation', detail: 'there is none', isWeaker: true, mend: 'a cage' }];
  }

  async hasToolchain() {
    return true;
  }

  async prepare() {
    throw new PluginError('unavailable', 'This sandbox unpacks nothing');
  }

  async *removeLeftovers() {
    yield 'nothing was left';
  }

  async run(request, call) {
    this.requests.push(request);
    // Recipes know /input/… and /output; without a file system of its own the run gets the host's paths.
    const mounts = [...request.mounts].sort((a, b) => b.insidePath.length - a.insidePath.length);
    let script = await readFile(mounts.find((mount) => mount.insidePath === '/input/recipe.sh').hostPath, 'utf8');
    for (const { insidePath, hostPath } of mounts) script = script.replaceAll(insidePath, hostPath);
    const begun = process.hrtime.bigint();
    // From here to where the signal is listened to nothing is waited for.
    call.signal.throwIfAborted();
    // A group of its own, so that all of it is ended. PATH is the shell's own.
    const child = spawn('/bin/sh', ['-c', script], {
      cwd: request.scratchDirectory, env: { ...request.environment }, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let ending = 'exited';
    const kill = (why) => {
      if (ending === 'exited') ending = why;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    const timer = setTimeout(kill, request.wallSeconds * 1000, 'wallTimeExceeded');
    const heed = () => {
      this.aborted.push(request.runId);
      kill('signalled');
    };
    call.signal.addEventListener('abort', heed);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        if (!call.isCancelled && !call.addTranscript(data)) kill('transcriptExceeded');
      });
    }
    try {
      const { code, signal } = await new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code, signal) => resolve({ code, signal }));
      });
      call.signal.throwIfAborted();
      if (ending === 'exited' && signal !== null) ending = 'signalled';
      const { signals } = require('node:os').constants;
      const status = { exited: code ?? 0, signalled: signals[signal] }[ending] ?? 0;
      return { ending, status, wallNanoseconds: process.hrtime.bigint() - begun };
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', heed);
    }
  }

  async close() {
    this.closed++;
  }
}

// ---- Signer ----

const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const keys = new Map();

function privateKey(word, role) {
  const name = `${word} ${role}`;
  if (!keys.has(name)) {
    const seed = createHash('sha256').update(name).digest();
    keys.set(name, createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' }));
  }
  return keys.get(name);
}

function publicKey(word, role) {
  const { x } = createPublicKey(privateKey(word, role)).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x, 'base64url'));
}

class Keys {
  signed = 0;

  constructor(created) {
    this.created = created;
    this.node = created.node;
  }

  async publicKey(role) {
    return publicKey(this.node, role);
  }

  sign(role, message) {
    this.signed++;
    return new Promise((resolve, reject) => {
      sign(undefined, message, privateKey(this.node, role), (error, signature) => {
        if (error) reject(error);
        else resolve(signature);
      });
    });
  }
}

// ---- Storage ----

class Memory {
  #records = new Map();

  async get(key) {
    return this.#records.get(Buffer.from(key).toString('hex'));
  }

  async *scan(prefix, start, limit) {
    const [first, low] = [prefix, start].map((bytes) => Buffer.from(bytes).toString('hex'));
    const found = [...this.#records.keys()].filter((key) => key.startsWith(first) && key >= low).sort();
    for (const key of found.slice(0, limit)) yield [Buffer.from(key, 'hex'), this.#records.get(key)];
  }

  async apply(changes) {
    for (const { key, value } of changes) {
      const name = Buffer.from(key).toString('hex');
      if (value === undefined) this.#records.delete(name);
      else this.#records.set(name, value);
    }
  }
}

/** A registry with all of them, and what was made of each. */
function makeRegistry(changes = {}) {
  const made = { 'js-plain': [], 'js-words': [], 'js-keys': [], 'js-map': [] };
  const registry = new Registry();
  const keep = (name, Class) => (request) => {
    const instance = new Class(request);
    made[name].push(instance);
    return instance;
  };
  const classes = { 'js-plain': Plain, 'js-words': Words, 'js-keys': Keys, 'js-map': Memory, ...changes };
  registry.add({ kind: 'sandbox', name: 'js-plain', version: '1.0', create: keep('js-plain', classes['js-plain']) });
  registry.add({
    kind: 'source', name: 'js-words', type: 'words', originType: 'words', create: keep('js-words', classes['js-words']),
  });
  registry.add({ kind: 'signer', name: 'js-keys', create: keep('js-keys', classes['js-keys']) });
  registry.add({ kind: 'storage', name: 'js-map', create: keep('js-map', classes['js-map']) });
  return { registry, made };
}

module.exports = { Keys, Memory, Plain, Words, artifact, makeRegistry, publicKey, roles, specFor };
