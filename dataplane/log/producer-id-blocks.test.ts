import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sleep } from '../runtime/runtime.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { allFaults } from '../store/simulated/faults.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import type { SimulatedStoreOptions } from '../store/simulated/simulated-store.ts';
import { StoreError } from '../store/errors.ts';
import { LogError } from './errors.ts';
import { pidBlockKey } from './format/keys.ts';
import { LogFormatError } from './format/errors.ts';
import { decodePidBlock } from './format/pid-block.ts';
import { ProducerIdBlocks } from './producer-id-blocks.ts';

function world(options: Partial<SimulatedStoreOptions> = {}, seed = 1) {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, latencies: localLatencies, ...options });
  const broker = (name: string, signal?: AbortSignal) => {
    const process = time.process(name);
    const store = server.connect(process);
    const blocks = new ProducerIdBlocks({ store, runtime: process.runtime, formatVersion: () => 1, signal });
    return { process, store, blocks };
  };
  const claimedEnd = (): number => {
    const bytes = server.peek(pidBlockKey)?.bytes;
    return bytes === undefined ? 0 : decodePidBlock(bytes, pidBlockKey).next;
  };
  return { time, server, broker, claimedEnd };
}

async function take(blocks: ProducerIdBlocks, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let index = 0; index < count; index++) ids.push(await blocks.nextProducerId());
  return ids;
}

function assertDistinct(ids: readonly number[]): void {
  assert.equal(new Set(ids).size, ids.length, 'an id was given out twice');
}

describe('producer id blocks', () => {
  it('give out ids from 0 on, a thousand for one write', async () => {
    const { time, server, broker, claimedEnd } = world();
    await time.drive(async () => {
      const { blocks } = broker('a');
      assert.deepEqual(await take(blocks, 3), [0, 1, 2]);
      assert.equal((await take(blocks, 997)).at(-1), 999);
      assert.equal(server.counters.put, 1);
      assert.equal(await blocks.nextProducerId(), 1000);
      assert.equal(claimedEnd(), 2000);
    });
  });

  it('share one claim between all who ask at a time', async () => {
    const { time, server, broker } = world();
    await time.drive(async () => {
      const { blocks } = broker('a');
      const ids = await Promise.all(Array.from({ length: 1500 }, () => blocks.nextProducerId()));
      assert.deepEqual(
        ids.toSorted((a, b) => a - b),
        Array.from({ length: 1500 }, (_, index) => index),
      );
      assert.equal(server.counters.put, 2);
    });
  });

  it('belong to one broker each, and a restarted process leaves the rest of its block unused', async () => {
    const { time, broker } = world();
    await time.drive(async () => {
      const [a, b] = [broker('a'), broker('b')];
      const [fromA, fromB] = await Promise.all([take(a.blocks, 10), take(b.blocks, 10)]);
      assertDistinct([...fromA, ...fromB]);
      a.process.kill();
      assert.equal(await broker('a').blocks.nextProducerId(), 2000);
    });
  });

  it('are kept when the answer to the claim is lost', async () => {
    const { time, server, broker, claimedEnd } = world();
    await time.drive(async () => {
      server.intercept({ operation: 'put', key: pidBlockKey }, { kind: 'answer-lost' });
      const { blocks } = broker('a');
      assert.equal(await blocks.nextProducerId(), 0);
      assert.equal(claimedEnd(), 1000);
    });
  });

  it('are wasted, not given twice, when another broker has claimed on top of a claim without answer', async () => {
    const { time, server, broker, claimedEnd } = world();
    await time.drive(async () => {
      const [a, b] = [broker('a'), broker('b')];
      server.intercept(
        { process: 'a', operation: 'put', key: pidBlockKey },
        { kind: 'answer-lost', seenAs: 'TIMEOUT' },
      );
      const asked = a.blocks.nextProducerId();
      while (claimedEnd() === 0) await sleep(b.process.runtime, 1);
      assert.equal(await b.blocks.nextProducerId(), 1000);
      assert.equal(await asked, 2000);
    });
  });

  it('survive a claim that lands after its broker has given up and asked again', async () => {
    const { time, server, broker } = world();
    await time.drive(async () => {
      const stop = new AbortController();
      const a = broker('a', stop.signal);
      const held = server.intercept({ process: 'a', operation: 'put', key: pidBlockKey }, { kind: 'hold' });
      const given = a.blocks.nextProducerId();
      while (held.held.length === 0) await sleep(a.process.runtime, 1);
      stop.abort(new Error('stopped'));
      await assert.rejects(given, /stopped/);
      await assert.rejects(a.blocks.nextProducerId(), /stopped/);
      const b = broker('b');
      held.held[0]?.release();
      const ids = await take(b.blocks, 5);
      const again = await take(
        new ProducerIdBlocks({ ...a, runtime: a.process.runtime, formatVersion: () => 1 }),
        5,
      );
      assertDistinct([...ids, ...again]);
    });
  });

  it('are never given twice under store faults and restarts of many brokers', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const faults = {
          ...allFaults,
          answerLost: 0.1,
          lateLanding: 0.1,
          duplicate: 0.1,
          errorWithEffect: 0.05,
        };
        const { time, broker } = world({ faults: { ...faults, writesPerSecondPerKey: undefined } }, seed);
        const given: number[] = [];
        await time.drive(async () => {
          await Promise.all(
            Array.from({ length: 4 }, async (_, index) => {
              for (let life = 0; life < 3; life++) {
                const { blocks } = broker(`broker${index}`);
                for (let count = 0; count < 2500;) {
                  try {
                    given.push(await blocks.nextProducerId());
                    count += 1;
                  } catch (error) {
                    assert.ok(error instanceof StoreError && error.retriable, String(error));
                  }
                }
              }
            }),
          );
        });
        assertDistinct(given);
      }),
      { numRuns: 10, seed: 20 },
    ));

  it('are refused when meta/pid-block has disappeared or gone back', async () => {
    const { time, broker } = world();
    await time.drive(async () => {
      const { blocks, store } = broker('a');
      await take(blocks, 1);
      const before = await store.get(pidBlockKey);
      assert(before.kind === 'found');
      await take(blocks, 1000);
      await store.put(pidBlockKey, before.body);
      await assert.rejects(take(blocks, 1000), (error: unknown) => {
        assert.ok(error instanceof LogError && error.code === 'CORRUPT_LOG', String(error));
        assert.match(
          error.message,
          /meta\/pid-block has gone back to 1000, .* below 2000 have been given out/,
        );
        return true;
      });
      await store.delete(pidBlockKey);
      await assert.rejects(take(blocks, 1), /meta\/pid-block has disappeared/);
    });
  });

  it('are refused when meta/pid-block is damaged, naming it', async () => {
    const { time, broker } = world();
    await time.drive(async () => {
      const { blocks, store } = broker('a');
      await store.put(pidBlockKey, Buffer.from('FIRDxx'));
      await assert.rejects(
        blocks.nextProducerId(),
        (error: unknown) => error instanceof LogFormatError && error.message.includes(pidBlockKey),
      );
    });
  });
});
