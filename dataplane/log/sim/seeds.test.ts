import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import type { CountName } from './log-world.ts';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 2_000;
const cpuSeconds = 180;

/** What the log must have been through for the absence of violations to mean something, and how often at least. */
const situations: readonly CountName[] = [
  'takeovers',
  'handOvers',
  'sessionDeaths',
  'lateLandingsAfterGc',
  'own412s',
  'unknownCasOutcomes',
  'trimRaces',
];
const situationsPer2000Seeds = 100;

it(`keeps all invariants in ${seeds} seeds, or in as many as ${cpuSeconds} CPU-seconds allow`, async (t) => {
  const main = path.join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main, '--seeds', `${seeds}`, '--cpu-seconds', `${cpuSeconds}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const output = await text(child.stdout);
  const lines = output.trimEnd().split('\n');
  for (const line of lines) t.diagnostic(line);
  const played = /^(\d+) seeds, (\d+) steps, (\d+) violations$/.exec(lines.at(-1) ?? '');
  assert.ok(played !== null, `the simulator ended with: ${lines.at(-1) ?? 'nothing'}`);
  assert.equal(played[3], '0', output);
  const count = Number(played[1]);
  assert.ok(count >= 100, `only ${count} seeds were played`);
  for (const name of situations) {
    const line = lines.find((candidate) => candidate.startsWith(`${name}: `)) ?? `${name}: none`;
    const least = Math.floor((situationsPer2000Seeds * count) / 2_000);
    assert.ok(Number(line.slice(name.length + 2)) >= least, `${line} in ${count} seeds, expected ${least}`);
  }
});
