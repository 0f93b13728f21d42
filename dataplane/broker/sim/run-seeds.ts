import { BrokerWorld, countNames } from './broker-world.ts';
import type { CountName } from './broker-world.ts';
import type { Invariant } from './violation.ts';

export interface SeedsRequest {
  readonly from: number;
  readonly seeds: number;
  /** Stop before a seed when so much CPU time of this process has been used. */
  readonly cpuLimitMs: number;
  readonly stopsAtFirst: boolean;
  readonly isTracing: boolean;
  readonly print: (line: string) => void;
}

export interface SeedsResult {
  readonly played: number;
  readonly steps: number;
  readonly violations: number;
  readonly counts: Readonly<Record<CountName, number>>;
  /** The first seed that broke an invariant. */
  readonly caught: { readonly seed: number; readonly invariant: Invariant } | undefined;
}

/** Plays one seed after another. What a violation was is printed when it happens. */
export async function runSeeds(request: SeedsRequest): Promise<SeedsResult> {
  const { from, seeds, cpuLimitMs, stopsAtFirst, isTracing, print } = request;
  const counts = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>;
  let steps = 0;
  let played = 0;
  let violations = 0;
  let caught: SeedsResult['caught'];
  for (let seed = from; seed < from + seeds; seed++) {
    const { user, system } = process.cpuUsage();
    if ((user + system) / 1000 > cpuLimitMs) break;
    const world = new BrokerWorld(seed, isTracing);
    const result = await world.play();
    played += 1;
    steps += result.steps;
    for (const name of countNames) counts[name] += result.counts[name];
    if (isTracing) for (const line of world.trace) print(line);
    if (result.violation === undefined) continue;
    violations += 1;
    if (result.invariant !== undefined) caught ??= { seed, invariant: result.invariant };
    print(`seed ${seed}: ${result.violation}`);
    if (stopsAtFirst) break;
  }
  return { played, steps, violations, counts, caught };
}
