'use strict';
// The package's interface; index.d.ts documents it.

const native = require('./lib/native.js');
const { SyncError, errorCodes } = require('./lib/errors.js');
const { bytesOf, digestOf, typeError } = require('./lib/bytes.js');
const files = require('./lib/files.js');

const verdicts = [undefined, 'reproduced', 'diverged', 'failed', 'inconclusive'];
const builderStates = [undefined, 'revealed', 'noCommitment', 'noReveal', 'wrongOpening', 'sandboxFault'];
const embeddedForms = ['none', 'trailer', 'archiveMember'];
const noDigest = '0'.repeat(64);

/** Known to this module alone, so that objects come from parse() only. */
const inside = Symbol('inside');

/** The word of a number. The addon carries its library inside, so that both know the same numbers. */
function word(words, number, what) {
  const found = words[number];
  if (found === undefined) throw new Error(`the library gave an unknown ${what}: ${number}`);
  return found;
}

const textBytes = (value, name) => bytesOf(value, name, files.textBytesMax + 1);

/** A whole number as the addon wants it, which looks at its upper end. */
function numberOf(value, name) {
  const number = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof number !== 'bigint' || number < 0n) throw typeError(`${name} must be a bigint or a safe integer`);
  return number;
}

function embeddedOf({ form, contentSize, proofOffset, proofSize }) {
  return { form: word(embeddedForms, form, 'form'), contentSize, proofOffset, proofSize };
}

/** Lets Policy have a proof's handle, and nobody else. */
let handleOf;

class Proof {
  #handle;

  static {
    handleOf = (proof) => proof.#handle;
  }

  constructor(key, handle) {
    if (key !== inside) throw typeError('use Proof.parse()');
    this.#handle = handle;
    const said = native.proofDescribe(handle);
    said.verdict = word(verdicts, said.verdict, 'verdict');
    if (said.sourceSha256 === noDigest) said.sourceSha256 = undefined;
    for (const builder of said.builders) {
      builder.state = word(builderStates, builder.state, 'state');
      if (builder.state !== 'revealed') builder.outcome = builder.outcomeSha256 = undefined;
    }
    for (const name of ['builders', 'artifacts', 'sources', 'signatures']) {
      said[name].forEach(Object.freeze);
      Object.freeze(said[name]);
    }
    Object.assign(this, said);
    Object.freeze(this);
  }

  static parse(bytes) {
    return new Proof(inside, native.proofCreate(textBytes(bytes, 'proof')));
  }

  static async fromFile(path) {
    return Proof.parse(await files.readText(files.pathOf(path, 'path')));
  }
}

class Policy {
  #handle;

  constructor(key, handle) {
    if (key !== inside) throw typeError('use Policy.parse()');
    this.#handle = handle;
    Object.freeze(this);
  }

  static parse(bytes) {
    return new Policy(inside, native.policyCreate(textBytes(bytes, 'policy')));
  }

  static async fromFile(path) {
    return Policy.parse(await files.readText(files.pathOf(path, 'path')));
  }

  follow(epoch, handover) {
    const ended = numberOf(epoch, 'epoch');
    return new Policy(inside, native.policyFollow(this.#handle, ended, textBytes(handover, 'handover')));
  }

  verify(proof, digest) {
    const given = proof instanceof Proof ? handleOf(proof) : textBytes(proof, 'proof');
    const shown = native.policyVerify(this.#handle, given, digestOf(digest));
    shown.verdict = word(verdicts, shown.verdict, 'verdict');
    Object.freeze(shown.reproducerIndexes);
    Object.freeze(shown.cosignerIndexes);
    return Object.freeze(shown);
  }

  async verifyFile(path, options = {}) {
    const artifact = files.pathOf(path, 'path');
    const { proof: given, proofFile, signal } = options;
    if (given !== undefined && proofFile !== undefined) throw typeError('give proof or proofFile, not both');
    signal?.throwIfAborted();
    let proof, proofOrigin;
    if (given !== undefined) {
      [proof, proofOrigin] = [given instanceof Proof ? given : Proof.parse(given), 'given'];
    } else if (proofFile !== undefined) {
      [proof, proofOrigin] = [await Proof.fromFile(proofFile), 'given'];
    }
    return files.withFile(artifact, async (handle, size, status) => {
      let contentSize = size;
      if (proof === undefined) {
        const inFile = await files.locate(handle, artifact, size);
        contentSize = inFile.found.contentSize;
        [proof, proofOrigin] =
          inFile.proof === undefined
            ? [await Proof.fromFile(`${artifact}.tlog-proof`), 'sidecar']
            : [Proof.parse(inFile.proof), 'embedded'];
      }
      const sha256 = await files.hashStart(handle, artifact, contentSize, signal);
      await files.expectUnchanged(handle, artifact, status);
      return Object.freeze({ ...this.verify(proof, sha256), sha256, contentSize, proof, proofOrigin });
    });
  }
}

class Hasher {
  #handle = native.hasherCreate();

  update(bytes) {
    native.hasherUpdate(this.#handle, bytesOf(bytes, 'bytes'));
    return this;
  }

  digest() {
    return native.hasherFinish(this.#handle);
  }
}

function findEmbedded(head, tail, fileSize) {
  const size = numberOf(fileSize, 'fileSize');
  return Object.freeze(embeddedOf(native.embeddedFind(bytesOf(head, 'head'), bytesOf(tail, 'tail'), size)));
}

async function findEmbeddedInFile(path) {
  const name = files.pathOf(path, 'path');
  return files.withFile(name, async (handle, size) => {
    const { found, proof } = await files.locate(handle, name, size);
    return Object.freeze({ ...embeddedOf(found), proof });
  });
}

module.exports = {
  Hasher,
  Policy,
  Proof,
  SyncError,
  errorCodes,
  findEmbedded,
  findEmbeddedInFile,
  version: native.version(),
};
