'use strict';
// What callers give, as the addon wants it.

const { isSharedArrayBuffer } = require('node:util').types;

function typeError(message) {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A view of the caller's bytes; of at most sizeMax of them, copied, where another thread could change them. */
function bytesOf(value, name, sizeMax) {
  if (!(value instanceof Uint8Array)) throw typeError(`${name} must be a Uint8Array`);
  return isSharedArrayBuffer(value.buffer) ? Uint8Array.from(value.subarray(0, sizeMax)) : value;
}

/** A SHA-256 digest: 32 bytes, or 64 hexadecimal digits. */
function digestOf(value) {
  if (value instanceof Uint8Array && value.length === 32) return bytesOf(value, 'digest', 32);
  if (typeof value === 'string' && /^[0-9a-fA-F]{64}$/.test(value)) return Uint8Array.from(Buffer.from(value, 'hex'));
  throw typeError('digest must be 32 bytes or 64 hexadecimal digits');
}

function hexOf(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

module.exports = { bytesOf, digestOf, hexOf, typeError };
