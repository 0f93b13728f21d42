import { parseArgs } from 'node:util';
import { installMutant } from '../../log/sim/mutants/install-mutant.ts';
import { isTableMutantName, tableMutantNames, tableMutants } from './mutants/all-mutants.ts';
import { recordCatches } from './mutants/caught-at.ts';

const usage = `usage: npm run -s sim -- table --seeds N [--from S] [--cpu-seconds T] [--stop-at-first] [--trace]
       npm run -s sim -- table --mutant NAME [--seeds N] [--from S] [--json] [--trace]
       npm run -s sim -- table --record [--seeds N]`;

/**
 * Runs seeds S to S+N-1 (S is 1 by default) and prints what happened in them; the last line counts seeds, steps and
 * violations. A seed replays exactly: `--from S --seeds 1 --trace` prints what happened in it.
 *
 * `--mutant NAME` plays them with one rule of tables broken, until one is caught; `--record` does so with every one and
 * keeps where they were caught, for the test.
 */
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
const request = {
  from: Number(values.from),
  seeds: Number(values.seeds ?? (mutant === undefined && !values.record ? 100 : 1_000)),
  cpuLimitMs: Number(values['cpu-seconds']) * 1000,
  stopsAtFirst: values['stop-at-first'] || mutant !== undefined,
  isTracing: values.trace,
  print: (line: string) => {
    console.log(line);
  },
};
if (
  ![request.from, request.seeds, request.cpuLimitMs].every((value) => Number.isFinite(value) && value >= 0)
) {
  console.error(usage);
  process.exit(2);
}

if (values.record) await record();
else if (mutant === undefined) await unchanged();
else await broken(mutant);

async function unchanged(): Promise<void> {
  const { runSeeds } = await import('./run-seeds.ts');
  const { played, steps, violations, counts } = await runSeeds(request);
  for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count}`);
  console.log(`${played} seeds, ${steps} steps, ${violations} violations`);
  process.exitCode = violations === 0 ? 0 : 1;
}

async function record(): Promise<void> {
  const escaped = await recordCatches(request.seeds, request.print);
  console.log(`${tableMutantNames.length} mutants, ${escaped.length} not caught`);
  process.exitCode = escaped.length === 0 ? 0 : 1;
}

async function broken(name: string): Promise<void> {
  if (!isTableMutantName(name)) {
    console.error(`there is no mutant ${name}; NAME is one of: ${tableMutantNames.join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const { breaks, edits } = tableMutants[name];
  const checkInstalled = installMutant({ breaks, edits, caughtBy: [] });
  const { runSeeds } = await import('./run-seeds.ts');
  checkInstalled();
  const { played, caught } = await runSeeds(request);
  if (values.json) console.log(JSON.stringify({ played, caught }));
  else if (caught === undefined) console.log(`${name}: NOT CAUGHT in ${played} seeds`);
  else console.log(`${name}: caught at seed ${caught.seed} by "${caught.invariant}"`);
  process.exitCode = caught === undefined ? 3 : 0;
}
