'use strict';
// How a process and a worker end that have nodes: by themselves where nothing runs, at once where something does, and
// never without an end.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { readdirSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { after, before, test } = require('node:test');
const { Worker } = require('node:worker_threads');

const { makeGroup, sleep, until } = require('./support.js');

/** Two groups of one. */
const folders = {};
before(() => {
  // One keeps its keys and its journal in JavaScript, for which it waits also while it ends.
  folders.alder = makeGroup(['alder'], { withKeys: ['alder'] });
  folders.birch = makeGroup(['birch']);
});
after(async () => {
  await endBuilds();
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
});

const head = `
  const { synchronicity } = require(${JSON.stringify(require.resolve('./support.js'))});
  const { Keys, Plain, makeRegistry } = require(${JSON.stringify(require.resolve('./plugins.js'))});
  const { Node, Registry, PluginError } = synchronicity;
  const { registry, made } = makeRegistry();
  const load = (name, options) => Node.load(
    require('node:path').join(JSON.parse(process.env.FOLDERS)[name], name, 'config.toml'), { registry, ...options });
  const until = async (isSo) => { while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10)); };
`;

const program = (code) => `${head}(async () => {${code}})();`;

/** Runs a program to its end; fails behind ten seconds. */
function run(code) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', code], {
      env: { ...process.env, FOLDERS: JSON.stringify(folders) }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    const text = { out: '', err: '' };
    child.stdout.on('data', (data) => { text.out += data; });
    child.stderr.on('data', (data) => { text.err += data; });
    const timer = setTimeout(() => child.kill('SIGABRT'), 10_000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...text, code, signal });
    });
  });
}

async function expectEnd(code, wanted) {
  await expectEndOf(program(code), wanted);
}

async function expectEndOf(code, wanted) {
  const found = await run(code);
  assert.deepEqual({ ...found, err: found.err.slice(0, 2000) }, { out: '', err: '', code: 0, signal: null, ...wanted });
}

/** Processes that run a recipe of these groups. */
function builds() {
  return readdirSync('/proc').filter((name) => {
    try {
      const environment = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/environ`, 'latin1') : '';
      return /(^|\0)WORD=two words\0/.test(environment) &&
        Object.values(folders).some((folder) => environment.includes(`PWD=${folder}`));
    } catch {
      return false;
    }
  });
}

/** Where no JavaScript has run that could have ended it. What it has inherited is free again behind this. */
async function endBuilds() {
  await until(() => {
    const found = builds();
    for (const build of found) process.kill(Number(build), 'SIGKILL');
    return found.length === 0;
  }, 'the builds are gone');
}

const runsBuild = `
  const node = await load('alder');
  await node.start();
  await node.submit('pkg:words/hangs@1', { rebuild: process.hrtime.bigint() });
  await until(() => made['js-plain'].some(({ requests }) => requests.length > 0));
  await new Promise((resolve) => setTimeout(resolve, 100));
`;

test('by itself, where a node is destroyed', () => expectEnd(`
  const node = await load('alder', { log: () => {} });
  await node.start();
  await node.wait(await node.submit('pkg:words/fine@1'));
  await node.destroy();
  console.log('done');
`, { out: 'done\n' }));

test('by itself, where a node is stopped', () => expectEnd(`
  const node = await load('alder');
  await node.start();
  await node.stop();
`));

test('by itself, where no node was started', () => expectEnd(`
  const node = await load('alder');
  node.events();
`));

test('by itself, where a node did not start', () => expectEnd(`
  class Missing extends Plain { constructor() { throw new Error('no'); } }
  const node = await load('alder', { registry: makeRegistry({ 'js-plain': Missing }).registry });
  await node.start().catch((error) => console.log(error.message));
`, { out: 'The sandbox js-plain (create) failed: Error: no\n' }));

test('not before a node that runs has ended', () => expectEnd(`
  const node = await load('alder');
  await node.start();
  setTimeout(() => { console.log('now'); node.destroy(); }, 300).unref();
`, { out: 'now\n' }));

test('with process.exit() and nodes that run', async () => {
  const begun = performance.now();
  await expectEnd(`
    const other = await load('birch', { log: () => {} });
    await other.start();
    ${runsBuild}
    node.events().next();
    node.wait('00'.repeat(32));
    node.submit('pkg:words/slow@1');
    process.exit(7);
  `, { code: 7 });
  assert.ok(performance.now() - begun < 8000, 'it takes no time');
  await until(() => builds().length === 0, 'the build is gone');
});

test('with process.exit() in a plugin\'s method', () => expectEnd(`
  class Leaving extends Plain { run() { process.exit(7); } }
  const other = makeRegistry({ 'js-plain': Leaving }).registry;
  const node = await load('alder', { registry: other });
  await node.start();
  await node.submit('pkg:words/fine@1', { rebuild: 1 });
`, { code: 7 }));

test('with process.exit() while a node starts, and while it ends', async () => {
  await expectEnd('(await load(\'alder\')).start(); setTimeout(() => process.exit(7), 20);', { code: 7 });
  await expectEnd(
    'const node = await load(\'alder\'); await node.start(); node.destroy(); process.exit(7);', { code: 7 });
});

test('with an exception, of a log function too', async () => {
  for (const code of ['const node = await load(\'alder\'); await node.start(); throw new Error(\'mine\');',
    'await (await load(\'alder\', { log() { throw new Error(\'mine\'); } })).start();']) {
    const { code: status, signal, err } = await run(program(code));
    assert.deepEqual([status, signal], [1, null], err);
    assert.match(err, /Error: mine/);
  }
});

test('nothing is started once the process ends', () => expectEnd(`
  const node = await load('alder');
  process.on('exit', () => {
    for (const act of [() => new Registry(), () => node.events()]) {
      try { act(); } catch (error) { console.log(error.message); }
    }
  });
`, { out: 'the environment is ending: no node can be used in it any more\n'.repeat(2) }));

/** A worker that tells when its build runs. */
function startWorker(rest = '') {
  const tell = 'require(\'node:worker_threads\').parentPort.postMessage(\'runs\');';
  const source = program(`${runsBuild} ${tell} ${rest}`);
  const worker = new Worker(source, { eval: true, env: { ...process.env, FOLDERS: JSON.stringify(folders) } });
  const runs = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  return { worker, runs };
}

test('a worker that is terminated while a build runs', async () => {
  for (let i = 0; i < 3; i++) {
    const { worker, runs } = startWorker('node.events().next(); node.wait(\'00\'.repeat(32));');
    await runs;
    const begun = performance.now();
    await worker.terminate();
    // An open call without an answer would be waited for ten seconds.
    assert.ok(performance.now() - begun < 3000, 'open calls are answered');
    await endBuilds();
  }
});

test('a worker that leaves by itself', async () => {
  const { worker, runs } = startWorker('process.exit(7);');
  await runs;
  assert.equal(await new Promise((resolve) => worker.once('exit', resolve)), 7);
  await until(() => builds().length === 0, 'the build is gone');
});

test('a worker that is terminated at any time', async () => {
  for (const milliseconds of [0, 20, 60, 150, 250, 400]) {
    const { worker, runs } = startWorker();
    runs.catch(() => {});
    await sleep(milliseconds);
    await worker.terminate();
    await endBuilds();
  }
});

const inWorker = JSON.stringify(program(`
  const node = await load('alder');
  await node.start();
  require('node:worker_threads').parentPort.postMessage('runs');
`));

const checks = `
  class Silent extends Keys { publicKey() { tell(); return new Promise(() => {}); } }
  new Registry().add({ kind: 'signer', name: 'js-silent', create: (request) => new Silent(request) })
    .check('js-silent').then(console.log, console.log);
`;

test('with process.exit() while a plugin is checked', async () => {
  const begun = performance.now();
  await expectEnd(`const tell = () => setTimeout(() => process.exit(7), 50); ${checks}`, { code: 7 });
  assert.ok(performance.now() - begun < 5000, 'open calls are answered');
  assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith('sync-plugin-check')), []);
});

test('not before a plugin is checked', () => expectEnd(`
  const { hasPassed } = await registry.check('js-keys');
  console.log(hasPassed);
`, { out: 'true\n' }));

test('a worker that is terminated while a plugin is checked', async () => {
  for (let i = 0; i < 3; i++) {
    const source = program(`
      const tell = () => require('node:worker_threads').parentPort.postMessage('runs'); ${checks}
    `);
    const worker = new Worker(source, { eval: true });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const begun = performance.now();
    await worker.terminate();
    assert.ok(performance.now() - begun < 3000, 'open calls are answered');
    assert.deepEqual(readdirSync(tmpdir()).filter((name) => name.startsWith('sync-plugin-check')), []);
  }
});

test('a process that leaves while a worker\'s node runs', () => expectEnd(`
  const { Worker } = require('node:worker_threads');
  new Worker(${inWorker}, { eval: true }).on('message', () => process.exit(7));
`, { code: 7 }));

test('a process that goes on when the worker is gone that alone has loaded the addon', () => expectEndOf(`
  const { Worker } = require('node:worker_threads');
  const worker = new Worker(${inWorker}, { eval: true });
  worker.on('message', async () => {
    await worker.terminate();
    setTimeout(() => console.log('alive'), 500);
  });
`, { out: 'alive\n' }));
