// The module's C interface from a script: bytes in, structs out, by the layout that the compiler gives.
"use strict";
const fs = require("node:fs");

function memoryOf(exports) {
  return {
    bytes: (at, size) => Buffer.from(exports.memory.buffer, at, size),
    word: (at) => Buffer.from(exports.memory.buffer).readUInt32LE(at),
    text(at) {
      const all = Buffer.from(exports.memory.buffer);
      return all.toString("utf8", at, all.indexOf(0, at));
    },
  };
}

function instantiate(path) {
  const module = new WebAssembly.Module(fs.readFileSync(path));
  return { module, exports: new WebAssembly.Instance(module, {}).exports };
}

/** What layout.c says: a Map from a struct's name to its size and fields. */
function readLayout(path) {
  const { exports } = instantiate(path);
  const memory = memoryOf(exports);
  const structs = new Map();
  for (let i = 0, at = exports.layout(); i < exports.layout_count(); i++, at += 20) {
    const [struct, name, kind] = [0, 4, 8].map((offset) => memory.text(memory.word(at + offset)));
    const [offset, size] = [memory.word(at + 12), memory.word(at + 16)];
    if (name === "") structs.set(struct, { size, fields: new Map() });
    else structs.get(struct).fields.set(name, { kind, offset, size });
  }
  return structs;
}

function layoutText(structs) {
  const lines = [];
  for (const [name, { size, fields }] of structs) {
    lines.push(`${name} size ${size}`);
    for (const [field, { kind, offset, size }] of fields) {
      lines.push(`${name}.${field} at ${offset} size ${size} ${kind}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A refusal of a function of the interface. */
class SyncError extends Error {
  constructor(code, message, offset) {
    super(message);
    Object.assign(this, { code, offset });
  }
}

/** The functions of include/sync/verify.h that the tests call; each frees what it took. */
class SyncModule {
  constructor(path, layout) {
    Object.assign(this, instantiate(path));
    Object.assign(this, { layout, memory: memoryOf(this.exports) });
  }

  /** Calls with blocks of memory that are freed afterwards: buffers are copied in, numbers are sizes of zero bytes. */
  with(contents, use) {
    const blocks = contents.map((content) => {
      const size = typeof content === "number" ? content : content.length;
      const at = this.exports.malloc(Math.max(1, size));
      if (at === 0) throw new Error("the module is out of memory");
      this.memory.bytes(at, size).set(typeof content === "number" ? Buffer.alloc(size) : content);
      return at;
    });
    try {
      return use(...blocks);
    } finally {
      for (const block of blocks) this.exports.free(block);
    }
  }

  /** Runs a call that takes an error's slot; throws what it refuses with. */
  check(call) {
    return this.with([4], (slot) => {
      const status = call(slot);
      const error = this.memory.word(slot);
      if ((status === 0) !== (error === 0)) throw new Error(`status ${status} with${error ? "" : "out"} an error`);
      if (status === 0) return;
      const code = this.exports.sync_error_get_code(error);
      const refusal = new SyncError(
        code, this.memory.text(this.exports.sync_error_get_message(error)),
        Number(this.exports.sync_error_get_offset(error)));
      this.exports.sync_error_destroy(error);
      if (code !== status) throw new Error(`status ${status}, but the error's code is ${code}`);
      throw refusal;
    });
  }

  /** Has a call fill an open struct, and reads it. */
  fill(struct, call) {
    const { size, fields } = this.layout.get(struct);
    return this.with([size], (at) => {
      const head = this.memory.bytes(at, 8);
      head.writeUInt32LE(size, 0);
      head.writeUInt32LE(1, 4);
      this.check((error) => call(at, error));
      const bytes = this.memory.bytes(at, size);
      const read = {
        uint32: (offset) => bytes.readUInt32LE(offset),
        int32: (offset) => bytes.readInt32LE(offset),
        uint64: (offset) => bytes.readBigUInt64LE(offset),
        string: (offset) => this.memory.text(bytes.readUInt32LE(offset)),
        bytes: (offset, size) => bytes.toString("hex", offset, offset + size),
      };
      return Object.fromEntries(
        [...fields].map(([name, { kind, offset, size }]) => [name, read[kind](offset, size)]));
    });
  }

  verify(policy, proof, sha256) {
    return this.with([policy, proof, sha256], (a, b, c) => this.fill("sync_verification", (out, error) =>
      this.exports.sync_verify(a, policy.length, b, proof.length, c, 0, out, error)));
  }

  /** The same through parsed objects. */
  verifyParsed(policy, proof, sha256) {
    return this.with([policy, proof, sha256, 8], (a, b, c, slots) => {
      this.check((error) => this.exports.sync_policy_create(a, policy.length, 0, slots, error));
      const parsed = this.memory.word(slots);
      try {
        this.check((error) => this.exports.sync_proof_create(b, proof.length, 0, slots + 4, error));
        return this.fill("sync_verification", (out, error) =>
          this.exports.sync_proof_verify(this.memory.word(slots + 4), parsed, c, 0, out, error));
      } finally {
        this.exports.sync_proof_destroy(this.memory.word(slots + 4));
        this.exports.sync_policy_destroy(parsed);
      }
    });
  }

  /** Follows hand-overs, of which the first ends the epoch, and verifies the proof, if any, by where they lead. */
  follow(policy, epoch, handovers, proof, sha256) {
    return this.with([policy, 4, ...handovers], (bytes, slot, ...blocks) => {
      this.check((error) => this.exports.sync_policy_create(bytes, policy.length, 0, slot, error));
      let newest = this.memory.word(slot);
      try {
        for (const [i, block] of blocks.entries()) {
          this.check((error) => this.exports.sync_policy_follow(
            newest, BigInt.asIntN(64, epoch + BigInt(i)), block, handovers[i].length, 0, slot, error));
          this.exports.sync_policy_destroy(newest);
          newest = this.memory.word(slot);
        }
        if (proof === undefined) return undefined;
        return this.with([proof, sha256], (a, b) => this.fill("sync_verification", (out, error) =>
          this.exports.sync_policy_verify(newest, a, proof.length, b, 0, out, error)));
      } finally {
        this.exports.sync_policy_destroy(newest);
      }
    });
  }

  /** What a proof says: pairs of a key and a value, as Tests/Vectors/described has them. */
  describe(proof) {
    return this.with([proof, 4], (bytes, slot) => {
      this.check((error) => this.exports.sync_proof_create(bytes, proof.length, 0, slot, error));
      const object = this.memory.word(slot);
      const isOwn = (key) => !["struct_size", "abi_version", "reserved"].includes(key);
      const own = (values) => Object.entries(values).filter(([key]) => isOwn(key));
      try {
        const info = this.fill("sync_proof_info", (out, error) => this.exports.sync_proof_get_info(object, out, error));
        const pairs = own(info);
        for (const item of ["builder", "artifact", "source", "signature"]) {
          for (let i = 0; i < info[`${item}_count`]; i++) {
            const values = this.fill(`sync_${item}_info`, (out, error) =>
              this.exports[`sync_proof_get_${item}`](object, i, out, error));
            if (item === "signature") values.key_id = values.key_id.toString(16).padStart(8, "0");
            pairs.push(...own(values).map(([key, value]) => [`${item}.${i}.${key}`, value]));
          }
        }
        return pairs;
      } finally {
        this.exports.sync_proof_destroy(object);
      }
    });
  }

  findEmbedded(file) {
    const head = file.subarray(0, 8);
    const tail = file.subarray(Math.max(0, file.length - 1048704));
    return this.with([head, tail], (a, b) => this.fill("sync_embedded", (out, error) =>
      this.exports.sync_embedded_find(a, head.length, b, tail.length, BigInt(file.length), 0, out, error)));
  }

  /** SHA-256, in pieces of the given size. */
  sha256(bytes, piece) {
    return this.with([4, piece, 32], (slot, block, digest) => {
      this.check((error) => this.exports.sync_hasher_create(0, slot, error));
      const hasher = this.memory.word(slot);
      for (let at = 0; at < bytes.length; at += piece) {
        const part = bytes.subarray(at, at + piece);
        this.memory.bytes(block, part.length).set(part);
        this.check((error) => this.exports.sync_hasher_update(hasher, block, part.length, error));
      }
      this.check((error) => this.exports.sync_hasher_finish(hasher, digest, error));
      this.exports.sync_hasher_destroy(hasher);
      return this.memory.bytes(digest, 32).toString("hex");
    });
  }

  /** One of the functions that the page calls, which give the report's JSON. */
  page(name, contents, ...more) {
    return this.with([...contents, 4], (...blocks) => {
      const size = blocks.pop();
      const pairs = blocks.flatMap((at, i) => (contents[i].length === 32 ? [at] : [at, contents[i].length]));
      const at = this.exports[name](...pairs, ...more, size);
      const text = this.memory.bytes(at, this.memory.word(size)).toString("utf8");
      this.exports.free(at);
      return JSON.parse(text);
    });
  }
}

module.exports = { SyncModule, SyncError, readLayout, layoutText };
