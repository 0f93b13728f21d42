import { parseArgs } from 'node:util';
import { LogWorld, countNames } from './log-world.ts';
import type { CountName } from './log-world.ts';

/**
 * `npm run -s sim -- log --seeds N [--from S] [--cpu-seconds T] [--trace]`: runs seeds S to S+N-1 (S is 1 by default) and
 * prints what happened in them; the last line counts seeds, steps and violations. A seed replays exactly: `--from S
 * --seeds 1 --trace` prints every event of it.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    'cpu-seconds': { type: 'string', default: '1000000' },
    'stop-at-first': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const first = Number(values.from);
const seeds = Number(values.seeds);
const cpuLimitMs = Number(values['cpu-seconds']) * 1000;
if (![first, seeds, cpuLimitMs].every((value) => Number.isFinite(value) && value >= 0)) {
  print('usage: npm run -s sim -- log --seeds N [--from S] [--cpu-seconds T] [--stop-at-first] [--trace]');
  process.exit(2);
}

const counts = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>;
let steps = 0;
let storeRequests = 0;
let played = 0;
let violations = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const { user, system } = process.cpuUsage();
  if ((user + system) / 1000 > cpuLimitMs) break;
  const world = new LogWorld(seed, values.trace);
  const result = await world.run();
  played += 1;
  steps += result.steps;
  storeRequests += result.storeRequests;
  for (const name of countNames) counts[name] += result.counts[name];
  if (values.trace) for (const line of world.trace) print(line);
  if (result.violation !== undefined) {
    violations += 1;
    print(`seed ${seed} (${world.profile.name}): ${result.violation}`);
    if (values['stop-at-first']) break;
  }
}
for (const name of countNames) print(`${name}: ${counts[name]}`);
print(`store requests: ${storeRequests}, ${played === 0 ? 0 : Math.round(storeRequests / played)} a seed`);
print(`${played} seeds, ${steps} steps, ${violations} violations`);
process.exitCode = violations === 0 ? 0 : 1;
