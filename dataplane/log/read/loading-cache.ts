import { abortReason } from '../../runtime/runtime.ts';
import { untilAborted } from '../../store/body.ts';

export interface Loaded<V> {
  readonly value: V;
  /** What it takes in memory; absent: given to those who wait for it, and not kept. */
  readonly keepBytes?: number | undefined;
}

/** For values with an end that matters. */
export interface Lifetime<V> {
  hold(value: V): void;
  release(value: V): void;
}

/** Reads a value, which comes with a hold. The signal aborts when nobody waits for it any more. */
export type Load<V> = (signal: AbortSignal) => Promise<Loaded<V>>;

/**
 * Values that are read from the store, each once however many ask for it at the same time, and kept for others up to a
 * bound in bytes, least recently used out first.
 *
 * Whoever asks joins the load under way. One that gives up leaves the others waiting; only when the last one has left is
 * the load aborted. A failed load fails all who wait and is forgotten: the next to ask tries again. Values must be
 * immutable, as what they are read from is.
 *
 * With a {@link Lifetime}, values are held: those kept by the cache until they are dropped, and each that is handed out by
 * whoever got it.
 *
 * Values loaded ahead of need ({@link ahead}) take at most half of the bound until somebody has asked for them: more
 * would only push one another out unread.
 */
export class LoadingCache<V> {
  readonly counters: LoadingCacheCounters = {
    hits: 0,
    joined: 0,
    loads: 0,
    aheadLoads: 0,
    aheadWasted: 0,
    abandoned: 0,
    evicted: 0,
  };
  readonly #limitBytes: number;
  readonly #lifetime: Lifetime<V> | undefined;
  /** In order of use, least recently used first. */
  readonly #kept = new Map<string, Kept<V>>();
  readonly #loads = new Map<string, LoadUnderWay<V>>();
  #keptBytes = 0;
  #unreadBytes = 0;

  constructor(limitBytes: number, lifetime?: Lifetime<V>) {
    this.#limitBytes = limitBytes;
    this.#lifetime = lifetime;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** The value if it is here, held for the caller; counts as a use. */
  peek(key: string): V | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (kept.isUnread) this.#markRead(kept);
    this.counters.hits += 1;
    this.#lifetime?.hold(kept.value);
    return kept.value;
  }

  /** Whether it is here or on its way. No use of it. */
  has(key: string): boolean {
    return this.#kept.has(key) || this.#loads.has(key);
  }

  /** The value, held for the caller. Rejects with `signal.reason` when the caller's signal aborts, else as the load does. */
  async get(key: string, load: Load<V>, signal?: AbortSignal): Promise<V> {
    if (signal?.aborted === true) throw abortReason(signal);
    const kept = this.peek(key);
    if (kept !== undefined) return kept;
    let underWay = this.#loads.get(key);
    if (underWay === undefined) underWay = this.#start(key, load, 0);
    else this.counters.joined += 1;
    this.#unreadBytes -= underWay.aheadBytes;
    underWay.aheadBytes = 0;
    underWay.waiting += 1;
    try {
      return await untilAborted(underWay.result, signal);
    } finally {
      underWay.waiting -= 1;
      if (underWay.waiting === 0 && !underWay.isAhead && !underWay.isSettled) this.#abandon(key, underWay);
    }
  }

  /**
   * Begins to load what will probably be asked for soon; returns whether it did. It does not while too much that was
   * loaded ahead is still unread. A failure is for whoever asks for the value later.
   */
  ahead(key: string, expectedBytes: number, load: Load<V>): boolean {
    if (this.has(key) || !this.hasRoomAhead(expectedBytes)) return false;
    this.#unreadBytes += expectedBytes;
    this.counters.aheadLoads += 1;
    this.#start(key, load, expectedBytes).isAhead = true;
    return true;
  }

  hasRoomAhead(expectedBytes: number): boolean {
    return this.#unreadBytes + expectedBytes <= this.#limitBytes / 2;
  }

  /** Keeps a value that came along with something else, and takes over the hold on it; until somebody asks for it, it counts as loaded ahead. */
  put(key: string, value: V, keepBytes: number): void {
    this.#keep(key, value, keepBytes, true);
  }

  drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#keptBytes -= kept.sizeBytes;
    if (kept.isUnread) this.#unreadBytes -= kept.sizeBytes;
    this.#lifetime?.release(kept.value);
  }

  #start(key: string, load: Load<V>, aheadBytes: number): LoadUnderWay<V> {
    const aborter = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<V>();
    const underWay: LoadUnderWay<V> = {
      aborter,
      result: promise,
      waiting: 0,
      aheadBytes,
      isAhead: false,
      isSettled: false,
    };
    this.#loads.set(key, underWay);
    this.counters.loads += 1;
    // All who wait may have left by the time it fails.
    promise.catch(() => undefined);
    load(aborter.signal).then(
      ({ value, keepBytes }) => {
        const isUnread = underWay.aheadBytes > 0;
        // For those who wait, before anything is dropped. One that gives up just now does not release it.
        for (let waiting = underWay.waiting; waiting > 0; waiting--) this.#lifetime?.hold(value);
        if (this.#settle(key, underWay) && keepBytes !== undefined)
          this.#keep(key, value, keepBytes, isUnread);
        else this.#lifetime?.release(value);
        resolve(value);
      },
      (error: unknown) => {
        this.#settle(key, underWay);
        reject(error instanceof Error ? error : new Error('loading failed', { cause: error }));
      },
    );
    return underWay;
  }

  /** False: it had been abandoned, and another load of the same value may be under way. */
  #settle(key: string, underWay: LoadUnderWay<V>): boolean {
    underWay.isSettled = true;
    this.#unreadBytes -= underWay.aheadBytes;
    underWay.aheadBytes = 0;
    if (this.#loads.get(key) !== underWay) return false;
    this.#loads.delete(key);
    return true;
  }

  #abandon(key: string, underWay: LoadUnderWay<V>): void {
    if (this.#loads.get(key) === underWay) this.#loads.delete(key);
    this.counters.abandoned += 1;
    underWay.aborter.abort(new Error(`nobody waits for ${key} any more`));
  }

  #keep(key: string, value: V, sizeBytes: number, isUnread: boolean): void {
    this.drop(key);
    this.#kept.set(key, { value, sizeBytes, isUnread });
    this.#keptBytes += sizeBytes;
    if (isUnread) this.#unreadBytes += sizeBytes;
    for (const [oldest, { isUnread: isWasted }] of this.#kept) {
      if (this.#keptBytes <= this.#limitBytes) break;
      if (isWasted) this.counters.aheadWasted += 1;
      this.counters.evicted += 1;
      this.drop(oldest);
    }
  }

  #markRead(kept: Kept<V>): void {
    kept.isUnread = false;
    this.#unreadBytes -= kept.sizeBytes;
  }
}

export interface LoadingCacheCounters {
  /** Found in memory. */
  hits: number;
  /** Joined a load that was under way. */
  joined: number;
  loads: number;
  /** Of `loads`: those begun ahead of need. */
  aheadLoads: number;
  /** Loaded ahead and evicted before anybody asked. */
  aheadWasted: number;
  /** Aborted because nobody waited any more. */
  abandoned: number;
  evicted: number;
}

interface Kept<V> {
  readonly value: V;
  readonly sizeBytes: number;
  /** Loaded ahead, and nobody has asked for it yet. */
  isUnread: boolean;
}

interface LoadUnderWay<V> {
  readonly aborter: AbortController;
  readonly result: Promise<V>;
  waiting: number;
  /** It goes on when one that joined it leaves: on behalf of whoever comes. */
  isAhead: boolean;
  /** What is expected of a load ahead that nobody has joined; else 0. */
  aheadBytes: number;
  isSettled: boolean;
}
