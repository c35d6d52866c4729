'use strict';
// A builder whose sandbox is hostile: each way costs one job, and not the node.
const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { configuration, groupFor, held, sleep, synchronicity, until } = require('./support.js');
const { Keys, Plain, makeRegistry } = require('./plugins.js');
const { Node, PluginError } = synchronicity;

const wordOf = (request) => readFileSync(
  request.mounts.find((mount) => mount.insidePath === '/input/recipe.sh').hostPath, 'utf8').match(/ (\w+) >/)?.[1];

class Hostile extends Plain {
  refused = [];
  calls = [];

  async run(request, call) {
    const result = await super.run(request, call);
    const word = wordOf(request);
    // Those that wait are tried again, and may be open when the test looks.
    if (!['silent', 'blocked', 'late'].includes(word)) this.calls.push(call);
    switch (word) {
      case 'throws': throw new RangeError('\ud800 no text \0 at all');
      case 'fails': throw new PluginError('unavailable', 'This sandbox\nwill not');
      case 'mute': throw { toString() { throw new Error('no text'); } };
      case 'nothing': throw undefined;
      case 'text': return 'garbage';
      case 'none': return undefined;
      case 'ending': return { ending: 'other' };
      case 'huge': return { status: 2 ** 40 };
      case 'minus': return { wallNanoseconds: -1n };
      case 'kind': return { status: '0' };
      case 'getter': return { get ending() { throw new Error('not this way'); } };
      case 'silent': return new Promise(() => {});
      case 'blocked':
        await new Promise((resolve, reject) => {
          call.signal.addEventListener('abort', () => reject(call.signal.reason));
        }).catch((error) => {
          this.refused.push(error.name);
          throw error;
        });
        break;
      case 'late':
        await sleep(50);
        break;
      default:
    }
    return result;
  }
}

test('each way', async (context) => {
  const folder = groupFor(context, ['alder'], { options: { 'commit-seconds': 8 } });
  const lines = [];
  const { registry, made } = makeRegistry({ 'js-plain': Hostile });
  const text = `${readFileSync(configuration(folder, 'alder'), 'utf8')}[settings.js-plain]\npatience-seconds = 1\n`;
  const node = new Node(text, { folder: path.join(folder, 'alder'), registry, log: (_, line) => lines.push(line) });
  context.after(() => node.destroy());
  await node.start();
  const rows = [
    // The word, the verdict, what the log says.
    ['throws', 'inconclusive', /RangeError: \S+ no text {3}at all/],
    ['fails', 'inconclusive', /This sandbox will not/],
    ['mute', 'inconclusive', /an error that cannot say what it is/],
    ['nothing', 'inconclusive', /\(run\) failed: undefined/],
    ['text', 'inconclusive', /a result of a run is wanted, not string/],
    ['none', 'inconclusive', /a result of a run is wanted, not undefined/],
    ['ending', 'inconclusive', /a run's ending is one of exited, /],
    ['huge', 'inconclusive', /a run's status is 1099511627776; 0 to 255 are possible/],
    ['minus', 'inconclusive', /wallNanoseconds is -1/],
    ['kind', 'inconclusive', /a run's status must be a whole number/],
    ['getter', 'inconclusive', /Error: not this way/],
    ['silent', 'inconclusive', /gave no answer in 3 s/],
    ['blocked', 'inconclusive', /gave no answer in 3 s/],
    ['dies', 'failed'],
    ['exits', 'failed'],
    ['hangs', 'failed', /wallTimeExceeded/],
    ['prints', 'failed', /transcriptExceeded/],
    ['late', 'reproduced'],
    ['fine', 'reproduced'],
  ];
  const jobs = [];
  for (const [word] of rows) jobs.push(await node.submit(`pkg:words/${word}@1`, { timeout: 60_000 }));
  for (const [place, [word, verdict, sentence]] of rows.entries()) {
    assert.equal((await node.wait(jobs[place], { timeout: 60_000 })).verdict, verdict, word);
    if (sentence !== undefined) assert.ok(lines.some((line) => sentence.test(line)), `${word}: ${lines.join('\n')}`);
  }
  await node.drain({ timeout: 10_000 });
  assert.equal((await node.status()).state, 'running');
  const [sandbox] = made['js-plain'];
  assert.ok(sandbox.refused.length > 0 && sandbox.refused.every((name) => name === 'AbortError'));
  // Whoever comes behind the answer is told so.
  assert.ok(sandbox.calls.length >= rows.length - 4);
  for (const call of sandbox.calls) {
    assert.ok(call.isCancelled);
    assert.throws(() => call.addTranscript(Buffer.from('x')), { code: 'SYNC_ERROR_STATE' });
  }
  await node.destroy();
  await until(() => held().instances === 0, 'every instance is ended');
});

test('a run is cancelled when its node stops', async (context) => {
  const folder = groupFor(context, ['alder']);
  const { registry, made } = makeRegistry();
  const node = await Node.load(configuration(folder, 'alder'), { registry });
  await node.start();
  await node.submit('pkg:words/hangs@1', { timeout: 60_000 });
  await until(() => made['js-plain'][0]?.requests.length > 0, 'the run begins');
  await sleep(100);
  const begun = performance.now();
  await node.destroy();
  assert.ok(performance.now() - begun < 2000, 'it is not waited for in vain');
  const [sandbox] = made['js-plain'];
  assert.equal(sandbox.aborted.length, 1);
  await until(() => sandbox.closed === 1, 'the instance is closed');
});

test('a run is cancelled before it has begun', async (context) => {
  const folder = groupFor(context, ['alder']);
  const aborted = [];
  let node, ended;
  class Leaving extends Plain {
    async run(request, call) {
      ended = node.destroy();
      await sleep(200);
      aborted.push(call.isCancelled, call.signal.aborted);
      return super.run(request, call);
    }
  }
  const { registry } = makeRegistry({ 'js-plain': Leaving });
  node = await Node.load(configuration(folder, 'alder'), { registry });
  await node.start();
  await node.submit('pkg:words/hangs@1', { timeout: 60_000 }).catch(() => {});
  await until(() => ended !== undefined, 'the run begins');
  await ended;
  assert.deepEqual(aborted, [true, true]);
});

test('a submission that waits while the node is destroyed', async (context) => {
  const folder = groupFor(context, ['alder']);
  const { registry, made } = makeRegistry();
  const node = await Node.load(configuration(folder, 'alder'), { registry });
  await node.start();
  const submitted = node.submit('pkg:words/slow@1').then(() => assert.fail('it was taken'), (error) => error);
  await until(() => made['js-words'][0]?.requests.length > 0, 'it is resolved');
  const begun = performance.now();
  await node.destroy();
  assert.equal((await submitted).name, 'SyncError');
  assert.ok(performance.now() - begun < 5000, 'it is not waited for in vain');
});

test('a signer that fails ends its node, which tells why', async (context) => {
  class Failing extends Keys {
    async sign(role, message) {
      if (role === 'consensus' && this.signed > 20) throw new PluginError('unavailable', 'the keys are gone');
      return super.sign(role, message);
    }
  }
  const folder = groupFor(context, ['alder'], { withKeys: ['alder'] });
  const { registry } = makeRegistry({ 'js-keys': Failing });
  const node = await Node.load(configuration(folder, 'alder'), { registry });
  context.after(() => node.destroy());
  const events = node.events();
  await node.start();
  for (let i = 0; i < 3; i++) await node.submit('pkg:words/fine@1', { rebuild: i, timeout: 1000 }).catch(() => {});
  let last;
  for await (const event of events) last = event;
  assert.deepEqual([last.kind, last.text], ['fault', 'The signer js-keys (sign) failed: the keys are gone']);
  await assert.rejects(node.stop(), { code: 'SYNC_ERROR_UNAVAILABLE', message: /the keys are gone/ });
  assert.equal((await node.status()).state, 'stopped');
});

test('an instance that cannot be closed is a warning', async (context) => {
  const folder = groupFor(context, ['alder']);
  class Leaving extends Plain {
    async close() {
      await super.close();
      throw new Error('not in order');
    }
  }
  const { registry, made } = makeRegistry({ 'js-plain': Leaving });
  const node = await Node.load(configuration(folder, 'alder'), { registry });
  const warned = new Promise((resolve) => process.once('warning', resolve));
  await node.start();
  await node.destroy();
  assert.match((await warned).message, /js-plain failed when an instance was closed: Error: not in order/);
  assert.equal(made['js-plain'][0].closed, 1);
});
