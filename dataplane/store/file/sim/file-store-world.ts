import { StoreError } from '../../errors.ts';
import type { ETag, ObjectStore, PutOptions } from '../../object-store.ts';
import type { Random } from '../../../runtime/runtime.ts';
import { FileStore } from '../file-store.ts';
import { ensureStore } from '../format.ts';
import { Layout } from '../layout.ts';
import { ModelDisk } from './model-disk.ts';
import { ModelFileSystem } from './model-file-system.ts';
import type { KeyAction, KeyCall } from './key-history.ts';
import { StepScheduler } from './step-scheduler.ts';
import type { Choice } from './step-scheduler.ts';

export const layout = new Layout('/store');

export interface WorldOptions {
  /** Resolves when no promise can go on without another step. */
  readonly settle: () => Promise<void>;
  readonly choose: Choice;
  readonly reuseInodes: boolean;
  readonly keepVersions: number;
  readonly keepMs: number;
}

/** Several clients of one directory on a model disk, and what they saw of each key. */
export class FileStoreWorld {
  readonly disk: ModelDisk;
  readonly scheduler: StepScheduler;
  readonly histories: Map<string, KeyCall[]> = new Map();
  readonly #options: WorldOptions;
  /** Which value each ETag was seen with: an ETag must never name two. */
  readonly #valueOf: Map<ETag, string> = new Map();
  #ticks = 0;
  #clients = 0;
  #values = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.disk = new ModelDisk({ reuseInodes: options.reuseInodes });
    this.scheduler = new StepScheduler(options.settle, options.choose);
  }

  /** Makes the empty store. */
  async begin(): Promise<void> {
    this.disk.mkdir('/store');
    const fs = new ModelFileSystem(this.disk, this.scheduler, this.#clients++);
    await this.finish(ensureStore(fs, layout, 'nonce'));
    this.disk.sync(this.disk.root);
  }

  /** Lets everybody take steps until nobody can, by when `work` must have ended. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let ended = false;
    const watched = work.finally(() => {
      ended = true;
    });
    watched.catch(() => undefined);
    await this.scheduler.run();
    if (!ended) throw new Error('the work waits for something that is no step');
    return await watched;
  }

  /** A new process. */
  client(failure?: (syscall: string) => string | undefined): WorldClient {
    const number = this.#clients++;
    const fs = new ModelFileSystem(this.disk, this.scheduler, number, failure);
    const { keepVersions, keepMs } = this.#options;
    const runtime = { wallMs: () => this.disk.nowMs };
    const store = new FileStore({ fs, layout, runtime, client: `c.${number}`, keepVersions, keepMs });
    return { number, fs, store };
  }

  /** Makes one call and notes what it saw. Resolves when it returned, in whatever way. */
  async call(client: WorldClient, key: string, action: KeyAction, etag?: ETag): Promise<ETag | undefined> {
    const call: KeyCall = { client: client.number, startedAt: ++this.#ticks, returnedAt: Infinity, action };
    const history = this.histories.get(key) ?? [];
    this.histories.set(key, history);
    history.push(call);
    try {
      const seen = await this.#make(client.store, key, action, etag);
      call.returnedAt = ++this.#ticks;
      return seen;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // What has not taken effect and never will, has no place in the history; what may have, stays without an end.
      if (error.landed === 'no') history.splice(history.indexOf(call), 1);
      return undefined;
    }
  }

  /** Power fails; whoever was at work must have been killed before. */
  losePower(chance: (below: number) => number): void {
    this.disk.losePower(chance);
  }

  newValue(): string {
    return `value-${String(++this.#values).padStart(4, '0')}`;
  }

  valueOf(etag: ETag): string | undefined {
    return this.#valueOf.get(etag);
  }

  async #make(
    store: ObjectStore,
    key: string,
    action: KeyAction,
    etag: ETag | undefined,
  ): Promise<ETag | undefined> {
    switch (action.kind) {
      case 'delete':
        await store.delete(key);
        return undefined;
      case 'get': {
        const result = await store.get(key);
        if (result.kind !== 'found') return undefined;
        const value = Buffer.from(result.body).toString();
        if (result.info.id !== value)
          throw new Error(`${key} has the bytes of ${value} and the id ${result.info.id}`);
        this.#note(result.info.etag, value);
        action.result = value;
        return result.info.etag;
      }
      case 'put': {
        const options: PutOptions =
          etag !== undefined ? { ifMatch: etag } : action.expected === 'absent' ? { ifAbsent: true } : {};
        const result = await store.put(key, Buffer.from(action.value), { ...options, id: action.value });
        action.result = result.kind;
        if (result.kind !== 'written') return undefined;
        this.#note(result.etag, action.value);
        return result.etag;
      }
    }
  }

  #note(etag: ETag, value: string): void {
    const known = this.#valueOf.get(etag);
    if (known !== undefined && known !== value)
      throw new Error(`the etag ${etag} names ${known} and ${value}`);
    this.#valueOf.set(etag, value);
  }
}

export interface WorldClient {
  readonly number: number;
  readonly fs: ModelFileSystem;
  readonly store: FileStore;
}

/** How often each call is made, in tenths; what is left are conditional overwrites. */
export interface CallMix {
  readonly gets: number;
  readonly deletes: number;
  readonly creates: number;
  readonly overwrites: number;
}

/** Does `calls` random things with random keys, one after the other. */
export async function randomCalls(
  world: FileStoreWorld,
  client: WorldClient,
  keys: readonly string[],
  calls: number,
  mix: CallMix,
  random: Random,
): Promise<void> {
  const seen = new Map<string, ETag>();
  for (let call = 0; call < calls; call++) {
    const key = keys[random.uint32() % keys.length] ?? '';
    const etag = seen.get(key);
    const known = etag === undefined ? undefined : world.valueOf(etag);
    const action = randomAction(world, mix, known, random.uint32() % 10);
    const conditional = action.kind === 'put' && typeof action.expected === 'object';
    const now = await world.call(client, key, action, conditional ? etag : undefined);
    if (now !== undefined) seen.set(key, now);
  }
}

export function randomAction(
  world: FileStoreWorld,
  mix: CallMix,
  known: string | undefined,
  dice: number,
): KeyAction {
  let left = dice - mix.gets;
  if (left < 0) return { kind: 'get' };
  left -= mix.deletes;
  if (left < 0) return { kind: 'delete' };
  const value = world.newValue();
  left -= mix.creates;
  if (left < 0) return { kind: 'put', value, expected: 'absent' };
  left -= mix.overwrites;
  if (left < 0 || known === undefined) return { kind: 'put', value, expected: 'any' };
  return { kind: 'put', value, expected: { value: known } };
}
