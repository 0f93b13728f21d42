import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { BenchCase, BenchDefinition, BenchOptions, Figures, Json, MeasureContext } from './harness.ts';
import { summarize } from './report.ts';
import type { BenchReport } from './report.ts';

export interface RunnerOptions extends BenchOptions {
  /** Called before each measurement, for a progress line. */
  readonly onMeasure?: ((caseName: string, run: number, runs: number) => void) | undefined;
}

/** Runs the bench that a module exports as `bench`, as described in `harness.ts`. */
export async function runBench(modulePath: string, options: RunnerOptions): Promise<BenchReport> {
  const { bench } = (await import(pathToFileURL(modulePath).href)) as { bench: BenchDefinition };
  const { quick } = options;
  const runs = quick ? (bench.runs?.quick ?? 3) : (bench.runs?.full ?? 5);
  const setup = await bench.setup?.({ quick });
  const isAsked = ({ fullOnly }: { readonly fullOnly?: boolean | undefined }): boolean =>
    !quick || fullOnly !== true;
  const cases = bench.cases.filter(isAsked);
  const measurements = new Map<string, Figures[]>(cases.map(({ name }) => [name, []]));
  try {
    for (let run = 0; run < runs; run++) {
      for (const benchCase of cases) {
        if (run >= (benchCase.maxRuns ?? runs)) continue;
        options.onMeasure?.(benchCase.name, run, runs);
        const context: MeasureContext = { quick, run, shared: setup?.shared ?? null };
        measurements.get(benchCase.name)?.push(await measureInChild(modulePath, benchCase, context));
      }
    }
  } finally {
    await setup?.stop();
  }
  const ratios = bench.ratios.map((ratio) => ({ ...ratio, over: ratio.over.filter(isAsked) }));
  return summarize({ ...bench, ratios }, measurements);
}

async function measureInChild<Shared extends Json>(
  modulePath: string,
  benchCase: BenchCase<Shared>,
  context: MeasureContext<Shared>,
): Promise<Figures> {
  const script = path.join(import.meta.dirname, 'measure.ts');
  const child = spawn(
    process.execPath,
    [...(benchCase.nodeOptions ?? []), script, modulePath, benchCase.name],
    {
      // What a case prints goes to our standard error: standard output is the report's.
      stdio: ['pipe', process.stderr, process.stderr, 'pipe'],
      timeout: benchCase.timeoutMs ?? 600_000,
      killSignal: 'SIGKILL',
    },
  );
  const killChild = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killChild);
  try {
    const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const input = child.stdin as Writable;
    // A child that dies before it reads is reported by its exit code below.
    input.on('error', () => undefined);
    input.end(JSON.stringify(context));
    const [output, [code, signal]] = await Promise.all([text(child.stdio[3] as Readable), exit]);
    if (code !== 0) {
      throw new Error(
        `case ${JSON.stringify(benchCase.name)}, run ${context.run + 1} ended with ${signal ?? code}`,
      );
    }
    return JSON.parse(output) as Figures;
  } finally {
    process.off('exit', killChild);
  }
}
