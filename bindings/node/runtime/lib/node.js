'use strict';
// Nodes and their events.

const { readFile } = require('node:fs/promises');
const path = require('node:path');
const { fileURLToPath } = require('node:url');

const { hold, letGo, messages, native, numberFor, operate, operations, receivers } = require('./native.js');
const { SyncError, errorCodes } = require('./errors.js');
const {
  Reader, Writer, booleanOf, digestOf, optionalText, textOf, typeError, wholeOf,
} = require('./bytes.js');
const { abortAll, nativeOf } = require('./plugins.js');

const configurationBytesMax = 1_048_576;
const uint64Max = 0xffff_ffff_ffff_ffffn;
const verdicts = [undefined, 'reproduced', 'diverged', 'failed', 'inconclusive'];
const phases = ['unknown', 'commit', 'reveal', 'logged', 'cosigned'];
const states = ['created', 'running', 'stopping', 'stopped'];
const levels = [undefined, 'debug', 'info', 'notice', 'warning', 'error', 'critical'];
const eventKinds = [
  undefined, 'ordered', 'committed', 'abstained', 'revealing', 'revealed', 'verdict', 'logged', 'cosigned',
  'misbehaviour', 'epochEnded', 'fault',
];

/** The word of a number; a newer library may have more of them. */
const word = (words, number) => words[number] ?? 'unknown';

/** Those that were started and have not ended: they are not collected. */
const running = new Set();
/** By the number of its log. Weak: a node that nobody has is collected. */
const logs = new Map();

receivers.set(messages.log, (id, code, number, bytes) => {
  const log = logs.get(id)?.deref();
  // What it throws is the program's to see.
  if (log !== undefined) queueMicrotask(() => log(word(levels, code), bytes.toString('utf8')));
});

const forgotten = new FinalizationRegistry((id) => logs.delete(id));

function begin(node) {
  if (running.has(node)) return;
  running.add(node);
  hold();
}

function end(node) {
  if (running.delete(node)) letGo();
}

function readJob(bytes) {
  const from = new Reader(bytes);
  const phase = from.number();
  const verdict = from.number();
  return Object.freeze({
    phase: word(phases, phase),
    verdict: verdict === 0 ? undefined : word(verdicts, verdict),
    agreeing: from.number(),
    committed: from.number(),
    leafIndex: phase >= phases.indexOf('logged') ? from.whole() : undefined,
  });
}

function readStatus(bytes) {
  const from = new Reader(bytes);
  return Object.freeze({
    state: word(states, from.number()),
    isObserving: from.boolean(),
    epoch: from.whole(),
    view: from.whole(),
    height: from.whole(),
    logSize: from.whole(),
    checkpointSize: from.whole(),
    openJobs: from.number(),
    connectedPeers: from.number(),
    replicas: from.number(),
    quorum: from.number(),
  });
}

function readEvent(bytes) {
  const from = new Reader(bytes);
  const kind = word(eventKinds, from.number());
  const dropped = from.number();
  const number = from.whole();
  const job = from.raw(32).toString('hex');
  const text = from.text();
  return Object.freeze({
    kind,
    job: /^0*$/.test(job) ? undefined : job,
    number,
    verdict: kind === 'verdict' ? word(verdicts, Number(number)) : undefined,
    text,
    dropped,
  });
}

/** Known to this module alone, so that objects come from events() only. */
const inside = Symbol('inside');

class Events {
  #native;
  #signal;
  #close = () => this.close();
  #turn = Promise.resolve();

  constructor(key, events, signal) {
    if (key !== inside) throw typeError('events come from Node.events()');
    this.#native = events;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#close, { once: true });
  }

  /** One after the other, since each waits for the one before. */
  next() {
    const turn = this.#turn.then(() => this.#take());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #take() {
    this.#signal?.throwIfAborted();
    let bytes = native.eventsTry(this.#native);
    if (bytes === undefined) {
      bytes = await operate(operations.nextEvent, this.#native).catch((error) => {
        if (error.status === errorCodes.SYNC_ERROR_STATE) return null;
        throw error;
      });
      if (bytes === null) this.#signal?.throwIfAborted();
    }
    return bytes === null ? { done: true, value: undefined } : { done: false, value: readEvent(bytes) };
  }

  close() {
    this.#signal?.removeEventListener('abort', this.#close);
    native.eventsClose(this.#native);
  }

  async return() {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

class Node {
  #native;
  #log;
  #logId = 0;
  #ending;

  constructor(configuration, { folder = '.', registry, log, isRestored = false } = {}) {
    const isText = typeof configuration === 'string';
    if (!isText && !(configuration instanceof Uint8Array)) {
      throw typeError('configuration must be a string or a Uint8Array');
    }
    // A copy, which no other thread changes.
    const text = Buffer.from(configuration);
    const plugins = registry === undefined ? undefined : nativeOf(registry);
    const place = path.resolve(textOf(folder, 'folder'));
    booleanOf(isRestored, 'isRestored');
    if (log !== undefined) {
      if (typeof log !== 'function') throw typeError('log must be a function');
      this.#log = log;
      this.#logId = numberFor(logs);
    }
    this.#native = native.nodeCreate(text, place, plugins, this.#logId, isRestored);
    if (log !== undefined) {
      logs.set(this.#logId, new WeakRef(this.#log));
      forgotten.register(this, this.#logId, this);
    }
  }

  static async load(file, options = {}) {
    const name = file instanceof URL ? fileURLToPath(file) : textOf(file, 'file');
    const text = await readFile(name);
    // The library refuses what is longer; it need not be copied whole.
    return new Node(text.subarray(0, configurationBytesMax + 1), { folder: path.dirname(name), ...options });
  }

  async start() {
    const opened = this.#open();
    begin(this);
    try {
      await operate(operations.start, opened);
    } catch (error) {
      if (await this.#hasEnded()) end(this);
      throw error;
    }
    // By whatever it ends: also by itself.
    operate(operations.end, opened, { isHeld: false }).catch(() => {}).finally(() => end(this));
  }

  async stop({ timeout, signal } = {}) {
    await operate(operations.stop, this.#open(), { timeout, signal });
  }

  destroy() {
    if (this.#ending === undefined) {
      this.#ending = operate(operations.destroy, this.#native).then(() => {
        this.#native = undefined;
        logs.delete(this.#logId);
        if (this.#log !== undefined) forgotten.unregister(this);
        end(this);
      });
    }
    return this.#ending;
  }

  async submit(name, {
    features = [], defaultFeatures = true, profile, target, toolchain, rebuild = 0n, priority = 0, timeout,
  } = {}) {
    if (!Array.isArray(features)) throw typeError('features must be an array of strings');
    const argument = new Writer()
      .whole(wholeOf(rebuild, 0n, uint64Max, 'rebuild'))
      .whole(booleanOf(defaultFeatures, 'defaultFeatures') ? 0n : 1n)
      .whole(wholeOf(priority, -100n, 100n, 'priority'))
      .text(textOf(name, 'the package'))
      .text(optionalText(profile, 'profile'))
      .text(optionalText(target, 'target'))
      .text(optionalText(toolchain, 'toolchain'))
      .texts(features.map((feature) => textOf(feature, 'a feature')))
      .finish();
    return (await operate(operations.submit, this.#open(), { timeout, argument })).toString('hex');
  }

  async wait(job, { phase = 'cosigned', timeout, signal } = {}) {
    const number = phases.indexOf(phase);
    if (number < 1) throw typeError(`phase must be one of ${phases.slice(1).join(', ')}`);
    const argument = digestOf(job, 'job');
    return readJob(await operate(operations.wait, this.#open(), { timeout, signal, argument, phase: number }));
  }

  async job(job) {
    return readJob(await operate(operations.job, this.#open(), { argument: digestOf(job, 'job') }));
  }

  async proof(job) {
    return Uint8Array.from(await operate(operations.proof, this.#open(), { argument: digestOf(job, 'job') }));
  }

  async artifactPath(sha256) {
    const argument = digestOf(sha256, 'sha256');
    return (await operate(operations.artifactPath, this.#open(), { argument })).toString('utf8');
  }

  async status() {
    return readStatus(await operate(operations.status, this.#open()));
  }

  async statusJSON() {
    return JSON.parse((await operate(operations.statusJSON, this.#open())).toString('utf8'));
  }

  async drain({ timeout, signal } = {}) {
    await operate(operations.drain, this.#open(), { timeout, signal });
  }

  events({ capacity = 1024, signal } = {}) {
    const opened = this.#open();
    const size = Number(wholeOf(capacity, 1n, 65_536n, 'capacity'));
    signal?.throwIfAborted();
    return new Events(inside, native.nodeSubscribe(opened, size), signal);
  }

  async #hasEnded() {
    if (this.#ending !== undefined) return false;
    const bytes = await operate(operations.status, this.#native).catch(() => undefined);
    return bytes !== undefined && readStatus(bytes).state === 'stopped';
  }

  #open() {
    if (this.#ending === undefined) return this.#native;
    throw new SyncError(errorCodes.SYNC_ERROR_STATE, 'the node is destroyed');
  }
}

// process.exit() and the loop's own end: whoever started something is told to end it, and then the nodes are ended.
// Workers that are terminated run no JavaScript any more; the addon ends their nodes.
process.on('exit', () => {
  abortAll();
  native.channelClose();
});

module.exports = { Events, Node };
