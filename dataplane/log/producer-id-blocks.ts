import type { Runtime } from '../runtime/runtime.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import type { ETag, ObjectStore } from '../store/object-store.ts';
import { LogError } from './errors.ts';
import { pidBlockKey } from './format/keys.ts';
import { decodePidBlock, encodePidBlock } from './format/pid-block.ts';
import type { PidBlock } from './format/pid-block.ts';

export interface ProducerIdBlocksEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly formatVersion: () => number;
  /** Ends what is under way; calls after it reject too. */
  readonly signal?: AbortSignal | undefined;
}

/** Ids that a broker claims at a time: one compare-and-swap for a thousand new producers. */
const idsPerBlock = 1_000;

/**
 * Producer ids for InitProducerId, each given to one producer of the whole cluster ever (log.md 2.8). A broker claims
 * them in blocks and gives them out from memory; what is left of a block when the process ends is never used.
 *
 * Atomicity of `meta/pid-block`: created with If-None-Match, changed with If-Match, never deleted; `next` only grows.
 * Whoever loses the race reads the winner's `next` and claims the block that begins there.
 *
 * Unknown outcomes: a claim counts only when the object was seen to hold it. A claim that landed without our being told,
 * on top of which another broker has written since, is taken for lost: its ids are wasted, and nobody gets them.
 */
export class ProducerIdBlocks {
  readonly #environment: ProducerIdBlocksEnvironment;
  #next = 0;
  #end = 0;
  #claiming: Promise<void> | undefined;
  /** As last seen. `undefined`: not looked at yet, or the outcome of a claim is not known. */
  #seen: { readonly etag: ETag; readonly block: PidBlock } | undefined;
  /** The highest `next` that this process has ever seen. */
  #highest = 0;

  constructor(environment: ProducerIdBlocksEnvironment) {
    this.#environment = environment;
  }

  /**
   * A producer id that nobody has got before, in [0, 2^53).
   *
   * Rejects with a `StoreError` when the store fails (a retriable one: ask again), with `signal.reason`, and with
   * CORRUPT_LOG when `meta/pid-block` has lost what it said before: ids would be given out twice.
   */
  async nextProducerId(): Promise<number> {
    while (this.#next === this.#end) {
      this.#claiming ??= this.#claim().finally(() => {
        this.#claiming = undefined;
      });
      await this.#claiming;
    }
    return this.#next++;
  }

  async #claim(): Promise<void> {
    const { store, runtime, formatVersion, signal } = this.#environment;
    signal?.throwIfAborted();
    for (;;) {
      this.#seen ??= await this.#read();
      const seen = this.#seen;
      const start = seen?.block.next ?? 0;
      if (!Number.isSafeInteger(start + idsPerBlock))
        throw new LogError(
          'CORRUPT_LOG',
          `${pidBlockKey} says that ${start} producer ids were given out: none are left`,
        );
      const writer = Buffer.from(runtime.random.bytes(16)).toString('hex');
      const claim: PidBlock = { next: start + idsPerBlock, writer };
      this.#seen = undefined;
      const result = await compareAndSwap(store, runtime, {
        key: pidBlockKey,
        expected: seen?.etag ?? 'absent',
        bytes: encodePidBlock(claim, formatVersion()),
        id: writer,
        signal,
        isOurs: (current) => decodePidBlock(current, pidBlockKey).writer === writer,
      });
      if (result.kind === 'applied') {
        this.#adopt(result.etag, claim);
        this.#next = start;
        this.#end = claim.next;
        return;
      }
      const { current } = result;
      if (current === undefined) this.#refuseLoss(undefined);
      else this.#adopt(current.etag, decodePidBlock(current.bytes, pidBlockKey));
    }
  }

  async #read(): Promise<{ etag: ETag; block: PidBlock } | undefined> {
    const { store, signal } = this.#environment;
    const found = await store.get(pidBlockKey, { signal });
    if (found.kind !== 'found') {
      this.#refuseLoss(undefined);
      return undefined;
    }
    return this.#adopt(found.info.etag, decodePidBlock(found.body, pidBlockKey));
  }

  #adopt(etag: ETag, block: PidBlock): { etag: ETag; block: PidBlock } {
    this.#refuseLoss(block.next);
    this.#highest = block.next;
    this.#seen = { etag, block };
    return this.#seen;
  }

  #refuseLoss(next: number | undefined): void {
    if ((next ?? 0) >= this.#highest) return;
    throw new LogError(
      'CORRUPT_LOG',
      `${pidBlockKey} ${next === undefined ? 'has disappeared' : `has gone back to ${next}`}, but producer ids below ` +
        `${this.#highest} have been given out: restore it, ids must not be given out twice`,
    );
  }
}
