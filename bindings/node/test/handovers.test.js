'use strict';
// Policies that are followed through hand-overs: the vectors, lives, wrong calls. Run with --expose-gc.
const assert = require('node:assert/strict');
const { test } = require('node:test');

const { read, statusOf, synchronicity, table } = require('./support.js');
const { Policy, Proof, SyncError, errorCodes } = synchronicity;

const rows = table('handovers.tsv').map((row) => ({ ...row, status: Number(row.status) }));
const [first, second] = ['zero-to-one', 'one-to-two'].map((name) => read(`handovers/${name}.tlog-proof`));
const [before, behind] = [0, 1].map((epoch) => read(`handovers/evidence-${epoch}.tlog-proof`));
const { sha256hex } = rows.find((row) => row.proof === 'handovers/evidence-1.tlog-proof');
const firstPolicy = () => Policy.parse(read('policies/four.policy'));

function run(row, number) {
  let policy = Policy.parse(read(row.policy));
  const paths = row.handovers === '-' ? [] : row.handovers.split(' ');
  for (const [i, path] of paths.entries()) policy = policy.follow(number(BigInt(row.epoch) + BigInt(i)), read(path));
  if (row.proof === '-') return;
  const proof = read(row.proof);
  const shown = policy.verify(proof, row.sha256hex);
  assert.deepEqual(policy.verify(Proof.parse(proof), row.sha256hex), shown, row.name);
}

test('every row of hand-overs has its status', () => {
  const accepted = rows.filter((row) => row.status === 0).length;
  assert.ok(accepted >= 60 && rows.length - accepted >= 200);
  const wrong = [];
  for (const row of rows) {
    // As a number, where it is one that is exact.
    const asNumber = (epoch) => (epoch <= Number.MAX_SAFE_INTEGER ? Number(epoch) : epoch);
    for (const number of [(epoch) => epoch, asNumber]) {
      const status = statusOf(SyncError, () => run(row, number));
      if (status !== row.status) wrong.push(`${row.name}: ${status} instead of ${row.status}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('a policy that was followed is one of its own', async () => {
  let policy = firstPolicy();
  let followed = policy.follow(0n, first);
  const further = followed.follow(1n, second);
  assert.ok(Object.isFrozen(followed) && followed instanceof Policy);
  // What holds by the first alone is as it was.
  assert.equal(policy.verify(before, sha256hex).verdict, 'reproduced');
  assert.throws(() => policy.verify(behind, sha256hex), { code: 'SYNC_ERROR_UNTRUSTED_LOG' });
  policy = followed = undefined;
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
    // What was freed too early is given to others.
    firstPolicy();
    for (const proof of [before, behind]) assert.equal(further.verify(proof, sha256hex).verdict, 'reproduced');
  }
});

test('a hand-over that is refused leaves the policy', () => {
  const policy = firstPolicy();
  for (const [epoch, handover, code] of [
    [1, first, 'WRONG_EPOCH'],
    [2n ** 64n - 1n, first, 'WRONG_EPOCH'],
    [0, second, 'WRONG_EPOCH'],
    [0, before, 'NOT_HANDOVER'],
    [0, new Uint8Array(0), 'MALFORMED'],
    [0, first.subarray(0, -1), 'MALFORMED'],
    [0, new Uint8Array(1_048_577), 'TOO_LARGE'],
  ]) {
    const status = errorCodes[`SYNC_ERROR_${code}`];
    assert.throws(() => policy.follow(epoch, handover), { name: 'SyncError', code: `SYNC_ERROR_${code}`, status });
  }
  const followed = policy.follow(0, first);
  assert.equal(followed.verify(behind, sha256hex).verdict, 'reproduced');
  // The first to be followed says of which epoch the policy is; from then on it is known.
  assert.throws(() => followed.follow(2, second), { code: 'SYNC_ERROR_WRONG_EPOCH' });
});

test('a wrong call is a TypeError', () => {
  const policy = firstPolicy();
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
  for (const epoch of [undefined, null, -1, -1n, 1.5, NaN, 2 ** 53, 2n ** 64n, '0', {}, [0], true]) {
    assert.throws(() => policy.follow(epoch, first), wrong);
  }
  for (const handover of [undefined, null, 7, 'text', {}, [], new ArrayBuffer(4), Proof.parse(before)]) {
    assert.throws(() => policy.follow(0, handover), wrong);
  }
  assert.throws(() => policy.follow(first, 0), wrong);
  assert.throws(() => Policy.prototype.follow.call({}, 0, first), { name: 'TypeError' });
  assert.throws(() => Policy.prototype.follow.call(Object.create(Policy.prototype), 0, first), { name: 'TypeError' });
});

test('bytes that another thread may change are copied', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(first.length));
  shared.set(first);
  assert.equal(firstPolicy().follow(0, shared).verify(behind, sha256hex).verdict, 'reproduced');
});
