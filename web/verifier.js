// The verifier's module. Each question is asked of a fresh instance: what a hostile file did to one is gone with it.

const limits = { policy: 1048576, proof: 1048576, head: 8, tail: 1048704, piece: 4194304 };

/** The module gave up: out of memory, or a fault of its own. It has said neither yes nor no. */
class VerifierFault extends Error {}

class Verifier {
  #module;

  /** Compiles the module from its base64. */
  static async load(base64) {
    const verifier = new Verifier();
    verifier.#module = await WebAssembly.compile(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    return verifier;
  }

  async version() {
    return this.#ask((wasm) => wasm.text(wasm.sync_get_version()));
  }

  /** Why the policy cannot be used, as a refusal of the report's form; null if it can. */
  async policyFault(policy) {
    return this.#ask((wasm) => {
      const [created, error] = [wasm.malloc(4), wasm.malloc(4)];
      const code = wasm.sync_policy_create(wasm.put(policy), policy.length, 0, created, error);
      if (code === 0) return null;
      const why = wasm.word(error);
      const offset = Number(wasm.sync_error_get_offset(why));
      return { code, reason: wasm.text(wasm.sync_error_get_message(why)), offset: offset < 0 ? null : offset };
    });
  }

  /** The report on the proof, as docs/FORMATS.md has it: `verified` says whether it holds. */
  async verify(policy, proof, sha256) {
    return this.#ask((wasm) => wasm.json((size) =>
      wasm.page_verify(wasm.put(policy), policy.length, wasm.put(proof), proof.length, wasm.put(sha256), size)));
  }

  /** The proof's own word, verified by nobody. */
  async inspect(proof) {
    return this.#ask((wasm) => wasm.json((size) => wasm.page_inspect(wasm.put(proof), proof.length, size)));
  }

  /** Where in a file its own proof is: `form`, `contentSize`, `proofOffset`, `proofSize`, or a refusal. */
  async findEmbedded(blob) {
    const head = await bytesOf(blob.slice(0, limits.head));
    const tail = await bytesOf(blob.slice(Math.max(0, blob.size - limits.tail)));
    return this.#ask((wasm) => wasm.json((size) => wasm.page_find_embedded(
      wasm.put(head), head.length, wasm.put(tail), tail.length, BigInt(blob.size), size)));
  }

  /**
   * SHA-256 of a blob of any size, of which a small piece is in memory at a time.
   *
   * @param progress called with the bytes that are done; throws to stop.
   */
  async sha256(blob, progress) {
    const wasm = await this.#instance();
    const [slot, digest, piece] = [wasm.malloc(4), wasm.malloc(32), wasm.malloc(limits.piece)];
    guard(() => wasm.sync_hasher_create(0, slot, 0));
    const hasher = wasm.word(slot);
    let next = bytesOf(blob.slice(0, limits.piece));
    for (let done = 0; done < blob.size;) {
      const bytes = await next;
      if (bytes.length === 0) throw new DOMException("The file became shorter", "NotReadableError");
      done += bytes.length;
      // The next piece is read while this one is hashed.
      next = bytesOf(blob.slice(done, done + limits.piece));
      next.catch(() => {});
      wasm.bytes(piece, bytes.length).set(bytes);
      guard(() => wasm.sync_hasher_update(hasher, piece, bytes.length, 0));
      progress(done);
    }
    guard(() => wasm.sync_hasher_finish(hasher, digest, 0));
    return wasm.bytes(digest, 32).slice();
  }

  async #ask(question) {
    const wasm = await this.#instance();
    return guard(() => question(wasm));
  }

  async #instance() {
    const exports = (await WebAssembly.instantiate(this.#module, {})).exports;
    const bytes = (at, size) => new Uint8Array(exports.memory.buffer, at, size);
    const word = (at) => new DataView(exports.memory.buffer).getUint32(at, true);
    return {
      ...exports,
      bytes,
      word,
      put(data) {
        const at = exports.malloc(Math.max(1, data.length));
        if (at === 0) throw new VerifierFault("The verifier ran out of memory");
        bytes(at, data.length).set(data);
        return at;
      },
      text(at) {
        const end = new Uint8Array(exports.memory.buffer).indexOf(0, at);
        return new TextDecoder().decode(bytes(at, end - at));
      },
      json(call) {
        const size = exports.malloc(4);
        const at = call(size);
        return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes(at, word(size))));
      },
    };
  }
}

function guard(call) {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    throw new VerifierFault("The verifier stopped on this input, which it should not; please report it");
  }
}

async function bytesOf(blob) {
  return new Uint8Array(await blob.arrayBuffer());
}
