import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { LogError } from './errors.ts';
import { slotKey } from './format/keys.ts';
import { backoff } from './slot-backoff.ts';

/** What a confirmation has to know of its session. */
export interface ConfirmableSession {
  readonly sid: string;
  readonly live: boolean;
  /** No slot with this number or above has ever been sent. */
  readonly nextSlot: number;
  /** Every slot below is known to hold the session's own bytes. */
  readonly durableEnd: number;
  readonly signal: AbortSignal;
  readonly deathReason: LogError;
  readonly counters: { confirmations: number };
  /** Resolves when the durable prefix has grown or the session has ended. */
  readonly advance: () => Promise<void>;
  readonly die: (reason: string) => void;
}

/**
 * Read confirmation (log.md P6): certainty that, at some moment after a call, a session had not been fenced, so that its
 * log ends included everything acknowledged before the call.
 *
 * It is either (a) a slot whose first attempt began after the call is durable together with all lower ones, or (b)
 * with no issued slot unresolved, a HEAD of the never-issued next slot, begun after the call, finds nothing. Older
 * PUTs and retries confirm nothing: they may have been applied before the fence.
 */
export class ReadConfirmation {
  readonly #session: ConfirmableSession;
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  #underWay: { readonly promise: Promise<void> } | undefined;
  #confirmedAtMs: number;

  constructor(session: ConfirmableSession, store: ObjectStore, runtime: Runtime) {
    this.#session = session;
    this.#store = store;
    this.#runtime = runtime;
    this.#confirmedAtMs = runtime.monotonicMs();
  }

  /** Age of the newest confirmation, counted from when it began. */
  get ageMs(): number {
    return this.#runtime.monotonicMs() - this.#confirmedAtMs;
  }

  /** What began at this time has turned out to be a confirmation. */
  confirmedBy(beganMs: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, beganMs);
  }

  /** One confirmation serves all callers that arrived before it began. Rejects when the session dies. */
  async confirm(): Promise<void> {
    const session = this.#session;
    if (!session.live) throw session.deathReason;
    const firstSlotAfter = session.nextSlot;
    let failures = 0;
    while (session.durableEnd <= firstSlotAfter) {
      if (session.durableEnd < session.nextSlot) {
        await session.advance();
      } else if (this.#underWay !== undefined) {
        // A HEAD that began before this call says nothing about it; wait for its end and send (or join) the next one.
        await this.#underWay.promise.catch(ignore);
        if (session.live && session.durableEnd === session.nextSlot && (await this.#headNextSlot(failures++)))
          return;
      } else if (await this.#headNextSlot(failures++)) {
        return;
      }
      if (!session.live) throw session.deathReason;
    }
  }

  /** True: confirmed. False: nothing learnt (a slot was issued meanwhile, or the store did not answer). */
  async #headNextSlot(failures: number): Promise<boolean> {
    // Callers that waited for the same earlier HEAD share this one: it begins after all of them arrived.
    const shared = this.#underWay;
    if (shared !== undefined) return shared.promise.then(confirmed, () => false);
    const beganMs = this.#runtime.monotonicMs();
    const promise = this.#head(this.#session.nextSlot, failures);
    this.#underWay = { promise };
    try {
      await promise;
      this.#session.counters.confirmations += 1;
      this.confirmedBy(beganMs);
      return true;
    } catch {
      return false;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** Resolves when the slot, which was never written by this session, is not there. */
  async #head(slot: number, failures: number): Promise<void> {
    const { sid, signal } = this.#session;
    if (failures > 0) await backoff(this.#runtime, failures, signal);
    const info = await this.#store.head(slotKey(sid, slot), { signal });
    if (info === undefined) return;
    if (info.id?.startsWith(`${sid}/`) !== true) {
      this.#session.die(
        `slot ${slot}, never written by this session, holds an object with id ${info.id ?? '(none)'}: fenced`,
      );
    }
    throw new Error('the slot was issued meanwhile');
  }
}

const ignore = (): void => undefined;
const confirmed = (): true => true;
