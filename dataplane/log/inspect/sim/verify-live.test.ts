import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogWorld } from '../../sim/log-world.ts';
import { StoreError } from '../../../store/errors.ts';
import type { Finding } from '../finding.ts';
import { overviewOf } from '../overview.ts';
import { verifyLog } from '../verify.ts';

/**
 * `firn log verify` and `inspect` against brokers at work: over and over again while the simulator kills, pauses, moves,
 * trims, sweeps and loses answers. Whatever moves under them, they never report what is not so.
 */
const seeds = Array.from({ length: 8 }, (_, index) => 1_001 + index);

test('a cluster at work, with all that can happen to one, has no errors', async () => {
  const totals = { runs: 0, rereads: 0, failed: 0, records: 0, overviews: 0 };
  for (const seed of seeds) {
    const world = new LogWorld(seed);
    const wrong: string[] = [];
    const visitor = world.time.process('visitor', {});
    const store = world.store.connect(visitor);
    const report = ({ severity, code, key, what }: Finding): void => {
      // Where producers are forgotten sooner than they stop trying, a batch does stand there twice: Kafka's rule.
      if (code === 'SEQUENCE_BROKEN' && world.profile.expiresProducers) return;
      if (severity === 'error') wrong.push(`${world.time.nowMs.toFixed(0)} ms: ${code} ${key}: ${what}`);
    };
    const visit = async (): Promise<void> => {
      const options = { runtime: visitor.runtime, settleMs: 100, deep: seed % 2 === 0, onFinding: report };
      const { counters } = await verifyLog(store, options);
      totals.runs += 1;
      totals.rereads += counters.rereads;
      totals.records += counters.records;
      await overviewOf(store, { partitions: true });
      totals.overviews += 1;
    };
    const again = (): void => {
      visit()
        .catch((error: unknown) => {
          // The simulated store loses answers; whoever verifies by hand starts again.
          if (error instanceof StoreError) totals.failed += 1;
          else world.time.fail(error);
        })
        .finally(() => visitor.runtime.after(50, again));
    };
    world.time.environment.after(500, () => {
      visitor.receive(again);
    });
    const { violation } = await world.run();
    assert.equal(violation, undefined, `seed ${seed}`);
    assert.deepEqual(wrong, [], `seed ${seed}`);
  }
  const { runs, rereads, records, overviews } = totals;
  assert(runs > 50 && rereads > 5 && records > 5_000 && overviews > 50, JSON.stringify(totals));
});
