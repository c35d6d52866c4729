'use strict';
// Plugins in JavaScript: what stands between a program's objects and the addon.

const { hold, letGo, messages, native, numberFor, operate, operations, receivers } = require('./native.js');
const { PluginError, SyncError, errorCodes, pluginCodes } = require('./errors.js');
const { Reader, Writer, booleanOf, optionalText, textOf, typeError, wholeOf } = require('./bytes.js');

const uint64Max = 0xffff_ffff_ffff_ffffn;
const roles = Object.freeze(['log', 'cosigner', 'builder', 'consensus', 'transport']);
const endings = Object.freeze([
  'exited', 'signalled', 'wallTimeExceeded', 'cpuTimeExceeded', 'memoryExceeded', 'processesExceeded', 'diskExceeded',
  'transcriptExceeded',
]);
const kinds = Object.freeze(['sandbox', 'signer', 'source', 'storage']);

/** By its number: what a registry, or a node that was made with it, still holds. */
const plugins = new Map();
/** By its number: made and not ended. */
const instances = new Map();

// ---- Calls ----

/** How often it is seen which calls are cancelled; a plugin has ten seconds from then on. */
const lookMilliseconds = 50;
/** The calls whose signals someone has taken. */
const watched = new Map();
let timer;

function look() {
  for (const [number, controller] of [...watched]) {
    if (!native.callIsCancelled(number)) continue;
    watched.delete(number);
    controller.abort();
  }
  rest();
}

function rest() {
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

function watch(number, controller) {
  watched.set(number, controller);
  // It runs for as long as a node does, which holds the event loop.
  timer ??= setInterval(look, lookMilliseconds).unref();
}

/** Before the process exits: whoever started something ends it. */
function abortAll() {
  for (const controller of watched.values()) controller.abort();
  watched.clear();
  rest();
}

let endCall;

class Call {
  #number;
  #controller;
  #isOver = false;

  constructor(number) {
    this.#number = number;
  }

  /** Made when it is first asked for: most calls are short. */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isCancelled) this.#controller.abort();
      else watch(this.#number, this.#controller);
    }
    return this.#controller.signal;
  }

  get isCancelled() {
    return this.#isOver || native.callIsCancelled(this.#number);
  }

  addTranscript(bytes) {
    if (!(bytes instanceof Uint8Array)) throw typeError('a transcript is a Uint8Array');
    const status = native.callAddTranscript(this.#number, bytes);
    if (status !== 0 && status !== errorCodes.SYNC_ERROR_TOO_LARGE) throw refusal(status);
    return status === 0;
  }

  static {
    endCall = (call) => {
      call.#isOver = true;
      watched.delete(call.#number);
      rest();
    };
  }
}

function refusal(status) {
  const isOver = status === errorCodes.SYNC_ERROR_STATE;
  const message = isOver ? 'the call is answered, or its time is over' : `the answer was refused with ${status}`;
  return new SyncError(status, message);
}

function check(status) {
  if (status !== 0) throw refusal(status);
}

/** For C, which would end at a NUL. */
const sentence = (text) => text.replaceAll('\0', ' ');

/** How an error fails a call, and what it says, whatever it is. */
function failureOf(error, isCancelled) {
  try {
    if (error instanceof PluginError) {
      const code = pluginCodes.indexOf(error.code);
      return { code: code > 0 ? code : pluginCodes.indexOf('io'), message: sentence(String(error.message)) };
    }
    const code = isCancelled && error?.name === 'AbortError' ? 'cancelled' : 'io';
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { code: pluginCodes.indexOf(code), message: sentence(message) };
  } catch {
    return { code: pluginCodes.indexOf('io'), message: 'an error that cannot say what it is' };
  }
}

function fail(number, error, isCancelled) {
  const { code, message } = failureOf(error, isCancelled);
  native.callFail(number, code, message);
}

// ---- Answers: each gives the library's status, or throws for what is none ----

function shown(value) {
  return value === null ? 'null' : typeof value;
}

function wanted(value, isIt, what) {
  if (!isIt) throw typeError(`${what} is wanted, not ${shown(value)}`);
  return value;
}

function objectOf(value, what) {
  return wanted(value, typeof value === 'object' && value !== null, what);
}

function bytesOf(value) {
  return wanted(value, value instanceof Uint8Array, 'a Uint8Array');
}

async function* each(values, what) {
  const isIterable = values?.[Symbol.iterator] !== undefined || values?.[Symbol.asyncIterator] !== undefined;
  yield* wanted(values, isIterable && typeof values !== 'string', what);
}

const answers = {
  done(number, answer) {
    wanted(answer, answer === undefined, 'undefined');
    return native.callFinish(number);
  },

  bytes: (number, answer) => native.callFinishBytes(number, bytesOf(answer)),

  spec: (number, answer) =>
    native.callFinishBytes(number, typeof answer === 'string' ? Buffer.from(answer, 'utf8') : bytesOf(answer)),

  found(number, answer) {
    wanted(answer, typeof answer === 'boolean', 'true or false');
    return answer ? native.callFinish(number) : native.callFail(number, pluginCodes.indexOf('notFound'));
  },

  value: (number, answer) =>
    answer === undefined ? native.callFail(number, pluginCodes.indexOf('notFound')) : answers.bytes(number, answer),

  async findings(number, answer) {
    for await (const finding of each(answer, 'an iterable of findings')) {
      const { name, detail, isMet = true, isWeaker = false, mend } = objectOf(finding, 'a finding');
      check(native.callAddFinding(
        number, booleanOf(isMet, 'isMet'), booleanOf(isWeaker, 'isWeaker'), textOf(name, 'a finding\'s name'),
        textOf(detail, 'a finding\'s detail'), optionalText(mend, 'a finding\'s mend')));
    }
    return native.callFinish(number);
  },

  async texts(number, answer) {
    for await (const text of each(answer ?? [], 'an iterable of strings')) {
      check(native.callAddText(number, textOf(text, 'a line')));
    }
    return native.callFinish(number);
  },

  async records(number, answer) {
    for await (const record of each(answer, 'an iterable of [key, value]')) {
      const [key, value] = wanted(record, Array.isArray(record), '[key, value]');
      const status = native.callAddRecord(number, bytesOf(key), bytesOf(value));
      // It is full: the rest is asked for.
      if (status === errorCodes.SYNC_ERROR_TOO_LARGE) break;
      check(status);
    }
    return native.callFinish(number);
  },

  run(number, answer) {
    const {
      ending = 'exited', status = 0, wallNanoseconds = 0n, cpuNanoseconds = 0n, memoryPeakBytes = 0n,
    } = objectOf(answer, 'a result of a run');
    if (!endings.includes(ending)) throw typeError(`a run's ending is one of ${endings.join(', ')}`);
    return native.callFinishRun(
      number, endings.indexOf(ending), Number(wholeOf(status, 0n, 255n, 'a run\'s status')),
      wholeOf(wallNanoseconds, 0n, uint64Max, 'wallNanoseconds'),
      wholeOf(cpuNanoseconds, 0n, uint64Max, 'cpuNanoseconds'),
      wholeOf(memoryPeakBytes, 0n, uint64Max, 'memoryPeakBytes'));
  },

  instance(number, answer, plugin) {
    const instance = { object: objectOf(answer, `a ${plugin.kind}`), plugin };
    const id = numberFor(instances);
    const status = native.callFinishInstance(number, id);
    if (status === 0) {
      instances.set(id, instance);
      hold();
    } else {
      // Nobody waits for it any more, and nobody else ends it.
      close(instance);
    }
    return status;
  },
};

// ---- Requests ----

function readCreate(from) {
  const node = from.text();
  const stateDirectory = from.text();
  const settings = Object.create(null);
  from.list(() => {
    const name = from.text();
    settings[name] = from.text();
  });
  return Object.freeze({ node, stateDirectory, settings: Object.freeze(settings) });
}

function readEnvironment(from) {
  const environment = Object.create(null);
  for (const text of from.texts()) {
    const end = text.indexOf('=');
    environment[text.slice(0, end)] = text.slice(end + 1);
  }
  return Object.freeze(environment);
}

function readRun(from) {
  return Object.freeze({
    runId: from.text(),
    toolchain: from.text(),
    command: from.texts(),
    environment: readEnvironment(from),
    workingDirectory: from.text(),
    mounts: from.list(() => Object.freeze({
      hostPath: from.text(), insidePath: from.text(), isWritable: from.boolean(),
    })),
    hostName: from.text(),
    scratchDirectory: from.text(),
    wallSeconds: from.number(),
    cpuSeconds: from.number(),
    memoryBytes: from.number(),
    processes: from.number(),
    diskBytes: from.number(),
    transcriptBytes: from.number(),
  });
}

function readResolve(from) {
  return Object.freeze({
    package: from.text(),
    features: from.texts(),
    programs: from.texts(),
    library: from.boolean(),
    withoutDefaultFeatures: from.boolean(),
    profile: from.optionalText(),
    target: from.optionalText(),
    toolchain: from.text(),
    rebuild: from.whole(),
    normalise: from.texts(),
    scratchDirectory: from.text(),
  });
}

function readFetch(from) {
  return Object.freeze({
    purl: from.text(), origin: from.text(), treeSha256: from.text(), directory: from.text(),
  });
}

function readApply(from) {
  const changes = from.list(() => Object.freeze({
    key: from.bytes(), value: from.boolean() ? from.bytes() : undefined,
  }));
  return { changes, isDurable: from.boolean() };
}

const role = (from) => roles[from.number()] ?? 'unknown';

/** By the numbers of src/plugin.c, of which the first is create: how an object is asked, and its answer told. */
const methods = [
  undefined,
  undefined,
  { ask: (object, from, call) => object.probe(call), answer: answers.findings },
  {
    ask: (object, from, call) => object.prepare(from.text(), from.text(), call),
    answer: answers.done,
  },
  { ask: (object, from, call) => object.hasToolchain(from.text(), call), answer: answers.found },
  { ask: (object, from, call) => object.run(readRun(from), call), answer: answers.run },
  {
    ask: (object, from, call) => object.removeLeftovers?.(call),
    answer: answers.texts,
  },
  { ask: (object, from, call) => object.publicKey(role(from), call), answer: answers.bytes },
  { ask: (object, from, call) => object.sign(role(from), from.bytes(), call), answer: answers.bytes },
  { ask: (object, from, call) => object.resolve(readResolve(from), call), answer: answers.spec },
  { ask: (object, from, call) => object.fetch(readFetch(from), call), answer: answers.done },
  { ask: (object, from, call) => object.get(from.bytes(), call), answer: answers.value },
  {
    ask: (object, from, call) => object.scan(from.bytes(), from.bytes(), from.number(), call),
    answer: answers.records,
  },
  {
    ask(object, from, call) {
      const { changes, isDurable } = readApply(from);
      return object.apply(changes, isDurable, call);
    },
    answer: answers.done,
  },
];

// ---- What comes in ----

/** Asks, and answers whatever comes, once: an answer that was refused for what it says becomes an error. */
async function serve(number, ask, answer) {
  const call = new Call(number);
  try {
    const status = await answer(number, await ask(call));
    if (status !== 0 && status !== errorCodes.SYNC_ERROR_STATE) throw refusal(status);
  } catch (error) {
    fail(number, error, call.isCancelled);
  } finally {
    endCall(call);
  }
}

receivers.set(messages.call, (id, code, number, bytes) => {
  const from = new Reader(bytes);
  if (code === 1) {
    const plugin = plugins.get(id);
    const answer = (_, made) => answers.instance(number, made, plugin);
    serve(number, (call) => plugin.create(readCreate(from), call), answer);
  } else {
    const { ask, answer } = methods[code];
    serve(number, (call) => ask(instances.get(id).object, from, call), answer);
  }
});

async function close({ object, plugin }) {
  try {
    await object.close?.();
  } catch (error) {
    const { message } = failureOf(error, false);
    process.emitWarning(`the plugin ${plugin.name} failed when an instance was closed: ${message}`);
  }
}

receivers.set(messages.close, (id) => {
  const instance = instances.get(id);
  instances.delete(id);
  letGo();
  close(instance);
});

receivers.set(messages.forget, (id) => plugins.delete(id));

// ---- The registry ----

/** What the addon knows a registry by. */
let nativeOf;

class Registry {
  #native = native.registryCreate();

  add(plugin) {
    const { kind, name, version = '1', type, originType } = objectOf(plugin, 'a plugin');
    if (!kinds.includes(kind)) throw typeError(`a plugin's kind is one of ${kinds.join(', ')}`);
    if (typeof plugin.create !== 'function') throw typeError('a plugin has a function create');
    const texts = [textOf(name, 'a plugin\'s name'), textOf(version, 'a plugin\'s version')];
    if (kind === 'source') texts.push(textOf(type, 'a source\'s type'), textOf(originType, 'a source\'s originType'));
    const id = numberFor(plugins);
    // The addon gives the number back, also where the plugin is refused.
    plugins.set(id, { kind, name, create: (request, call) => plugin.create(request, call) });
    native.registryAdd(this.#native, id, kind, ...texts);
    return this;
  }

  load(path) {
    native.registryLoad(this.#native, textOf(path, 'the path'));
    return this;
  }

  /** On a thread of its own, since the plugin's methods run on this one. The addon holds the registry meanwhile. */
  async check(name, { settings = {}, toolchain, package: purl, withEscapes = false, allowed = {} } = {}) {
    const argument = new Writer()
      .whole(booleanOf(withEscapes, 'withEscapes') ? 1n : 0n)
      .text(textOf(name, 'a plugin\'s name'))
      .text(optionalText(toolchain, 'toolchain'))
      .text(optionalText(purl, 'package'))
      .pairs(objectOf(settings, 'an object of settings'), 'a setting')
      .pairs(objectOf(allowed, 'an object of what is allowed'), 'what is allowed')
      .finish();
    const from = new Reader(await operate(operations.check, this.#native, { argument }));
    return Object.freeze({ hasPassed: from.boolean(), report: from.text() });
  }

  static {
    nativeOf = (registry) => {
      if (!(registry instanceof Registry)) throw typeError('registry must be a Registry');
      return registry.#native;
    };
  }
}

/** Plugins and instances of which the library has not let go, for the tests. */
const held = () => ({ plugins: plugins.size, instances: instances.size });

module.exports = { Registry, abortAll, held, nativeOf };
