'use strict';
// What callers give, as the addon wants it, and what the addon gives: src/bytes.c writes it, src/operation.c reads it.

const nothing = 0xffff_ffff_ffff_ffffn;

function typeError(message) {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

function rangeError(message) {
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/** A text for C, where a NUL would end it. */
function textOf(value, name) {
  if (typeof value !== 'string') throw typeError(`${name} must be a string`);
  if (value.includes('\0')) throw typeError(`${name} holds a NUL`);
  return value;
}

function optionalText(value, name) {
  return value === undefined || value === null ? undefined : textOf(value, name);
}

function booleanOf(value, name) {
  if (typeof value !== 'boolean') throw typeError(`${name} must be true or false`);
  return value;
}

/** A whole number from min to max, as a bigint. */
function wholeOf(value, min, max, name) {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) {
    throw typeError(`${name} must be a whole number, below 2^53 or a bigint`);
  }
  const whole = BigInt(value);
  if (whole < min || whole > max) throw rangeError(`${name} is ${value}; ${min} to ${max} are possible`);
  return whole;
}

/** A digest or a job: 32 bytes, or 64 hexadecimal digits. */
function digestOf(value, name) {
  if (value instanceof Uint8Array && value.length === 32) return Uint8Array.from(value);
  if (typeof value === 'string' && /^[0-9a-fA-F]{64}$/.test(value)) return Uint8Array.from(Buffer.from(value, 'hex'));
  throw typeError(`${name} must be 32 bytes or 64 hexadecimal digits`);
}

/** A time in milliseconds as C has it; undefined, and what does not fit, is for ever. */
function nanosecondsOf(timeout) {
  if (timeout === undefined) return nothing;
  if (typeof timeout !== 'number' || Number.isNaN(timeout)) throw typeError('timeout must be a number of milliseconds');
  return timeout > 1e12 ? nothing : BigInt(Math.max(0, Math.floor(timeout * 1e6)));
}

class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  whole() {
    this.#at += 8;
    return this.#bytes.readBigUInt64LE(this.#at - 8);
  }

  /** A number that is small by its nature, or need not be exact where it is not. */
  number() {
    return Number(this.whole());
  }

  boolean() {
    return this.whole() !== 0n;
  }

  raw(size) {
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** Bytes that are the caller's own. */
  bytes() {
    return Uint8Array.from(this.raw(this.number()));
  }

  text() {
    return this.raw(this.number()).toString('utf8');
  }

  optionalText() {
    const size = this.whole();
    return size === nothing ? undefined : this.raw(Number(size)).toString('utf8');
  }

  list(read) {
    return Object.freeze(Array.from({ length: this.number() }, () => read(this)));
  }

  texts() {
    return this.list((reader) => reader.text());
  }
}

class Writer {
  #parts = [];

  whole(number) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, number));
    this.#parts.push(bytes);
    return this;
  }

  text(text) {
    if (text === undefined) return this.whole(nothing);
    const bytes = Buffer.from(`${text}\0`, 'utf8');
    this.whole(BigInt(bytes.length));
    this.#parts.push(bytes);
    return this;
  }

  texts(texts) {
    this.whole(BigInt(texts.length));
    for (const text of texts) this.text(text);
    return this;
  }

  /** An object's names and values. */
  pairs(object, name) {
    const pairs = Object.entries(object);
    this.whole(BigInt(pairs.length));
    for (const pair of pairs) for (const text of pair) this.text(textOf(text, name));
    return this;
  }

  finish() {
    return Buffer.concat(this.#parts);
  }
}

module.exports = {
  Reader, Writer, booleanOf, digestOf, nanosecondsOf, optionalText, rangeError, textOf, typeError, wholeOf,
};
