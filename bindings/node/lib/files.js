'use strict';
// Files, read in bounded pieces: never more of a proof than it may have, never more of an artifact than one piece.

const { constants } = require('node:fs');
const { open } = require('node:fs/promises');
const { fileURLToPath } = require('node:url');
const { getSystemErrorName } = require('node:util');

const native = require('./native.js');
const { hexOf, typeError } = require('./bytes.js');

// SYNC_PROOF_BYTES_MAX and SYNC_POLICY_BYTES_MAX, SYNC_EMBEDDED_HEAD_SIZE and SYNC_EMBEDDED_TAIL_SIZE.
const textBytesMax = 1_048_576;
const headSize = 8n;
const tailSize = 1_048_704n;
/** Hashed before the next look at the abort signal; a few milliseconds of a pool thread. */
const stretchSize = 8n * 1024n * 1024n;

function pathOf(value, name) {
  if (typeof value === 'string') return value;
  if (value instanceof URL) return fileURLToPath(value);
  throw typeError(`${name} must be a string or a file URL`);
}

/** Calls use(handle, size, status) with an open regular file. A pipe or device would block or never end. */
async function withFile(path, use) {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await handle.stat({ bigint: true });
    if (!status.isFile()) {
      throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL', syscall: 'open', path });
    }
    return await use(handle, status.size, status);
  } finally {
    await handle.close();
  }
}

/** Up to size bytes from an offset on; fewer where the file ends. */
async function readFrom(handle, offset, size) {
  const bytes = new Uint8Array(Number(size));
  let done = 0;
  while (done < bytes.length) {
    const position = Number(offset) + done;
    const { bytesRead } = await handle.read(bytes, { offset: done, length: bytes.length - done, position });
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

const smaller = (a, b) => (a < b ? a : b);

/** A policy or proof file: one byte more than it may have, if it has that, so that the library refuses it. */
function readText(path) {
  return withFile(path, (handle, size) => readFrom(handle, 0n, smaller(size, BigInt(textBytesMax + 1))));
}

function changed(path) {
  return Object.assign(new Error(`${path} changed while it was read`), { code: 'EIO', path });
}

/** Where in an open file a proof is: what the addon says, from the file's two ends. */
async function locate(handle, path, size) {
  const tail = smaller(size, tailSize);
  const [first, last] = await Promise.all([
    readFrom(handle, 0n, smaller(size, headSize)),
    readFrom(handle, size - tail, tail),
  ]);
  if (BigInt(last.length) !== tail) throw changed(path);
  const found = native.embeddedFind(first, last, size);
  if (found.form === 0) return { found, proof: undefined };
  const start = Number(found.proofOffset - (size - tail));
  return { found, proof: last.slice(start, start + Number(found.proofSize)) };
}

/** Throws unless the file ends after the size that it said, and is still the one that was opened. */
async function expectUnchanged(handle, path, before) {
  const { length } = await readFrom(handle, before.size, 1);
  const after = await handle.stat({ bigint: true });
  const isSame = ['size', 'mtimeNs', 'ctimeNs', 'ino'].every((name) => before[name] === after[name]);
  if (length !== 0 || !isSame) throw changed(path);
}

/** SHA-256 of an open file's first size bytes, as hexadecimal digits, computed on threads of the pool. */
async function hashStart(handle, path, size, signal) {
  const hasher = native.hasherCreate();
  for (let offset = 0n; offset < size; offset += stretchSize) {
    signal?.throwIfAborted();
    const wanted = smaller(stretchSize, size - offset);
    const done = await native.hasherUpdateFromFile(hasher, handle.fd, offset, wanted);
    if (done < 0) {
      const code = getSystemErrorName(done);
      throw Object.assign(new Error(`${code}: read '${path}'`), { code, errno: done, syscall: 'read', path });
    }
    if (BigInt(done) !== wanted) throw changed(path);
  }
  signal?.throwIfAborted();
  return hexOf(native.hasherFinish(hasher));
}

module.exports = { expectUnchanged, hashStart, locate, pathOf, readText, textBytesMax, withFile };
