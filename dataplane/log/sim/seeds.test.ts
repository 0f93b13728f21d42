import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';

/** What `make test` spends: more seeds than it can play in that time, so a fast machine plays more. */
const seeds = 2_000;
const cpuSeconds = 180;

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
  assert.ok(Number(played[1]) >= 100, `only ${played[1] ?? ''} seeds were played`);
});
