import assert from 'node:assert/strict';
import { RunningState } from '../runtime/running-state.ts';
import { abortReason, sleep } from '../runtime/runtime.ts';
import type { Cancel, Runtime } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import { untilAborted } from '../store/body.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import { StoreError } from '../store/errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { ChangeRefused } from './change-refused.ts';
import { encodeClusterState } from './cluster-codec.ts';
import { ClusterReader } from './cluster-reader.ts';
import type { ClusterListener, Snapshot } from './cluster-reader.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';
import { emptyCluster } from './new-cluster.ts';
import { brokerOfSid, isDeadSid } from './ownership.ts';

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
}

/**
 * Computes the state after a change from the state before it, or refuses. Pure: it may be called any number of times, each
 * time with the newest state. Returning the very state it got means that nothing has to change.
 */
export type Change = (state: ClusterState) => ClusterState | ChangeRefused;

export interface ChangeOptions {
  /** Ends the waiting; the change may then have been made, or still be made. */
  readonly signal?: AbortSignal | undefined;
  /** Goes before the changes that wait already: a refutation must not come too late behind a thousand topics. */
  readonly urgent?: boolean | undefined;
  /** The change names this session in `brokers` (a restart under a new sid): it makes this change and those after it. */
  readonly newSession?: string | undefined;
}

export type ChangeOutcome =
  /** `state` is the outcome; the change is in it, and in every later state until somebody undoes it. */
  | { readonly kind: 'applied'; readonly state: ClusterState }
  /** Nothing had to change in `state`, which was read after the call. */
  | { readonly kind: 'unchanged'; readonly state: ClusterState }
  /** The change was not made and never will be. `state` was read after the call. */
  | { readonly kind: 'refused'; readonly refused: ChangeRefused; readonly state: ClusterState };

/** Changes of one process that wait for their turn, at most. */
const maxWaiting = 1024;

/**
 * The cluster state as one process sees and changes it.
 *
 * Atomicity of `meta/cluster`: created with If-None-Match, changed with If-Match, never deleted. Whoever loses the race
 * reads the winner's state and computes the change anew from it.
 *
 * Unknown outcomes: every write carries the `seq` of its change in `applied[sid]`, and every writer copies `applied`. So
 * a change has landed iff `applied[sid] ≥ seq`, however many changes of others came on top (`compareAndSwap` asks until
 * that is certain). Changes of one session are made one after another, which is what makes one number enough. An entry of
 * `applied` goes only when no broker names its sid any more: a session that dies can still learn what became of its last
 * change. A late copy of a change cannot land after that: its ETag is gone.
 *
 * `change` rejects with the signal's reason or a StoreError whose `landed` is `maybe` when the outcome was not waited
 * for, and with OUTCOME_UNKNOWN when another process took the id of this one at that moment (this one has to exit anyway;
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
  readonly #running: RunningState;
  readonly #reader: ClusterReader;
  #session: Session;
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #waiting: (() => Promise<void>)[] = [];
  #working: Promise<void> | undefined;
  #run: Promise<void> | undefined;

  constructor(options: ClusterClientOptions) {
    this.#store = options.store;
    this.#runtime = options.runtime;
    this.#key = options.key ?? clusterKey;
    this.#pollMs = options.pollMs ?? 1000;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? 1000;
    this.#onPollFailure = options.onPollFailure ?? (() => undefined);
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
    await Promise.allSettled([this.#run, this.#working]);
  }

  /** Reads the object now (another broker says that it has changed). `undefined`: there is none yet. */
  async refresh(signal?: AbortSignal): Promise<ClusterState | undefined> {
    const snapshot = await untilAborted(this.#reader.read(), signal);
    return snapshot?.state;
  }

  /** Makes a change, or finds out that it is refused. Changes of this process are made in the order of their calls. */
  async change(change: Change, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    const { urgent = false, newSession } = options;
    if (!urgent && this.#waiting.length >= maxWaiting) {
      throw new ClusterError(
        'BUSY',
        `${this.#waiting.length} changes of the cluster state are waiting already; try again later`,
      );
    }
    const signal =
      options.signal === undefined
        ? this.#running.signal
        : AbortSignal.any([options.signal, this.#running.signal]);
    const made = new Promise<ChangeOutcome>((resolve, reject) => {
      const make = (): Promise<void> => this.#make(change, newSession, signal).then(resolve, reject);
      (urgent ? this.#urgent : this.#waiting).push(make);
    });
    this.#working ??= this.#work();
    return await untilAborted(made, signal);
  }

  async #work(): Promise<void> {
    for (;;) {
      const make = this.#urgent.shift() ?? this.#waiting.shift();
      if (make === undefined) break;
      await make();
    }
    this.#working = undefined;
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

  async #make(change: Change, newSession: string | undefined, signal: AbortSignal): Promise<ChangeOutcome> {
    if (signal.aborted) throw abortReason(signal);
    const before = this.#session;
    if (newSession !== undefined && newSession !== before.sid) this.#session = { sid: newSession, seq: 0 };
    const outcome = await this.#decide(change, this.#session, signal);
    // After an unknown outcome the new session stays: it may be the one that `brokers` names.
    if (outcome.kind === 'refused') this.#session = before;
    return outcome;
  }

  async #decide(change: Change, session: Session, signal: AbortSignal): Promise<ChangeOutcome> {
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
      const after = change(before);
      const refused = after instanceof ChangeRefused ? after : sessionProblem(before, after, session.sid);
      if (refused !== undefined || after === before || after instanceof ChangeRefused) {
        if (isFresh) {
          return refused === undefined
            ? { kind: 'unchanged', state: before }
            : { kind: 'refused', refused, state: before };
        }
        base = await this.#readUntilAnswered(signal);
        isFresh = true;
        continue;
      }
      const swapped = await this.#swap(base, stamped(before, after, session), session, signal);
      if (swapped.kind === 'applied') return { kind: 'applied', state: swapped.snapshot.state };
      base = swapped.snapshot;
      isFresh = true;
      lostRaces += 1;
      await sleep(
        this.#runtime,
        this.#runtime.random.fraction() * Math.min(500, 10 * 2 ** lostRaces),
        signal,
      );
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
 * A session may make a change while it lives, and the one that gives it life. Any other one is refused: nobody would keep
 * its entry in `applied`.
 */
function sessionProblem(before: ClusterState, after: ClusterState, sid: string): ChangeRefused | undefined {
  if (!isDeadSid(before, sid) || !isDeadSid(after, sid)) return undefined;
  const named = brokerOfSid(before, sid);
  return named === undefined
    ? new ChangeRefused(
        'SESSION_REPLACED',
        `session ${sid} may not change the cluster state: no broker has it; another process has taken the id, or it was ` +
          'never registered',
      )
    : new ChangeRefused(
        'SESSION_DEAD',
        `session ${sid} of broker ${named.id} is dead and may not change the cluster state; mint a new one`,
      );
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
