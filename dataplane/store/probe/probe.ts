import { abortReason } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { Cleaner } from './cleaner.ts';
import { DeadlineStore } from './deadline-store.ts';
import { Inconclusive, Violation } from './errors.ts';
import type { ProbeCase } from './probe-case.ts';
import { probeCases } from './probe-cases.ts';
import { ProbeGround } from './probe-ground.ts';

export interface ProbeOptions {
  /**
   * Opens a handle with connections of its own to the store under test; one function per endpoint. With a single endpoint
   * it is called twice, since a store must keep its promises between connections. The probe closes what it opens.
   */
  readonly endpoints: readonly (() => Promise<ObjectStore>)[];
  readonly runtime: Runtime;
  /** How often races and visibility cases are repeated. Default 30; a rare double winner needs more. */
  readonly rounds?: number | undefined;
  /** Writers of one race. Default 32. */
  readonly racers?: number | undefined;
  /**
   * Size of the bodies of `racing-large`. Default 8 MiB: what a slot of the log has at most, and above the 5 MiB from which
   * many stores put a body aside in a file first, which grows the distance between looking at a condition and acting on it.
   */
  readonly largeBodyBytes?: number | undefined;
  /** Bound of one call to the store. Default 20 s. */
  readonly callTimeoutMs?: number | undefined;
  /** Called with each case's report once it is over, in order. */
  readonly onCase?: ((report: CaseReport) => void) | undefined;
  /** Ends the probe early; what it wrote is still deleted, then `probeStore` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface CaseReport {
  readonly name: string;
  readonly description: string;
  /**
   * `passed`; `warning`: broken, but Firn can live with it; `failed`: broken; `unknown`: errors or time-outs kept the store
   * from showing it; `skipped`: not run, because a case before it ended so.
   */
  readonly verdict: 'passed' | 'warning' | 'failed' | 'unknown' | 'skipped';
  /** Rounds that were run; the last one is that which decided, when it did not pass. */
  readonly rounds: number;
  readonly durationMs: number;
  /** What was seen, for people; empty when there is nothing to say. */
  readonly detail: string;
}

export interface ProbeReport {
  /** The first handle's name: the store and its endpoint. */
  readonly store: string;
  /** All handles' names, each once. */
  readonly endpoints: readonly string[];
  /** `unprobed`: nothing was refuted, but not everything could be shown. Try again. */
  readonly verdict: 'accepted' | 'refused' | 'unprobed';
  /** The verdict in a sentence for people: which store, which case, what was seen, what to do. */
  readonly sentence: string;
  readonly racers: number;
  readonly cases: readonly CaseReport[];
  readonly durationMs: number;
  /** The folder of the probe's objects when some of them could not be deleted. */
  readonly leftovers: string | undefined;
}

const defaults = { rounds: 30, racers: 32, largeBodyBytes: 8 * 1024 * 1024, callTimeoutMs: 20_000 } as const;

/**
 * Puts a store to the test: whether it keeps the promises that Firn's correctness rests on (`ObjectStore`). It writes
 * small objects below a fresh `probe-…/` prefix and deletes them at the end, whatever the verdict (best effort).
 *
 * A store is refused only for what it did: an answer or an object that contradicts a promise. Errors, lost answers and
 * time-outs lead at worst to `unprobed`. Rejects with `signal.reason`, or with what an endpoint could not be opened for.
 */
export async function probeStore(options: ProbeOptions): Promise<ProbeReport> {
  const { runtime, endpoints, signal = new AbortController().signal } = options;
  const { racers = defaults.racers, callTimeoutMs = defaults.callTimeoutMs } = options;
  const { largeBodyBytes = defaults.largeBodyBytes } = options;
  const startMs = runtime.monotonicMs();
  const handles: DeadlineStore[] = [];
  try {
    for (const open of endpoints.length === 1 ? [...endpoints, ...endpoints] : endpoints)
      handles.push(new DeadlineStore(await open(), runtime, callTimeoutMs));
    const prefix = `probe-${Buffer.from(runtime.random.bytes(8)).toString('hex')}/`;
    const ground = new ProbeGround({
      handles,
      runtime,
      racers,
      largeBodyBytes,
      prefix,
      signal,
      patienceMs: 2 * callTimeoutMs,
    });
    const cleaner = new Cleaner(ground.handle(0), prefix);
    const cases = await runCases(ground, cleaner, options);
    const leftovers = handles.some(({ mayHaveWritten }) => mayHaveWritten)
      ? await cleaner.sweep()
      : undefined;
    if (signal.aborted) throw abortReason(signal);
    const names = [...new Set(handles.map(({ name }) => name))];
    const store = names[0] ?? 'no store';
    return {
      store,
      endpoints: names,
      ...judge(store, cases, racers),
      racers,
      cases,
      durationMs: runtime.monotonicMs() - startMs,
      leftovers,
    };
  } finally {
    await Promise.allSettled(handles.map((handle) => handle.close()));
  }
}

async function runCases(ground: ProbeGround, cleaner: Cleaner, options: ProbeOptions): Promise<CaseReport[]> {
  const { rounds = defaults.rounds, onCase } = options;
  const reports: CaseReport[] = [];
  for (const probeCase of probeCases) {
    if (ground.signal.aborted) break;
    const isReachable = reports.every(({ verdict }) => verdict !== 'unknown');
    const report = isReachable ? await runCase(ground, probeCase, rounds) : skipped(probeCase);
    if (report === undefined) break;
    await cleaner.remove(ground.takeKeys());
    reports.push(report);
    onCase?.(report);
  }
  return reports;
}

/** Undefined when the probe was aborted. */
async function runCase(
  ground: ProbeGround,
  probeCase: ProbeCase,
  rounds: number,
): Promise<CaseReport | undefined> {
  const { name, description, repeat, severity } = probeCase;
  const { runtime } = ground;
  const startMs = runtime.monotonicMs();
  const wanted = roundsOf(repeat, rounds);
  let round = 0;
  const report = (verdict: CaseReport['verdict'], detail: string): CaseReport => ({
    name,
    description,
    verdict,
    rounds: verdict === 'passed' ? round : round + 1,
    durationMs: runtime.monotonicMs() - startMs,
    detail,
  });
  try {
    for (; round < wanted; round++) await probeCase.round(ground, round);
    const doubt = ground.takeDoubt();
    return report('passed', doubt === undefined ? '' : `seen once and put down to a late request: ${doubt}`);
  } catch (error) {
    ground.takeDoubt();
    if (ground.signal.aborted) return undefined;
    const where = wanted === 1 ? '' : `in round ${round + 1} of ${wanted} `;
    if (error instanceof Violation)
      return report(severity === 'warn' ? 'warning' : 'failed', where + error.message);
    if (error instanceof Inconclusive) return report('unknown', where + error.message);
    if (!(error instanceof StoreError)) throw error;
    // 501 and the like: the store does not know what it was asked for.
    const refuses = error.code === 'INVALID_REQUEST' || error.code === 'RANGE_NOT_SATISFIABLE';
    if (!refuses) return report('unknown', error.message);
    return report(severity === 'warn' ? 'warning' : 'failed', `the store does not do it: ${error.message}`);
  }
}

function roundsOf(repeat: ProbeCase['repeat'], rounds: number): number {
  switch (repeat) {
    case 'rounds':
      return rounds;
    case 'large':
      return Math.min(50, Math.ceil(rounds * 0.4));
    case 'once':
      return 1;
  }
}

function skipped({ name, description }: ProbeCase): CaseReport {
  return { name, description, verdict: 'skipped', rounds: 0, durationMs: 0, detail: '' };
}

function judge(
  store: string,
  cases: readonly CaseReport[],
  racers: number,
): Pick<ProbeReport, 'verdict' | 'sentence'> {
  const failed = cases.filter(({ verdict }) => verdict === 'failed');
  const [worst] = failed;
  if (worst !== undefined) {
    const others = failed.length === 1 ? '' : ` (and ${failed.length - 1} more)`;
    return {
      verdict: 'refused',
      sentence:
        `${store} is refused: case ${worst.name}${others}: ${worst.detail}. Firn would lose or reorder acknowledged ` +
        'records on such a store: use another one, or a release of it that passes `firn probe`.',
    };
  }
  const unknown = cases.find(({ verdict }) => verdict === 'unknown');
  if (unknown !== undefined) {
    return {
      verdict: 'unprobed',
      sentence:
        `${store} could not be probed: case ${unknown.name}: ${unknown.detail}. Check that the endpoint, the bucket ` +
        'and the credentials are right, then probe again.',
    };
  }
  const warnings = cases.filter(({ verdict }) => verdict === 'warning').map(({ name }) => name);
  const reservation = warnings.length === 0 ? '' : `, with a warning from ${warnings.join(' and ')}`;
  return {
    verdict: 'accepted',
    sentence: `${store} is accepted${reservation}: each race of ${racers} writers had exactly one winner.`,
  };
}
