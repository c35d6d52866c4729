'use strict';
const assert = require('node:assert/strict');
const { readdirSync, readFileSync } = require('node:fs');
const { test } = require('node:test');

const { cases, read, statusOf, synchronicity, table, vector } = require('./support.js');
const { Hasher, Policy, Proof, SyncError, findEmbedded, findEmbeddedInFile } = synchronicity;

const verdicts = ['none', 'reproduced', 'diverged', 'failed', 'inconclusive'];
const states = ['none', 'revealed', 'noCommitment', 'noReveal', 'wrongOpening', 'sandboxFault'];
const forms = ['none', 'trailer', 'archiveMember'];
const zero = '0'.repeat(64);

test('every case has its status, from bytes and from a parsed proof', () => {
  assert.ok(cases.length > 0);
  const wrong = [];
  for (const row of cases) {
    const proof = read(row.proof);
    const ways = {
      bytes: () => Policy.parse(read(row.policy)).verify(proof, row.sha256hex),
      parsed: () => {
        const policy = Policy.parse(read(row.policy));
        policy.verify(Proof.parse(proof), Buffer.from(row.sha256hex, 'hex'));
      },
    };
    for (const [way, action] of Object.entries(ways)) {
      const status = statusOf(SyncError, action);
      if (status !== row.status) wrong.push(`${row.name} (${way}): ${status} instead of ${row.status}`);
    }
  }
  assert.deepEqual(wrong, []);
});

function listing(proof) {
  const lines = [
    ['log_origin', proof.logOrigin],
    ['package', proof.package],
    ['package_name', proof.packageName],
    ['package_version', proof.packageVersion],
    ['submitter', proof.submitter],
    ['job_id', proof.jobId],
    ['source_sha256', proof.sourceSha256 ?? zero],
    ['toolchain_sha256', proof.toolchainSha256],
    ['leaf_index', proof.leafIndex],
    ['tree_size', proof.treeSize],
    ['epoch', proof.epoch],
    ['height', proof.height],
    ['time_milliseconds', proof.timeMilliseconds],
    ['verdict', verdicts.indexOf(proof.verdict)],
    ['agreeing', proof.agreeing],
    ['reproducers', proof.reproducers],
    ['builder_count', proof.builders.length],
    ['artifact_count', proof.artifacts.length],
    ['source_count', proof.sources.length],
    ['signature_count', proof.signatures.length],
    ['outcome_count', proof.outcomeCount],
  ];
  const add = (name, items, fields) => items.forEach((item, i) => {
    for (const [key, value] of fields(item)) lines.push([`${name}.${i}.${key}`, value]);
  });
  add('builder', proof.builders, (builder) => [
    ['state', states.indexOf(builder.state)],
    ['outcome', builder.outcome ?? 0],
    ['name', builder.name],
    ['sandbox', builder.sandbox],
    ['processor', builder.processor],
    ['kernel', builder.kernel],
    ['outcome_sha256', builder.outcomeSha256 ?? zero],
  ]);
  add('artifact', proof.artifacts, (artifact) => [
    ['path', artifact.path],
    ['size', artifact.size],
    ['mode', artifact.mode],
    ['sha256', artifact.sha256],
  ]);
  add('source', proof.sources, (source) => [
    ['package', source.package],
    ['origin', source.origin],
    ['tree_sha256', source.treeSha256],
    ['claimed_sha256', source.claimedSha256 ?? zero],
    ['has_claim', source.claimedSha256 === undefined ? 0 : 1],
  ]);
  add('signature', proof.signatures, (signature) => [
    ['name', signature.name],
    ['key_id', signature.keyId.toString(16).padStart(8, '0')],
    ['is_timed', signature.timeSeconds === undefined ? 0 : 1],
    ['time_seconds', signature.timeSeconds ?? 0n],
  ]);
  return lines.map((line) => `${line.join('\t')}\n`).join('');
}

test('every described proof says what it should', () => {
  const names = readdirSync(vector('described')).filter((name) => name.endsWith('.txt'));
  assert.ok(names.length > 0);
  for (const name of names) {
    const proof = Proof.parse(read(`proofs/${name.replace(/\.txt$/, '')}.tlog-proof`));
    assert.equal(listing(proof), readFileSync(vector(`described/${name}`), 'utf8'), name);
  }
});

test('what a verification shows is what the proof says', () => {
  for (const row of cases.filter((row) => row.status === 0)) {
    const policy = Policy.parse(read(row.policy));
    const proof = Proof.parse(read(row.proof));
    const shown = policy.verify(proof, row.sha256hex);
    assert.equal(shown.verdict, 'reproduced', row.name);
    for (const name of ['leafIndex', 'treeSize', 'height', 'timeMilliseconds']) {
      assert.equal(shown[name], proof[name], row.name);
    }
    assert.equal(shown.builders, proof.builders.length, row.name);
    assert.equal(shown.reproducers, shown.reproducerIndexes.length, row.name);
    assert.equal(shown.cosigners, shown.cosignerIndexes.length, row.name);
    for (const i of shown.reproducerIndexes) assert.equal(proof.builders[i].state, 'revealed', row.name);
    for (const i of shown.cosignerIndexes) assert.notEqual(proof.signatures[i].timeSeconds, undefined, row.name);
  }
});

test('every embedded proof is found or refused', async () => {
  const rows = table('embedded.tsv');
  assert.ok(rows.length > 0);
  for (const row of rows) {
    const bytes = read(row.file);
    const tail = bytes.subarray(Math.max(0, bytes.length - 1_048_704));
    const find = () => findEmbedded(bytes.subarray(0, 8), tail, bytes.length);
    assert.equal(statusOf(SyncError, find), Number(row.status), row.name);
    if (Number(row.status) !== 0) {
      await assert.rejects(findEmbeddedInFile(vector(row.file)), { status: Number(row.status) }, row.name);
      continue;
    }
    const wanted = {
      form: forms[row.form],
      contentSize: BigInt(row.content_size),
      proofOffset: BigInt(row.proof_offset),
      proofSize: BigInt(row.proof_size),
    };
    assert.deepEqual(find(), wanted, row.name);
    const { proof, ...found } = await findEmbeddedInFile(vector(row.file));
    assert.deepEqual(found, wanted, row.name);
    const [start, size] = [Number(row.proof_offset), Number(row.proof_size)];
    assert.deepEqual(proof, size === 0 ? undefined : bytes.slice(start, start + size), row.name);
  }
});

test('the hasher gives the digests of the artifacts, in whatever pieces', () => {
  const names = readdirSync(vector('artifacts'));
  assert.ok(names.length > 0);
  const hasher = new Hasher();
  for (const name of names) {
    const bytes = read(`artifacts/${name}`);
    for (const size of [1, 7, bytes.length + 1]) {
      for (let i = 0; i < bytes.length; i += size) hasher.update(bytes.subarray(i, i + size));
      assert.equal(Buffer.from(hasher.digest()).toString('hex'), name);
    }
  }
});
