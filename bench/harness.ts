/**
 * How a benchmark is written. `bench/NAME.bench.ts` exports `bench`, a {@link BenchDefinition}; `npm run -s bench -- NAME`
 * runs it:
 *
 * - every measurement in a fresh process, one at a time: V8 settles differently from process to process;
 * - interleaved: run 1 of case A, of case B, …, then run 2 of A, of B, …, so that what disturbs the machine disturbs all;
 * - a ratio is computed within each run, from figures taken seconds apart, and its median over the runs counts;
 * - of the cases a ratio lists, the worst is the ratio.
 */
export interface BenchDefinition<Shared extends Json = Json> {
  /** As in `bench/NAME.bench.ts`. */
  readonly name: string;
  /** One sentence: what is measured against what. Stands above the table. */
  readonly summary: string;
  /** Default: 5, and 3 with `--quick`. */
  readonly runs?: { readonly full: number; readonly quick: number } | undefined;
  /** Runs once in the parent process: starts servers, fills buckets. */
  setup?(options: BenchOptions): Promise<BenchSetup<Shared>>;
  readonly cases: readonly BenchCase<Shared>[];
  readonly ratios: readonly RatioDefinition[];
}

export interface BenchOptions {
  /** `--quick`: less data, fewer runs; same cases and ratios. */
  readonly quick: boolean;
}

export interface BenchSetup<Shared extends Json> {
  /** Handed to every measurement, through JSON. */
  readonly shared: Shared;
  /** Undoes the setup; called whatever happens. */
  stop(): Promise<void>;
}

export interface BenchCase<Shared extends Json = Json> {
  readonly name: string;
  /** Measures once, in a process of its own. The names of the figures carry their units: `mibPerSecond`, `cpuUsPerRequest`. */
  measure(context: MeasureContext<Shared>): Promise<Figures>;
  /** Left out with `--quick`. */
  readonly fullOnly?: boolean | undefined;
  /** At most this many of the bench's runs; for what is slow and steady. Later runs reuse the last figures. */
  readonly maxRuns?: number | undefined;
  /** Node options of the process, e.g. `['--expose-gc']`. */
  readonly nodeOptions?: readonly string[] | undefined;
  /** A measurement that takes longer is killed and fails the bench. Default: 600,000. */
  readonly timeoutMs?: number | undefined;
}

export interface MeasureContext<Shared extends Json = Json> extends BenchOptions {
  readonly shared: Shared;
  /** 0, 1, 2, …: which run this is; e.g. to choose keys no other run has used. */
  readonly run: number;
}

/** Finite numbers by name. */
export type Figures = Readonly<Record<string, number>>;

export interface RatioDefinition {
  /** As the issue calls it; the key in the last line of `--json`. */
  readonly name: string;
  /** Which way is good: the worst of the cases is their minimum or maximum. */
  readonly better: 'higher' | 'lower';
  /** The bound it should keep: at least this when higher is better, else at most. Shown, not enforced. */
  readonly target?: number | undefined;
  readonly over: readonly RatioCase[];
}

export interface RatioCase {
  readonly name: string;
  /** Left out with `--quick`; at least one of a ratio's cases is not. */
  readonly fullOnly?: boolean | undefined;
  /** The ratio within one run. */
  ratio(run: RunFigures): number;
}

/** The figure of a case in the run at hand; throws when there is none. */
export type RunFigures = (caseName: string, figure: string) => number;

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** The usual ratio: one figure of two cases, the first over the second. */
export function quotient(figure: string, numeratorCase: string, denominatorCase: string): RatioCase {
  return {
    name: `${numeratorCase} / ${denominatorCase}`,
    ratio: (run) => run(numeratorCase, figure) / run(denominatorCase, figure),
  };
}

/** Checks shapes while keeping the type of what `setup` hands to the cases. */
export function defineBench<Shared extends Json>(
  definition: BenchDefinition<Shared>,
): BenchDefinition<Shared> {
  return definition;
}
