'use strict';
// Loads the addon, and hands what comes from other threads to whom it is for. Each environment, the main thread or a
// worker, has its own of all of this.

const { SyncError, errorCodes } = require('./errors.js');
const { nanosecondsOf } = require('./bytes.js');

const platform = `${process.platform}-${process.arch}`;

function load() {
  try {
    return require(`../native/${platform}/syncnode.node`);
  } catch (cause) {
    const isAbsent = cause.code === 'MODULE_NOT_FOUND';
    const unbuilt = `this package was not built for ${platform}; run bindings/node/scripts/build-node`;
    const unfound = `${cause.message}; libsync.so.1 is wanted beside the addon, in LD_LIBRARY_PATH, or installed`;
    throw new Error(`synchronicity-node cannot load its addon: ${isAbsent ? unbuilt : unfound}`, { cause });
  }
}

const native = load();

// The numbers of src/addon.h and src/operation.c.
const messages = Object.freeze({ done: 1, call: 2, close: 3, forget: 4, log: 5 });
const operations = Object.freeze({
  start: 1, stop: 2, destroy: 3, submit: 4, job: 5, wait: 6, proof: 7, artifactPath: 8, status: 9, statusJSON: 10,
  drain: 11, nextEvent: 12, end: 13, check: 14,
});

const none = new Uint8Array(0);
const pending = new Map();
/** By the kind of message: (id, code, number, bytes), which does not throw. */
const receivers = new Map();
let lastNumber = 0;
let holds = 0;

/** A number that is not used in the map. */
function numberFor(map) {
  do lastNumber = (lastNumber + 1) >>> 0;
  while (lastNumber === 0 || map.has(lastNumber));
  return lastNumber;
}

/** The event loop goes on for as long as something is held. */
function hold() {
  if (++holds === 1) native.channelHold(true);
}

function letGo() {
  if (--holds === 0) native.channelHold(false);
}

/** Runs a call of the library on a thread of its own; a promise of the bytes that it gives. */
async function operate(kind, object, { timeout, argument = none, phase = 0, signal, isHeld = true } = {}) {
  signal?.throwIfAborted();
  const nanoseconds = nanosecondsOf(timeout);
  const number = numberFor(pending);
  native.operationStart(kind, number, object, nanoseconds, argument, phase);
  const cancel = () => native.operationCancel(number);
  signal?.addEventListener('abort', cancel, { once: true });
  if (isHeld) hold();
  const { status, offset, bytes } = await new Promise((resolve) => pending.set(number, { resolve, isHeld }));
  signal?.removeEventListener('abort', cancel);
  if (status === 0) return bytes;
  if (status === errorCodes.SYNC_ERROR_CANCELLED && signal?.aborted) throw signal.reason;
  // Behind a text's size, where there is one.
  throw new SyncError(status, bytes.subarray(8).toString('utf8'), Number(BigInt.asIntN(64, offset)));
}

receivers.set(messages.done, (number, status, offset, bytes) => {
  const { resolve, isHeld } = pending.get(number);
  pending.delete(number);
  if (isHeld) letGo();
  resolve({ status, offset, bytes });
});

native.channelOpen(
  (kind, id, code, number, bytes) => receivers.get(kind)(id, code, number, bytes),
  (status, message, offset) => new SyncError(status, message, offset));

module.exports = { hold, letGo, messages, native, numberFor, operate, operations, receivers };
