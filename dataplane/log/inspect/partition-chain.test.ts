import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchEntry } from '../format/container.ts';
import { PartitionChain } from './partition-chain.ts';

interface Produced {
  readonly at: number;
  readonly count?: number;
  readonly pid?: number;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly crc?: number;
}

function batch({ at, count = 1, pid = 1, epoch = 0, sequence = -1, crc = at }: Produced): BatchEntry {
  return {
    sizeBytes: 100,
    baseOffset: at,
    lastOffset: at + count - 1,
    producerId: pid,
    producerEpoch: epoch,
    baseSequence: sequence,
    lastSequence: sequence < 0 ? -1 : (sequence + count - 1) % 2 ** 31,
    maxTimestampMs: 0,
    attributes: 0,
    crc,
  };
}

function problems(start: number, batches: readonly Produced[], left = 100): (string | undefined)[] {
  const chain = new PartitionChain(0, start, { left });
  return batches.map((produced) => chain.see(batch(produced), 0)?.what);
}

test('contiguous sequences of several producers and epochs are in order', () => {
  const found = problems(0, [
    { at: 0, count: 3, sequence: 0 },
    { at: 3, pid: 2, sequence: 0 },
    { at: 4, sequence: 3 },
    { at: 5, pid: -1 },
    { at: 6, epoch: 1, sequence: 0 },
    { at: 7, epoch: 1, sequence: 1 },
  ]);
  assert.deepEqual(found, [undefined, undefined, undefined, undefined, undefined, undefined]);
});

test('sequences wrap after 2^31 - 1', () => {
  const last = 2 ** 31 - 1;
  const found = problems(10, [
    { at: 10, count: 2, sequence: last - 1 },
    { at: 12, sequence: 0 },
  ]);
  assert.deepEqual(found, [undefined, undefined]);
});

test('gaps, repetitions and beginnings in the middle are named', () => {
  const found = problems(0, [
    { at: 0, sequence: 5 },
    { at: 1, sequence: 7 },
    { at: 2, sequence: 7 },
    { at: 3, epoch: 1, sequence: 4 },
    { at: 4, pid: 2, sequence: 0, crc: 77 },
    { at: 5, pid: 2, sequence: 0, crc: 77 },
  ]);
  for (const [index, pattern] of [
    /sequence 5, but it is the producer's first/,
    /sequence 7, but 6 was expected/,
    /sequence 7, but 8 was expected/,
    /sequence 4, but it is the first of its epoch/,
  ].entries()) {
    assert.match(found[index] ?? '', pattern);
  }
  assert.equal(found[4], undefined);
  assert.match(found[5] ?? '', /the same as an earlier one/);
});

test('a producer that was forgotten by its owner may begin again at 0', () => {
  const found = problems(0, [
    { at: 0, sequence: 0, crc: 1 },
    { at: 1, sequence: 1, crc: 2 },
    { at: 2, sequence: 0, crc: 3 },
    { at: 3, sequence: 1, crc: 4 },
  ]);
  assert.deepEqual(found, [undefined, undefined, undefined, undefined]);
});

test('above the log start, after a gap and beyond the memory for producers any sequence may come', () => {
  assert.deepEqual(problems(5, [{ at: 5, sequence: 9 }]), [undefined]);
  assert.deepEqual(
    problems(0, [
      { at: 0, sequence: 0 },
      { at: 10, sequence: 9 },
    ]),
    [undefined, undefined],
  );
  const many = Array.from({ length: 10 }, (_, index) => ({ at: index, pid: index, sequence: 0 }));
  const found = problems(0, [...many, { at: 10, pid: 0, sequence: 1 }, { at: 11, pid: 50, sequence: 6 }], 4);
  assert.deepEqual(found.filter(Boolean), []);
});

test('what was seen before is passed over', () => {
  const chain = new PartitionChain(0, 0, { left: 10 });
  chain.see(batch({ at: 0, count: 2, sequence: 0 }), 3);
  assert.equal(chain.see(batch({ at: 0, count: 2, sequence: 0 }), 1), undefined);
  assert.equal(chain.end, 2);
});

test('epochs that go back are named', () => {
  const chain = new PartitionChain(0, 0, { left: 10 });
  chain.see(batch({ at: 0 }), 3);
  assert.deepEqual(chain.see(batch({ at: 1 }), 2), {
    code: 'EPOCH_WRONG',
    what: 'the batch at offset 1 has leader epoch 2, the one before it 3',
  });
});

test('memory for producers is given back', () => {
  const budget = { left: 3 };
  const chain = new PartitionChain(0, 0, budget);
  for (let pid = 0; pid < 5; pid++) chain.see(batch({ at: pid, pid, sequence: 0 }), 0);
  assert.equal(budget.left, 0);
  chain.producers.forget();
  assert.equal(budget.left, 3);
});
