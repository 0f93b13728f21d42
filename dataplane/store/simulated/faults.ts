import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { StoreOperation } from './latency.ts';

/**
 * What can go wrong with one attempt of one request. At most one of them hits an attempt:
 *
 *  - `requestLost`: the store never sees it; the client gets TIMEOUT or CONNECTION_LOST.
 *  - `answerLost`: applied, but the client gets TIMEOUT or CONNECTION_LOST.
 *  - `lateLanding` (writes): the client gives up as above, and the write is applied `landsLateMs` after it was sent.
 *  - `duplicate` (writes): the same request is applied twice, the second time soon after or `landsLateMs` later; the
 *    client gets the answer of the first or (see `secondAnswerShare`) the second. A write that the client is told to
 *    have failed for good is not repeated.
 *  - `conflict` (conditional writes): 409, not applied.
 *  - `throttled`: 503 SlowDown, not applied.
 *  - `errorWithoutEffect`, `errorWithEffect`: 500; the client cannot tell them apart.
 *  - `truncatedBody`, `corruptBody` (GET), `wrongRange` (GET of a range): noticed by the client, which asks again.
 *  - `undetectedCorruption` (GET): some bytes of the answer are wrong, or come from another place of the object; the
 *    store client takes it for good, so that only the caller's own checksums can find it.
 */
export interface AttemptFaults {
  readonly requestLost: number;
  readonly answerLost: number;
  readonly lateLanding: number;
  readonly duplicate: number;
  readonly conflict: number;
  readonly throttled: number;
  readonly errorWithoutEffect: number;
  readonly errorWithEffect: number;
  readonly truncatedBody: number;
  readonly corruptBody: number;
  readonly wrongRange: number;
  readonly undetectedCorruption: number;
}

export type AttemptFault = keyof AttemptFaults;

/** Something that comes and goes at random: off for `everyMs` on average, then on for `lastsMs` on average. */
export interface Spell {
  readonly everyMs: number;
  readonly lastsMs: number;
}

/** The weather of a simulated store. Probabilities are per attempt; those that concern one operation add up to ≤ 1. */
export interface SimulatedStoreFaults extends AttemptFaults {
  /** Share of lost requests and answers that show as CONNECTION_LOST soon, instead of TIMEOUT after the attempt's time-out. */
  readonly connectionResetShare: number;
  /**
   * Share of duplicates whose second answer is the one that reaches the client. A conditional write then gets a 412
   * because of itself, against what `object-store.ts` says of `condition-failed`: gateways that repeat requests do that.
   */
  readonly secondAnswerShare: number;
  /** When a late write lands, counted from its sending: spread evenly over the orders of magnitude. */
  readonly landsLateMs: { readonly min: number; readonly max: number };
  /** 503 SlowDown for this share of all requests, for a while. */
  readonly throttlingSpells: (Spell & { readonly share: number }) | undefined;
  /** A request makes its key slower by `factor`, for everybody and `lastsMs` on average, with this probability. */
  readonly slowKeys:
    { readonly chance: number; readonly lastsMs: number; readonly factor: number } | undefined;
  /** One endpoint is cut off: refused connections, black holes, or lost answers, by turns. `everyMs` is counted per endpoint. */
  readonly endpointOutages: Spell | undefined;
  /** All writes are refused (STORE_FULL or ACCESS_DENIED, by turns). */
  readonly readOnlySpells: Spell | undefined;
  /** Each key takes at most so many writes a second; more get 503 SlowDown. */
  readonly writesPerSecondPerKey: number | undefined;
  /** A vendor with weak listings: objects appear in LIST up to `lagMs` after they were written; pages are in no order. */
  readonly weakList: { readonly lagMs: number; readonly isUnordered: boolean } | undefined;
}

export const noFaults: SimulatedStoreFaults = {
  requestLost: 0,
  answerLost: 0,
  lateLanding: 0,
  duplicate: 0,
  conflict: 0,
  throttled: 0,
  errorWithoutEffect: 0,
  errorWithEffect: 0,
  truncatedBody: 0,
  corruptBody: 0,
  wrongRange: 0,
  undetectedCorruption: 0,
  connectionResetShare: 0.5,
  secondAnswerShare: 0.5,
  landsLateMs: { min: 100, max: 600_000 },
  throttlingSpells: undefined,
  slowKeys: undefined,
  endpointOutages: undefined,
  readOnlySpells: undefined,
  writesPerSecondPerKey: undefined,
  weakList: undefined,
};

/** Everything at once, each rare enough that work gets done in between. Only undetected corruption is left out. */
export const allFaults: SimulatedStoreFaults = {
  requestLost: 0.01,
  answerLost: 0.01,
  lateLanding: 0.01,
  duplicate: 0.01,
  conflict: 0.01,
  throttled: 0.01,
  errorWithoutEffect: 0.005,
  errorWithEffect: 0.005,
  truncatedBody: 0.005,
  corruptBody: 0.005,
  wrongRange: 0.005,
  undetectedCorruption: 0,
  connectionResetShare: 0.5,
  secondAnswerShare: 0.5,
  landsLateMs: { min: 100, max: 600_000 },
  throttlingSpells: { everyMs: 60_000, lastsMs: 2_000, share: 0.8 },
  slowKeys: { chance: 0.002, lastsMs: 10_000, factor: 30 },
  endpointOutages: { everyMs: 120_000, lastsMs: 8_000 },
  readOnlySpells: { everyMs: 300_000, lastsMs: 5_000 },
  writesPerSecondPerKey: 20,
  weakList: { lagMs: 5_000, isUnordered: true },
};

const writes: readonly StoreOperation[] = ['put', 'delete'];
const all: readonly StoreOperation[] = ['put', 'get', 'head', 'list', 'delete'];

const applicable: Record<AttemptFault, readonly StoreOperation[]> = {
  requestLost: all,
  answerLost: all,
  lateLanding: writes,
  duplicate: writes,
  conflict: ['put'],
  throttled: all,
  errorWithoutEffect: all,
  errorWithEffect: all,
  truncatedBody: ['get'],
  corruptBody: ['get'],
  wrongRange: ['get'],
  undetectedCorruption: ['get'],
};

/** The faults that can hit an operation, with running sums of their probabilities: one draw picks one or none. */
export interface FaultTable {
  readonly total: number;
  readonly entries: readonly { readonly fault: AttemptFault; readonly upTo: number }[];
}

export function faultTables(faults: AttemptFaults): Readonly<Record<StoreOperation, FaultTable>> {
  const table = (operation: StoreOperation): FaultTable => {
    let total = 0;
    const entries: { fault: AttemptFault; upTo: number }[] = [];
    for (const [fault, operations] of Object.entries(applicable) as [
      AttemptFault,
      readonly StoreOperation[],
    ][]) {
      const probability = faults[fault];
      if (!(probability >= 0 && probability <= 1))
        throw new RangeError(`the probability of ${fault} is ${probability}: it must be between 0 and 1`);
      if (probability === 0 || !operations.includes(operation)) continue;
      total += probability;
      entries.push({ fault, upTo: total });
    }
    if (total > 1.000_001)
      throw new RangeError(
        `the probabilities of faults of a ${operation} add up to ${total}: at most 1 is possible`,
      );
    return { total, entries };
  };
  return {
    put: table('put'),
    get: table('get'),
    head: table('head'),
    list: table('list'),
    delete: table('delete'),
  };
}

export function drawFault(random: VirtualRandom, table: FaultTable): AttemptFault | undefined {
  if (table.total === 0) return undefined;
  const drawn = random.fraction();
  if (drawn >= table.total) return undefined;
  return table.entries.find(({ upTo }) => drawn < upTo)?.fault;
}

/** The state of a {@link Spell}, worked out only when somebody asks: no event of the simulation is needed for it. */
export class SpellWatch {
  readonly #random: VirtualRandom;
  readonly #spell: Spell;
  #startsAtMs: number;
  #endsAtMs: number;
  #count = 0;

  constructor(random: VirtualRandom, spell: Spell, nowMs: number) {
    this.#random = random;
    this.#spell = spell;
    this.#startsAtMs = nowMs + random.exponential(spell.everyMs);
    this.#endsAtMs = this.#startsAtMs + random.exponential(spell.lastsMs);
  }

  /** The number of the spell (1, 2, …) that is on at this time, or 0. Times must not go backwards. */
  at(nowMs: number): number {
    while (nowMs >= this.#endsAtMs) {
      this.#startsAtMs = this.#endsAtMs + this.#random.exponential(this.#spell.everyMs);
      this.#endsAtMs = this.#startsAtMs + this.#random.exponential(this.#spell.lastsMs);
      this.#count++;
    }
    return nowMs >= this.#startsAtMs ? this.#count + 1 : 0;
  }
}
