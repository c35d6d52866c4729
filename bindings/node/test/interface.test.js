'use strict';
const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { accepted, packageFolder, read, root, synchronicity } = require('./support.js');
const { Hasher, Policy, Proof, SyncError, errorCodes, findEmbedded, version } = synchronicity;

const row = accepted();
const policy = Policy.parse(read(row.policy));
const proof = read(row.proof);
const header = readFileSync(path.join(root, 'include/sync/version.h'), 'utf8');

test('the numbers of the errors are those of the C header', () => {
  const defined = [...header.matchAll(/^#define (SYNC_ERROR_\w+) (\d+)$/gm)];
  const wanted = defined.map((match) => [match[1], Number(match[2])]);
  assert.deepEqual(Object.entries(errorCodes), wanted);
  const types = readFileSync(path.join(packageFolder, 'index.d.ts'), 'utf8');
  assert.deepEqual([...types.matchAll(/^  \| '(SYNC_ERROR_\w+)'/gm)].map((match) => match[1]), Object.keys(errorCodes));
});

test('the versions agree', () => {
  const number = (name) => header.match(new RegExp(`^#define SYNC_VERSION_${name} (\\d+)$`, 'm'))[1];
  const wanted = ['MAJOR', 'MINOR', 'PATCH'].map(number).join('.');
  assert.equal(version, wanted);
  assert.equal(require(path.join(packageFolder, 'package.json')).version, wanted);
});

test('import gives what require gives', async () => {
  const imported = await import(pathToFileURL(path.join(packageFolder, 'index.mjs')));
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(synchronicity).sort());
  for (const [name, value] of Object.entries(synchronicity)) assert.equal(imported[name], value, name);
});

test('the types declare every name that is exported, and every member', () => {
  const types = readFileSync(path.join(packageFolder, 'index.d.ts'), 'utf8');
  const declared = [...types.matchAll(/^export (?:class|function|const) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(declared.sort(), Object.keys(synchronicity).sort());
  const blocks = [...types.matchAll(/^export (?:class|interface) (\w+)[^{]*\{(.*?)^\}/gms)];
  const bodies = new Map(blocks.map((match) => [match[1], match[2]]));
  const declares = (name, member) => {
    const declaration = new RegExp(`^  (private |static |readonly )*${member}(\\?|\\(|:)`, 'm');
    assert.match(bodies.get(name), declaration, `${name}.${member}`);
  };
  for (const [name, value] of Object.entries(synchronicity)) {
    if (!/^class /.test(String(value))) continue;
    for (const member of Object.getOwnPropertyNames(value.prototype)) {
      if (name !== 'SyncError' || member !== 'name') declares(name, member);
    }
    for (const member of Object.getOwnPropertyNames(value)) {
      if (!['length', 'name', 'prototype'].includes(member)) declares(name, member);
    }
  }
  const parsed = Proof.parse(proof);
  for (const [name, object] of [
    ['Proof', parsed], ['Builder', parsed.builders[0]], ['Artifact', parsed.artifacts[0]],
    ['Source', parsed.sources[0]], ['Signature', parsed.signatures[0]],
    ['Verification', policy.verify(parsed, row.sha256hex)],
    ['Embedded', findEmbedded(new Uint8Array(0), new Uint8Array(0), 0)],
  ]) {
    for (const member of Object.keys(object)) declares(name, member);
    const required = [...bodies.get(name).matchAll(/^  readonly (\w+):/gm)].map((match) => match[1]);
    for (const member of required) assert.ok(member in object, `${name}.${member}`);
  }
});

test('a refusal is a SyncError with code, number, sentence and offset', () => {
  const flipped = proof.slice();
  flipped[0] ^= 1;
  assert.throws(() => policy.verify(flipped, row.sha256hex), (error) => {
    assert.ok(error instanceof SyncError && error instanceof Error);
    assert.equal(error.name, 'SyncError');
    assert.equal(errorCodes[error.code], error.status);
    assert.match(error.message, /^.{10,}$/);
    assert.match(error.stack, /interface\.test\.js/);
    return true;
  });
  assert.throws(() => policy.verify(proof, '00'.repeat(32)), {
    code: 'SYNC_ERROR_ARTIFACT_MISMATCH', status: 10, offset: undefined,
  });
  assert.throws(() => Proof.parse(proof.subarray(0, 40)), (error) => Number.isSafeInteger(error.offset));
  assert.throws(() => findEmbedded(new Uint8Array(3), new Uint8Array(2), 2n), { code: 'SYNC_ERROR_INVALID_ARGUMENT' });
  for (const Type of [Policy, Proof]) {
    assert.throws(() => Type.parse(new Uint8Array(1_048_577)), { code: 'SYNC_ERROR_TOO_LARGE' });
    assert.throws(() => Type.parse(Buffer.from('neither\n')), { name: 'SyncError' });
  }
});

test('a wrong call is a TypeError', () => {
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  const buffer = new ArrayBuffer(4);
  for (const value of [undefined, null, 7, 'text', {}, [], buffer, new Int8Array(buffer), new DataView(buffer)]) {
    assert.throws(() => Policy.parse(value), wrong);
    assert.throws(() => Proof.parse(value), wrong);
    assert.throws(() => policy.verify(value, row.sha256hex), wrong);
    assert.throws(() => policy.verify(proof, value), wrong);
    assert.throws(() => new Hasher().update(value), wrong);
    assert.throws(() => findEmbedded(value, new Uint8Array(0), 0), wrong);
  }
  for (const digest of [
    new Uint8Array(31), new Uint8Array(33), '0'.repeat(63), '0'.repeat(65), 'g'.repeat(64), `${'0'.repeat(64)}\n`,
  ]) {
    assert.throws(() => policy.verify(proof, digest), wrong);
  }
  for (const size of [-1, 1.5, NaN, 2 ** 53, -1n, 2n ** 64n, '0']) {
    assert.throws(() => findEmbedded(new Uint8Array(0), new Uint8Array(0), size), { name: 'TypeError' });
  }
  assert.throws(() => new Policy(), wrong);
  assert.throws(() => new Proof(), wrong);
  assert.throws(() => Policy.prototype.verify.call({}, proof, row.sha256hex), { name: 'TypeError' });
  assert.throws(() => Policy.prototype.verify.call(Object.create(Policy.prototype), proof, row.sha256hex), {
    name: 'TypeError',
  });
  assert.throws(() => policy.verify(Object.create(Proof.prototype), row.sha256hex), { name: 'TypeError' });
});

test('the addon refuses an object of another kind', () => {
  const native = require(path.join(packageFolder, 'lib/native.js'));
  const hasher = native.hasherCreate();
  const handle = native.proofCreate(proof);
  const digest = new Uint8Array(32);
  const wrong = { name: 'TypeError' };
  for (const value of [hasher, {}, null, undefined, 3, Buffer.alloc(8), native.setErrorFactory]) {
    assert.throws(() => native.policyVerify(value, proof, digest), wrong);
    assert.throws(() => native.policyFollow(value, 0n, proof), wrong);
    assert.throws(() => native.proofDescribe(value), wrong);
  }
  assert.throws(() => native.policyVerify(native.policyCreate(read(row.policy)), hasher, digest), wrong);
  assert.throws(() => native.hasherUpdate(handle, digest), wrong);
  assert.throws(() => native.hasherFinish(handle), wrong);
  assert.throws(() => native.hasherUpdateFromFile(handle, 0, 0n, 0n), wrong);
  assert.throws(() => native.hasherUpdateFromFile(hasher, -1, 0n, 1n), { name: 'Error' });
  assert.throws(() => native.policyVerify(native.policyCreate(read(row.policy)), handle, new Uint8Array(3)), {
    name: 'RangeError',
  });
});

test('objects cannot be changed', () => {
  const parsed = Proof.parse(proof);
  const shown = policy.verify(parsed, row.sha256hex);
  for (const object of [
    policy, parsed, parsed.builders, parsed.builders[0], parsed.artifacts, parsed.artifacts[0], parsed.sources,
    parsed.signatures, shown, shown.reproducerIndexes, errorCodes,
  ]) {
    assert.ok(Object.isFrozen(object));
  }
});

test('buffers, parts of buffers and shared memory are all bytes', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(proof.length + 5), 5);
  shared.set(proof);
  for (const bytes of [Buffer.from(proof), shared, Buffer.concat([Buffer.alloc(3), proof]).subarray(3)]) {
    assert.equal(policy.verify(bytes, row.sha256hex).verdict, 'reproduced');
    assert.equal(policy.verify(Proof.parse(bytes), row.sha256hex.toUpperCase()).verdict, 'reproduced');
  }
  const huge = new Uint8Array(new SharedArrayBuffer(1_048_577));
  assert.throws(() => policy.verify(huge, row.sha256hex), { code: 'SYNC_ERROR_TOO_LARGE' });
});
