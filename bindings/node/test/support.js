'use strict';
// The package under test (SYNC_PACKAGE: the folder it is installed in) and the vectors that every binding runs.

const { readFileSync, mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { after } = require('node:test');

const root = path.resolve(__dirname, '../../..');
const packageFolder = path.resolve(process.env.SYNC_PACKAGE);
const vectors = path.join(root, 'Tests/Vectors');

const vector = (name) => path.join(vectors, name);
const read = (name) => new Uint8Array(readFileSync(vector(name)));

/** A table's rows as objects with the columns that its first line names. */
function table(name) {
  const [header, ...lines] = readFileSync(vector(name), 'utf8').trimEnd().split('\n');
  const columns = header.replace(/^# ?/, '').split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((field, i) => [columns[i], field])));
}

const cases = table('cases.tsv').map((row) => ({ ...row, status: Number(row.status) }));

/** Any accepted case; the one whose artifact is there as a file, given its digest. */
function accepted(sha256) {
  return cases.find((row) => row.status === 0 && (sha256 === undefined || row.sha256hex === sha256));
}

/** The status of what was thrown; throws on what is not a SyncError. 0 if nothing was. */
function statusOf(SyncError, action) {
  try {
    action();
    return 0;
  } catch (error) {
    if (error instanceof SyncError) return error.status;
    throw error;
  }
}

/** A folder that is gone after the file's tests. */
function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'syncverify-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

module.exports = {
  accepted, cases, packageFolder, read, root, statusOf, table, temporaryFolder, vector,
  synchronicity: require(packageFolder),
};
