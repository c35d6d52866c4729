// Compiled and never run: what a program in TypeScript may and may not write.
import {
  Call, CheckReport, CreateRequest, ErrorCode, Events, Finding, JobStatus, Node, NodeEvent, NodeStatus, PluginError,
  Registry, RunRequest, RunResult, Sandbox, Signer, SyncError, Verdict, errorCodes, version,
} from 'synchronicity-node';

class Plain implements Sandbox {
  constructor(readonly created: CreateRequest) {}
  *probe(): Iterable<Finding> {
    yield { name: 'isolation', detail: 'there is none', isWeaker: true };
  }
  async prepare(toolchain: string, archive: string): Promise<void> {
    throw new PluginError('unavailable', `${toolchain} ${archive}`);
  }
  hasToolchain(): boolean {
    return true;
  }
  async run(request: RunRequest, call: Call): Promise<RunResult> {
    const isWhole: boolean = call.addTranscript(new TextEncoder().encode(request.command.join(' ')));
    call.signal.throwIfAborted();
    return isWhole ? { status: 0 } : { ending: 'transcriptExceeded' };
  }
}

declare const signer: Signer;
const registry: Registry = new Registry()
  .add({ kind: 'sandbox', name: 'plain', create: (request) => new Plain(request) })
  .add({ kind: 'signer', name: 'keys', version: '2', create: async () => signer });

export async function check(): Promise<string> {
  const found: CheckReport = await registry.check('keys');
  const { hasPassed, report } = await registry.check('plain', {
    settings: { a: 'b' }, toolchain: '/tiny.tar', package: 'pkg:words/fine@1', withEscapes: true, allowed: { bpf: '' },
  });
  const isFine: boolean = found.hasPassed && hasPassed;
  return isFine ? '' : report;
}

export async function build(): Promise<Uint8Array> {
  const node: Node = await Node.load('config.toml', { registry, log: (level, line) => console.error(level, line) });
  await node.start();
  const events: Events = node.events({ capacity: 10, signal: new AbortController().signal });
  const job: string = await node.submit('pkg:cargo/itoa@1.0.1', { features: ['std'], rebuild: 1n, timeout: 1000 });
  const done: JobStatus = await node.wait(job, { phase: 'logged', timeout: 10 });
  const leaf: bigint | undefined = done.leafIndex;
  for await (const event of events) {
    const shown: NodeEvent = event;
    const verdict: Verdict | undefined = shown.verdict;
    void [verdict, leaf];
  }
  const status: NodeStatus = await node.status();
  void [status.epoch, status.quorum, version];
  await node.drain();
  await node.stop({ timeout: 5 });
  await node.destroy();
  return node.proof(job);
}

try {
  new Node(new Uint8Array(0), { folder: '/', isRestored: true });
} catch (error) {
  if (error instanceof SyncError) {
    const code: ErrorCode | 'SYNC_ERROR_UNKNOWN' = error.code;
    const number: 106 = errorCodes.SYNC_ERROR_STATE;
    void [code, number, error.status, error.offset];
  }
}

// @ts-expect-error: a configuration is wanted
new Node();
// @ts-expect-error: events come from a node
new Events();
// @ts-expect-error: a source has types
registry.add({ kind: 'source', name: 'words', create: () => ({ resolve: () => '', fetch() {} }) });
// @ts-expect-error: a signer signs
registry.add({ kind: 'signer', name: 'keys', create: () => ({ publicKey: () => new Uint8Array(32) }) });
// @ts-expect-error: a setting is a string
registry.check('keys', { settings: { a: 1 } });
// @ts-expect-error: codes are words
new PluginError(4);
