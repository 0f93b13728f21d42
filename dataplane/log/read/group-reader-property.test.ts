import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogError } from '../errors.ts';
import { ColdStore } from './cold-store.ts';
import { GroupReader } from './group-reader.ts';
import { LogFixture, sidOf } from './log-fixture.ts';
import { assertBatches } from './written-batch.ts';
import { defaultLogOptions } from '../options.ts';

/**
 * Owners append, flush, trim, hand over, take over, sweep and retain; readers that learnt of the log at some moment read
 * anywhere at any later one. Whatever they get must be what is in the log; what is below the log start may be refused.
 */
const partitions = 2;
const blocks = fc.array(
  fc.record({
    partition: fc.nat({ max: partitions - 1 }),
    batches: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
  }),
  { maxLength: 2 },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), blocks }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(['flush', 'trim', 'takeover', 'zombie', 'move', 'sweep', 'retain', 'spill'] as const),
      ),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      reader: fc.nat({ max: 3 }),
      partition: fc.nat({ max: partitions - 1 }),
      at: fc.nat({ max: 100 }),
      isNext: fc.boolean(),
      maxBytes: fc.constantFrom(1, 150, 100_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('learn' as const, 'wait' as const),
      reader: fc.nat({ max: 3 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class World {
  readonly fixture = new LogFixture(partitions);
  readonly #cold = new ColdStore(this.fixture.store, {
    ...defaultLogOptions,
    coldCacheBytes: 20_000,
    readChunkBytes: 500,
    readAheadBytes: 1000,
  });
  readonly #clocks = [0, 0, 0, 0];
  readonly readers: GroupReader[];
  readonly #next = new Map<string, number>();
  #sessions = 0;
  #zombie: string | undefined;
  delivered = 0;

  constructor() {
    this.readers = this.#clocks.map((_, reader) => this.#reader(reader));
  }

  #reader(number: number): GroupReader {
    const { store, group } = this.fixture;
    const slots = (['index', 'whole', 'follow', 'whole'] as const)[number];
    // Half of the readers share what they fetched.
    const cold =
      number < 2 ? this.#cold : new ColdStore(store, { ...defaultLogOptions, readChunkBytes: 500 });
    return new GroupReader({
      store,
      group,
      slots,
      cold,
      runtime: { monotonicMs: () => this.#clocks[number] ?? 0 },
    });
  }

  async acquire(): Promise<void> {
    this.#zombie = this.fixture.manifest.owner?.sid;
    await this.fixture.acquire(sidOf(`s${this.#sessions++}`));
  }

  async run(one: Step): Promise<void> {
    const { fixture } = this;
    switch (one.kind) {
      case 'append':
        await fixture.append(one.blocks);
        return;
      case 'flush':
        await fixture.flush();
        return;
      case 'trim':
        await fixture.trim();
        return;
      case 'takeover':
        await this.acquire();
        return;
      case 'zombie':
        // The last owner that was fenced writes what it gave offsets to before it knew.
        if (this.#zombie === undefined) return;
        await fixture.writeSlot(this.#zombie, [
          fixture.strayBlock(0, fixture.end(0), Math.max(0, fixture.manifest.epoch - 1)),
        ]);
        return;
      case 'move':
        await fixture.release();
        await fixture.acquire(
          one.kind === 'move' && this.#sessions % 2 === 0 ? sidOf('back') : sidOf(`s${this.#sessions++}`),
        );
        return;
      case 'sweep':
        await fixture.sweep();
        return;
      case 'retain': {
        const { logStart, segmentEnd, pages } = fixture.entry(0);
        if (pages.length === 0 && segmentEnd > logStart)
          await fixture.moveLogStart(0, Math.ceil((logStart + segmentEnd) / 2));
        return;
      }
      case 'spill':
        if (fixture.entry(1).segments.length > 3) await fixture.spill(1, 1);
        return;
      case 'learn':
        await this.readers[one.reader]?.refresh();
        return;
      case 'wait':
        this.#clocks[one.reader] = (this.#clocks[one.reader] ?? 0) + 1500;
        return;
      case 'read':
        await this.read(one);
    }
  }

  async read(one: Extract<Step, { kind: 'read' }>): Promise<boolean> {
    const { reader, partition, at, isNext, maxBytes } = one;
    const { fixture } = this;
    const place = `${reader}/${partition}`;
    const offset = isNext
      ? (this.#next.get(place) ?? fixture.entry(partition).logStart)
      : at % (fixture.end(partition) + 2);
    try {
      const result = await this.readers[reader]?.read(partition, offset, maxBytes);
      assert(result !== undefined);
      const next = assertBatches(fixture.history(partition), offset, result.pieces);
      assert.equal(next, result.nextOffset);
      assert(result.endOffset <= fixture.end(partition));
      this.#next.set(place, next);
      this.delivered += next - offset;
      return next > offset;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error;
      assert(offset < fixture.entry(partition).logStart, error.message);
      this.#next.set(place, fixture.entry(partition).logStart);
      return true;
    }
  }
}

test('stale readers lag, but never get a wrong record, and see everything once they look again', async () => {
  let delivered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const world = new World();
      await world.acquire();
      for (const one of steps) await world.run(one);
      for (let reader = 0; reader < 4; reader++) {
        await world.run({ kind: 'wait', reader });
        for (let partition = 0; partition < partitions; partition++) {
          const read = { kind: 'read', reader, partition, at: 0, isNext: true, maxBytes: 150 } as const;
          while (await world.read(read));
          const { endOffset, endSeen } =
            (await world.readers[reader]?.read(partition, world.fixture.end(partition), 1)) ?? {};
          assert.deepEqual(
            { endOffset, endSeen },
            { endOffset: world.fixture.end(partition), endSeen: true },
          );
        }
      }
      delivered += world.delivered;
    }),
    { numRuns: 150 },
  );
  assert(delivered > 1000, 'the readers had something to read');
});
