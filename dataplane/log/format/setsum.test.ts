import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addSetsum,
  batchFingerprint,
  batchSetsum,
  emptySetsum,
  isSetsum,
  SetsumAccumulator,
  subtractSetsum,
  type FingerprintedBatch,
} from './setsum.ts';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const batch: fc.Arbitrary<FingerprintedBatch> = fc.record({
  crc: uint32,
  baseOffset: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  sizeBytes: fc.integer({ min: 61, max: 2 ** 31 - 1 }),
});

const sumOf = (b: FingerprintedBatch): string => batchSetsum(b.crc, b.baseOffset, b.sizeBytes);

test('the sum of known batches stays what it is in existing buckets', () => {
  assert.equal(batchSetsum(0, 0, 61), '7d0eda307bc2305a');
  assert.equal(batchSetsum(0xf6c0cd0b, 2 ** 40 + 7, 80), '15fcd5c42785c7bd');
});

test('order does not matter', () => {
  fc.assert(
    fc.property(fc.array(batch), (batches) => {
      const forward = batches.map(sumOf).reduce(addSetsum, emptySetsum);
      const backward = batches.toReversed().map(sumOf).reduce(addSetsum, emptySetsum);
      assert.equal(forward, backward);
      const accumulator = new SetsumAccumulator();
      for (const [index, b] of batches.entries()) {
        if (index % 2 === 0) accumulator.addBatch(b);
        else accumulator.addSum(sumOf(b));
      }
      assert.equal(accumulator.sum, forward);
      assert.ok(isSetsum(forward));
    }),
  );
});

test('what was added can be subtracted', () => {
  fc.assert(
    fc.property(batch, batch, (a, b) => {
      assert.equal(subtractSetsum(addSetsum(sumOf(a), sumOf(b)), sumOf(b)), sumOf(a));
      assert.equal(subtractSetsum(sumOf(a), sumOf(a)), emptySetsum);
    }),
  );
});

test('the fingerprint is the sum of one batch', () => {
  fc.assert(
    fc.property(batch, (b) => {
      const { a, b: other } = batchFingerprint(b);
      const hex = (value: number): string => value.toString(16).padStart(8, '0');
      assert.equal(hex(a) + hex(other), sumOf(b));
    }),
  );
});

test('a changed bit of any input changes about half of the bits of both lanes', () => {
  let changedBits = 0;
  let samples = 0;
  const ones = (value: number): number => value.toString(2).replaceAll('0', '').length;
  for (let seed = 0; seed < 200; seed++) {
    const base = {
      crc: (seed * 2_654_435_761) >>> 0,
      baseOffset: seed * 1_000_003,
      sizeBytes: 61 + seed * 7,
    };
    const before = batchFingerprint(base);
    const others = [
      { ...base, crc: (base.crc ^ (1 << (seed % 32))) >>> 0 },
      { ...base, baseOffset: base.baseOffset + 2 ** (seed % 50) },
      { ...base, sizeBytes: base.sizeBytes + 1 },
    ];
    for (const after of others.map(batchFingerprint)) {
      assert.notEqual(after.a, before.a);
      assert.notEqual(after.b, before.b);
      changedBits += ones((after.a ^ before.a) >>> 0) + ones((after.b ^ before.b) >>> 0);
      samples += 64;
    }
  }
  assert.ok(Math.abs(changedBits / samples - 0.5) < 0.02, `${changedBits} of ${samples} bits`);
});

test('swapped offsets of two batches are noticed', () => {
  fc.assert(
    fc.property(batch, batch, (a, b) => {
      fc.pre(a.crc !== b.crc && a.baseOffset !== b.baseOffset);
      const right = addSetsum(sumOf(a), sumOf(b));
      const swapped = addSetsum(
        sumOf({ ...a, baseOffset: b.baseOffset }),
        sumOf({ ...b, baseOffset: a.baseOffset }),
      );
      assert.notEqual(swapped, right);
    }),
  );
});
