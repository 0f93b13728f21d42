import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LogWorld } from './log-world.ts';
import { runSeeds } from './run-seeds.ts';

test('seeds without mutants violate nothing, and everything that matters happens in them', async () => {
  const printed: string[] = [];
  const { played, violations, counts } = await runSeeds({
    from: 1,
    seeds: 60,
    cpuLimitMs: Infinity,
    stopsAtFirst: false,
    isTracing: false,
    print: (line) => printed.push(line),
  });
  assert.equal(played, 60);
  assert.equal(violations, 0, printed.join('\n'));
  for (const [name, count] of Object.entries(counts)) assert.ok(count > 0, `${name} is counted`);
});

test('a seed replays exactly, whatever was played before', async () => {
  for (const seed of [3, 6, 10]) {
    const first = await play(seed);
    await play(seed + 1);
    assert.deepEqual(await play(seed), first, `seed ${seed}`);
  }
});

async function play(seed: number): Promise<{ fingerprint: number; trace: string; lines: number }> {
  const world = new LogWorld(seed, true);
  const { violation } = await world.run();
  assert.equal(violation, undefined);
  const trace = createHash('sha256').update(world.trace.join('\n')).digest('hex');
  return { fingerprint: world.time.fingerprint, trace, lines: world.trace.length };
}
