import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchData } from '../protocol/batch-data.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { patchBatch, readBatchHeader } from '../protocol/record-batch.ts';
import { BatchSpans } from './batch-spans.ts';
import { endOfRun, notFramed, nullValue, schemaIdOf } from './record-framing.ts';

function framed(id: number, text = ''): Buffer {
  const frame = Buffer.alloc(5);
  frame.writeInt32BE(id, 1);
  return Buffer.concat([frame, Buffer.from(text)]);
}

function batch(values: readonly (Buffer | null)[], baseOffset = 0): Buffer {
  const bytes = buildBatch({
    records: values.map((value, at) => ({
      key: at % 2 === 0 ? null : Buffer.from(`k${at}`),
      value,
      timestampMs: 1_000 + at,
      headers: [{ key: 'h', value: null }],
    })),
  });
  patchBatch(bytes, 0, baseOffset, 1);
  return bytes;
}

function load(spans: BatchSpans, bytes: Buffer, fromOffset: number): void {
  const header = readBatchHeader(bytes, 0);
  assert.equal(spans.load(header, batchData(header, bytes, 0, 1_000_000), fromOffset), undefined);
}

describe('the spans of a batch', () => {
  it('say where each record is, from an offset inside the batch on', () => {
    const spans = new BatchSpans();
    load(spans, batch([framed(1, 'a'), framed(1, 'bc'), null], 40), 41);
    assert.equal(spans.count, 2);
    assert.deepEqual([...spans.offsets.subarray(0, 2)], [41, 42]);
    assert.deepEqual([...spans.timestampsMs.subarray(0, 2)], [1_001, 1_002]);
    const text = (start: number | undefined, end: number | undefined): string =>
      Buffer.from(spans.bytes.subarray(start, end)).toString();
    assert.equal(text(spans.keyStarts[0], spans.keyEnds[0]), 'k1');
    assert.equal(text((spans.valueStarts[0] ?? 0) + 5, spans.valueEnds[0]), 'bc');
    assert.equal(spans.keyEnds[1], -1);
    assert.equal(spans.valueEnds[1], -1);
    assert.equal(spans.headerCounts[0], 1);
    assert.equal(spans.bytes[spans.headerStarts[0] ?? 0], 2, 'the zigzag length of the header key');
  });

  it('are used again for the next batch, larger or smaller', () => {
    const spans = new BatchSpans();
    for (const count of [1, 300, 2]) {
      load(spans, batch(Array.from({ length: count }, () => framed(7))), 0);
      assert.equal(spans.count, count);
      assert.equal(endOfRun(spans, 0), count);
    }
  });

  it('end before a damaged record', () => {
    const bytes = batch([framed(1, 'aaaa'), framed(1, 'bbbb')]);
    const header = readBatchHeader(bytes, 0);
    const data = batchData(header, bytes, 0, 1_000_000);
    // The length of the second record.
    data[(data[0] ?? 0) / 2 + 1] = 120;
    const spans = new BatchSpans();
    assert.equal(spans.load(header, data, 0)?.code, 'INVALID');
    assert.equal(spans.count, 1);
  });
});

describe('the frame of a value', () => {
  it('has the schema id, and runs of equal ones are found', () => {
    const spans = new BatchSpans();
    const values = [
      framed(5),
      framed(5),
      framed(70_000),
      null,
      Buffer.from([1, 0, 0, 0, 5]),
      Buffer.alloc(4),
    ];
    load(spans, batch(values), 0);
    const ids = values.map((_, at) => schemaIdOf(spans, at));
    assert.deepEqual(ids, [5, 5, 70_000, nullValue, notFramed, notFramed]);
    assert.equal(endOfRun(spans, 0), 2);
    assert.equal(endOfRun(spans, 2), 3);
  });
});
