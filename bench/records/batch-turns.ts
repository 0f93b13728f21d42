import { createRequire } from 'node:module';
import { createRecordsBatch, Reader, readRecordsBatch } from '@platformatic/kafka';
import { batchData } from '../../dataplane/protocol/batch-data.ts';
import type { CompressionCodec } from '../../dataplane/protocol/compression/codec.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { readBatchHeader } from '../../dataplane/protocol/record-batch.ts';
import { RecordCursor } from '../../dataplane/protocol/records.ts';
import { validateBatch } from '../../dataplane/protocol/validate-records.ts';
import type { Figures } from '../harness.ts';
import { cpuSeconds, inTurns, mib } from './codec-turns.ts';
import { sampleRecords } from './sample-records.ts';

const noLimit = 2 ** 30;
const require = createRequire(import.meta.url);
const encodeKafkajsRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (
  input: object,
) => unknown;
const { RecordBatch: encodeKafkajsBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  readonly RecordBatch: (input: object) => Promise<{ readonly buffer: Buffer }>;
};

/** Building and reading batches of records of this size, uncompressed, against @platformatic/kafka. */
export function batchAgainstPeer(valueBytes: number, quick: boolean): Figures {
  const records = sampleRecords(Math.ceil((512 * 1024) / (valueBytes + 20)), valueBytes);
  const messages = records.map(({ key, value, timestampMs }) => ({
    topic: 'topic',
    key: Buffer.from(key ?? ''),
    value: Buffer.from(value ?? ''),
    timestamp: BigInt(timestampMs ?? 0),
  }));
  const batch = buildBatch({ records });
  const header = readBatchHeader(batch, 0);
  const [firnBuild, peerBuild] = inTurns(quick, batch.length, [
    () => buildBatch({ records }),
    () => createRecordsBatch(messages, {}).buffer,
  ]);
  const [firnRead, peerRead] = inTurns(quick, batch.length, [
    () => {
      const cursor = new RecordCursor(header, batchData(header, batch, 0, noLimit));
      let bytes = 0;
      while (cursor.next()) bytes += (cursor.key?.length ?? 0) + (cursor.value?.length ?? 0);
      return bytes;
    },
    () => readRecordsBatch(Reader.from(batch)),
  ]);
  return {
    firnBuildMibPerCpuSecond: firnBuild,
    peerBuildMibPerCpuSecond: peerBuild,
    firnReadMibPerCpuSecond: firnRead,
    peerReadMibPerCpuSecond: peerRead,
  };
}

/** What a broker pays to check a batch that is compressed with `codec`. */
export function validation(
  codec: CompressionCodec,
  valueBytes: number,
  headerCount: number,
  quick: boolean,
): Figures {
  const headers = Array.from({ length: headerCount }, (_, i) => ({
    key: `header-${i}`,
    value: `value-${i}`,
  }));
  const records = sampleRecords(Math.ceil((256 * 1024) / (valueBytes + 20)), valueBytes);
  const batch = buildBatch({
    records: records.map((record) => ({ ...record, headers })),
    compression: codec,
  });
  const header = readBatchHeader(batch, 0);
  const { sizeBytes } = validateBatch(header, batch, 0, noLimit);
  const check = (): unknown => validateBatch(header, batch, 0, noLimit);
  const [first, second] = inTurns(quick, sizeBytes, [check, check]);
  const mibPerCpuSecond = Math.max(first, second);
  return { mibPerCpuSecond, nsPerRecord: (sizeBytes / mib / mibPerCpuSecond / records.length) * 1e9 };
}

/** kafkajs builds batches asynchronously, so not in turns with others. */
export async function kafkajsBuild(valueBytes: number, quick: boolean): Promise<Figures> {
  const records = sampleRecords(Math.ceil((512 * 1024) / (valueBytes + 20)), valueBytes);
  const bytes = buildBatch({ records }).length;
  const repeats = quick ? 10 : 40;
  let best = 0;
  for (let turn = 0; turn < 5; turn++) {
    const start = process.cpuUsage();
    for (let i = 0; i < repeats; i++) {
      await encodeKafkajsBatch({
        lastOffsetDelta: records.length - 1,
        records: records.map(({ key, value, timestampMs = 0 }, offsetDelta) =>
          encodeKafkajsRecord({
            key: Buffer.from(key ?? ''),
            value,
            offsetDelta,
            timestampDelta: timestampMs - (records[0]?.timestampMs ?? 0),
          }),
        ),
      });
    }
    best = Math.max(best, (bytes * repeats) / mib / cpuSeconds(start));
  }
  return { buildMibPerCpuSecond: best };
}
