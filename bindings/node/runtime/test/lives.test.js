'use strict';
// Many lives of a node leave nothing behind. SYNC_CYCLES says how many: 50 unless given.
const assert = require('node:assert/strict');
const { readdirSync } = require('node:fs');
const { readFile } = require('node:fs/promises');
const { test } = require('node:test');

const { configuration, groupFor, held, sleep, synchronicity } = require('./support.js');
const { makeRegistry } = require('./plugins.js');
const { Node } = synchronicity;

const cycles = Number(process.env.SYNC_CYCLES ?? 50);

function counts() {
  return Object.fromEntries(['task', 'fd'].map((name) => [name, readdirSync(`/proc/self/${name}`).length]));
}

/** Idle threads of the runtime end after ten seconds. */
async function settled(limits) {
  let found;
  for (let i = 0; i < 300; i++) {
    globalThis.gc();
    found = counts();
    if (Object.entries(found).every(([name, count]) => count <= (limits[name] ?? 0))) break;
    await sleep(50);
  }
  return found;
}

function resident() {
  globalThis.gc();
  return process.memoryUsage().rss;
}

async function live(file, cycle) {
  const { registry } = makeRegistry();
  const node = await Node.load(file, { registry, log: () => {} });
  const events = node.events();
  if (cycle % 10 !== 9) await node.start();
  if (cycle % 3 === 0) await node.stop();
  // Whoever forgets one that never ran.
  if (cycle % 10 === 9) return;
  // Before the subscription is closed, and else behind it.
  if (cycle % 5 === 0) {
    await node.destroy();
    events.close();
  } else {
    events.close();
    await node.destroy();
  }
}

test('many lives', async (context) => {
  const folder = groupFor(context, ['alder', 'birch'], { withKeys: ['birch'] });
  let before, memory;
  for (let cycle = 0; cycle < cycles; cycle++) {
    if (cycle === Math.floor(cycles / 5)) {
      before = counts();
      memory = resident();
    }
    await live(configuration(folder, ['alder', 'birch'][cycle % 2]), cycle);
  }
  const after = await settled(before);
  const grown = resident() - memory;
  context.diagnostic(`${cycles} lives: after a fifth ${JSON.stringify(before)}, at the end ${JSON.stringify(after)}`);
  context.diagnostic(`memory ${memory >> 10} KiB, and ${grown >> 10} KiB more`);
  for (const [name, count] of Object.entries(after)) assert.ok(count <= before[name], `${count} of ${name}`);
  assert.ok(grown < memory / 4 + (4 << 20), `${grown} bytes more`);
  assert.deepEqual(held(), { plugins: 0, instances: 0 });
});

test('asking while it ends gives an answer or an error', async (context) => {
  const folder = groupFor(context, ['alder', 'birch']);
  for (let i = 0; i < 5; i++) {
    const { registry } = makeRegistry();
    const node = await Node.load(configuration(folder, 'alder'), { registry });
    await node.start();
    let hasEnded = false;
    const ask = async () => {
      while (!hasEnded) {
        try {
          await node.status();
          await node.job('00'.repeat(32));
          await node.drain({ timeout: 10 });
        } catch (error) {
          if (error.code !== 'SYNC_ERROR_STATE') throw error;
          await sleep(1);
        }
      }
    };
    const asking = [ask(), ask(), ask(), ask()];
    await sleep(50);
    await (i % 2 ? node.stop() : node.destroy());
    hasEnded = true;
    await Promise.all(asking);
    await node.destroy();
  }
});

test('libuv\'s pool is left to others', async (context) => {
  const folder = groupFor(context, ['alder']);
  const { registry } = makeRegistry();
  const node = await Node.load(configuration(folder, 'alder'), { registry });
  context.after(() => node.destroy());
  await node.start();
  const waiting = Array.from({ length: 50 }, () => node.wait('00'.repeat(32), { timeout: 1000 }));
  const begun = performance.now();
  await readFile(__filename);
  assert.ok(performance.now() - begun < 500, 'a file is read meanwhile');
  for (const { reason } of await Promise.allSettled(waiting)) assert.equal(reason.code, 'SYNC_ERROR_TIMED_OUT');
});
