export interface SeedsRequest {
  readonly from: number;
  readonly seeds: number;
  /** Stop before a seed when so much CPU time of this process has been used. */
  readonly cpuLimitMs: number;
  readonly stopsAtFirst: boolean;
  readonly isTracing: boolean;
  readonly print: (line: string) => void;
}

/** What one seed of a simulation came to. */
export interface PlayedSeed<Count extends string, Invariant extends string> {
  /** What the seed is about, for people: its number, its profile. */
  readonly name: string;
  readonly steps: number;
  readonly violation: string | undefined;
  /** `undefined` with a violation: the run failed otherwise, which is a fault of the simulator. */
  readonly invariant: Invariant | undefined;
  readonly counts: Readonly<Record<Count, number>>;
  readonly trace: readonly string[];
}

export interface SeedsResult<Count extends string, Invariant extends string> {
  readonly played: number;
  readonly steps: number;
  readonly violations: number;
  readonly counts: Readonly<Record<Count, number>>;
  /** The first seed that broke an invariant. */
  readonly caught: { readonly seed: number; readonly invariant: Invariant } | undefined;
}

/** Plays one seed of a simulation after another. What a violation was is printed when it happens. */
export async function playSeeds<Count extends string, Invariant extends string>(
  request: SeedsRequest,
  countNames: readonly Count[],
  play: (seed: number, isTracing: boolean) => Promise<PlayedSeed<Count, Invariant>>,
): Promise<SeedsResult<Count, Invariant>> {
  const { from, seeds, cpuLimitMs, stopsAtFirst, isTracing, print } = request;
  const counts = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<Count, number>;
  let steps = 0;
  let played = 0;
  let violations = 0;
  let caught: SeedsResult<Count, Invariant>['caught'];
  for (let seed = from; seed < from + seeds; seed++) {
    const { user, system } = process.cpuUsage();
    if ((user + system) / 1000 > cpuLimitMs) break;
    const result = await play(seed, isTracing);
    played += 1;
    steps += result.steps;
    for (const name of countNames) counts[name] += result.counts[name];
    for (const line of result.trace) print(line);
    if (result.violation === undefined) continue;
    violations += 1;
    if (result.invariant !== undefined) caught ??= { seed, invariant: result.invariant };
    print(`seed ${result.name}: ${result.violation}`);
    if (stopsAtFirst) break;
  }
  return { played, steps, violations, counts, caught };
}
