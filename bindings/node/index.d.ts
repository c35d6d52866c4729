/**
 * Checks, offline, that independent builders rebuilt an artifact: from a proof file (`.tlog-proof`), a trust policy and
 * the artifact's bytes, and from nothing else.
 *
 * Every method may be used in any worker thread; objects stay in the thread that made them. Numbers that may pass 2^53
 * are `bigint`. Objects are frozen, and digests are strings of 64 lower-case hexadecimal digits.
 */

/** A file's name, or its `file:` URL. */
export type FilePath = string | { readonly href: string; readonly protocol: string };

/** What a log says of the group's work on one job. Only `reproduced` can be verified. */
export type Verdict =
  /** As many builders as the group asks for revealed the same artifacts. */
  | 'reproduced'
  /** Builders revealed different outcomes, and none has enough builders behind it. */
  | 'diverged'
  /** As many builders as the group asks for revealed the same failure. */
  | 'failed'
  /** Too few builders revealed anything. */
  | 'inconclusive';

/** What a builder did after it was given the job. */
export type BuilderState =
  /** It revealed an outcome. */
  | 'revealed'
  /** It committed to nothing before the deadline. */
  | 'noCommitment'
  /** It committed and never opened its commitment. */
  | 'noReveal'
  /** What it revealed was not what it had committed to. */
  | 'wrongOpening'
  /** Its sandbox failed, by its own word. */
  | 'sandboxFault';

/** What a proof showed that holds. */
export interface Verification {
  readonly verdict: 'reproduced';
  /** Witnesses of the policy whose cosignatures on the checkpoint count. */
  readonly cosigners: number;
  /** Builders of the policy that signed for this very artifact. */
  readonly reproducers: number;
  /** Members that the evidence accounts for, present or absent. */
  readonly builders: number;
  /** Zero-based number of the evidence in the log. */
  readonly leafIndex: bigint;
  /** Leaves in the log at the checkpoint. */
  readonly treeSize: bigint;
  /** Height of the decided block that gave the verdict. */
  readonly height: bigint;
  /** That block's decided time, in milliseconds since 1970-01-01 UTC. */
  readonly timeMilliseconds: bigint;
  /** Which of {@link Proof.builders} the reproducers are. */
  readonly reproducerIndexes: readonly number[];
  /** Which of {@link Proof.signatures} count as cosignatures. */
  readonly cosignerIndexes: readonly number[];
}

/** What {@link Policy.verifyFile} showed of a file. */
export interface FileVerification extends Verification {
  /** Digest of the artifact: the file's first `contentSize` bytes. */
  readonly sha256: string;
  /** Bytes of the artifact: all of the file, but for a proof that is embedded in it. */
  readonly contentSize: bigint;
  /** The proof, now believed. */
  readonly proof: Proof;
  /** Where the proof came from: the call's options, the file itself, or the file beside it. */
  readonly proofOrigin: 'given' | 'embedded' | 'sidecar';
}

/** Where {@link Policy.verifyFile} takes the proof from. Without `proof` and `proofFile` it looks inside the file, then
 * beside it: for `FILE.tlog-proof`. */
export interface VerifyFileOptions {
  /** The proof, or its bytes; then the whole file is the artifact. Not together with `proofFile`. */
  readonly proof?: Proof | Uint8Array;
  /** A proof file's name; then the whole file is the artifact. */
  readonly proofFile?: FilePath;
  /** Stops the reading; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A parsed trust policy: whom its owner believes. Immutable. */
export class Policy {
  private constructor();
  /**
   * Parses a policy.
   * @throws {SyncError} if it is refused.
   */
  static parse(bytes: Uint8Array): Policy;
  /** Reads and parses a policy file, at most 1 MiB of it. */
  static fromFile(path: FilePath): Promise<Policy>;
  /**
   * Goes on by a hand-over: a proof file's bytes, by which the builders of this policy hand over to those of the next
   * epoch. Gives another policy, by which proofs of either epoch hold; this one stays as it is.
   * @param epoch The one that this policy is of, which the hand-over must end, else `SYNC_ERROR_WRONG_EPOCH`: 0 for a
   * group's first policy, and one more behind each hand-over. Take it from where the policy came from and never from
   * the hand-over: most builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to
   * members who have left, may hold as well. A number is a safe integer.
   * @throws {SyncError} if it is refused.
   */
  follow(epoch: bigint | number, handover: Uint8Array): Policy;
  /**
   * Checks that a proof holds for the artifact with this digest (32 bytes, or 64 hexadecimal digits). Takes some
   * tenths of a millisecond, on this thread.
   * @throws {SyncError} if it does not hold.
   */
  verify(proof: Proof | Uint8Array, digest: Uint8Array | string): Verification;
  /**
   * Checks that a proof holds for a file, which is hashed piece by piece on threads of the pool. The promise is
   * rejected with a {@link SyncError} if it does not hold, and with Node's own error if a file cannot be read; that
   * there is no proof is the error `ENOENT` of `FILE.tlog-proof`.
   */
  verifyFile(path: FilePath, options?: VerifyFileOptions): Promise<FileVerification>;
}

/** What a proof says of one builder. The fields that may be missing are there if its state is `revealed`. */
export interface Builder {
  /** Its name in the group. */
  readonly name: string;
  readonly state: BuilderState;
  /** Which outcome it revealed, 0 being the one with most builders. */
  readonly outcome?: number;
  /** Digest of that outcome. */
  readonly outcomeSha256?: string;
  /** What it says of its sandbox; empty unless it revealed, as for the next two. */
  readonly sandbox: string;
  /** What it says of its processor. */
  readonly processor: string;
  /** What it says of its kernel. */
  readonly kernel: string;
}

/** One artifact on which the builders agree. */
export interface Artifact {
  /** Its path below the build's output folder. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: bigint;
  /** Its permission bits, such as 0o644. */
  readonly mode: number;
  readonly sha256: string;
}

/** One source that the build was given. */
export interface Source {
  /** Its package URL. */
  readonly package: string;
  /** Where it came from, by the submitter's word. */
  readonly origin: string;
  /** Digest of the tree that was built. */
  readonly treeSha256: string;
  /** The packager's checksum of its archive, where there is one. */
  readonly claimedSha256?: string;
}

/** One signature line of the checkpoint, whoever made it. */
export interface Signature {
  /** The key's name. */
  readonly name: string;
  /** The key's ID, its four bytes read big-endian. */
  readonly keyId: number;
  /** When it says that it was made, in seconds since 1970-01-01 UTC; there if it has the size of a timestamped
   * cosignature. */
  readonly timeSeconds?: bigint;
}

/**
 * A proof that is taken apart. What it says is the file's own word, and none of it is believed, until
 * {@link Policy.verify} has accepted it.
 */
export class Proof {
  private constructor();
  /**
   * Takes a proof apart.
   * @throws {SyncError} if its bytes are not in the format.
   */
  static parse(bytes: Uint8Array): Proof;
  /** Reads a proof file, at most 1 MiB of it, and takes it apart. */
  static fromFile(path: FilePath): Promise<Proof>;
  /** The log's name, which is its group's. */
  readonly logOrigin: string;
  /** The package URL, such as `pkg:cargo/itoa@1.0.4`. */
  readonly package: string;
  /** What stands between the URL's type and version, as it stands there: `itoa`. */
  readonly packageName: string;
  /** `1.0.4`; empty where the URL has none. */
  readonly packageVersion: string;
  /** The member that asked for the rebuild. */
  readonly submitter: string;
  /** Digest of the build spec. */
  readonly jobId: string;
  /** Tree digest of the package's own source, where there is one. */
  readonly sourceSha256?: string;
  /** Digest of the toolchain. */
  readonly toolchainSha256: string;
  /** As in {@link Verification}. */
  readonly leafIndex: bigint;
  /** As in {@link Verification}. */
  readonly treeSize: bigint;
  /** The group's membership in force. */
  readonly epoch: bigint;
  /** As in {@link Verification}. */
  readonly height: bigint;
  /** As in {@link Verification}. */
  readonly timeMilliseconds: bigint;
  readonly verdict: Verdict;
  /** Builders behind the first outcome. */
  readonly agreeing: number;
  /** How many the group asks for. */
  readonly reproducers: number;
  /** Distinct outcomes that were revealed. */
  readonly outcomeCount: number;
  /** The group's members, sorted by name. */
  readonly builders: readonly Builder[];
  /** What the builders agree on, sorted by path; empty unless the verdict is `reproduced`. */
  readonly artifacts: readonly Artifact[];
  /** What the build was given, in the spec's order. */
  readonly sources: readonly Source[];
  /** The checkpoint's signatures, in the order of its lines. */
  readonly signatures: readonly Signature[];
}

/** SHA-256 of bytes that come in pieces, such as a stream's chunks. */
export class Hasher {
  constructor();
  /** Takes the next piece. */
  update(bytes: Uint8Array): this;
  /** The digest of all pieces, 32 bytes; the hasher is then as new. */
  digest(): Uint8Array;
}

/** How a proof is embedded in a file. */
export type EmbeddedForm =
  /** No proof is embedded. */
  | 'none'
  /** Behind the end of the content: proof, length, magic. */
  | 'trailer'
  /** The same inside a last member of an ar archive, such as an `.rlib`. */
  | 'archiveMember';

/** Where in a file its proof is. The artifact that the proof is about is the file's first `contentSize` bytes. */
export interface Embedded {
  readonly form: EmbeddedForm;
  /** Bytes of the artifact; the file's size where nothing is embedded. */
  readonly contentSize: bigint;
  /** From the file's start; 0 where nothing is embedded, as for the next. */
  readonly proofOffset: bigint;
  readonly proofSize: bigint;
}

/** What {@link findEmbeddedInFile} found. */
export interface EmbeddedInFile extends Embedded {
  /** The proof's bytes, if one is embedded. */
  readonly proof?: Uint8Array;
}

/**
 * Looks for a proof inside an artifact's file, from the file's ends alone.
 * @param head The file's first 8 bytes, or all of it.
 * @param tail The file's last 1,048,704 bytes, or all of it.
 * @param fileSize Bytes of the file.
 * @throws {SyncError} if the file ends like a proof but holds none, or if the sizes do not fit together.
 */
export function findEmbedded(head: Uint8Array, tail: Uint8Array, fileSize: bigint | number): Embedded;

/** Looks for a proof inside a file, of which little more than 1 MiB is read. */
export function findEmbeddedInFile(path: FilePath): Promise<EmbeddedInFile>;

/** Numbers by name, as in the C header `sync/version.h`. */
export const errorCodes: Readonly<Record<ErrorCode, number>>;

/** Why something was refused; README.md tells them apart. */
export type ErrorCode =
  | 'SYNC_ERROR_MALFORMED'
  | 'SYNC_ERROR_TOO_LARGE'
  | 'SYNC_ERROR_UNSUPPORTED_VERSION'
  | 'SYNC_ERROR_INCLUSION_MISMATCH'
  | 'SYNC_ERROR_CONSISTENCY_MISMATCH'
  | 'SYNC_ERROR_UNTRUSTED_LOG'
  | 'SYNC_ERROR_INVALID_SIGNATURE'
  | 'SYNC_ERROR_QUORUM_MISSED'
  | 'SYNC_ERROR_REPRODUCERS_MISSED'
  | 'SYNC_ERROR_ARTIFACT_MISMATCH'
  | 'SYNC_ERROR_VERDICT_MISMATCH'
  | 'SYNC_ERROR_INVALID_KEY'
  | 'SYNC_ERROR_INVALID_POLICY'
  | 'SYNC_ERROR_GROUP_MISMATCH'
  | 'SYNC_ERROR_NOT_EVIDENCE'
  | 'SYNC_ERROR_NOT_REPRODUCED'
  | 'SYNC_ERROR_INVALID_REVEAL'
  | 'SYNC_ERROR_INVALID_SPEC'
  | 'SYNC_ERROR_NOT_HANDOVER'
  | 'SYNC_ERROR_WRONG_EPOCH'
  | 'SYNC_ERROR_NULL_ARGUMENT'
  | 'SYNC_ERROR_UNKNOWN_FLAG'
  | 'SYNC_ERROR_STRUCT_SIZE'
  | 'SYNC_ERROR_ABI_VERSION'
  | 'SYNC_ERROR_OUT_OF_RANGE'
  | 'SYNC_ERROR_INVALID_ARGUMENT';

/** A refusal. */
export class SyncError extends Error {
  private constructor();
  /** Its name; `SYNC_ERROR_UNKNOWN` cannot come from this package's own library. */
  readonly code: ErrorCode | 'SYNC_ERROR_UNKNOWN';
  /** Its number: the input's fault below 100, the call's from 100 on. */
  readonly status: number;
  /** The byte offset into the input at which reading stopped, where one applies. */
  readonly offset?: number;
}

/** The version of the library inside, `major.minor.patch`. */
export const version: string;
