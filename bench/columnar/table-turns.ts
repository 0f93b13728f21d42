/** The same records into Parquet: by a row file, and by avsc and @dsnp/parquetjs. */
import type { WriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { ParquetSchema, ParquetWriter } from '@dsnp/parquetjs';
import { kafkaStructField } from '../../dataplane/columnar/kafka-columns.ts';
import type { RecordSpans } from '../../dataplane/columnar/record-spans.ts';
import { RowFile } from '../../dataplane/columnar/row-file.ts';
import type { Compression } from '../../dataplane/columnar/parquet/page-compression.ts';
import { parseFlatAvroRecord } from '../../dataplane/schema/avro/avro-schema.ts';
import type { Figures } from '../harness.ts';
import { eventBatches, eventColumns, eventSchemaJson, eventType, frameBytes } from './order-events.ts';

export interface FirnCase {
  readonly compression: Compression;
  readonly compressionLevel?: number;
  /** With the struct `_kafka`. */
  readonly metadata: boolean;
}

interface Turn {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly fileBytes: number;
}

/** The best of some turns after one to warm up: whatever else the machine does only makes them slower. */
export async function firnFigures(firn: FirnCase, quick: boolean): Promise<Figures> {
  const batches = eventBatches(quick ? 200_000 : 600_000);
  let id = 100;
  const metadata = firn.metadata ? [kafkaStructField(() => id++)] : [];
  const file = new RowFile({
    schema: { schemaId: 0, struct: { kind: 'struct', fields: [...eventColumns, ...metadata] } },
    icebergSchemaJson: '{}',
    partition: 0,
    compression: firn.compression,
    compressionLevel: firn.compressionLevel,
  });
  const appender = file.appender(parseFlatAvroRecord(eventSchemaJson));
  const best = await bestOf(quick ? 4 : 6, () => {
    for (const spans of batches) {
      const { next, problem } = appender.append(spans, 0, spans.count, frameBytes);
      if (next !== spans.count) throw new Error(`a record of the bench is wrong: ${problem?.message}`);
    }
    return Promise.resolve(file.finish().sizeBytes);
  });
  return figures(batches, best);
}

/** avsc makes objects, @dsnp/parquetjs columns of them: no zstd, no dictionaries, no field ids. With snappy, its fastest. */
export async function peerFigures(quick: boolean): Promise<Figures> {
  const batches = eventBatches(quick ? 40_000 : 100_000);
  const type = eventType();
  const compression = 'SNAPPY' as const;
  const schema = new ParquetSchema({
    id: { type: 'INT64', compression },
    ts: { type: 'TIMESTAMP_MICROS', compression },
    user: { type: 'UTF8', compression },
    country: { type: 'UTF8', compression },
    amount: { type: 'DOUBLE', compression },
    flag: { type: 'BOOLEAN', compression },
    payload: { type: 'UTF8', compression },
    build: { type: 'INT32', compression, optional: true },
  });
  const best = await bestOf(quick ? 2 : 3, async () => {
    let bytes = 0;
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done();
      },
    });
    const writer = await ParquetWriter.openStream(schema, sink as unknown as WriteStream);
    for (const spans of batches) {
      const source = Buffer.from(spans.bytes.buffer, spans.bytes.byteOffset, spans.bytes.length);
      for (let i = 0; i < spans.count; i++) {
        const start = (spans.valueStarts[i] ?? 0) + frameBytes;
        const row = type.fromBuffer(source.subarray(start, spans.valueEnds[i])) as Record<string, unknown>;
        if (row['build'] === null) delete row['build'];
        await writer.appendRow(row);
      }
    }
    await writer.close();
    return bytes;
  });
  return figures(batches, best);
}

async function bestOf(turns: number, work: () => Promise<number>): Promise<Turn> {
  let best: Turn | undefined;
  for (let turn = 0; turn <= turns; turn++) {
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    const fileBytes = await work();
    const wallSeconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1e6;
    if (turn > 0 && (best === undefined || cpuSeconds < best.cpuSeconds))
      best = { cpuSeconds, wallSeconds, fileBytes };
  }
  if (best === undefined) throw new Error('no turn');
  return best;
}

function figures(batches: readonly RecordSpans[], { cpuSeconds, wallSeconds, fileBytes }: Turn): Figures {
  let rows = 0;
  let valueBytes = 0;
  for (const { count, valueEnds, valueStarts } of batches) {
    rows += count;
    for (let i = 0; i < count; i++) valueBytes += (valueEnds[i] ?? 0) - (valueStarts[i] ?? 0);
  }
  return {
    kiloRowsPerCpuSecond: rows / cpuSeconds / 1000,
    kiloRowsPerSecond: rows / wallSeconds / 1000,
    cpuSecondsPerGb: cpuSeconds / (valueBytes / 1e9),
    fileBytesPerRow: fileBytes / rows,
  };
}
