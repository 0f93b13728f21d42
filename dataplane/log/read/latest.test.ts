import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Latest } from './latest.ts';

test('every result comes from a read that began after the call, and calls share reads', async () => {
  const reads: { begun: number; finish: () => void }[] = [];
  const latest = new Latest(async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const number = reads.length + 1;
    reads.push({ begun: number, finish: () => resolve(undefined) });
    await promise;
    return number;
  });
  const first = latest.get();
  const joined = [latest.get(), latest.get(), latest.get()];
  assert.equal(reads.length, 1);
  reads[0]?.finish();
  assert.equal(await first, 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reads.length, 2);
  reads[1]?.finish();
  assert.deepEqual(await Promise.all(joined), [2, 2, 2]);
  assert.equal(reads.length, 2);
});

test('a failure is for those who asked for that read only', async () => {
  let reads = 0;
  const latest = new Latest(() => {
    reads += 1;
    return reads === 1 ? Promise.reject(new Error('broken')) : Promise.resolve(reads);
  });
  const first = latest.get();
  const second = latest.get();
  await assert.rejects(first, /broken/);
  assert.equal(await second, 2);
});
