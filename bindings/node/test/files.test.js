'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { accepted, cases, read, synchronicity, table, temporaryFolder, vector } = require('./support.js');
const { Hasher, Policy, Proof, findEmbeddedInFile } = synchronicity;

const folder = temporaryFolder();
const available = cases.find((row) => row.status === 0 && fs.existsSync(vector(`artifacts/${row.sha256hex}`)));
const artifact = vector(`artifacts/${available.sha256hex}`);
const policy = Policy.parse(read(available.policy));
const proof = read(available.proof);

/** A file that says it is large and holds nothing. */
function sparse(name, size) {
  const file = path.join(folder, name);
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, size);
  return file;
}

test('a given proof', async () => {
  const wanted = { proofOrigin: 'given', sha256: available.sha256hex, verdict: 'reproduced' };
  const proofFile = vector(available.proof);
  for (const [name, options] of [
    [artifact, { proofFile }],
    [pathToFileURL(artifact), { proofFile: pathToFileURL(proofFile) }],
    [artifact, { proof }],
    [artifact, { proof: Proof.parse(proof) }],
  ]) {
    const shown = await (await Policy.fromFile(vector(available.policy))).verifyFile(name, options);
    assert.deepEqual({ ...wanted, ...shown }, { ...shown, ...wanted });
    assert.ok(shown.proof.artifacts.some((item) => item.sha256 === shown.sha256));
    assert.ok(Object.isFrozen(shown));
  }
});

test('a proof beside the artifact', async () => {
  const file = path.join(folder, 'beside');
  fs.copyFileSync(artifact, file);
  await assert.rejects(policy.verifyFile(file), { code: 'ENOENT', path: `${file}.tlog-proof` });
  fs.writeFileSync(`${file}.tlog-proof`, proof);
  const shown = await policy.verifyFile(file);
  assert.equal(shown.proofOrigin, 'sidecar');
  fs.appendFileSync(file, 'x');
  await assert.rejects(policy.verifyFile(file), { code: 'SYNC_ERROR_ARTIFACT_MISMATCH' });
});

test('a proof inside the artifact', async () => {
  let count = 0;
  for (const row of table('embedded.tsv').filter((row) => row.status === '0' && row.form !== '0')) {
    const content = read(row.file).subarray(0, Number(row.content_size));
    const digest = createHash('sha256').update(content).digest('hex');
    const match = accepted(digest);
    if (match === undefined) continue;
    const shown = await Policy.parse(read(match.policy)).verifyFile(vector(row.file));
    assert.equal(shown.proofOrigin, 'embedded', row.name);
    assert.equal(shown.contentSize, BigInt(content.length), row.name);
    assert.equal(shown.sha256, digest, row.name);
    const changed = path.join(folder, path.basename(row.file));
    const bytes = read(row.file);
    bytes[Number(row.content_size) - 1] ^= 1;
    if (Number(row.content_size) > 8) {
      fs.writeFileSync(changed, bytes);
      await assert.rejects(policy.verifyFile(changed), { name: 'SyncError' }, row.name);
    }
    count++;
  }
  assert.ok(count > 0);
});

test('a broken proof inside is not made good by one beside', async () => {
  const row = table('embedded.tsv').find((row) => row.status === '1');
  const file = path.join(folder, 'broken');
  fs.copyFileSync(vector(row.file), file);
  fs.writeFileSync(`${file}.tlog-proof`, proof);
  await assert.rejects(policy.verifyFile(file), { code: 'SYNC_ERROR_MALFORMED' });
});

test('an artifact of many pieces has its digest, and others have their turn meanwhile', async () => {
  const size = 200 * 1024 * 1024 + 5;
  const file = sparse('large', size);
  fs.writeSync(fs.openSync(file, 'r+'), 'end', size - 3);
  let turns = 0;
  let isRunning = true;
  const turn = () => {
    turns++;
    if (isRunning) setImmediate(turn);
  };
  setImmediate(turn);
  // Refused: the proof speaks of another artifact. The digest is compared through one that accepts it.
  await assert.rejects(policy.verifyFile(file, { proof }), { code: 'SYNC_ERROR_ARTIFACT_MISMATCH' });
  isRunning = false;
  assert.ok(turns > 20, `${turns} turns`);
  const hasher = new Hasher();
  for await (const chunk of fs.createReadStream(file)) hasher.update(chunk);
  const wanted = execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);
  assert.equal(Buffer.from(hasher.digest()).toString('hex'), wanted);
});

test('hashing on the pool gives the digest of the bytes', async () => {
  const files = require(path.join(require('./support.js').packageFolder, 'lib/files.js'));
  for (const size of [0, 1, 262144, 262145, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1]) {
    const file = path.join(folder, `random-${size}`);
    const bytes = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
    fs.writeFileSync(file, bytes);
    const digest = await files.withFile(file, (handle) => files.hashStart(handle, file, BigInt(size)));
    assert.equal(digest, createHash('sha256').update(bytes).digest('hex'), `${size}`);
    await assert.rejects(
      files.withFile(file, (handle) => files.hashStart(handle, file, BigInt(size) + 1n)), /changed while it was read/);
  }
});

test('a proof of 1 GiB is refused after the first bounded read', async () => {
  const file = path.join(folder, 'small');
  fs.writeFileSync(file, 'x');
  const huge = sparse('small.tlog-proof', 2 ** 30);
  const before = process.memoryUsage().rss;
  const wanted = { code: 'SYNC_ERROR_TOO_LARGE' };
  const start = process.hrtime.bigint();
  await assert.rejects(policy.verifyFile(file), wanted);
  await assert.rejects(policy.verifyFile(file, { proofFile: huge }), wanted);
  await assert.rejects(Proof.fromFile(huge), wanted);
  await assert.rejects(Policy.fromFile(huge), wanted);
  assert.ok(process.hrtime.bigint() - start < 2_000_000_000n, 'reading 1 GiB would take longer');
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  // Looking for a proof inside reads the ends alone, however large the file.
  assert.equal((await findEmbeddedInFile(sparse('vast', 2 ** 42))).form, 'none');
});

test('what is no regular file is refused at once', async () => {
  const regular = path.join(folder, 'regular');
  fs.writeFileSync(regular, 'x');
  const pipe = `${regular}.tlog-proof`;
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(policy.verifyFile(regular), { code: 'EINVAL', path: pipe });
  for (const file of [pipe, folder, '/dev/zero']) {
    const uses = [
      () => policy.verifyFile(file),
      () => policy.verifyFile(file, { proof }),
      () => policy.verifyFile(regular, { proofFile: file }),
      () => Proof.fromFile(file),
      () => Policy.fromFile(file),
      () => findEmbeddedInFile(file),
    ];
    for (const use of uses) {
      await assert.rejects(use(), { code: 'EINVAL', path: file, message: `${file} is not a regular file` });
    }
  }
  await assert.rejects(policy.verifyFile(path.join(folder, 'nothing')), { code: 'ENOENT' });
  await assert.rejects(policy.verifyFile(7), { code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(policy.verifyFile(artifact, { proof, proofFile: artifact }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('a file that changes while it is read is refused', async () => {
  const wanted = (path) => ({ code: 'EIO', path, message: `${path} changed while it was read` });
  // It says that it has no bytes, and has some.
  const version = '/proc/version';
  if (fs.existsSync(version)) await assert.rejects(policy.verifyFile(version, { proof }), wanted(version));
  const files = require(path.join(require('./support.js').packageFolder, 'lib/files.js'));
  const file = path.join(folder, 'changing');
  fs.writeFileSync(file, 'abc');
  const check = (change) => files.withFile(file, async (handle, size, status) => {
    change();
    await files.expectUnchanged(handle, file, status);
  });
  await check(() => {});
  await assert.rejects(check(() => fs.appendFileSync(file, 'x')), wanted(file));
  await assert.rejects(check(() => fs.utimesSync(file, 1, 1)), wanted(file));
});

test('a signal stops the reading', async () => {
  const file = sparse('endless', 2 ** 42);
  const options = { proof, signal: AbortSignal.timeout(100) };
  await assert.rejects(policy.verifyFile(file, options), { name: 'TimeoutError' });
  await assert.rejects(policy.verifyFile(artifact, { proof, signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('no file stays open', { skip: !fs.existsSync('/proc/self/fd') }, async () => {
  const open = () => fs.readdirSync('/proc/self/fd').length;
  await policy.verifyFile(artifact, { proof });
  const before = open();
  await Promise.all(Array.from({ length: 50 }, () => policy.verifyFile(artifact, { proof })));
  await Promise.allSettled(Array.from({ length: 50 }, () => policy.verifyFile(artifact)));
  assert.equal(open(), before);
});
