// Every case of Tests/Vectors through the module, by its C interface and by what the page calls.
//   node Tests/Web/vectors.js MODULE.wasm LAYOUT.wasm
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { SyncModule, SyncError, readLayout } = require("./module.js");

const vectors = path.join(__dirname, "..", "Vectors");
const read = (name) => fs.readFileSync(path.join(vectors, name));
const rows = (name) => read(name).toString("utf8").split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split("\t"));

let cases = 0;
let failures = 0;
function expect(name, got, wanted) {
  cases += 1;
  if (got === wanted) return;
  failures += 1;
  console.error(`vectors: ${name}: got ${got}, wanted ${wanted}`);
}

/** The status with which a call ends. */
function statusOf(call) {
  try {
    call();
    return 0;
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    if (error.message === "") throw new Error("a refusal without a sentence");
    return error.code;
  }
}

const sync = new SyncModule(process.argv[2], readLayout(process.argv[3]));
expect("imports", WebAssembly.Module.imports(sync.module).length, 0);
const headers = ["version", "verify"]
  .map((name) => fs.readFileSync(path.join(__dirname, "../../include/sync", `${name}.h`), "utf8")).join("\n");
const declared = [...headers.matchAll(/^[a-z].*[ *](sync_[a-z0-9_]+)\(/gm)].map((match) => match[1]);
expect("exports", WebAssembly.Module.exports(sync.module).map(({ name }) => name).sort().join(" "),
  [...declared, "free", "malloc", "memory", "page_find_embedded", "page_inspect", "page_verify"].sort().join(" "));
expect("interface version", sync.exports.sync_get_abi_version(), 1);

for (const [name, policyPath, proofPath, digest, status] of rows("cases.tsv")) {
  const [policy, proof, sha256] = [read(policyPath), read(proofPath), Buffer.from(digest, "hex")];
  expect(name, statusOf(() => sync.verify(policy, proof, sha256)), Number(status));
  expect(`${name}, parsed`, statusOf(() => sync.verifyParsed(policy, proof, sha256)), Number(status));
  const report = sync.page("page_verify", [policy, proof, sha256]);
  expect(`${name}, report`, report.verified ? 0 : report.code, Number(status));
  // Offsets, counts: what the struct says must be what the report says.
  if (status === "0") {
    const shown = sync.verify(policy, proof, sha256);
    expect(`${name}, reproducers`, report.reproducers.length, shown.reproducers);
    expect(`${name}, cosigners`, report.cosigners.length, shown.cosigners);
    expect(`${name}, builders`, report.builders.length, shown.builders);
    const bits = Buffer.from(shown.reproducer_bits, "hex");
    const isSet = (i) => (bits[i >> 3] >> (i & 7)) & 1;
    expect(`${name}, which`, report.builders.every((builder, i) => builder.reproducer === (isSet(i) === 1)), true);
  }
}

for (const [name, policy, epoch, paths, proof, digest, status] of rows("handovers.tsv")) {
  const handovers = paths === "-" ? [] : paths.split(" ").map(read);
  const verified = proof === "-" ? [] : [read(proof), Buffer.from(digest, "hex")];
  const first = paths === "-" ? 0n : BigInt(epoch);
  expect(name, statusOf(() => sync.follow(read(policy), first, handovers, ...verified)), Number(status));
}

for (const file of fs.readdirSync(path.join(vectors, "described")).sort()) {
  const wanted = read(path.join("described", file)).toString("utf8");
  const proof = read(path.join("proofs", file.replace(/\.txt$/, ".tlog-proof")));
  const got = sync.describe(proof).map(([key, value]) => `${key}\t${value}\n`).join("");
  const [a, b] = [got.split("\n"), wanted.split("\n")];
  const line = a.findIndex((text, i) => text !== b[i]);
  expect(`described/${file}`, got === wanted ? "" : a[line], got === wanted ? "" : b[line]);
}

for (const [name, file, form, contentSize, offset, size, status] of rows("embedded.tsv")) {
  const bytes = read(file);
  const wanted = Number(status) === 0 ? [form, contentSize, offset, size].join(" ") : `status ${status}`;
  let got;
  const code = statusOf(() => {
    const found = sync.findEmbedded(bytes);
    got = [found.form, found.content_size, found.proof_offset, found.proof_size].join(" ");
  });
  expect(name, code === 0 ? got : `status ${code}`, wanted);
  const head = bytes.subarray(0, 8);
  const report = sync.with([head, bytes], (a, b) => sync.with([4], (out) => {
    const at = sync.exports.page_find_embedded(a, head.length, b, bytes.length, BigInt(bytes.length), out);
    return JSON.parse(sync.memory.bytes(at, sync.memory.word(out)).toString("utf8"));
  }));
  expect(`${name}, for the page`, report.form === undefined ? `status ${report.code}`
    : [report.form, report.contentSize, report.proofOffset, report.proofSize].join(" "), wanted);
}

// The hasher against Node's own, at the edges of a block and in pieces that fall across them.
for (const size of [0, 1, 55, 56, 63, 64, 65, 127, 128, 1000, 100000]) {
  const bytes = crypto.createHash("sha512").update(`${size}`).digest();
  const data = Buffer.alloc(size, bytes);
  const wanted = crypto.createHash("sha256").update(data).digest("hex");
  for (const piece of [1, 63, 64, 4096]) {
    if (piece === 1 && size > 1000) continue;
    expect(`SHA-256 of ${size} bytes in pieces of ${piece}`, sync.sha256(data, piece), wanted);
  }
}

// All of the above in one instance, and what was freed is used again.
expect("memory stays small", sync.exports.memory.buffer.byteLength <= 16 * 1024 * 1024, true);

// The worst that fits: the memory's bound holds, and nothing traps.
const edge = Buffer.alloc(1048576, "log a\n");
const zero = Buffer.alloc(32);
const four = read("policies/four.policy");
for (const [name, policy, proof, wanted] of [
  ["a policy of the largest size", edge, Buffer.from("c2sp.org/tlog-proof@v1\n"), [1, 2, 12, 13]],
  ["a proof of the largest size", four, Buffer.alloc(1048576, "c2sp.org/tlog-proof@v1\n"), [1, 2]],
  ["a proof of one byte more", four, Buffer.alloc(1048577, "c2sp.org/tlog-proof@v1\n"), [2]],
  ["a leaf of the largest size", four,
    Buffer.from(`c2sp.org/tlog-proof@v1\nextra ${"A".repeat(1048000)}\n`), [1, 2]],
]) {
  expect(name, wanted.includes(statusOf(() => sync.verify(policy, proof, zero))), true);
}
expect("memory stays bounded", sync.exports.memory.buffer.byteLength <= 64 * 1024 * 1024, true);

console.log(`vectors: ${cases} comparisons, ${failures} failures`);
process.exit(failures === 0 && cases > 1000 ? 0 : 1);
