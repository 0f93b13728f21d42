import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AdmittedBatch } from './producer-table.ts';
import { ProducerTable } from './producer-table.ts';

const EXPIRATION_MS = 1_000;
const limits = { producerIdExpirationMs: EXPIRATION_MS, maxProducersPerPartition: 100 };

function batch(baseSequence: number, lastSequence = baseSequence, producerEpoch = 0) {
  return { producerId: 7, producerEpoch, baseSequence, lastSequence };
}

function tableWith(...sequences: readonly (readonly [number, number])[]): ProducerTable {
  const table = new ProducerTable(limits);
  for (const [base, last] of sequences) table.record(batch(base, last), 100 + base, 100 + last, 50);
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
    table.record(batch(0, 0, 1), 200, 200, 50);
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

  it('keeps a producer of whom a batch has no slot yet, however old its last one with a slot is', () => {
    const table = tableWith([0, 0]);
    const admitted = table.admit(batch(1), 200, 200, 50);
    assert.ok(admitted !== undefined);
    const laterMs = 51 + EXPIRATION_MS;
    assert.deepEqual(table.check(batch(2), laterMs), { kind: 'append' });
    table.dropExpired(laterMs);
    assert.equal(table.size, 1);
    table.settle(admitted, laterMs);
    assert.equal(table.check(batch(1), laterMs).kind, 'duplicate');
    assert.equal(table.check(batch(1), 2 * laterMs).kind, 'refused');
  });

  it('forgets of too many producers the one that has been silent longest', () => {
    let evicted = 0;
    const table = new ProducerTable({ ...limits, maxProducersPerPartition: 2 }, () => (evicted += 1));
    const of = (producerId: number, baseSequence = 0) => ({
      producerId,
      producerEpoch: 0,
      baseSequence,
      lastSequence: baseSequence,
    });
    for (const [offset, producer] of [of(1), of(2), of(1, 1), of(3)].entries())
      table.record(producer, offset, offset, 50);
    assert.deepEqual(
      Array.from(table.entries(), ([producerId]) => producerId),
      [1, 3],
    );
    assert.equal(evicted, 1);
    assert.equal(table.check(of(1, 2), 50).kind, 'append');
    assert.equal(table.check(of(2, 1), 50).kind, 'refused');
    // Those that have expired are nobody's loss.
    const laterMs = 51 + EXPIRATION_MS;
    for (const producerId of [4, 5]) table.record(of(producerId), producerId, producerId, laterMs);
    assert.equal(table.size, 2);
    assert.equal(evicted, 1);
  });

  it('takes producers back from a snapshot in the order of their last batches', () => {
    const table = tableWith();
    const producers = [3, 1, 2].map((producerId) => ({
      producerId,
      epoch: 0,
      lastTimeMs: 50,
      batches: [
        { baseSequence: 0, lastSequence: 0, baseOffset: producerId, lastOffset: producerId, timeMs: 50 },
      ],
      transactionFirstOffset: undefined,
    }));
    table.restore(producers);
    assert.deepEqual(
      Array.from(table.entries(), ([producerId]) => producerId),
      [1, 2, 3],
    );
  });

  it('gives the same answers live as after a replay, from the beginning or from a snapshot', () => {
    const step = fc.oneof(
      // Of some producer the next batch, or the first one of its next epoch.
      { weight: 6, arbitrary: fc.record({ producer: fc.nat(5), restarts: fc.constant(false) }) },
      { weight: 1, arbitrary: fc.record({ producer: fc.nat(5), restarts: fc.constant(true) }) },
      // The block is closed into a slot of a later time; several blocks may be open.
      {
        weight: 2,
        arbitrary: fc.record({ laterMs: fc.constantFrom(0, 1, EXPIRATION_MS, EXPIRATION_MS + 1) }),
      },
      { weight: 2, arbitrary: fc.constant('new block' as const) },
    );
    const small = { producerIdExpirationMs: EXPIRATION_MS, maxProducersPerPartition: 3 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(80), (steps, snapshotAt) => {
        const live = new ProducerTable(small);
        const replayed = new ProducerTable(small);
        let fromSnapshot = new ProducerTable(small);
        const clients = Array.from({ length: 6 }, () => ({ producerEpoch: 0, baseSequence: 0 }));
        interface Admitted {
          readonly sequences: Parameters<ProducerTable['check']>[0];
          readonly offset: number;
          readonly admitted: AdmittedBatch | undefined;
        }
        const open: Admitted[][] = [[]];
        let timeMs = 0;
        let offset = 0;
        const close = (laterMs: number): void => {
          const block = open.shift() ?? [];
          if (open.length === 0) open.push([]);
          if (block.length === 0) return;
          timeMs += laterMs;
          for (const { sequences, offset: at, admitted } of block) {
            if (admitted !== undefined) live.settle(admitted, timeMs);
            for (const table of [replayed, fromSnapshot]) table.record(sequences, at, at, timeMs);
          }
        };
        for (const [index, what] of steps.entries()) {
          if (what === 'new block') {
            open.push([]);
          } else if ('laterMs' in what) {
            close(what.laterMs);
          } else {
            const client = clients[what.producer];
            assert.ok(client !== undefined);
            const attempt = (): boolean => {
              const { producerEpoch, baseSequence } = client;
              const sequences = {
                producerId: what.producer,
                producerEpoch,
                baseSequence,
                lastSequence: baseSequence,
              };
              if (live.check(sequences, timeMs).kind !== 'append') return false;
              const admitted = live.admit(sequences, offset, offset, timeMs);
              open.at(-1)?.push({ sequences, offset, admitted });
              offset += 1;
              client.baseSequence += 1;
              return true;
            };
            const restart = (): void => {
              client.producerEpoch += 1;
              client.baseSequence = 0;
            };
            if (what.restarts) restart();
            if (!attempt()) {
              restart();
              assert.ok(attempt(), 'a new epoch is always taken');
            }
          }
          if (index === snapshotAt) {
            const snapshot = Array.from(fromSnapshot.entries(), ([producerId, state]) => ({
              producerId,
              ...state,
            }));
            fromSnapshot = new ProducerTable(small);
            fromSnapshot.restore(snapshot.toReversed());
          }
        }
        while (open.some((block) => block.length > 0)) close(1);
        const visible = (table: ProducerTable): unknown =>
          Array.from({ length: 6 }, (_, producerId) =>
            [0, 1, 2, 3].map((back) => {
              const client = clients[producerId];
              const baseSequence = Math.max(0, (client?.baseSequence ?? 0) - back);
              const producerEpoch = client?.producerEpoch ?? 0;
              return table.check(
                { producerId, producerEpoch, baseSequence, lastSequence: baseSequence },
                timeMs,
              );
            }),
          );
        const entries = (table: ProducerTable): unknown =>
          Array.from(table.entries(), ([producerId, { epoch, lastTimeMs, batches }]) => ({
            producerId,
            epoch,
            lastTimeMs,
            batches,
          }));
        assert.deepEqual(entries(replayed), entries(live));
        assert.deepEqual(entries(fromSnapshot), entries(live));
        assert.deepEqual(visible(replayed), visible(live));
      }),
    );
  });
});
