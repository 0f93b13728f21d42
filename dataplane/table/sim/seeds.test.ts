import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import { crashPoints } from '../crash-points.ts';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 600;
const cpuSeconds = 60;

/** What must have happened, and how often in a hundred seeds at least, for the absence of violations to mean something. */
const leastInAHundred = {
  claims: 200,
  commits: 400,
  coordinatorChanges: 200,
  conflicts: 20,
  unknownOutcomes: 15,
  lateLandings: 100,
  kills: 200,
  pauses: 80,
  moves: 100,
  unawares: 60,
  compactions: 20,
  expiries: 10,
  columns: 10,
  harms: 5,
  stoppedRecords: 5,
} as const;

/** Processes that died at each crash point, in a hundred seeds at least: the rarest are reached in one seed of many. */
const deathsInAHundred = 0.3;

it(`keeps all invariants in ${seeds} seeds, or in as many as ${cpuSeconds} CPU-seconds allow`, async (t) => {
  const main = path.join(import.meta.dirname, 'main.ts');
  const args = [main, '--seeds', `${seeds}`, '--cpu-seconds', `${cpuSeconds}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const output = await text(child.stdout);
  const lines = output.trimEnd().split('\n');
  for (const line of lines) t.diagnostic(line);
  const played = /^(\d+) seeds, (\d+) steps, (\d+) violations$/.exec(lines.at(-1) ?? '');
  assert.ok(played !== null, `the simulator ended with: ${lines.at(-1) ?? 'nothing'}`);
  assert.equal(played[3], '0', output);
  const count = Number(played[1]);
  assert.ok(count >= 100, `only ${count} seeds were played`);
  const least = [
    ...Object.entries(leastInAHundred),
    ...crashPoints.map((name) => [name, deathsInAHundred] as const),
  ];
  for (const [name, inAHundred] of least) {
    const line = lines.find((candidate) => candidate.startsWith(`${name}: `)) ?? `${name}: 0`;
    const wanted = Math.floor((inAHundred * count) / 100);
    assert.ok(Number(line.slice(name.length + 2)) >= wanted, `${line} in ${count} seeds, not ${wanted}`);
  }
});
