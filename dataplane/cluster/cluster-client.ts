import assert from 'node:assert/strict';
import { RunningState } from '../runtime/running-state.ts';
import { abortReason, sleep } from '../runtime/runtime.ts';
import type { Cancel, Runtime } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import { untilAborted } from '../store/body.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import { StoreError } from '../store/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { evaluate, settle } from './change-batch.ts';
import type { Change, ChangeOutcome, WaitingChange } from './change-batch.ts';
import { encodeClusterState } from './cluster-codec.ts';
import { ClusterReader } from './cluster-reader.ts';
import type { ClusterListener, Snapshot } from './cluster-reader.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';
import { emptyCluster } from './new-cluster.ts';
import { brokerOfSid } from './ownership.ts';

export interface ClusterClientOptions {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** The session that makes the changes, until a change brings a new one. */
  readonly sid: string;
  /** How often the object is looked at. Default 1000. */
  readonly pollMs?: number | undefined;
  /** How long one request may take before it is repeated; twice as long after a time-out. Default 1000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Default `meta/cluster`. */
  readonly key?: string | undefined;
  /** A poll failed; `current` stays what it was and polling goes on. */
  readonly onPollFailure?: ((error: Error) => void) | undefined;
  /** This process has changed the state: others do not know it yet. */
  readonly onChanged?: ((state: ClusterState) => void) | undefined;
}

export interface ChangeOptions {
  /** Ends the waiting. The change may then be made all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Goes before the changes that wait already: a refutation must not come too late behind a thousand topics. */
  readonly urgent?: boolean | undefined;
  /** The change names this session in `brokers` (a restart under a new sid): it makes this change and those after it. */
  readonly newSession?: string | undefined;
}

/** Changes of one process that wait for their turn, at most. */
const maxWaiting = 1024;
const maxRestMs = 500;

/**
 * The cluster state as one process sees and changes it.
 *
 * Atomicity of `meta/cluster`: created with If-None-Match, changed with If-Match, never deleted. Whoever loses the race
 * reads the winner's state and computes the change anew from it.
 *
 * Unknown outcomes: every write carries the `seq` of its change in `applied[sid]`, and every writer copies `applied`. So
 * a change has landed iff `applied[sid] ≥ seq`, however many changes of others came on top (`compareAndSwap` asks until
 * that is certain). One write of a session is under way at a time, which is what makes one number enough; it makes all
 * changes that wait, in the order of their calls. An entry of `applied` goes only when no broker names its sid any more: a session that dies can still learn what became of its last
 * change. A late copy of a change cannot land after that: its ETag is gone.
 *
 * `change` rejects with the signal's reason when the outcome was not waited for, with a StoreError that cannot be retried
 * (`landed` says what it means), and with OUTCOME_UNKNOWN when another process took the id of this one at that moment (this one has to exit anyway;
 * one that was just starting tries again under a new sid). The change may then have been made. The next change of this
 * client is safe all the same.
 */
export class ClusterClient implements Service {
  readonly id = 'cluster-client';
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #pollMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #onPollFailure: (error: Error) => void;
  readonly #onChanged: (state: ClusterState) => void;
  readonly #running: RunningState;
  readonly #reader: ClusterReader;
  #session: Session;
  readonly #urgent: WaitingChange[] = [];
  readonly #waiting: WaitingChange[] = [];
  #working: Promise<void> | undefined;
  /** On the monotonic clock: before that only urgent changes are written. */
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  #endRest: () => void = () => undefined;
  #run: Promise<void> | undefined;

  constructor(options: ClusterClientOptions) {
    this.#store = options.store;
    this.#runtime = options.runtime;
    this.#key = options.key ?? clusterKey;
    this.#pollMs = options.pollMs ?? 1000;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? 1000;
    this.#onPollFailure = options.onPollFailure ?? (() => undefined);
    this.#onChanged = options.onChanged ?? (() => undefined);
    this.#running = new RunningState(options.runtime);
    this.#session = { sid: options.sid, seq: 0 };
    this.#reader = new ClusterReader({
      store: this.#store,
      runtime: this.#runtime,
      key: this.#key,
      signal: this.#running.signal,
      attemptTimeoutMs: this.#attemptTimeoutMs,
    });
  }

  /** The session that changes are made by. */
  get sid(): string {
    return this.#session.sid;
  }

  /** The newest state this process knows; `undefined` until one was read or written. */
  get current(): ClusterState | undefined {
    return this.#reader.current?.state;
  }

  /** On the monotonic clock: `current` is at least as new as this. */
  get readAtMs(): number | undefined {
    return this.#reader.readAtMs;
  }

  /** Called with every newer state, in order, some may be skipped. Must not throw. */
  subscribe(listener: ClusterListener): Cancel {
    return this.#reader.subscribe(listener);
  }

  /** Polls until stopped. Never rejects: failures of polls go to `onPollFailure`. */
  run(): Promise<void> {
    this.#run = this.#poll();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop(new ClusterError('STOPPED', 'the cluster client was stopped'));
    this.#endRest();
    await Promise.allSettled([this.#run, this.#working]);
  }

  /** Reads the object now (another broker says that it has changed). `undefined`: there is none yet. */
  async refresh(signal?: AbortSignal): Promise<ClusterState | undefined> {
    const snapshot = await untilAborted(this.#reader.read(), signal);
    return snapshot?.state;
  }

  /** Makes a change, or finds out that it is refused. Changes of this process are made in the order of their calls. */
  async change(change: Change, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    const { urgent = false, newSession, signal } = options;
    if (!urgent && this.#waiting.length >= maxWaiting) {
      throw new ClusterError(
        'BUSY',
        `${this.#waiting.length} changes of the cluster state are waiting already; try again later`,
      );
    }
    const isAbandoned = (): boolean => signal?.aborted ?? false;
    const made = new Promise<ChangeOutcome>((resolve, reject) => {
      const waiting = { change, newSession, isAbandoned, resolve, reject };
      (urgent ? this.#urgent : this.#waiting).push(waiting);
    });
    if (urgent) this.#endRest();
    this.#working ??= this.#work();
    return await untilAborted(made, signal);
  }

  /** Makes the waiting changes, all that wait with one write. */
  async #work(): Promise<void> {
    // So that what is asked for in one go is written in one go.
    await Promise.resolve();
    while (this.#urgent.length + this.#waiting.length > 0) {
      await this.#rest();
      const batch = this.#nextBatch();
      try {
        await this.#make(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = undefined;
  }

  /** A change that brings a new session is written alone: it must not take others with it when it is refused. */
  #nextBatch(): readonly WaitingChange[] {
    const urgent = this.#urgent.splice(0);
    if (urgent.length > 0 || this.#waiting[0]?.newSession === undefined) {
      const boundary = this.#waiting.findIndex(({ newSession }) => newSession !== undefined);
      return [...urgent, ...this.#waiting.splice(0, boundary === -1 ? this.#waiting.length : boundary)];
    }
    return this.#waiting.splice(0, 1);
  }

  /**
   * Between two writes this process leaves the others time for a read and a write, in proportion to how long those take.
   * Without it a busy process wins every race, and another one that is accused cannot even refute.
   */
  async #rest(): Promise<void> {
    const restMs = this.#restsUntilMs - this.#runtime.monotonicMs();
    if (restMs <= 0 || this.#urgent.length > 0 || !this.#running.shouldRun()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#runtime.after(restMs, resolve);
    this.#endRest = resolve;
    await promise;
    cancel();
    this.#endRest = () => undefined;
  }

  /** Failures make it no slower: an accused broker has to notice at once that the store can be reached again. */
  async #poll(): Promise<void> {
    while (this.#running.shouldRun()) {
      const beganMs = this.#runtime.monotonicMs();
      try {
        await this.#reader.read();
      } catch (error) {
        if (!this.#running.shouldRun()) break;
        this.#onPollFailure(error instanceof Error ? error : new Error('a poll failed', { cause: error }));
      }
      const tookMs = this.#runtime.monotonicMs() - beganMs;
      await this.#running.sleep(Math.max(this.#pollMs / 10, this.#pollMs - tookMs));
    }
  }

  async #make(batch: readonly WaitingChange[]): Promise<void> {
    const { signal } = this.#running;
    if (signal.aborted) throw abortReason(signal);
    const before = this.#session;
    const newSid = batch[0]?.newSession;
    if (newSid !== undefined && newSid !== before.sid) this.#session = { sid: newSid, seq: 0 };
    const after = await this.#decide(batch, this.#session, signal);
    // After an unknown outcome the new session stays: it may be the one that `brokers` names.
    if (brokerOfSid(after, this.#session.sid) === undefined) this.#session = before;
  }

  /** Settles all changes of the batch, and returns the state that they were decided by. */
  async #decide(
    batch: readonly WaitingChange[],
    session: Session,
    signal: AbortSignal,
  ): Promise<ClusterState> {
    // What is known may do to begin with: if it is outdated, the swap says so. But an answer without a write must not
    // rest on it.
    let base = this.#reader.current;
    let isFresh = false;
    for (let lostRaces = 0; ;) {
      if (base === undefined && !isFresh) {
        base = await this.#readUntilAnswered(signal);
        isFresh = true;
      }
      const before = base?.state ?? emptyCluster(this.#runtime.random);
      const evaluation = evaluate(before, batch, session.sid);
      if (evaluation.after === before) {
        if (isFresh || evaluation.verdicts.size === 0) {
          settle(evaluation, before);
          return before;
        }
        base = await this.#readUntilAnswered(signal);
        isFresh = true;
        continue;
      }
      const beganMs = this.#runtime.monotonicMs();
      const swapped = await this.#swap(base, stamped(before, evaluation.after, session), session, signal);
      const nowMs = this.#runtime.monotonicMs();
      if (swapped.kind === 'applied') {
        const shares = 1 + 2 * this.#runtime.random.fraction();
        this.#restsUntilMs = nowMs + Math.min(maxRestMs, shares * (nowMs - beganMs));
        settle(evaluation, swapped.snapshot.state);
        this.#onChanged(swapped.snapshot.state);
        return swapped.snapshot.state;
      }
      base = swapped.snapshot;
      isFresh = true;
      lostRaces += 1;
      await sleep(this.#runtime, this.#runtime.random.fraction() * Math.min(100, 2 ** lostRaces), signal);
    }
  }

  async #swap(
    base: Snapshot | undefined,
    next: ClusterState,
    session: Session,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'applied' | 'lost'; readonly snapshot: Snapshot }> {
    const seq = next.applied.get(session.sid);
    assert(seq !== undefined);
    const bytes = encodeClusterState(next, base?.state);
    const decodedOf = memoized((current: Uint8Array) => this.#reader.decode(current));
    const result = await compareAndSwap(this.#store, this.#runtime, {
      key: this.#key,
      expected: base?.etag ?? 'absent',
      bytes,
      id: `${session.sid}/${seq}`,
      attemptTimeoutMs: this.#attemptTimeoutMs,
      signal,
      isOurs: (current) => (decodedOf(current).applied.get(session.sid) ?? 0) >= seq,
    });
    if (result.kind === 'applied') {
      const state = result.bytes === bytes ? next : decodedOf(result.bytes);
      const snapshot = { state, etag: result.etag };
      this.#reader.adopt(snapshot);
      return { kind: 'applied', snapshot };
    }
    const snapshot =
      result.current === undefined
        ? undefined
        : { state: decodedOf(result.current.bytes), etag: result.current.etag };
    this.#reader.refuseOlder(base?.state, snapshot?.state);
    assert(snapshot !== undefined, 'a lost race against nobody');
    this.#reader.adopt(snapshot);
    assertDecidable(base?.state, next, snapshot.state, session.sid);
    return { kind: 'lost', snapshot };
  }

  async #readUntilAnswered(signal: AbortSignal): Promise<Snapshot | undefined> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await untilAborted(this.#reader.read(), signal);
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        if (!(error instanceof StoreError && error.retriable)) throw error;
      }
      await sleep(
        this.#runtime,
        Math.min(500, 50 * 2 ** failures) * (0.5 + this.#runtime.random.fraction() / 2),
        signal,
      );
    }
  }
}

/** `seq` of the last change that was begun. */
interface Session {
  readonly sid: string;
  seq: number;
}

/** The bookkeeping of a write: its version, who made it, and no entries of sessions that nobody has any more. */
function stamped(before: ClusterState, after: ClusterState, session: Session): ClusterState {
  session.seq += 1;
  const named = new Set(Array.from(after.brokers.values(), ({ sid }) => sid));
  const applied = new Map([...after.applied].filter(([sid]) => named.has(sid)));
  applied.set(session.sid, session.seq);
  return { ...after, version: before.version + 1, applied };
}

/**
 * After a lost race `applied` tells whether the change had landed, as long as the session's broker entry is what it was
 * before or what the change made of it. If another session is there, ours may have been replaced *after* the change had
 * landed, and its entry in `applied` went with it.
 */
function assertDecidable(
  before: ClusterState | undefined,
  tried: ClusterState,
  now: ClusterState,
  sid: string,
): void {
  const id = brokerOfSid(tried, sid)?.id;
  assert(id !== undefined, `a change made by session ${sid} does not name it`);
  const sidNow = now.brokers.get(id)?.sid;
  if (sidNow === sid || sidNow === before?.brokers.get(id)?.sid) return;
  // Somebody else's is the only write since.
  if (now.version === tried.version) return;
  throw new ClusterError(
    'OUTCOME_UNKNOWN',
    `a change of the cluster state by session ${sid} may or may not have been made: broker ${id} has session ` +
      `${sidNow ?? '(none)'} by now, another process has taken its id`,
  );
}

function memoized<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const value = known.get(key) ?? compute(key);
    known.set(key, value);
    return value;
  };
}
