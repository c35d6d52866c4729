'use strict';
// Run with --expose-gc.
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');

const { accepted, packageFolder, read, synchronicity } = require('./support.js');
const { Hasher, Policy, Proof } = synchronicity;
const { accountedBytes, proofCreate } = require(path.join(packageFolder, 'lib/native.js'));

const row = accepted();
const policyBytes = read(row.policy);
const proofBytes = read(row.proof);
const handoverBytes = read('handovers/zero-to-one.tlog-proof');
const behindBytes = read('handovers/evidence-1.tlog-proof');
const policy = Policy.parse(policyBytes);

/** Finalizers run in turns of their own. */
async function collect() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
}

function work() {
  const proof = Proof.parse(proofBytes);
  policy.verify(proof, row.sha256hex);
  Policy.parse(policyBytes).verify(proofBytes, row.sha256hex);
  policy.follow(0, handoverBytes).verify(behindBytes, row.sha256hex);
  for (const refused of [
    () => policy.follow(1, handoverBytes),
    () => policy.verify(proof, '00'.repeat(32)),
    () => Proof.parse(proofBytes.subarray(0, 200)),
    () => Policy.parse(policyBytes.subarray(0, 50)),
  ]) {
    assert.throws(refused, { name: 'SyncError' });
  }
  new Hasher().update(proofBytes).digest();
}

async function bounded(context, rounds, mebibytes, action) {
  for (let i = 0; i < 500; i++) action();
  await collect();
  const before = process.memoryUsage().rss;
  for (let i = 0; i < rounds; i++) {
    action();
    if (i % (rounds / 20) === 0) await collect();
  }
  await collect();
  const grown = process.memoryUsage().rss - before;
  context.diagnostic(`${grown} bytes more after ${rounds} rounds`);
  assert.ok(grown < mebibytes * 1024 * 1024, `${grown} bytes more after ${rounds} rounds`);
}

// An error is 64 bytes: only many show, and only before others leave room behind in which they would go unseen.
test('what is refused leaves nothing', (context) => {
  const bytes = new Uint8Array(32);
  return bounded(context, 400_000, 18, () => {
    try {
      proofCreate(bytes);
    } catch {
      return;
    }
    assert.fail('it was taken');
  });
});

test('what is collected is freed', (context) => bounded(context, 1500, 6, work));

test('the garbage collector knows what a proof holds, and gets it back', async () => {
  await collect();
  const before = accountedBytes();
  let held = Array.from({ length: 200 }, () => Proof.parse(proofBytes));
  const grown = accountedBytes() - before;
  assert.ok(grown >= 200 * proofBytes.length, `${grown} bytes for ${held.length} proofs`);
  held = undefined;
  await collect();
  assert.ok(accountedBytes() - before < grown / 10);
});
