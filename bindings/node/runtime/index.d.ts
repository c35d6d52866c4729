/**
 * A whole builder in your process, with plugins in JavaScript: libsync for Node.
 *
 * Every class may be used in any worker thread; objects stay in the thread that made them. Timeouts are milliseconds,
 * and without one a call waits for ever. Numbers that may pass 2^53 are `bigint`. Jobs and digests are strings of 64
 * lower-case hexadecimal digits; where they are wanted, 32 bytes do as well. What the library refuses is a
 * {@link SyncError}, what cannot be an argument is a `TypeError` or a `RangeError`.
 *
 * A call that waits has a thread of its own: neither the event loop nor libuv's pool is blocked.
 */

/** A job or a digest: 64 hexadecimal digits, or 32 bytes. */
export type Digest = string | Uint8Array;

export type Verdict = 'reproduced' | 'diverged' | 'failed' | 'inconclusive' | 'unknown';

/** How far a job has come, in this order. */
export type Phase =
  | 'unknown'
  /** Ordered: builders rebuild and commit. */
  | 'commit'
  /** Builders open their commitments. */
  | 'reveal'
  /** The verdict stands, and its evidence is in the log. */
  | 'logged'
  /** A quorum has cosigned the log with it: the proof can be had. */
  | 'cosigned';

export type NodeState = 'created' | 'running' | 'stopping' | 'stopped' | 'unknown';

export type LogLevel = 'debug' | 'info' | 'notice' | 'warning' | 'error' | 'critical' | 'unknown';

export interface JobStatus {
  readonly phase: Phase;
  /** `undefined` while there is none. */
  readonly verdict: Verdict | undefined;
  /** Builders that agree on the outcome that gave the verdict. */
  readonly agreeing: number;
  /** Builders that have committed to an outcome. */
  readonly committed: number;
  /** The evidence's, from `logged` on. */
  readonly leafIndex: bigint | undefined;
}

export interface NodeStatus {
  /** Where it is not `running`, the rest is zero. */
  readonly state: NodeState;
  /** Signs nothing, since its journal may be older than what it has signed. */
  readonly isObserving: boolean;
  readonly epoch: bigint;
  readonly view: bigint;
  /** Of the last decided block. */
  readonly height: bigint;
  readonly logSize: bigint;
  /** Of the newest checkpoint that a quorum has cosigned. */
  readonly checkpointSize: bigint;
  readonly openJobs: number;
  readonly connectedPeers: number;
  readonly replicas: number;
  readonly quorum: number;
}

export type EventKind =
  | 'ordered'
  | 'committed'
  | 'abstained'
  | 'revealing'
  | 'revealed'
  /** {@link NodeEvent.verdict} is the verdict. */
  | 'verdict'
  /** The number is the leaf's index. */
  | 'logged'
  /** The number is the tree's size: what has an index below can be proven. */
  | 'cosigned'
  /** The text is the member, in whose name statements contradict each other. */
  | 'misbehaviour'
  /** The number is the epoch that is over. */
  | 'epochEnded'
  /** The node ends by itself; the text says why. */
  | 'fault'
  /** One that this package does not know. */
  | 'unknown';

export interface NodeEvent {
  readonly kind: EventKind;
  /** `undefined` where the event is about none. */
  readonly job: string | undefined;
  readonly number: bigint;
  /** Of a `verdict`. */
  readonly verdict: Verdict | undefined;
  /** The builder, package or member, or why. */
  readonly text: string;
  /** Events that were dropped just before this one, since nobody took them. */
  readonly dropped: number;
}

/** One subscription: the events since it was made. Iterating ends when the node has ended, or with `close`. */
export class Events implements AsyncIterableIterator<NodeEvent> {
  private constructor();
  /** Rejects with the signal's reason once the signal is aborted. */
  next(): Promise<IteratorResult<NodeEvent, undefined>>;
  return(): Promise<IteratorResult<NodeEvent, undefined>>;
  /** Ends the subscription: what waits in it can still be taken. */
  close(): void;
  [Symbol.asyncIterator](): this;
}

export interface NodeOptions {
  /** What relative paths are relative to; the working folder unless given. */
  readonly folder?: string;
  /** Plugins that the configuration can choose beside those that are built in. */
  readonly registry?: Registry;
  /** Gets the node's log, line by line. */
  readonly log?: (level: LogLevel, line: string) => void;
  /** For one start: the data folder was put back from an older copy, or is new although this builder has signed. */
  readonly isRestored?: boolean;
}

export interface WaitOptions {
  /** Milliseconds. */
  readonly timeout?: number;
  /** Whoever waits is rejected with its reason, within a quarter of a second. */
  readonly signal?: AbortSignal;
}

export interface SubmitOptions {
  /** Beside the default ones. */
  readonly features?: readonly string[];
  readonly defaultFeatures?: boolean;
  /** `release` unless given. */
  readonly profile?: string;
  /** The toolchain's own host unless given. */
  readonly target?: string;
  /** 64 hexadecimal digits; the configuration's unless given. */
  readonly toolchain?: string;
  /** A number that was not used before asks for a fresh rebuild. */
  readonly rebuild?: number | bigint;
  /** -100 to 100, in this node's own queue. */
  readonly priority?: number;
  /** Milliseconds. */
  readonly timeout?: number;
}

/**
 * A builder. One that was started keeps the process alive, until it is stopped or destroyed. One that was not, or was
 * stopped, is freed with its last reference. When the process or the worker ends, its nodes are ended first.
 */
export class Node {
  /**
   * Reads a configuration, as `synchronicity node run` takes it, and the group file that it names. Nothing else is
   * touched. Its gateway is not served: that is the program's.
   */
  constructor(configuration: string | Uint8Array, options?: NodeOptions);
  /** The same from a configuration file, in whose folder relative paths begin. */
  static load(file: string | URL, options?: NodeOptions): Promise<Node>;

  /** Opens keys, journal and plugins, listens, and begins to take part. Once. */
  start(): Promise<void>;
  /**
   * Ends the node: builds are killed and begin anew at the next start; nothing is lost. With SYNC_ERROR_TIMED_OUT it
   * goes on ending. Rejects with the error with which the node ended by itself, if it did.
   */
  stop(options?: WaitOptions): Promise<void>;
  /**
   * Stops the node and frees it. May be called again. Who still waits for something is rejected with SYNC_ERROR_STATE.
   * Not to be waited for in a plugin's method, for whose end it waits itself.
   */
  destroy(): Promise<void>;

  /**
   * Pins a package's inputs, signs the job and hands it to the group; gives the job. The same spec is the same job.
   * With SYNC_ERROR_TIMED_OUT it may be submitted all the same.
   */
  submit(name: string, options?: SubmitOptions): Promise<string>;
  /** Waits until the job has come as far as `phase`, which is `cosigned` unless given. */
  wait(job: Digest, options?: WaitOptions & { readonly phase?: Exclude<Phase, 'unknown'> }): Promise<JobStatus>;
  /** How far it has come. */
  job(job: Digest): Promise<JobStatus>;
  /** The static proof file of a job that is `cosigned`; else SYNC_ERROR_NOT_FOUND. */
  proof(job: Digest): Promise<Uint8Array>;
  /** The path of a local file that holds the artifact; else SYNC_ERROR_NOT_FOUND. */
  artifactPath(sha256: Digest): Promise<string>;

  status(): Promise<NodeStatus>;
  /** The same and more, as the gateway's /v1/status gives it. */
  statusJSON(): Promise<Record<string, unknown>>;
  /** Waits until the node has no open job. Whoever wants it to stay so submits no more: other members may. */
  drain(options?: WaitOptions): Promise<void>;
  /**
   * Subscribes, in any state of the node. `capacity` events wait at most, 1 to 65,536 and 1,024 unless given; of more,
   * the newest are dropped and counted.
   */
  events(options?: { readonly capacity?: number; readonly signal?: AbortSignal }): Events;
}

// ---- Plugins ----

/** One call of a plugin's method. */
export interface Call {
  /** Aborted when nobody waits for the answer any more. An `AbortError` then is an answer, given within ten seconds. */
  readonly signal: AbortSignal;
  /** Whether nobody waits for the answer: the call was cancelled, abandoned or answered. */
  readonly isCancelled: boolean;
  /**
   * What the program printed, in a run. `false` when it is more than the run may print: what fits is kept, and the run
   * is to end with `transcriptExceeded`.
   */
  addTranscript(bytes: Uint8Array): boolean;
}

/** How a method fails. */
export type PluginErrorCode =
  /** The host lacks something: a program, a permission, a kernel feature, a device. */
  | 'unavailable'
  /** There is no such package, toolchain or record. */
  | 'notFound'
  /** Bytes do not have the digest that was asked for. */
  | 'checksumMismatch'
  /** The request is malformed or out of bounds. */
  | 'invalid'
  /** Reading or writing failed. */
  | 'io'
  /** The call was cancelled. */
  | 'cancelled';

/** Thrown by a method, fails its call with this code and sentence. Anything else that is thrown counts as `io`. */
export class PluginError extends Error {
  constructor(code: PluginErrorCode, message?: string);
  readonly code: PluginErrorCode;
}

type Answer<Value> = Value | Promise<Value>;
type Items<Value> = Iterable<Value> | AsyncIterable<Value>;

/** For whom an instance is made. */
export interface CreateRequest {
  /** The builder's name in its group. */
  readonly node: string;
  /** Made for this plugin; what it keeps between starts goes there. */
  readonly stateDirectory: string;
  /** `[settings.NAME]` of the configuration. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * What every instance may have. It serves one node, or one epoch of it. Methods run on the thread that made the
 * registry; calls overlap. Each is answered once: with what it gives, or with an error for what it throws.
 */
export interface Instance {
  /** Ends the instance, once, after its last call. What it throws is a warning of the process. */
  close?(): Answer<void>;
}

export interface Mount {
  readonly hostPath: string;
  readonly insidePath: string;
  readonly isWritable: boolean;
}

/** One program to run alone, without network or sight of the host. */
export interface RunRequest {
  /** 1 to 100 letters, digits, `-`, `_`, `.`; unique on this host. */
  readonly runId: string;
  /** One that was prepared, in hexadecimal digits; its tree is the root. */
  readonly toolchain: string;
  /** Absolute path inside, then the arguments. */
  readonly command: readonly string[];
  /** The whole of it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly mounts: readonly Mount[];
  /** Fixed inside. */
  readonly hostName: string;
  /** A folder of the host for this run's private files. */
  readonly scratchDirectory: string;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly processes: number;
  readonly diskBytes: number;
  readonly transcriptBytes: number;
}

export interface RunResult {
  /** `exited` unless given. */
  readonly ending?:
    | 'exited' | 'signalled' | 'wallTimeExceeded' | 'cpuTimeExceeded' | 'memoryExceeded' | 'processesExceeded'
    | 'diskExceeded' | 'transcriptExceeded';
  /** Exit status 0...255, or the signal's number 1...64; else 0. */
  readonly status?: number;
  readonly wallNanoseconds?: number | bigint;
  /** Of the whole tree; 0 where it is not known. */
  readonly cpuNanoseconds?: number | bigint;
  /** 0 where it is not known. */
  readonly memoryPeakBytes?: number | bigint;
}

/** One checked requirement of a sandbox. */
export interface Finding {
  /** What is checked, such as "user namespaces". */
  readonly name: string;
  /** What was found; when not met, what is wanted. */
  readonly detail: string;
  /** `true` unless given. */
  readonly isMet?: boolean;
  /** Met, but by less than a better host gives; the detail says what. */
  readonly isWeaker?: boolean;
  /** One line that would mend it. */
  readonly mend?: string;
}

/** Runs one program alone, bounded in everything. */
export interface Sandbox extends Instance {
  /** Checks what the host can do, without changing it; at least one finding. 60 s. */
  probe(call: Call): Answer<Items<Finding>>;
  /** Unpacks a tar file, once, after checking its SHA-256. An hour. */
  prepare(toolchain: string, archive: string, call: Call): Answer<void>;
  /** Whether it is prepared. 60 s. */
  hasToolchain(toolchain: string, call: Call): Answer<boolean>;
  /**
   * Runs to the end, and kills the whole tree when `call.signal` is aborted. A program that fails is a result, and only
   * a fault of the sandbox is thrown. `wallSeconds` and the setting `patience-seconds`, which is 300 unless given.
   */
  run(request: RunRequest, call: Call): Answer<RunResult>;
  /** Clears away what a killed run has left; a line for each. Ten minutes. */
  removeLeftovers?(call: Call): Answer<Items<string> | undefined>;
}

/** What a key signs. */
export type KeyRole =
  /** The log's checkpoints. */
  | 'log'
  /** Cosignatures on checkpoints. */
  | 'cosigner'
  /** Submissions, commitments, reveals, abstentions, hand-overs. */
  | 'builder'
  /** Votes and timeouts. */
  | 'consensus'
  /** The connections between nodes. */
  | 'transport'
  | 'unknown';

/** Keeps private keys and signs with them (Ed25519, RFC 8032). The node waits for it. */
export interface Signer extends Instance {
  /** 32 bytes. Asked once for each role. 10 s. */
  publicKey(role: KeyRole, call: Call): Answer<Uint8Array>;
  /** The 64 bytes of the signature of exactly this message. 10 s. */
  sign(role: KeyRole, message: Uint8Array, call: Call): Answer<Uint8Array>;
}

/** A package whose every input is to be pinned. */
export interface ResolveRequest {
  /** Such as `pkg:cargo/itoa@1.0.1`. */
  readonly package: string;
  readonly features: readonly string[];
  /** These alone. */
  readonly programs: readonly string[];
  /** The library, with the named programs. */
  readonly library: boolean;
  readonly withoutDefaultFeatures: boolean;
  /** `undefined`: the package's choice. */
  readonly profile: string | undefined;
  /** `undefined`: the toolchain's own host. */
  readonly target: string | undefined;
  /** The spec's, in hexadecimal digits. */
  readonly toolchain: string;
  /** The spec's. */
  readonly rebuild: bigint;
  /** Names, sorted, of what the recipe shall hold still. */
  readonly normalise: readonly string[];
  /** A folder for this call. */
  readonly scratchDirectory: string;
}

/** A source whose tree is wanted. */
export interface FetchRequest {
  readonly purl: string;
  readonly origin: string;
  readonly treeSha256: string;
  /** Absolute path; does not exist yet. */
  readonly directory: string;
}

/** Finds packages and fetches their sources. */
export interface Source extends Instance {
  /** Pins every input of a package: a build spec, as docs/FORMATS.md has it. An hour. */
  resolve(request: ResolveRequest, call: Call): Answer<string | Uint8Array>;
  /** Puts a source's tree into the directory; its digest is checked by the node. An hour. */
  fetch(request: FetchRequest, call: Call): Answer<void>;
}

/** A record to put; a value of `undefined` deletes it. */
export interface Change {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** One ordered map from byte strings to byte strings, on a disk. The node waits for each call, a minute at most. */
export interface Storage extends Instance {
  /** The value, or `undefined`. */
  get(key: Uint8Array, call: Call): Answer<Uint8Array | undefined>;
  /** The records whose keys begin with the prefix and are not below start, ascending, at most so many. */
  scan(prefix: Uint8Array, start: Uint8Array, limit: number, call: Call):
    Answer<Items<readonly [Uint8Array, Uint8Array]>>;
  /** All or none, in this order; where durable, they survive a power cut once this is answered. */
  apply(changes: readonly Change[], isDurable: boolean, call: Call): Answer<void>;
}

interface PluginOf<Kind extends string, Made extends Instance> {
  readonly kind: Kind;
  /** By which configurations choose it: 1 to 64 lower-case letters, digits, hyphens. */
  readonly name: string;
  /** For people and for statements: 1 to 64 printable characters. `1` unless given. */
  readonly version?: string;
  /** Makes an instance for one node, in 60 s. */
  create(request: CreateRequest, call: Call): Answer<Made>;
}

export type SandboxPlugin = PluginOf<'sandbox', Sandbox>;
export type SignerPlugin = PluginOf<'signer', Signer>;
export type StoragePlugin = PluginOf<'storage', Storage>;
export interface SourcePlugin extends PluginOf<'source', Source> {
  /** Of the packages that it serves, such as "cargo". */
  readonly type: string;
  /** Of the purl in its sources' origins, such as "generic". */
  readonly originType: string;
}
export type Plugin = SandboxPlugin | SignerPlugin | SourcePlugin | StoragePlugin;

/** What the checks of a plugin want to be told. */
export interface CheckOptions {
  /** As a configuration has them in `[settings.PLUGIN]`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** For a sandbox: absolute path of a tar with /bin/sh, bash, coreutils and busybox. */
  readonly toolchain?: string;
  /** For a source: one that it has, such as `pkg:cargo/itoa@1.0.1`. */
  readonly package?: string;
  /**
   * For a sandbox also every attempt to leave it. They are compiled here, by cc, and made as whom this process runs as;
   * root sees the most, below a TMPDIR that others may enter.
   */
  readonly withEscapes?: boolean;
  /** Attempts that may succeed, by the word with which a report's WHAT WAS SEEN begins, and why that does no harm. */
  readonly allowed?: Readonly<Record<string, string>>;
}

/** What the checks of a plugin found. */
export interface CheckReport {
  /** Whether each check was passed. */
  readonly hasPassed: boolean;
  /** A line for each, "pass: NAME" or "FAIL: NAME: WHAT WAS SEEN", and a last one with their number. */
  readonly report: string;
}

/** Plugins that nodes can choose by name, beside those that are built in. Nodes keep what they need of it. */
export class Registry {
  constructor();
  /** Adds a plugin of this program. */
  add(plugin: Plugin): this;
  /** Adds the plugin that a shared object holds; it stays loaded. Load what you trust: it is in your process. */
  load(path: string): this;
  /**
   * Runs the conformance suite of a plugin that was added, by calling it as a node does: for its author, from a test.
   * It takes seconds, for a sandbox minutes, and works in a folder of its own below TMPDIR, which is gone behind it.
   * What the plugin does wrong is in the report. Rejects with SYNC_ERROR_NOT_FOUND when no plugin of that name was
   * added, with SYNC_ERROR_INVALID when plugins of two kinds were, or an option is missing that the kind wants.
   */
  check(name: string, options?: CheckOptions): Promise<CheckReport>;
}

// ---- Errors ----

export type ErrorCode = keyof typeof errorCodes;

/** What the library refuses, or could not do. Programs compare the code; the message is a sentence for people. */
export class SyncError extends Error {
  private constructor();
  /** `SYNC_ERROR_UNKNOWN` for a number that this package does not know. */
  readonly code: ErrorCode | 'SYNC_ERROR_UNKNOWN';
  /** The number. */
  readonly status: number;
  /** The byte of the input at which reading stopped, where there is one. */
  readonly offset: number | undefined;
}

/** Every refusal by its name in include/sync/version.h and plugin.h, with its number. A number never changes. */
export const errorCodes: {
  readonly SYNC_ERROR_MALFORMED: 1;
  readonly SYNC_ERROR_TOO_LARGE: 2;
  readonly SYNC_ERROR_UNSUPPORTED_VERSION: 3;
  readonly SYNC_ERROR_INCLUSION_MISMATCH: 4;
  readonly SYNC_ERROR_CONSISTENCY_MISMATCH: 5;
  readonly SYNC_ERROR_UNTRUSTED_LOG: 6;
  readonly SYNC_ERROR_INVALID_SIGNATURE: 7;
  readonly SYNC_ERROR_QUORUM_MISSED: 8;
  readonly SYNC_ERROR_REPRODUCERS_MISSED: 9;
  readonly SYNC_ERROR_ARTIFACT_MISMATCH: 10;
  readonly SYNC_ERROR_VERDICT_MISMATCH: 11;
  readonly SYNC_ERROR_INVALID_KEY: 12;
  readonly SYNC_ERROR_INVALID_POLICY: 13;
  readonly SYNC_ERROR_GROUP_MISMATCH: 14;
  readonly SYNC_ERROR_NOT_EVIDENCE: 15;
  readonly SYNC_ERROR_NOT_REPRODUCED: 16;
  readonly SYNC_ERROR_INVALID_REVEAL: 17;
  readonly SYNC_ERROR_INVALID_SPEC: 18;
  readonly SYNC_ERROR_NOT_HANDOVER: 19;
  readonly SYNC_ERROR_WRONG_EPOCH: 20;
  readonly SYNC_ERROR_NULL_ARGUMENT: 100;
  readonly SYNC_ERROR_UNKNOWN_FLAG: 101;
  readonly SYNC_ERROR_STRUCT_SIZE: 102;
  readonly SYNC_ERROR_ABI_VERSION: 103;
  readonly SYNC_ERROR_OUT_OF_RANGE: 104;
  readonly SYNC_ERROR_INVALID_ARGUMENT: 105;
  readonly SYNC_ERROR_STATE: 106;
  readonly SYNC_ERROR_TIMED_OUT: 107;
  readonly SYNC_ERROR_UNAVAILABLE: 201;
  readonly SYNC_ERROR_NOT_FOUND: 202;
  readonly SYNC_ERROR_CHECKSUM_MISMATCH: 203;
  readonly SYNC_ERROR_INVALID: 204;
  readonly SYNC_ERROR_IO: 205;
  readonly SYNC_ERROR_CANCELLED: 206;
};

/** Of libsync. */
export const version: string;
