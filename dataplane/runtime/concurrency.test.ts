import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { forEachLimited, inOrder, WorkLimit } from './concurrency.ts';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Resolves after so many turns of the microtask queue. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

test('a limit lets no more run than it says, in the order of arrival, and all of them', async () => {
  const limit = new WorkLimit(3);
  const begun: number[] = [];
  let underWay = 0;
  let peak = 0;
  const work = Array.from({ length: 20 }, (_, index) =>
    limit.run(async () => {
      begun.push(index);
      peak = Math.max(peak, ++underWay);
      await turns((index * 7) % 5);
      underWay -= 1;
      if (index % 4 === 0) throw new Error(`${index}`);
      return index;
    }),
  );
  const results = await Promise.allSettled(work);
  assert.equal(peak, 3);
  assert.deepEqual(
    begun,
    [...begun].sort((a, b) => a - b),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    work.map((_, index) => (index % 4 === 0 ? 'rejected' : 'fulfilled')),
  );
});

test('results come in the order of the items, however long each takes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 20 })), fc.integer({ min: 1, max: 8 }), async (delays, width) => {
      let underWay = 0;
      let peak = 0;
      const results = inOrder(delays.entries(), width, async ([index, delay]) => {
        peak = Math.max(peak, ++underWay);
        await turns(delay);
        underWay -= 1;
        return index;
      });
      assert.deepEqual(await collect(results), [...delays.keys()]);
      assert(peak <= width);
    }),
  );
});

test('a failure comes in its turn, and what failed behind it is not unheard', async () => {
  const seen: number[] = [];
  const results = inOrder([0, 1, 2, 3], 4, async (item) => {
    await turns(4 - item);
    if (item >= 2) throw new Error(`item ${item}`);
    return item;
  });
  await assert.rejects(
    async () => {
      for await (const item of results) seen.push(item);
    },
    { message: 'item 2' },
  );
  assert.deepEqual(seen, [0, 1]);
});

test('forEachLimited begins nothing more after a failure, and ends when all have ended', async () => {
  const begun: number[] = [];
  let underWay = 0;
  const work = forEachLimited([0, 1, 2, 3, 4, 5, 6], 2, async (item) => {
    begun.push(item);
    underWay += 1;
    await turns(item === 1 ? 1 : 5);
    underWay -= 1;
    if (item === 1) throw new Error('one');
  });
  await assert.rejects(work, { message: 'one' });
  assert.equal(underWay, 0);
  assert.deepEqual(begun, [0, 1]);
});
