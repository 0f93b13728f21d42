import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 1_000;
const cpuSeconds = 60;

/** What must have happened, and how often in a hundred seeds at least, for the absence of violations to mean something. */
const leastInAHundred = {
  kills: 200,
  pauses: 50,
  moves: 100,
  replaced: 100,
  brokenConnections: 200,
} as const;

it(`keeps all promises to clients in ${seeds} seeds, or in as many as ${cpuSeconds} CPU-seconds allow`, async (t) => {
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
  assert.ok(count >= 50, `only ${count} seeds were played`);
  for (const [name, least] of Object.entries(leastInAHundred)) {
    const line = lines.find((candidate) => candidate.startsWith(`${name}: `)) ?? `${name}: 0`;
    assert.ok(
      Number(line.slice(name.length + 2)) >= Math.floor((least * count) / 100),
      `${line} in ${count} seeds`,
    );
  }
});
