import type { Cancel, Runtime } from '../runtime/runtime.ts';
import { StoreError } from '../store/errors.ts';
import type { ETag, GetResult, ObjectStore } from '../store/object-store.ts';
import { withTimeLimit } from '../store/time-limit.ts';
import { decodeClusterState } from './cluster-codec.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';

export interface Snapshot {
  readonly state: ClusterState;
  readonly etag: ETag;
}

export type ClusterListener = (state: ClusterState, before: ClusterState | undefined) => void;

/** The newest cluster state that this process has seen. It never goes back to an older one. */
export class ClusterReader {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #signal: AbortSignal;
  readonly #attemptTimeoutMs: number;
  readonly #listeners = new Set<ClusterListener>();
  #current: Snapshot | undefined;
  #readAtMs: number | undefined;
  #timedOut = false;
  #underWay: Promise<Snapshot | undefined> | undefined;
  #next: Promise<Snapshot | undefined> | undefined;

  constructor(environment: {
    readonly store: ObjectStore;
    readonly runtime: Runtime;
    readonly key: string;
    readonly signal: AbortSignal;
    readonly attemptTimeoutMs: number;
  }) {
    this.#store = environment.store;
    this.#runtime = environment.runtime;
    this.#key = environment.key;
    this.#signal = environment.signal;
    this.#attemptTimeoutMs = environment.attemptTimeoutMs;
  }

  get current(): Snapshot | undefined {
    return this.#current;
  }

  /** On the monotonic clock: when the last read that was answered began. `current` is at least as new as that. */
  get readAtMs(): number | undefined {
    return this.#readAtMs;
  }

  /** Called with every newer state, in order, some may be skipped. Must not throw. */
  subscribe(listener: ClusterListener): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Reads the object with a request that begins after this call; everybody who asks while another read is under way
   * shares the next one. `undefined`: there is no object (and never was, as far as this process knows).
   */
  read(): Promise<Snapshot | undefined> {
    if (this.#underWay === undefined) return this.#begin();
    this.#next ??= this.#underWay.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  /** Takes what was just read or written for the current state, unless a newer one is known. */
  adopt(snapshot: Snapshot): void {
    const before = this.#current;
    if (before !== undefined && before.state.version >= snapshot.state.version) return;
    this.#current = snapshot;
    for (const listener of this.#listeners) listener(snapshot.state, before?.state);
  }

  /** Decodes the object's bytes; its key stands in the error. */
  decode(bytes: Uint8Array): ClusterState {
    return decodeClusterState(bytes, `${this.#key} in ${this.#store.name}`);
  }

  /** Throws WENT_BACK when the object, read after `known` was seen, is gone or not a later version of the same cluster. */
  refuseOlder(known: ClusterState | undefined, found: ClusterState | undefined): void {
    if (known === undefined) return;
    if (found !== undefined && found.version > known.version && found.clusterId === known.clusterId) return;
    const what =
      found === undefined ? 'is gone' : `has another version ${found.version} of cluster ${found.clusterId}`;
    throw new ClusterError(
      'WENT_BACK',
      `${this.#key} in ${this.#store.name} ${what}, after version ${known.version} of cluster ${known.clusterId} was ` +
        'read there: the object was deleted, or restored from a copy; stop all brokers before you repair the bucket',
    );
  }

  #begin(): Promise<Snapshot | undefined> {
    this.#next = undefined;
    const reading = this.#readNow().finally(() => {
      if (this.#underWay === reading) this.#underWay = undefined;
    });
    this.#underWay = reading;
    return reading;
  }

  async #readNow(): Promise<Snapshot | undefined> {
    const known = this.#current;
    const beganMs = this.#runtime.monotonicMs();
    const got = await this.#get(known?.etag);
    if (got.kind === 'found') {
      const state = this.decode(got.body);
      if (got.info.etag !== known?.etag) this.refuseOlder(known?.state, state);
      this.adopt({ state, etag: got.info.etag });
    } else if (got.kind === 'absent') this.refuseOlder(known?.state, undefined);
    this.#readAtMs = beganMs;
    return this.#current;
  }

  /** Impatient: news of an accusation must not wait for an answer that was lost. */
  async #get(ifNoneMatch: ETag | undefined): Promise<GetResult<Uint8Array>> {
    const details = { operation: 'get', store: this.#store.name, key: this.#key } as const;
    const limitMs = this.#timedOut ? 2 * this.#attemptTimeoutMs : this.#attemptTimeoutMs;
    try {
      const got = await withTimeLimit(this.#runtime, limitMs, details, this.#signal, (signal) =>
        this.#store.get(this.#key, { ifNoneMatch, signal }),
      );
      this.#timedOut = false;
      return got;
    } catch (error) {
      this.#timedOut = error instanceof StoreError && error.code === 'TIMEOUT';
      throw error;
    }
  }
}
