import { inBackground } from '../runtime/in-background.ts';
import type { Cancel, Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { StoreError } from '../store/errors.ts';
import { encodeContainer } from './format/container.ts';
import type { BlockInput, EncodedContainer } from './format/container.ts';
import { slotKey } from './format/keys.ts';
import { LogError } from './errors.ts';
import { PutLatency } from './put-latency.ts';
import type { LogOptions } from './options.ts';
import { ReadConfirmation } from './read-confirmation.ts';
import { backoff } from './slot-backoff.ts';

/**
 * The WAL of one broker process incarnation (log.md 2.1–2.5: P2, P3, P6): numbered slots, each written with
 * `If-None-Match: *`, acknowledged in order.
 *
 * Atomicity of a slot: put-if-absent by its owner with bytes that never change, against put-if-absent of a FENCE by
 * whoever takes over. The loser sees 412 and reads the object's id: ours → our earlier attempt landed, durable; anything
 * else, or nothing → this session has been fenced and is dead. A slot is *never* skipped and never gets other bytes.
 *
 * A slot is acknowledged only when every lower slot is durable, across all partitions: a fence may land in a lower
 * slot, and everything above it is then not part of the log.
 */
export class WalSession {
  readonly sid: string;
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #options: LogOptions;
  readonly #formatVersion: () => number;
  readonly #slots = new Map<number, SlotWrite>();
  readonly #ended = new AbortController();
  readonly #confirmation: ReadConfirmation;
  readonly #latency = new PutLatency();
  readonly #advanceWaiters: (() => void)[] = [];
  #onDeath: (error: LogError) => void;
  #state: 'live' | 'dead' | 'closed' = 'live';
  #deathReason: LogError | undefined;
  #nextSlot = 0;
  #durableEnd = 0;
  #lastFooterHash = NO_HASH;
  #lastTimeMs = 0;
  #hedgeTokens = 1;
  /** Slot of the newest durable checkpoint; written into every slot header to speed up a takeover. */
  lastCheckpointSlot = 0;
  readonly counters = { slots: 0, slotBytes: 0, puts: 0, hedges: 0, own412: 0, confirmations: 0 };

  constructor(environment: {
    readonly sid: string;
    readonly store: ObjectStore;
    readonly runtime: Runtime;
    readonly options: LogOptions;
    readonly formatVersion: () => number;
    readonly onDeath: (error: LogError) => void;
  }) {
    this.sid = environment.sid;
    this.#store = environment.store;
    this.#runtime = environment.runtime;
    this.#options = environment.options;
    this.#formatVersion = environment.formatVersion;
    this.#onDeath = environment.onDeath;
    this.#confirmation = new ReadConfirmation(this, environment.store, environment.runtime);
  }

  get live(): boolean {
    return this.#state === 'live';
  }

  /** Aborted when the session dies or closes. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** The next slot to be issued: no slot with this number or above has ever been sent. */
  get nextSlot(): number {
    return this.#nextSlot;
  }

  /** Every slot below is known to hold our own bytes. */
  get durableEnd(): number {
    return this.#durableEnd;
  }

  get slotsInFlight(): number {
    return this.#nextSlot - this.#durableEnd;
  }

  get latency(): PutLatency {
    return this.#latency;
  }

  /** The error every request gets once the session is dead. */
  get deathReason(): LogError {
    return this.#deathReason ?? new LogError('NOT_LEADER_OR_FOLLOWER', `session ${this.sid} is not serving`);
  }

  /** Slot time: the wall clock, never going backwards within the session. */
  slotTimeMs(): number {
    this.#lastTimeMs = Math.max(this.#lastTimeMs, this.#runtime.wallMs());
    return this.#lastTimeMs;
  }

  /**
   * Freezes the blocks into the next slot and starts writing it. `onDurable` is called once, in slot order, when this
   * slot and all lower ones are durable; never when the session dies first.
   */
  write(blocks: readonly BlockInput[], timeMs: number, onDurable: (slot: number) => void): IssuedSlot {
    return this.#issue('data', blocks, undefined, timeMs, onDurable);
  }

  /** Writes END at the next slot (whole-broker shutdown, P4). Resolves when it and all lower slots are durable. */
  end(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => {
        reject(this.deathReason);
      });
      this.#issue('end', [], { sid: this.sid, reason: 'shutdown' }, this.slotTimeMs(), () => {
        resolve();
      });
    });
  }

  #issue(
    kind: 'data' | 'end',
    blocks: readonly BlockInput[],
    note: unknown,
    timeMs: number,
    onDurable: (slot: number) => void,
  ): IssuedSlot {
    if (this.#state !== 'live') throw this.deathReason;
    const slot = this.#nextSlot;
    const encoded = encodeContainer({
      formatVersion: this.#formatVersion(),
      kind,
      sid: this.sid,
      slot,
      lastCheckpointSlot: this.lastCheckpointSlot,
      writerTimeMs: timeMs,
      previousFooterHash: this.#lastFooterHash,
      blocks,
      note,
    });
    // Only now, so that a block which cannot be encoded leaves no slot behind that is never written.
    this.#nextSlot += 1;
    this.#lastFooterHash = encoded.footerHash;
    const write: SlotWrite = {
      slot,
      key: slotKey(this.sid, slot),
      id: `${this.sid}/${slot}/${encoded.footerHash}`,
      encoded,
      onDurable,
      durable: false,
      attemptsUnderWay: 0,
      failures: 0,
      hedged: false,
      cancelTimer: undefined,
      aborter: new AbortController(),
      startedMs: this.#runtime.monotonicMs(),
    };
    this.#slots.set(slot, write);
    this.counters.slots += 1;
    this.counters.slotBytes += encoded.sizeBytes;
    this.#hedgeTokens = Math.min(MAX_HEDGE_TOKENS, this.#hedgeTokens + this.#options.hedgeShare);
    this.#attempt(write);
    this.#armHedge(write);
    return { slot, encoded };
  }

  #attempt(write: SlotWrite): void {
    write.attemptsUnderWay += 1;
    this.counters.puts += 1;
    const { key, id, encoded } = write;
    // Every batch was compared with its CRC when it was appended, and the CRC of the whole is made of theirs.
    const crc = { crc32c: encoded.crc32c, isCrc32cFresh: true } as const;
    this.#store.put(key, encoded.pieces, { ifAbsent: true, id, ...crc, signal: write.aborter.signal }).then(
      (result) => {
        if (result.kind === 'written') this.#durable(write);
        else inBackground(this.#resolve412(write));
      },
      (error: unknown) => {
        this.#attemptFailed(write, error);
      },
    );
  }

  /** Hedge (log.md 2.3): a slow PUT is sent again, same bytes, same key; the loser gets 412 on its own object. */
  #armHedge(write: SlotWrite): void {
    const delayMs = this.#latency.p95Ms;
    if (delayMs === undefined || this.#options.hedgeShare === 0) return;
    write.cancelTimer = this.#runtime.after(delayMs, () => {
      write.cancelTimer = undefined;
      if (write.durable || this.#state !== 'live' || write.attemptsUnderWay !== 1 || this.#hedgeTokens < 1)
        return;
      this.#hedgeTokens -= 1;
      write.hedged = true;
      this.counters.hedges += 1;
      this.#attempt(write);
    });
  }

  /** 412 on a slot: whose object is there? Only its id decides; a failed HEAD is repeated, never guessed. */
  async #resolve412(write: SlotWrite): Promise<void> {
    for (let failures = 0; !write.durable && this.#state === 'live'; failures++) {
      try {
        const info = await this.#store.head(write.key, { signal: write.aborter.signal });
        if (info?.id === write.id) {
          this.counters.own412 += 1;
          this.#durable(write);
        } else if (!this.#isDurable(write)) {
          const found =
            info === undefined ? 'nothing (it has been swept)' : `an object with id ${info.id ?? '(none)'}`;
          this.die(`slot ${write.slot} was refused and holds ${found}: the session has been fenced`);
        }
        return;
      } catch (error) {
        if (this.#isDurable(write) || this.#state !== 'live') return;
        if (error instanceof StoreError && !error.retriable) {
          this.die(`slot ${write.slot} cannot be read back`, error);
          return;
        }
        await backoff(this.#runtime, failures, write.aborter.signal);
      }
    }
  }

  #isDurable(write: SlotWrite): boolean {
    return write.durable;
  }

  #attemptFailed(write: SlotWrite, error: unknown): void {
    write.attemptsUnderWay -= 1;
    if (write.durable || this.#state !== 'live') return;
    if (error instanceof StoreError && !error.retriable) {
      this.die(`slot ${write.slot} cannot be written`, error);
      return;
    }
    if (write.attemptsUnderWay > 0) return;
    inBackground(
      backoff(this.#runtime, write.failures++, write.aborter.signal).then(() => {
        if (!write.durable && this.#state === 'live') this.#attempt(write);
      }),
    );
  }

  #durable(write: SlotWrite): void {
    if (write.durable || this.#state !== 'live') return;
    write.durable = true;
    this.#latency.add(this.#runtime.monotonicMs() - write.startedMs);
    write.cancelTimer?.();
    write.aborter.abort(SLOT_RESOLVED);
    while (this.#state === 'live') {
      const next = this.#slots.get(this.#durableEnd);
      if (next?.durable !== true) break;
      this.#slots.delete(this.#durableEnd);
      this.#durableEnd += 1;
      this.#confirmation.confirmedBy(next.startedMs);
      next.onDurable(next.slot);
    }
    for (const wake of this.#advanceWaiters.splice(0)) wake();
  }

  /** Read confirmation (P6): see {@link ReadConfirmation.confirm}. */
  confirm(): Promise<void> {
    return this.#confirmation.confirm();
  }

  /** Age of the newest confirmation, counted from when it began. */
  get confirmationAgeMs(): number {
    return this.#confirmation.ageMs;
  }

  /** Resolves when the durable prefix has grown or the session has ended, or `signal` aborts. */
  advance(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        const at = this.#advanceWaiters.indexOf(wake);
        if (at !== -1) this.#advanceWaiters.splice(at, 1);
        resolve();
      };
      this.#advanceWaiters.push(wake);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Resolves when every slot below `slot` is durable; rejects when the session dies first. */
  async durable(slot: number): Promise<void> {
    while (this.#durableEnd < slot) {
      if (this.#state !== 'live') throw this.deathReason;
      await this.advance();
    }
  }

  /** Ends the session for good (P3). Everything not acknowledged fails; nothing is trimmed or swept any more. */
  die(reason: string, cause?: unknown): void {
    if (this.#state !== 'live') return;
    this.#state = 'dead';
    this.#deathReason = new LogError('NOT_LEADER_OR_FOLLOWER', `session ${this.sid} ended: ${reason}`, {
      cause,
    });
    this.#stop();
    this.#onDeath(this.#deathReason);
  }

  /** Ends the session on purpose, after its groups were released. */
  close(): void {
    if (this.#state !== 'live') return;
    this.#state = 'closed';
    this.#deathReason = new LogError('SHUTTING_DOWN', `session ${this.sid} has been shut down`);
    this.#stop();
  }

  #stop(): void {
    for (const write of this.#slots.values()) {
      write.cancelTimer?.();
      write.aborter.abort(SLOT_RESOLVED);
    }
    this.#slots.clear();
    this.#ended.abort(this.#deathReason);
    for (const wake of this.#advanceWaiters.splice(0)) wake();
  }
}

export interface IssuedSlot {
  readonly slot: number;
  readonly encoded: EncodedContainer;
}

interface SlotWrite {
  readonly slot: number;
  readonly key: string;
  readonly id: string;
  readonly encoded: EncodedContainer;
  readonly onDurable: (slot: number) => void;
  readonly aborter: AbortController;
  readonly startedMs: number;
  durable: boolean;
  attemptsUnderWay: number;
  failures: number;
  hedged: boolean;
  cancelTimer: Cancel | undefined;
}

const NO_HASH = '0'.repeat(32);
const MAX_HEDGE_TOKENS = 4;
const SLOT_RESOLVED = new Error('the slot is resolved');
