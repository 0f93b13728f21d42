import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProducerTable } from './producer-table.ts';

const EXPIRATION_MS = 1_000;

function batch(baseSequence: number, lastSequence = baseSequence, producerEpoch = 0) {
  return { producerId: 7, producerEpoch, baseSequence, lastSequence };
}

function tableWith(...sequences: readonly (readonly [number, number])[]): ProducerTable {
  const table = new ProducerTable(EXPIRATION_MS);
  for (const [base, last] of sequences) table.record(batch(base, last), 100 + base, 100 + last, 50, 50);
  return table;
}

describe('producer table', () => {
  it('takes batches without a producer id as they come', () => {
    const plain = { producerId: -1, producerEpoch: -1, baseSequence: -1, lastSequence: -1 };
    assert.deepEqual(tableWith().check(plain, 0), { kind: 'append' });
  });

  it('answers a retry with the original offsets, not with zero', () => {
    const verdict = tableWith([0, 2], [3, 3]).check(batch(0, 2), 50);
    assert.ok(verdict.kind === 'duplicate');
    assert.deepEqual([verdict.batch.baseOffset, verdict.batch.lastOffset], [100, 102]);
  });

  it('refuses a gap and names the sequence that comes next', () => {
    const verdict = tableWith([0, 2]).check(batch(5), 50);
    assert.ok(verdict.kind === 'refused');
    assert.equal(verdict.code, 'OUT_OF_ORDER_SEQUENCE_NUMBER');
    assert.match(verdict.message, /sequence 3 was expected/);
  });

  it('knows that a batch older than the last five is a duplicate, but not its offsets any more', () => {
    const verdict = tableWith([0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5]).check(batch(0), 50);
    assert.ok(verdict.kind === 'refused');
    assert.equal(verdict.code, 'DUPLICATE_SEQUENCE_NUMBER');
  });

  it('does not take a later batch for the beginning when the first one was refused elsewhere', () => {
    const verdict = tableWith().check(batch(1), 0);
    assert.ok(verdict.kind === 'refused');
    assert.equal(verdict.code, 'OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  it('begins a new epoch at sequence 0 and refuses an older one', () => {
    const table = tableWith([0, 2]);
    assert.deepEqual(table.check(batch(0, 0, 1), 50), { kind: 'append' });
    assert.equal(table.check(batch(3, 3, 1), 50).kind, 'refused');
    table.record(batch(0, 0, 1), 200, 200, 50, 50);
    const old = table.check(batch(3), 50);
    assert.ok(old.kind === 'refused');
    assert.equal(old.code, 'INVALID_PRODUCER_EPOCH');
  });

  it('wraps sequences at 2^31', () => {
    const table = tableWith([2 ** 31 - 2, 2 ** 31 - 1]);
    assert.deepEqual(table.check(batch(0, 4), 50), { kind: 'append' });
  });

  it('forgets a producer by the partition’s slot time', () => {
    const table = tableWith([0, 0]);
    assert.equal(table.check(batch(0), 50 + EXPIRATION_MS).kind, 'duplicate');
    assert.deepEqual(table.check(batch(0), 51 + EXPIRATION_MS), { kind: 'append' });
    table.dropExpired(51 + EXPIRATION_MS);
    assert.equal(table.size, 0);
  });

  it('ends the same live, with times given when the slot is closed, as by replay', () => {
    const live = new ProducerTable(EXPIRATION_MS);
    const first = live.record(batch(0), 0, 0, 0, 0);
    const second = live.record(batch(1), 1, 1, 0, 0);
    assert.ok(first !== undefined && second !== undefined);
    live.touch(7, first, 30);
    live.touch(7, second, 30);
    const replayed = new ProducerTable(EXPIRATION_MS);
    replayed.record(batch(0), 0, 0, 30, 0);
    replayed.record(batch(1), 1, 1, 30, 0);
    assert.deepEqual([...live.entries()], [...replayed.entries()]);
  });
});
