'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');

const { accepted, temporaryFolder } = require('./support.js');

const source = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { read, synchronicity } = require(workerData.support);
  const { Policy, Proof, Hasher } = synchronicity;
  const { row, rounds, endless } = workerData;
  const policy = Policy.parse(read(row.policy));
  const proof = read(row.proof);
  let accepted = 0, refused = 0;
  for (let i = 0; i < rounds; i++) {
    if (policy.verify(i % 2 ? proof : Proof.parse(proof), row.sha256hex).verdict === 'reproduced') accepted++;
    try { policy.verify(proof, '00'.repeat(32)); } catch (error) { if (error.status === 10) refused++; }
  }
  parentPort.postMessage({ accepted, refused });
  if (endless) policy.verifyFile(endless, { proof });
`;

const support = require.resolve('./support.js');
const start = (workerData) => new Worker(source, { eval: true, workerData: { support, ...workerData } });
const message = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));

test('workers verify at the same time', async () => {
  const workers = Array.from({ length: 4 }, () => start({ row: accepted(), rounds: 200 }));
  for (const shown of await Promise.all(workers.map(message))) assert.deepEqual(shown, { accepted: 200, refused: 200 });
});

test('a worker may be stopped while it reads', async () => {
  const endless = path.join(temporaryFolder(), 'endless');
  fs.closeSync(fs.openSync(endless, 'w'));
  fs.truncateSync(endless, 2 ** 42);
  for (let i = 0; i < 10; i++) {
    const worker = start({ row: accepted(), rounds: 1, endless });
    await message(worker);
    await new Promise((resolve) => setTimeout(resolve, 5 * i));
    assert.equal(await worker.terminate(), 1);
  }
});
