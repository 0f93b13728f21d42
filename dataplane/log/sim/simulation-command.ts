import { parseArgs } from 'node:util';
import type { SeedsRequest } from '../../runtime/play-seeds.ts';
import { installMutant } from './mutants/install-mutant.ts';
import { recordCatches } from './mutants/recorded-catches.ts';
import type { SimulationProgram } from './simulation-program.ts';

/**
 * What `npm run -s sim -- NAME` does: runs seeds S to S+N-1 (S is 1 by default) and prints what happened in them; the last
 * line counts seeds, steps and violations. A seed replays exactly: `--from S --seeds 1 --trace` prints what happened in it.
 *
 * `--mutant NAME` plays them with one rule broken, until one is caught; `--record` does so with every one and keeps where they
 * were caught, for the test.
 */
export async function runSimulation(simulation: SimulationProgram): Promise<void> {
  const { name, load } = simulation;
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string', default: '1' },
      'cpu-seconds': { type: 'string', default: '1000000' },
      'stop-at-first': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      mutant: { type: 'string' },
      json: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const { mutant } = values;
  const request: SeedsRequest = {
    from: Number(values.from),
    seeds: Number(values.seeds ?? (mutant === undefined && !values.record ? 100 : 1_000)),
    cpuLimitMs: Number(values['cpu-seconds']) * 1000,
    stopsAtFirst: values['stop-at-first'] || mutant !== undefined,
    isTracing: values.trace,
    print: out,
  };
  const { from, seeds, cpuLimitMs } = request;
  if (![from, seeds, cpuLimitMs].every((value) => Number.isFinite(value) && value >= 0)) {
    err(usage(name));
    process.exitCode = 2;
  } else if (values.record) {
    const escaped = await recordCatches(simulation, seeds, request.print);
    out(`${Object.keys(simulation.mutants).length} mutants, ${escaped.length} not caught`);
    process.exitCode = escaped.length === 0 ? 0 : 1;
  } else if (mutant === undefined) {
    const runSeeds = await load();
    const { played, steps, violations, counts } = await runSeeds(request);
    for (const [what, count] of Object.entries(counts)) out(`${what}: ${count}`);
    out(`${played} seeds, ${steps} steps, ${violations} violations`);
    process.exitCode = violations === 0 ? 0 : 1;
  } else await playMutant(simulation, mutant, request, values.json);
}

async function playMutant(
  { mutants, load }: SimulationProgram,
  name: string,
  request: SeedsRequest,
  isJson: boolean,
): Promise<void> {
  const mutant = Object.hasOwn(mutants, name) ? mutants[name] : undefined;
  if (mutant === undefined) {
    err(`there is no mutant ${name}; NAME is one of: ${Object.keys(mutants).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const checkInstalled = installMutant(mutant);
  const runSeeds = await load();
  checkInstalled();
  const { played, caught } = await runSeeds(request);
  if (isJson) out(JSON.stringify({ played, caught }));
  else if (caught === undefined) out(`${name}: NOT CAUGHT in ${played} seeds`);
  else out(`${name}: caught at seed ${caught.seed} by "${caught.invariant}"`);
  process.exitCode = caught === undefined ? 3 : 0;
}

function usage(name: string): string {
  return `usage: npm run -s sim -- ${name} --seeds N [--from S] [--cpu-seconds T] [--stop-at-first] [--trace]
       npm run -s sim -- ${name} --mutant NAME [--seeds N] [--from S] [--json] [--trace]
       npm run -s sim -- ${name} --record [--seeds N]`;
}

function out(line: string): void {
  process.stdout.write(`${line}\n`);
}

function err(line: string): void {
  process.stderr.write(`${line}\n`);
}
