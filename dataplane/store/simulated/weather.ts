import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { StoreErrorCode } from '../errors.ts';
import {
  drawFault,
  faultTables,
  noFaults,
  SpellWatch,
  type SimulatedStoreFaults,
  type Spell,
} from './faults.ts';
import type { LossSeenAs, ScriptedFault } from './interception.ts';
import type { StoreRequest } from './request.ts';

/**
 * How an endpoint is cut off: `unreachable`: connections are refused; `black-hole`: requests vanish; `deaf`: requests
 * arrive, answers vanish. Answers under way when it is cut off are lost.
 */
export type EndpointMode = 'open' | 'unreachable' | 'black-hole' | 'deaf';
export type ReadOnlyAs = Extract<StoreErrorCode, 'STORE_FULL' | 'ACCESS_DENIED'>;

interface Endpoint {
  readonly watch: SpellWatch | undefined;
  forced: EndpointMode | undefined;
}

const outageModes = ['unreachable', 'black-hole', 'deaf'] as const;

/** What the configured faults, and the test, make of the store at each moment. Draws from a stream of its own. */
export class StoreWeather {
  readonly #random: VirtualRandom;
  readonly #nowMs: () => number;
  #faults: SimulatedStoreFaults = noFaults;
  #tables = faultTables(noFaults);
  #throttling: SpellWatch | undefined;
  #readOnly: SpellWatch | undefined;
  #readOnlyForced: ReadOnlyAs | undefined;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #slowUntilMs = new Map<string, number>();
  readonly #nextWriteMs = new Map<string, number>();

  constructor(random: VirtualRandom, nowMs: () => number, faults: SimulatedStoreFaults) {
    this.#random = random;
    this.#nowMs = nowMs;
    this.setFaults(faults);
  }

  get faults(): SimulatedStoreFaults {
    return this.#faults;
  }

  setFaults(faults: SimulatedStoreFaults): void {
    this.#tables = faultTables(faults);
    this.#faults = faults;
    this.#throttling = this.#watch(faults.throttlingSpells);
    this.#readOnly = this.#watch(faults.readOnlySpells);
    this.#slowUntilMs.clear();
    this.#nextWriteMs.clear();
    for (const [name, { forced }] of this.#endpoints)
      this.#endpoints.set(name, { watch: this.#watch(faults.endpointOutages), forced });
  }

  /** `undefined`: back to what the faults say. */
  setEndpoint(name: string, mode: EndpointMode | undefined): void {
    this.#endpoint(name).forced = mode;
  }

  /** Forgets what {@link setEndpoint} has forced. */
  releaseEndpoints(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.forced = undefined;
  }

  setReadOnly(as: ReadOnlyAs | undefined): void {
    this.#readOnlyForced = as;
  }

  endpointMode(name: string): EndpointMode {
    const endpoint = this.#endpoint(name);
    if (endpoint.forced !== undefined) return endpoint.forced;
    const spell = endpoint.watch?.at(this.#nowMs()) ?? 0;
    return spell === 0 ? 'open' : (outageModes[spell % 3] ?? 'open');
  }

  /** Whether writes are refused now, and how. */
  readOnly(): ReadOnlyAs | undefined {
    if (this.#readOnlyForced !== undefined) return this.#readOnlyForced;
    const spell = this.#readOnly?.at(this.#nowMs()) ?? 0;
    return spell === 0 ? undefined : spell % 2 === 0 ? 'ACCESS_DENIED' : 'STORE_FULL';
  }

  /** Whether the store sheds this request because it is overloaded. */
  isThrottled(): boolean {
    if (this.#throttling === undefined || this.#throttling.at(this.#nowMs()) === 0) return false;
    return this.#random.chance(this.#faults.throttlingSpells?.share ?? 0);
  }

  /** Whether one more write of this key is too much now. */
  isOverWriteRate(key: string): boolean {
    const perSecond = this.#faults.writesPerSecondPerKey;
    if (perSecond === undefined) return false;
    const nowMs = this.#nowMs();
    if (nowMs < (this.#nextWriteMs.get(key) ?? 0)) return true;
    dropPassed(this.#nextWriteMs, nowMs);
    this.#nextWriteMs.set(key, nowMs + 1000 / perSecond);
    return false;
  }

  /** How many times slower than usual requests for this key are. */
  slowness(key: string): number {
    const slow = this.#faults.slowKeys;
    if (slow === undefined) return 1;
    const nowMs = this.#nowMs();
    if (nowMs < (this.#slowUntilMs.get(key) ?? 0)) return slow.factor;
    if (!this.#random.chance(slow.chance)) return 1;
    dropPassed(this.#slowUntilMs, nowMs);
    this.#slowUntilMs.set(key, nowMs + this.#random.exponential(slow.lastsMs));
    return slow.factor;
  }

  /** The fate of an attempt, `undefined` when nothing happens to it. */
  fateOf(request: StoreRequest): ScriptedFault | undefined {
    const fault = drawFault(this.#random, this.#tables[request.operation]);
    switch (fault) {
      case undefined:
        return undefined;
      case 'requestLost':
        return { kind: 'request-lost' };
      case 'answerLost':
        return { kind: 'answer-lost' };
      case 'lateLanding':
        return { kind: 'late-landing', landsAfterMs: this.#landsLateMs() };
      case 'duplicate':
        return {
          kind: 'duplicate',
          afterMs: this.#random.chance(0.5) ? this.#landsLateMs() : this.#random.between(0, 50),
          answer: this.#random.chance(this.#faults.secondAnswerShare) ? 'second' : 'first',
        };
      case 'conflict':
        if (request.ifAbsent !== true && request.ifMatch === undefined) return undefined;
        return { kind: 'error', code: 'CONFLICT' };
      case 'throttled':
        return { kind: 'error', code: 'THROTTLED' };
      case 'errorWithoutEffect':
        return { kind: 'error', code: 'SERVER_ERROR', hasEffect: false };
      case 'errorWithEffect':
        return { kind: 'error', code: 'SERVER_ERROR', hasEffect: true };
      case 'truncatedBody':
        return { kind: 'body', flaw: 'truncated' };
      case 'corruptBody':
        return { kind: 'body', flaw: 'corrupt' };
      case 'wrongRange':
        return request.isRanged === true ? { kind: 'body', flaw: 'wrong-range' } : undefined;
      case 'undetectedCorruption':
        return { kind: 'body', flaw: 'undetected' };
    }
  }

  lossSeenAs(): LossSeenAs {
    return this.#random.chance(this.#faults.connectionResetShare) ? 'CONNECTION_LOST' : 'TIMEOUT';
  }

  /** When an object written now begins to appear in LIST. */
  visibleAtMs(): number {
    const lagMs = this.#faults.weakList?.lagMs;
    return lagMs === undefined ? 0 : this.#nowMs() + this.#random.between(0, lagMs);
  }

  #landsLateMs(): number {
    const { min, max } = this.#faults.landsLateMs;
    return this.#random.logBetween(min, max);
  }

  #endpoint(name: string): Endpoint {
    let endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) {
      endpoint = { watch: this.#watch(this.#faults.endpointOutages), forced: undefined };
      this.#endpoints.set(name, endpoint);
    }
    return endpoint;
  }

  #watch(spell: Spell | undefined): SpellWatch | undefined {
    return spell === undefined ? undefined : new SpellWatch(this.#random, spell, this.#nowMs());
  }
}

/** Keeps a map of instants small: what has passed is as good as absent. */
function dropPassed(instants: Map<string, number>, nowMs: number): void {
  if (instants.size < 1024) return;
  for (const [key, atMs] of instants) if (atMs <= nowMs) instants.delete(key);
}
