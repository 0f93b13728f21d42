import { parseArgs } from 'node:util';
import { runSeeds } from './run-seeds.ts';

const usage = `usage: npm run -s sim -- broker --seeds N [--from S] [--cpu-seconds T] [--stop-at-first] [--trace]`;

/**
 * Runs seeds S to S+N-1 (S is 1 by default) and prints what happened in them; the last line counts seeds, steps and
 * violations. A seed replays exactly: `--from S --seeds 1 --trace` prints what happened in it.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    'cpu-seconds': { type: 'string', default: '1000000' },
    'stop-at-first': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});
const request = {
  from: Number(values.from),
  seeds: Number(values.seeds),
  cpuLimitMs: Number(values['cpu-seconds']) * 1000,
  stopsAtFirst: values['stop-at-first'],
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
const { played, steps, violations, counts } = await runSeeds(request);
for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count}`);
console.log(`${played} seeds, ${steps} steps, ${violations} violations`);
process.exitCode = violations === 0 ? 0 : 1;
