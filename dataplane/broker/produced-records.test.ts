import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { crc32c } from '@node-rs/crc32';
import { batchPrefixBytes, parseBatches } from '../protocol/record-batch.ts';
import { checkProducedRecords } from './produced-records.ts';
import { RetainedBytes } from './retained-bytes.ts';
import { topicSettings } from './topic-settings.ts';

const nowMs = 1_800_000_000_000;

function problemOf(
  records: Uint8Array | null,
  configs: Readonly<Record<string, string>> = {},
  apiVersion = 13,
): string {
  const checked = checkProducedRecords(records, { settings: topicSettings(configs, {}), apiVersion, nowMs });
  return 'error' in checked ? checked.error : 'none';
}

const batch = (given: Partial<Parameters<typeof buildBatch>[0]> = {}): Buffer =>
  buildBatch({ records: [{ key: 'k', value: 'v', timestampMs: nowMs }], ...given });

describe('what a client produces', () => {
  it('is one sound record batch for a partition', () => {
    assert.equal(problemOf(batch()), 'none');
    assert.equal(problemOf(null), 'INVALID_RECORD');
    assert.equal(problemOf(new Uint8Array(0)), 'INVALID_RECORD');
    assert.equal(problemOf(Buffer.concat([batch(), batch()])), 'INVALID_RECORD');
    assert.equal(problemOf(batch().subarray(0, -1)), 'INVALID_RECORD');
    const flipped = batch();
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    assert.equal(problemOf(flipped), 'CORRUPT_MESSAGE');
  });

  it('is nothing that only brokers write', () => {
    assert.equal(problemOf(batch({ attributes: 0x20 })), 'INVALID_RECORD');
    assert.equal(
      problemOf(batch({ attributes: 0x10, producerId: 1, producerEpoch: 0, baseSequence: 0 })),
      'INVALID_TXN_STATE',
    );
    assert.equal(problemOf(batch({ baseOffset: 5 })), 'INVALID_RECORD');
  });

  it('is not larger than its topic allows', () => {
    const large = batch({ records: [{ value: Buffer.alloc(2_000), timestampMs: nowMs }] });
    assert.equal(problemOf(large, { 'max.message.bytes': '2000' }), 'MESSAGE_TOO_LARGE');
    assert.equal(problemOf(large, { 'max.message.bytes': '2100' }), 'none');
  });

  it('has timestamps near the clock where the topic asks for it', () => {
    const configs = { 'message.timestamp.before.max.ms': '1000', 'message.timestamp.after.max.ms': '2000' };
    const at = (...timestamps: number[]): Buffer =>
      batch({ records: timestamps.map((timestampMs) => ({ value: 'v', timestampMs })) });
    assert.equal(problemOf(at(nowMs - 1000, nowMs + 2000), configs), 'none');
    assert.equal(problemOf(at(nowMs, nowMs - 1001, nowMs), configs), 'INVALID_TIMESTAMP');
    assert.equal(problemOf(at(nowMs, nowMs + 2001, nowMs), configs), 'INVALID_TIMESTAMP');
    assert.equal(
      problemOf(at(nowMs - 5000), { ...configs, 'message.timestamp.type': 'LogAppendTime' }),
      'none',
    );
  });

  it('has keys where the topic is compacted', () => {
    const keyless = batch({ records: [{ key: null, value: 'v', timestampMs: nowMs }] });
    assert.equal(problemOf(keyless), 'none');
    assert.equal(problemOf(keyless, { 'cleanup.policy': 'compact' }), 'INVALID_RECORD');
  });

  it('has the maximum timestamp its records have, whatever its header says', () => {
    const lying = batch();
    lying.writeBigInt64BE(BigInt(nowMs + 500), 35);
    lying.writeUInt32BE(crc32c(lying.subarray(batchPrefixBytes)), 17);
    assert.equal(problemOf(lying), 'none');
    assert.equal(parseBatches(lying, { verifyCrc: true })[0]?.maxTimestampMs, nowMs);
  });

  it('is no bomb', () => {
    const value = Buffer.alloc(17 * 1024 * 1024);
    const bomb = batch({ compression: 'gzip', records: [{ value, timestampMs: nowMs }] });
    assert(bomb.length < 100_000);
    assert.equal(problemOf(bomb), 'MESSAGE_TOO_LARGE');
  });
});

describe('bytes that are kept', () => {
  it('do not keep a large chunk alive', () => {
    const retained = new RetainedBytes();
    const chunk = Buffer.alloc(65_536);
    const small = retained.keep(chunk.subarray(10, 110), 100);
    assert(small.buffer.byteLength <= 8_192);
    const middle = retained.keep(chunk.subarray(10, 4_106), 4_096);
    assert.equal(middle.buffer.byteLength, 4_096);
    const most = chunk.subarray(0, 40_000);
    assert.equal(retained.keep(most, most.length), most);
  });

  it('are the same bytes', () => {
    const retained = new RetainedBytes();
    const kept: Uint8Array[] = [];
    for (let at = 0; at < 200; at++) {
      const chunk = Buffer.alloc(65_536, at);
      kept.push(retained.keep(chunk.subarray(0, 100), 100));
    }
    for (const [at, bytes] of kept.entries()) assert(bytes.every((byte) => byte === at));
  });
});
