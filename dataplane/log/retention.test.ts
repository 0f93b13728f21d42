import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptySetsum } from './format/setsum.ts';
import type { SegmentRef } from './format/manifest.ts';
import { RetentionCut, retentionLimits } from './retention.ts';
import type { RetentionLimits } from './retention.ts';

function segment(baseOffset: number, sizeBytes: number, maxTimestampMs: number) {
  return {
    object: `0-00000000-${baseOffset}`,
    baseOffset,
    endOffset: baseOffset + 10,
    position: 64,
    sizeBytes,
    maxTimestampMs,
    setsum: emptySetsum,
  };
}

function retainedFrom(
  refs: readonly SegmentRef[],
  unflushedBytes: number,
  limits: RetentionLimits,
  nowMs: number,
): number | undefined {
  const cut = new RetentionCut(
    limits,
    nowMs,
    refs.reduce((sum, ref) => sum + ref.sizeBytes, unflushedBytes),
  );
  let from: number | undefined;
  for (const ref of refs) {
    if (!cut.drops(ref)) break;
    from = ref.endOffset;
  }
  return from;
}

const segments = [segment(0, 100, 1_000), segment(10, 100, 2_000), segment(20, 100, 3_000)];

describe('retention', () => {
  it('keeps everything without limits', () => {
    assert.equal(retainedFrom(segments, 0, { retentionMs: -1, retentionBytes: -1 }, 1e12), undefined);
  });

  it('drops whole segments whose newest record is too old, from the beginning', () => {
    assert.equal(retainedFrom(segments, 0, { retentionMs: 500, retentionBytes: -1 }, 2_400), 10);
    assert.equal(retainedFrom(segments, 0, { retentionMs: 500, retentionBytes: -1 }, 9_000), 30);
  });

  it('stops at the first segment that must stay, even if later ones are older', () => {
    const mixed = [segment(0, 100, 9_000), segment(10, 100, 1_000)];
    assert.equal(retainedFrom(mixed, 0, { retentionMs: 500, retentionBytes: -1 }, 9_100), undefined);
  });

  it('never drops below retention.bytes, counting what is not in segments yet', () => {
    assert.equal(retainedFrom(segments, 0, { retentionMs: -1, retentionBytes: 200 }, 0), 10);
    assert.equal(retainedFrom(segments, 0, { retentionMs: -1, retentionBytes: 201 }, 0), undefined);
    assert.equal(retainedFrom(segments, 150, { retentionMs: -1, retentionBytes: 200 }, 0), 20);
  });

  it('takes records without time stamps for young', () => {
    const unstamped = [segment(0, 100, -1)];
    assert.equal(retainedFrom(unstamped, 0, { retentionMs: 1, retentionBytes: -1 }, 1e12), undefined);
  });

  it('follows the topic’s configs, else the cluster’s, else Kafka’s defaults', () => {
    assert.deepEqual(retentionLimits({}, {}), { retentionMs: 604_800_000, retentionBytes: -1 });
    assert.deepEqual(retentionLimits({ 'retention.ms': '-1', 'retention.bytes': '5' }, {}), {
      retentionMs: -1,
      retentionBytes: 5,
    });
    const cluster = { 'log.retention.ms': '60000', 'log.retention.bytes': '7' };
    assert.deepEqual(retentionLimits({ 'retention.bytes': '5' }, cluster), {
      retentionMs: 60_000,
      retentionBytes: 5,
    });
  });

  it('deletes nothing of a topic whose cleanup.policy does not say delete', () => {
    const unlimited = { retentionMs: -1, retentionBytes: -1 };
    assert.deepEqual(retentionLimits({ 'cleanup.policy': 'compact', 'retention.ms': '1' }, {}), unlimited);
    assert.deepEqual(retentionLimits({}, { 'log.cleanup.policy': 'compact' }), unlimited);
  });
});
