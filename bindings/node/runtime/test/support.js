'use strict';
// The package under test (SYNC_PACKAGE: the folder it is installed in), and folders of builders that the program makes
// (SYNC_COMMAND). Programs of tests and workers take both from the environment too.

const { execFileSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '../../../..');
const packageFolder = path.resolve(process.env.SYNC_PACKAGE);
const synchronicity = require(packageFolder);
const { publicKey, roles } = require('./plugins.js');

const toolchain = '7'.padStart(64, '0');

function command(...words) {
  return execFileSync(process.env.SYNC_COMMAND, words, { encoding: 'utf8' });
}

function change(text, key, line) {
  const pattern = new RegExp(`^${key} = .*$`, 'm');
  if (!pattern.test(text)) throw new Error(`the configuration has no ${key}`);
  return text.replace(pattern, line);
}

/** Puts the keys of the signer in JavaScript into a member's card. */
function takeKeys(card, name) {
  let text = readFileSync(card, 'utf8');
  for (const role of roles) {
    const key = Buffer.from(publicKey(name, role)).toString('hex');
    text = text.replace(new RegExp(`^${role}-key .*$`, 'm'), `${role}-key ${key}`);
  }
  writeFileSync(card, text);
}

/** A folder for each builder in a new folder, and the files group.txt and policy. The caller removes it. */
function makeGroup(names, { withKeys = [], options = {} } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'syncnode-'));
  const count = String(2 * names.length);
  const ports = Number(execFileSync(path.join(root, 'scripts/free-ports'), [count], { encoding: 'utf8' }));
  const cards = names.map((name, place) => {
    const here = path.join(folder, name);
    const address = `127.0.0.1:${ports + 2 * place}`;
    command(
      'init', '--quiet', '--name', name, '--address', address, '--listen', address,
      '--gateway', `127.0.0.1:${ports + 2 * place + 1}`, '--directory', here);
    const file = path.join(here, 'config.toml');
    const card = path.join(here, `${name}.member`);
    let text = change(readFileSync(file, 'utf8'), 'sandbox', 'sandbox = "js-plain"');
    let plugins = 'source = "js-words"';
    if (withKeys.includes(name)) {
      plugins += '\nsigner = "js-keys"\nstorage = "js-map"';
      takeKeys(card, name);
    }
    text = change(text, 'source', plugins);
    text = change(text, 'group', 'group = "../group.txt"');
    text = text.replace('\ndata = "data"\n', '\ndata = "data"\ncache = "cache"\n');
    writeFileSync(file, `${text}\n[toolchain]\ndigest = "${toolchain}"\n`);
    return card;
  });
  const given = { 'commit-seconds': 12, 'reveal-seconds': 12, ...options };
  command(
    'group', 'create', '--origin', 'javascript.example',
    ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)]),
    '--output', path.join(folder, 'group.txt'), '--policy', path.join(folder, 'policy'), ...cards);
  return folder;
}

/** Makes a group that is gone after a test. */
function groupFor(context, names, options) {
  const folder = makeGroup(names, options);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const configuration = (folder, name) => path.join(folder, name, 'config.toml');

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(isSo, what, milliseconds = 20_000) {
  const end = performance.now() + milliseconds;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`after ${milliseconds} ms it is not so: ${what}`);
    await sleep(20);
  }
}

module.exports = {
  command, configuration, groupFor, makeGroup, packageFolder, root, sleep, synchronicity, until,
  held: require(path.join(packageFolder, 'lib/plugins.js')).held,
};
