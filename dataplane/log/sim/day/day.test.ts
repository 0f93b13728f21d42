import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOptions, DayWorld } from './day-world.ts';
import { daySample, growthAnHour } from './day-report.ts';

test('two ordinary hours leave no more behind than one', async () => {
  const world = new DayWorld({ seed: 7, appendsPerSecond: 2 });
  await world.start();
  for (const hour of [0, 1]) {
    await world.playHour(hour);
    const { objects, tailBlocks, producers } = daySample(world, hour);
    const { hotCacheBytes = 0, coldCacheBytes = 0 } = dayOptions;
    let unflushedBytes = 0;
    for (const { log } of world.nodes) {
      const { memory } = log;
      assert.ok(memory.hotBytes <= hotCacheBytes, `${memory.hotBytes} hot bytes`);
      assert.ok(memory.coldBytes <= coldCacheBytes, `${memory.coldBytes} cold bytes`);
      assert.ok(memory.readingBytes <= coldCacheBytes / 2, `${memory.readingBytes} bytes for reading`);
      assert.equal(log.budget.waiting, 0);
      unflushedBytes += memory.unflushedBytes;
    }
    // Groups are flushed every ten minutes: 2.4 batches of 1.6 KiB a second, for 10 to 11 minutes.
    assert.ok(unflushedBytes < 2.6 * 1_024 * 1_024 * 1.5, `${unflushedBytes} unflushed bytes`);
    assert.ok(tailBlocks < 3_500, `${tailBlocks} blocks in memory`);
    assert.ok(producers < 800, `${producers} producers of the last hour`);
    const atMost = {
      segment: 260,
      page: 80,
      snapshot: 28,
      slot: 3_500,
      checkpoint: 12,
      trim: 6,
      manifest: 32,
    };
    for (const [kind, most] of Object.entries(atMost))
      assert.ok(
        (objects[kind] ?? 0) <= most,
        `${objects[kind] ?? 0} objects of kind ${kind} after hour ${hour}`,
      );
    const clusters = world.nodes.map(({ log }) => log.cluster.current);
    assert.ok(
      clusters.every((cluster) => (cluster?.topics.size ?? 0) <= 2 && cluster?.deletedTopics.size === 0),
    );
  }
  const { appended, read, crashes, drains, rebalanced } = world.counts;
  assert.ok(appended > 10_000 && read > 4_000, `${appended} appended, ${read} read`);
  assert.deepEqual({ crashes, drains, rebalanced }, { crashes: 1, drains: 1, rebalanced: 2 });
  world.stop();
});

test('growth is the slope of the last three quarters', () => {
  assert.equal(growthAnHour([50, 90, 4, 6, 8, 10, 12, 14]), 2);
  assert.equal(growthAnHour([0, 5, 5, 5, 5]), 0);
});
