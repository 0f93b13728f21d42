import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createMemoryStore, MemoryObjects } from '../store/memory.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { DeadSession } from './dead-session.ts';
import type { DataSlot } from './dead-session.ts';
import { LogError } from './errors.ts';
import type { BlockEntry } from './format/container.ts';
import { encodeTrim } from './format/trim.ts';
import { trimKey } from './format/keys.ts';
import { newLogCounters } from './log-context.ts';
import type { LogContext } from './log-context.ts';
import { defaultLogOptions } from './options.ts';
import { WalReader } from './wal-reader.ts';
import type { SlotContent } from './wal-reader.ts';

const sid = 'a'.repeat(32);
const topicId = 'b'.repeat(32);
const note = { group: `${topicId}-0`, manifestVersion: 1, fencer: 'c'.repeat(32) };

/** Slots 0 to `count` - 1 of a session, each with one block of each of two partitions, as a reader of the WAL sees them. */
class FakeWal extends WalReader {
  readonly slots = new Map<number, DataSlot>();
  reads = 0;
  /** How often the entries of a slot were walked through. */
  walks = 0;

  constructor(count: number) {
    super(createMemoryStore({ runtime: { wallMs: () => 0 }, objects: new MemoryObjects(), name: 'memory:' }));
    for (let slot = 0; slot < count; slot++) this.slots.set(slot, this.#slot(slot));
  }

  #slot(slot: number): DataSlot {
    const entries = [0, 1].map((partition) => entryOf(partition, slot));
    const index = new Proxy(entries, {
      get: (target, property, receiver): unknown => {
        if (property === Symbol.iterator) this.walks += 1;
        return Reflect.get(target, property, receiver);
      },
    });
    return {
      kind: 'data',
      slot,
      timeMs: slot,
      lastCheckpointSlot: 0,
      footerHash: `${slot}`,
      previousFooterHash: `${slot - 1}`,
      index,
    };
  }

  override readSlot(_sid: string, slot: number): Promise<SlotContent> {
    this.reads += 1;
    return Promise.resolve(this.slots.get(slot) ?? { kind: 'absent' });
  }
}

function entryOf(partition: number, slot: number): BlockEntry {
  return {
    kind: 'records',
    topicId,
    partition,
    leaderEpoch: 1,
    baseOffset: slot * 10,
    lastOffset: slot * 10 + 9,
    position: 64,
    sizeBytes: 100,
    recordCount: 10,
    maxTimestampMs: 0,
    flags: 0,
    crc32c: 0,
    batches: [],
  };
}

function setUp(count: number) {
  const time = new VirtualTime({ seed: 1 });
  const { runtime } = time.process('p');
  const store = createMemoryStore({ runtime, objects: new MemoryObjects(), name: 'memory:' });
  const wal = new FakeWal(count);
  const context: LogContext = {
    store,
    runtime,
    options: defaultLogOptions,
    wal,
    broker: { id: 1, zone: 'a' },
    formatVersion: () => 1,
    nextObjectSequence: () => 0,
    flushed: () => undefined,
    trimmed: () => undefined,
    gone: () => undefined,
    counters: newLogCounters(),
  };
  return { wal, store, dead: new DeadSession(sid, context, new AbortController().signal) };
}

const slotsOf = (blocks: readonly { readonly slot: DataSlot }[]): number[] =>
  blocks.map(({ slot }) => slot.slot);

describe('a dead session as takers see it', () => {
  it('is read and walked through once, whatever ranges its groups ask for', async () => {
    const { wal, dead } = setUp(2_000);
    for (let from = 1_999; from >= 0; from--)
      assert.equal((await dead.blocks(topicId, 0, from, 2_000)).length, 2_000 - from);
    for (let from = 0; from < 2_000; from += 100)
      assert.equal((await dead.blocks(topicId, 1, from, from + 7)).length, 7);
    assert.equal(wal.reads, 2_000);
    assert.equal(wal.walks, 2_000);
  });

  it('gives the blocks of any range in slot order, in whatever order ranges are asked for', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(60), fc.nat(60)), { minLength: 1 }), async (ranges) => {
        const { dead } = setUp(60);
        await Promise.all(
          ranges.map(async ([a, b]) => {
            const [from, to] = [Math.min(a, b), Math.max(a, b)];
            const expected = Array.from({ length: to - from }, (_, index) => from + index);
            assert.deepEqual(slotsOf(await dead.blocks(topicId, 1, from, to)), expected);
          }),
        );
      }),
      { numRuns: 100, seed: 3 },
    ));

  it('is damaged where a slot does not continue the one before, also between two ranges', async () => {
    for (const ranges of [
      [[0, 10]],
      [
        [0, 5],
        [5, 10],
      ],
      [
        [5, 10],
        [0, 5],
      ],
    ] as const) {
      const { wal, dead } = setUp(10);
      const five = wal.slots.get(5);
      assert(five !== undefined);
      wal.slots.set(5, { ...five, previousFooterHash: 'of another session' });
      const asked = (async () => {
        for (const [from, to] of ranges) await dead.blocks(topicId, 0, from, to);
      })();
      await assert.rejects(
        asked,
        (error) =>
          error instanceof LogError &&
          error.code === 'CORRUPT_LOG' &&
          /0005 does not continue slot 4/.test(error.message),
      );
    }
  });

  it('keeps slots that were swept after a seal had been found above them', async () => {
    const { wal, dead } = setUp(20);
    wal.slots.delete(17);
    // One group's run begins above the hole, another's below: the fences are at 19 and at 17.
    wal.slots.delete(19);
    assert.equal((await dead.seal(18, note)).seal, 19);
    assert.equal((await dead.seal(4, note)).seal, 17);
    wal.slots.delete(18);
    assert.equal((await dead.seal(18, note)).seal, 19);
    assert.deepEqual(slotsOf(await dead.blocks(topicId, 0, 18, 19)), [18]);
  });

  it('is sealed above its trim', async () => {
    const { wal, store, dead } = setUp(20);
    for (let slot = 0; slot < 12; slot++) wal.slots.delete(slot);
    await store.put(trimKey(sid), encodeTrim(12, 1));
    assert.deepEqual(await dead.seal(3, note), { seal: 20, trim: 12 });
  });
});
