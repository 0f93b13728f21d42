import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TableStop } from './errors.ts';
import type { IngestState, OffsetObjects } from './ingest-state.ts';
import {
  claimSummary,
  decodeIngestState,
  encodeIngestState,
  maxInlinePartitions,
  summaryKeys,
  unknownKeys,
} from './ingest-state.ts';

const source = { clusterId: 'cluster-1', topicId: '0123456789abcdef0123456789abcdef' };

function memoryObjects(): OffsetObjects & { readonly stored: Map<string, Uint8Array> } {
  const stored = new Map<string, Uint8Array>();
  return {
    stored,
    put: (bytes) => {
      const location = `memory:/offsets-${stored.size}`;
      stored.set(location, bytes);
      return Promise.resolve(location);
    },
    get: (location) => Promise.resolve(stored.get(location) ?? new Uint8Array(0)),
  };
}

function stateWith(partitions: number): IngestState {
  const offsets = new Map(Array.from({ length: partitions }, (_, partition) => [partition, partition * 7]));
  return { epoch: 3, commitSeq: 12, commitId: 'c0ffee', source, offsets };
}

describe('the state of ingestion in a summary', () => {
  it('is these texts', async () => {
    assert.deepEqual(await encodeIngestState(stateWith(2), memoryObjects()), {
      'firn.epoch': '3',
      'firn.commit-seq': '12',
      'firn.commit-id': 'c0ffee',
      'firn.source': '{"cluster-id":"cluster-1","topic-id":"0123456789abcdef0123456789abcdef"}',
      'firn.offsets': '{"0":0,"1":7}',
    });
  });

  it('comes back as it was, for any offsets', async () => {
    const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const vectors = fc.uniqueArray(fc.tuple(fc.nat({ max: 100_000 }), offset), { selector: ([key]) => key });
    await fc.assert(
      fc.asyncProperty(vectors, offset, async (offsets, epoch) => {
        const state = { ...stateWith(0), epoch, offsets: new Map(offsets) };
        const objects = memoryObjects();
        assert.deepEqual(await decodeIngestState(await encodeIngestState(state, objects), objects), state);
      }),
    );
  });

  it('keeps more partitions than fit into every snapshot in an object of its own', async () => {
    const objects = memoryObjects();
    const state = stateWith(maxInlinePartitions + 1);
    const summary = await encodeIngestState(state, objects);
    assert.equal(summary[summaryKeys.offsets], undefined);
    assert.equal(objects.stored.size, 1);
    assert.deepEqual(await decodeIngestState(summary, objects), state);
  });

  it('refuses an object of offsets that is not the one that was written', async () => {
    const objects = memoryObjects();
    const summary = await encodeIngestState(stateWith(maxInlinePartitions + 1), objects);
    objects.stored.set(summary[summaryKeys.offsetsObject] ?? '', Buffer.from('{"0":0}'));
    await assert.rejects(decodeIngestState(summary, objects), { code: 'BAD_INGEST_STATE' });
  });

  it('refuses texts that nobody wrote like that, and says which', async () => {
    const good = await encodeIngestState(stateWith(2), memoryObjects());
    const bad: [string, string | undefined][] = [
      ['firn.epoch', undefined],
      ['firn.epoch', '-1'],
      ['firn.epoch', '1e3'],
      ['firn.commit-seq', '9007199254740993'],
      ['firn.source', '{"cluster-id":"x"}'],
      ['firn.offsets', undefined],
      ['firn.offsets', '[1]'],
      ['firn.offsets', '{"0":-1}'],
      ['firn.offsets', '{"-1":1}'],
      ['firn.offsets', '{'],
    ];
    for (const [key, value] of bad) {
      const { [key]: _, ...others } = good;
      const summary = value === undefined ? others : { ...others, [key]: value };
      await assert.rejects(decodeIngestState(summary, memoryObjects()), (error: unknown) => {
        assert(error instanceof TableStop);
        assert.equal(error.code, 'BAD_INGEST_STATE');
        assert(error.message.includes(key));
        return true;
      });
    }
  });
});

describe('the summary of a claim', () => {
  it('repeats every key of ours but the epoch, also those of a newer release', async () => {
    const before = {
      ...(await encodeIngestState(stateWith(2), memoryObjects())),
      'firn.dlq-pending': '7',
      operation: 'append',
      'total-records': '9',
    };
    const { operation: _, 'total-records': __, ...ours } = before;
    assert.deepEqual(claimSummary(before, 8), { ...ours, 'firn.epoch': '8' });
    assert.deepEqual(unknownKeys(before), { 'firn.dlq-pending': '7' });
  });
});
