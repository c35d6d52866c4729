// Compiled and never run: what a program in TypeScript may and may not write.
import {
  Artifact, Builder, Embedded, EmbeddedInFile, ErrorCode, FileVerification, Hasher, Policy, Proof, Signature, Source,
  SyncError, Verdict, Verification, errorCodes, findEmbedded, findEmbeddedInFile, version,
} from 'synchronicity-verify';

declare const bytes: Uint8Array;

const policy: Policy = Policy.parse(bytes);
const proof: Proof = Proof.parse(bytes);
const followed: Policy = policy.follow(0n, bytes).follow(1, bytes);
const shown: Verification = policy.verify(proof, bytes);
const same: Verification = policy.verify(bytes, '00');
const verdict: 'reproduced' = shown.verdict;
const leaf: bigint = same.leafIndex;

export async function files(): Promise<FileVerification> {
  const read: Policy = await Policy.fromFile('policy');
  const embedded: EmbeddedInFile = await findEmbeddedInFile('file');
  const inside: Uint8Array | undefined = embedded.proof;
  return read.verifyFile('file', inside === undefined ? { proofFile: 'file.tlog-proof' } : { proof: inside });
}

const said: Verdict = proof.verdict;
const builder: Builder | undefined = proof.builders[0];
const artifact: Artifact | undefined = proof.artifacts[0];
const source: Source | undefined = proof.sources[0];
const signature: Signature | undefined = proof.signatures[0];
const digest: Uint8Array = new Hasher().update(bytes).update(bytes).digest();
const found: Embedded = findEmbedded(bytes, bytes, 0n);
const text: string = version;

try {
  policy.verify(proof, digest);
} catch (error) {
  if (error instanceof SyncError) {
    const code: ErrorCode | 'SYNC_ERROR_UNKNOWN' = error.code;
    const offset: number | undefined = error.offset;
    const number: number = errorCodes.SYNC_ERROR_MALFORMED;
    void [code, offset, number, error.status, error.message];
  }
}

// @ts-expect-error: objects come from parse()
new Policy();
// @ts-expect-error: objects come from parse()
new Proof();
// @ts-expect-error: what a proof says cannot be changed
proof.package = '';
// @ts-expect-error: nor can its lists
proof.builders.push(builder);
// @ts-expect-error: a policy is bytes
Policy.parse('policy');
// @ts-expect-error: a digest is wanted
policy.verify(proof);
// @ts-expect-error: the epoch comes first, as a number
policy.follow('0', bytes);
// @ts-expect-error: a hand-over is bytes
policy.follow(0, proof);

void [followed, verdict, leaf, said, artifact, source, signature, found, text];
