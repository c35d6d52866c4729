'use strict';
// Four builders in this process: their sandbox and source are JavaScript, two keep their keys and their journal in it.
const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { command, configuration, groupFor, held, sleep, synchronicity, until } = require('./support.js');
const { artifact, makeRegistry } = require('./plugins.js');
const { Node } = synchronicity;

const names = ['alder', 'birch', 'cedar', 'elm'];
const nothing = '0'.repeat(64);

async function makeNodes(context) {
  const folder = groupFor(context, names, { withKeys: ['cedar', 'elm'], options: { reproducers: 3 } });
  const { registry, made } = makeRegistry();
  const lines = Object.fromEntries(names.map((name) => [name, []]));
  const nodes = await Promise.all(names.map((name) =>
    Node.load(configuration(folder, name), { registry, log: (level, line) => lines[name].push({ level, line }) })));
  context.after(() => Promise.all(nodes.map((node) => node.destroy())));
  return { folder, lines, made, nodes };
}

async function startAll(nodes) {
  await Promise.all(nodes.map((node) => node.start()));
  await until(
    async () => (await Promise.all(nodes.map((node) => node.status()))).every((status) => status.connectedPeers === 3),
    'the builders find each other');
}

async function collect(events) {
  const found = [];
  for await (const event of events) found.push(event);
  return found;
}

function checkOrder(events, job) {
  const mine = events.filter((event) => event.job === job);
  const kinds = mine.map((event) => event.kind);
  assert.equal(mine[0].kind, 'ordered');
  assert.equal(mine[0].text, 'pkg:words/fine@1');
  const committed = mine.filter((event) => event.kind === 'committed').map((event) => event.text);
  assert.deepEqual(committed.sort(), names);
  const order = ['ordered', 'committed', 'revealing', 'revealed', 'verdict', 'logged'];
  const places = order.map((kind) => kinds.indexOf(kind));
  assert.ok(!places.includes(-1), kinds.join());
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
  const verdict = mine.find((event) => event.kind === 'verdict');
  assert.deepEqual([verdict.verdict, verdict.text], ['reproduced', 'reproduced']);
  const logged = mine.find((event) => event.kind === 'logged');
  const behind = events.slice(events.indexOf(logged));
  assert.ok(behind.some((event) => event.kind === 'cosigned' && event.number > logged.number));
  assert.ok(events.every((event) => event.dropped === 0));
}

async function verify(folder, node, job, word) {
  const digest = createHash('sha256').update(artifact(word)).digest('hex');
  const found = await node.artifactPath(digest);
  assert.deepEqual(readFileSync(found), artifact(word));
  const proof = path.join(folder, `${word}.tlog-proof`);
  writeFileSync(proof, await node.proof(job));
  command('verify', '--policy', path.join(folder, 'policy'), '--proof', proof, found);
}

test('a group', async (context) => {
  const { folder, lines, made, nodes } = await makeNodes(context);
  const [alder, birch, cedar, elm] = nodes;
  const all = collect(birch.events());
  const small = birch.events({ capacity: 2 });
  await startAll(nodes);
  const status = await alder.status();
  assert.deepEqual([status.state, status.replicas, status.quorum, status.isObserving], ['running', 4, 3, false]);
  assert.equal((await alder.statusJSON()).name, 'alder');

  const job = await alder.submit('pkg:words/fine@1', { timeout: 60_000 });
  assert.match(job, /^[0-9a-f]{64}$/);
  assert.equal(await cedar.submit('pkg:words/fine@1', { timeout: 60_000 }), job);
  assert.notEqual(await elm.submit('pkg:words/fine@1', { rebuild: 1, timeout: 60_000 }), job);
  for (const node of nodes) {
    const done = await node.wait(Buffer.from(job, 'hex'), { timeout: 60_000 });
    assert.deepEqual([done.phase, done.verdict, typeof done.leafIndex], ['cosigned', 'reproduced', 'bigint']);
    assert.equal((await node.job(job)).agreeing, 4);
    await verify(folder, node, job, 'fine');
  }
  const environment = await birch.submit('pkg:words/environment@1', { timeout: 60_000 });
  assert.equal((await birch.wait(environment, { timeout: 60_000 })).verdict, 'reproduced');

  assert.deepEqual(
    { ...await alder.job(nothing) },
    { phase: 'unknown', verdict: undefined, agreeing: 0, committed: 0, leafIndex: undefined });
  for (const ask of [() => alder.proof(nothing), () => alder.artifactPath(nothing)]) {
    await assert.rejects(ask, { name: 'SyncError', code: 'SYNC_ERROR_NOT_FOUND' });
  }
  await assert.rejects(alder.wait(nothing, { phase: 'commit', timeout: 100 }), { code: 'SYNC_ERROR_TIMED_OUT' });
  const controller = new AbortController();
  const given = assert.rejects(alder.wait(nothing, { signal: controller.signal }), { name: 'AbortError' });
  await sleep(50);
  controller.abort();
  await given;

  // What a source gives is checked where it is submitted.
  for (const [word, code, sentence] of [
    ['missing', 'SYNC_ERROR_NOT_FOUND', /There is no such word/],
    ['unpinned', 'SYNC_ERROR_IO', /RangeError: a sentence with ümlauts and a {3}inside/],
    ['five', 'SYNC_ERROR_IO', /a Uint8Array is wanted, not number/],
    ['nospec', 'SYNC_ERROR_IO', /refused/],
    ['odd', 'SYNC_ERROR_IO', /an error that cannot say what it is/],
  ]) {
    await assert.rejects(alder.submit(`pkg:words/${word}@1`, { timeout: 60_000 }), { code, message: sentence });
  }
  await assert.rejects(alder.submit('pkg:cargo/x@1', { timeout: 60_000 }), { code: 'SYNC_ERROR_INVALID' });
  await assert.rejects(alder.submit('pkg:words/slow@1', { timeout: 200 }), { code: 'SYNC_ERROR_TIMED_OUT' });

  await Promise.all(nodes.map((node) => node.drain({ timeout: 60_000 })));
  // One is waited for, for ever, while its node ends.
  const waiting = assert.rejects(birch.wait(nothing), { code: 'SYNC_ERROR_STATE' });
  await sleep(50);
  for (const node of nodes) {
    await node.stop({ timeout: 60_000 });
    assert.equal((await node.status()).state, 'stopped');
  }
  await waiting;
  checkOrder(await all, job);
  assert.equal((await collect(small)).length, 2);
  await Promise.all(nodes.map((node) => node.destroy()));

  for (const name of names) {
    assert.ok(lines[name].some(({ line }) => line.includes('Started')), name);
    assert.deepEqual(lines[name].filter(({ level }) => ['error', 'critical'].includes(level)), [], name);
  }
  const [sandbox] = made['js-plain'];
  const [request] = sandbox.requests;
  assert.deepEqual([...request.command], ['/bin/sh', '/input/recipe.sh']);
  assert.deepEqual({ ...request.environment }, { WORD: 'two words' });
  assert.deepEqual([request.wallSeconds, request.transcriptBytes, request.memoryBytes], [2, 1024, 1_048_576]);
  assert.ok(request.scratchDirectory.startsWith(folder));
  assert.deepEqual(request.mounts.filter((mount) => mount.isWritable).map((mount) => mount.insidePath), ['/output']);
  assert.deepEqual(made['js-plain'].map(({ created }) => created.node).sort(), names);
  assert.deepEqual(made['js-keys'].map((keys) => keys.node).sort(), ['cedar', 'elm']);
  assert.ok(made['js-keys'].every((keys) => keys.signed > 10));
  await until(() => held().instances === 0, 'every instance is ended');
  assert.ok(made['js-plain'].every(({ closed }) => closed === 1));
});
