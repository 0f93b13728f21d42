import { parseArgs } from 'node:util';
import { isMutantName, mutantCalled, mutantNames } from './mutants/all-mutants.ts';
import { installMutant } from './mutants/install-mutant.ts';
import { recordCatches, runMutants } from './mutants/run-mutants.ts';
import type { SeedsRequest } from '../../runtime/play-seeds.ts';

const usage = `usage: npm run -s sim -- log --seeds N [--from S] [--cpu-seconds T] [--stop-at-first] [--trace]
       npm run -s sim -- log --mutant NAME [--seeds N] [--from S] [--trace]
       npm run -s sim -- log --mutants [--seeds N] [--record]
       npm run -s sim -- log --hours N [--from S]`;

/**
 * Runs seeds S to S+N-1 (S is 1 by default) and prints what happened in them; the last line counts seeds, steps and
 * violations. A seed replays exactly: `--from S --seeds 1 --trace` prints every event of it.
 *
 * `--mutant NAME` plays them with one rule of the protocol broken, until one is caught; `--mutants` does so with every
 * mutant, each in a process of its own, and `--record` keeps where they were caught, for the test.
 *
 * `--hours N` plays ordinary days instead, of seed S, and says in the last line whether memory stayed flat.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    'cpu-seconds': { type: 'string', default: '1000000' },
    'stop-at-first': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    hours: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { mutant } = values;
const request: SeedsRequest = {
  from: Number(values.from),
  seeds: Number(values.seeds ?? (mutant !== undefined || values.mutants ? 2_000 : 200)),
  cpuLimitMs: Number(values['cpu-seconds']) * 1000,
  stopsAtFirst: values['stop-at-first'] || mutant !== undefined,
  isTracing: values.trace,
  print: (line) => {
    console.log(line);
  },
};
const numbers = [request.from, request.seeds, request.cpuLimitMs];
if (!numbers.every((value) => Number.isFinite(value) && value >= 0)) {
  console.error(usage);
  process.exit(2);
}

if (values.hours !== undefined) await days(Number(values.hours));
else if (values.mutants) await allMutants();
else if (mutant !== undefined) await oneMutant(mutant);
else await unchanged();

async function unchanged(): Promise<void> {
  const { runSeeds } = await import('./run-seeds.ts');
  const { played, steps, storeRequests, violations, counts } = await runSeeds(request);
  for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count}`);
  console.log(
    `store requests: ${storeRequests}, ${played === 0 ? 0 : Math.round(storeRequests / played)} a seed`,
  );
  console.log(`${played} seeds, ${steps} steps, ${violations} violations`);
  process.exitCode = violations === 0 ? 0 : 1;
}

async function days(hours: number): Promise<void> {
  if (!(Number.isInteger(hours) && hours >= 4)) {
    console.error(`${usage}\nhours is ${values.hours ?? ''}, not an integer of 4 or more`);
    process.exitCode = 2;
    return;
  }
  const { playDay } = await import('./day/play-day.ts');
  const { isFlat, line } = await playDay({ seed: request.from, hours, print: request.print });
  console.log(line);
  process.exitCode = isFlat ? 0 : 1;
}

async function oneMutant(name: string): Promise<void> {
  if (!isMutantName(name)) {
    console.error(`there is no mutant ${name}; NAME is one of: ${mutantNames.join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const checkInstalled = installMutant(mutantCalled(name));
  const { runSeeds } = await import('./run-seeds.ts');
  checkInstalled();
  const { played, caught } = await runSeeds(request);
  if (values.json) console.log(JSON.stringify({ played, caught }));
  else if (caught === undefined) console.log(`${name}: NOT CAUGHT in ${played} seeds`);
  else console.log(`${name}: caught at seed ${caught.seed} by "${caught.invariant}"`);
  process.exitCode = caught === undefined ? 3 : 0;
}

async function allMutants(): Promise<void> {
  const results = await runMutants({ from: request.from, seeds: request.seeds, print: request.print });
  const caught = results.filter((result) => result.caught !== undefined);
  if (values.record) recordCatches(results);
  console.log(`${results.length} mutants, ${caught.length} caught`);
  process.exitCode = caught.length === results.length ? 0 : 1;
}
