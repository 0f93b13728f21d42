import { abortReason, sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import type {
  DeleteFailure,
  ETag,
  GetOptions,
  GetResult,
  ListedObject,
  ObjectInfo,
  ObjectStore,
  Precondition,
} from '../object-store.ts';
import { Inconclusive, Violation } from './errors.ts';

/** An object the probe has put into the store. */
export interface Planted {
  readonly key: string;
  readonly id: string;
  readonly body: Uint8Array;
  readonly etag: ETag;
  /**
   * False after an answer was lost: a copy of the request may then still land. That cannot hurt while the object exists,
   * but would bring it back after its deletion.
   */
  readonly isClean: boolean;
}

export interface ProbeGroundOptions {
  readonly handles: readonly ObjectStore[];
  readonly runtime: Runtime;
  /** Writers of one race. */
  readonly racers: number;
  readonly largeBodyBytes: number;
  /** Ends with `/`; nobody else writes below it. */
  readonly prefix: string;
  /** An operation that fails is not begun again once it has taken so long. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

const maxAttempts = 8;
/** More, since two answers in a row have to arrive. */
const maxCleanAttempts = 20;
const firstDelayMs = 50;
const maxDelayMs = 2_000;

/**
 * What a case works with: handles with connections of their own, fresh keys, and operations whose outcome is certain
 * when they resolve. Lost answers and passing errors are not the store's breach of promise, so they are resolved here:
 * by the object's id where an attempt may have landed, by another attempt elsewhere, at most eight.
 */
export class ProbeGround {
  readonly handles: readonly ObjectStore[];
  readonly runtime: Runtime;
  readonly racers: number;
  readonly largeBodyBytes: number;
  readonly signal: AbortSignal;
  readonly #prefix: string;
  readonly #patienceMs: number;
  #keys: string[] = [];
  #counter = 0;
  #doubt: string | undefined;

  constructor({ handles, runtime, racers, largeBodyBytes, prefix, patienceMs, signal }: ProbeGroundOptions) {
    this.handles = handles;
    this.runtime = runtime;
    this.racers = racers;
    this.largeBodyBytes = largeBodyBytes;
    this.signal = signal;
    this.#prefix = prefix;
    this.#patienceMs = patienceMs;
  }

  /** Any number names a handle, so that callers can count on. */
  handle(index: number): ObjectStore {
    const handle = this.handles[index % this.handles.length];
    if (handle === undefined) throw new RangeError(`no handle ${index} among ${this.handles.length}`);
    return handle;
  }

  /** A key that never was used, and that the clean-up knows. */
  freshKey(name: string): string {
    const key = `${this.#prefix}${name}-${this.#counter++}`;
    this.#keys.push(key);
    return key;
  }

  /** A key below a folder of its own, for prefixes. */
  freshFolder(name: string): string {
    return `${this.#prefix}${name}-${this.#counter++}/`;
  }

  /** Has the clean-up know a key that `freshKey` did not make. */
  track(key: string): string {
    this.#keys.push(key);
    return key;
  }

  takeKeys(): readonly string[] {
    const keys = this.#keys;
    this.#keys = [];
    return keys;
  }

  /** An id that no other write of this or any other probe has: it is read back to learn whose write took effect. */
  freshId(name: string): string {
    return `${this.#prefix}${name}/${this.#counter++}`;
  }

  /**
   * For contradictions that one late copy of a request could explain, which a network may make behind everybody's back
   * (an earlier attempt of a delete, landing after the next create). The first is forgiven, the second is a violation.
   */
  doubt(what: string): void {
    if (this.#doubt !== undefined) throw new Violation(what);
    this.#doubt = what;
  }

  /** @returns whether a contradiction was forgiven since the last call. */
  takeDoubt(): string | undefined {
    const doubt = this.#doubt;
    this.#doubt = undefined;
    return doubt;
  }

  /** Writes an object under a fresh key, by `ifAbsent`: late copies of it can never replace anything. */
  async plant(
    handle: ObjectStore,
    name: string,
    body: Uint8Array,
    key = this.freshKey(name),
  ): Promise<Planted> {
    return await this.#write(handle, key, body, this.freshId(name), { ifAbsent: true });
  }

  /** Replaces an object by a compare-and-swap on its ETag. The bytes must differ from all it had before. */
  async replace(handle: ObjectStore, old: Planted, body: Uint8Array): Promise<Planted> {
    return await this.#write(handle, old.key, body, this.freshId('replace'), { ifMatch: old.etag });
  }

  /** Deletes an object. @returns whether no answer was lost, so that no copy of the request can land later. */
  async remove(handle: ObjectStore, key: string): Promise<boolean> {
    let isClean = true;
    await this.persist(async () => {
      try {
        await handle.delete(key, { signal: this.signal });
      } catch (error) {
        if (error instanceof StoreError && error.landed === 'maybe') isClean = false;
        throw error;
      }
    });
    return isClean;
  }

  /**
   * Plants an object and deletes it, with no copy of either request left under way: if an answer is lost, starts again
   * with another key.
   */
  async plantAndRemove(handle: ObjectStore, name: string, body: Uint8Array): Promise<Planted> {
    for (let attempt = 1; attempt <= maxCleanAttempts; attempt++) {
      const planted = await this.plant(handle, name, body);
      if (planted.isClean && (await this.remove(handle, planted.key))) return planted;
    }
    throw new Inconclusive(`${maxCleanAttempts} times in a row the answer to a write or delete was lost`);
  }

  async read(handle: ObjectStore, key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    return await this.persist(() => handle.get(key, { ...options, signal: this.signal }));
  }

  async head(handle: ObjectStore, key: string): Promise<ObjectInfo | undefined> {
    return await this.persist(() => handle.head(key, { signal: this.signal }));
  }

  /** All keys below a prefix, page by page. */
  async list(handle: ObjectStore, prefix: string, maxKeys?: number): Promise<ListedObject[]> {
    const objects: ListedObject[] = [];
    let continuation: string | undefined;
    do {
      const from = continuation;
      const page = await this.persist(() =>
        handle.list(prefix, { continuation: from, maxKeys, signal: this.signal }),
      );
      objects.push(...page.objects);
      continuation = page.next;
      if (objects.length > 100_000)
        throw new Violation(`LIST of ${JSON.stringify(prefix)} goes on after ${objects.length} keys`);
    } while (continuation !== undefined);
    return objects;
  }

  async listAfter(handle: ObjectStore, prefix: string, startAfter: string): Promise<readonly ListedObject[]> {
    const page = await this.persist(() => handle.list(prefix, { startAfter, signal: this.signal }));
    return page.objects;
  }

  async removeMany(handle: ObjectStore, keys: readonly string[]): Promise<readonly DeleteFailure[]> {
    return await this.persist(() => handle.deleteMany(keys, { signal: this.signal }));
  }

  /**
   * One conditional write, sent until there is an answer to it. Where an earlier answer was lost, `'condition-failed'` may
   * come of the write itself: what the object holds afterwards is the caller's to check.
   */
  async tryWrite(
    handle: ObjectStore,
    key: string,
    body: Uint8Array,
    id: string | undefined,
    condition: Precondition,
  ): Promise<'written' | 'condition-failed'> {
    const result = await this.persist(() => handle.put(key, body, { ...condition, id, signal: this.signal }));
    return result.kind;
  }

  /** Waits before another attempt: longer each time, with jitter. */
  async backOff(attempt: number): Promise<void> {
    const ceilingMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
    await sleep(this.runtime, ceilingMs * (0.5 + this.runtime.random.fraction() / 2), this.signal);
  }

  async #write(
    handle: ObjectStore,
    key: string,
    body: Uint8Array,
    id: string,
    condition: Precondition,
  ): Promise<Planted> {
    let isClean = true;
    const etag = await this.persist(async () => {
      try {
        const result = await handle.put(key, body, { ...condition, id, signal: this.signal });
        if (result.kind === 'written') return result.etag;
      } catch (error) {
        if (error instanceof StoreError && error.landed === 'maybe') isClean = false;
        throw error;
      }
      // Refused although the condition holds: an earlier attempt of ours has landed, or the store is wrong.
      const info = await handle.head(key, { signal: this.signal });
      if (info?.id === id) return info.etag;
      const shown = info === undefined ? 'no object' : `the object of write ${JSON.stringify(info.id)}`;
      const condition_ = condition.ifAbsent ? 'If-None-Match: *' : `If-Match: ${condition.ifMatch}`;
      throw new Violation(
        `a PUT with ${condition_} failed its condition though it was right, and HEAD then showed ${shown}`,
      );
    });
    return { key, id, body, etag, isClean };
  }

  /**
   * Repeats a call while its error is retriable, within bounds. For calls whose repetition is harmless to what the
   * caller checks afterwards.
   */
  async persist<T>(call: () => Promise<T>): Promise<T> {
    const giveUpMs = this.runtime.monotonicMs() + this.#patienceMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (this.signal.aborted) throw abortReason(this.signal);
        if (!(error instanceof StoreError && error.retriable)) throw error;
        if (attempt === maxAttempts || this.runtime.monotonicMs() >= giveUpMs) throw error;
      }
      await this.backOff(attempt);
    }
  }
}

/**
 * A body of `sizeBytes` that says whose it is, again and again. Two bodies with different texts differ, unless they are
 * empty: a store whose ETag is a hash would give equal bodies equal ETags, and a compare-and-swap could not tell them
 * apart.
 */
export function bodyOf(text: string, sizeBytes = text.length): Uint8Array {
  return sizeBytes === 0 ? new Uint8Array() : Buffer.alloc(Math.max(sizeBytes, text.length), text);
}
