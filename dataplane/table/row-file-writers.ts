import type { EncodedFile } from '../columnar/data-file.ts';
import type { RowAppender } from '../columnar/row-appender.ts';
import { RowFile } from '../columnar/row-file.ts';
import { batchData, batchDataAsync } from '../protocol/batch-data.ts';
import { RecordBatchError, readBatchHeader } from '../protocol/record-batch.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import { printJson } from '../iceberg/json/lossless-json.ts';
import { schemaJson } from '../iceberg/json/schema-json.ts';
import { framePrefixBytes } from '../schema/framing.ts';
import { BatchSpans } from './batch-spans.ts';
import type { Appended, AppendStop, DataFileWriters, OpenDataFile } from './data-file-writer.ts';
import type { OpenDataFileRequest } from './data-file-writer.ts';
import { maxDataBytes } from './max-data-bytes.ts';
import { endOfRun, schemaIdOf, unframed } from './record-framing.ts';

/** Compressed batches from this size on are unpacked on the thread pool, where the codec allows it. */
const asyncBytes = 16 * 1024;
/** Of a row group that is not encoded yet: see `RowFile`. */
const maxRowGroupBytes = 64 * 1024 * 1024;

/** Data files that are made in this thread. Workers pause between batches, so that others get on. */
export function rowFileWriters(firnVersion?: string): DataFileWriters {
  return { open: (request) => new OpenRowFile(request, firnVersion) };
}

class OpenRowFile implements OpenDataFile {
  readonly schemaId: number;
  readonly #file: RowFile;
  readonly #appenders = new Map<number, RowAppender>();
  readonly #spans = new BatchSpans();
  #sourceBytes = 0;

  constructor({ schema, partition }: OpenDataFileRequest, firnVersion: string | undefined) {
    this.schemaId = schema.schemaId;
    this.#file = new RowFile({
      schema,
      icebergSchemaJson: printJson(schemaJson(schema)),
      partition,
      firnVersion,
    });
  }

  get rowCount(): number {
    return this.#file.rowCount;
  }

  get estimatedBytes(): number {
    return this.#file.estimatedBytes;
  }

  get memoryBytes(): number {
    return this.#file.estimatedBytes + Math.min(this.#sourceBytes, maxRowGroupBytes);
  }

  async append(batch: Uint8Array, fromOffset: number): Promise<Appended> {
    const header = readBatchHeader(batch, 0);
    let data;
    try {
      data = isLarge(header)
        ? await batchDataAsync(header, batch, 0, maxDataBytes)
        : batchData(header, batch, 0, maxDataBytes);
    } catch (error) {
      if (!(error instanceof RecordBatchError)) throw error;
      const stop = { kind: 'problem', code: 'CORRUPT_BATCH', reason: error.message } as const;
      return { nextOffset: Math.max(fromOffset, header.baseOffset), maxTimestampMs: -1, stop };
    }
    const damage = this.#spans.load(header, data, fromOffset);
    const end = header.baseOffset + header.lastOffsetDelta + 1;
    const appended = this.#appendRuns(end, damage, fromOffset);
    this.#spans.clear();
    return appended;
  }

  #appendRuns(end: number, damage: RecordBatchError | undefined, fromOffset: number): Appended {
    const spans = this.#spans;
    const { count } = spans;
    let next = 0;
    let stop: AppendStop | undefined;
    while (next < count && stop === undefined) {
      const runEnd = endOfRun(spans, next);
      const id = schemaIdOf(spans, next);
      const appender = this.#appenders.get(id);
      if (appender === undefined) {
        stop = id < 0 ? { kind: 'problem', ...unframed(id) } : { kind: 'schema', schemaId: id };
        break;
      }
      const { next: reached, problem } = appender.append(spans, next, runEnd, framePrefixBytes);
      if (problem !== undefined) stop = { kind: 'problem', code: problem.code, reason: problem.message };
      next = reached;
    }
    this.#sourceBytes += sourceBytesOf(spans, next);
    if (next < count) {
      return { nextOffset: spans.offsets[next] ?? end, maxTimestampMs: newest(spans, next), stop };
    }
    const last = spans.offsets[count - 1];
    if (damage === undefined) return { nextOffset: end, maxTimestampMs: newest(spans, next), stop };
    return {
      nextOffset: last === undefined ? fromOffset : last + 1,
      maxTimestampMs: newest(spans, next),
      stop: { kind: 'problem', code: 'CORRUPT_BATCH', reason: damage.message },
    };
  }

  learn(schemaId: number, schema: AvroRecord): Promise<void> {
    // Synchronous inside: what it throws is the promise's.
    return new Promise((resolve) => {
      this.#appenders.set(schemaId, this.#file.appender(schema));
      resolve();
    });
  }

  finish(): Promise<EncodedFile> {
    return new Promise((resolve) => {
      resolve(this.#file.finish());
    });
  }

  discard(): void {
    this.#appenders.clear();
    this.#spans.clear();
  }
}

function isLarge(header: BatchHeader): boolean {
  return header.sizeBytes >= asyncBytes;
}

function newest({ timestampsMs }: BatchSpans, count: number): number {
  let newestMs = -1;
  for (let at = 0; at < count; at++) newestMs = Math.max(newestMs, timestampsMs[at] ?? -1);
  return newestMs;
}

/** Keys and values; a null has an end of -1. */
function sourceBytesOf({ keyStarts, keyEnds, valueStarts, valueEnds }: BatchSpans, count: number): number {
  let bytes = 0;
  for (let at = 0; at < count; at++) {
    bytes += Math.max(0, (keyEnds[at] ?? 0) - (keyStarts[at] ?? 0));
    bytes += Math.max(0, (valueEnds[at] ?? 0) - (valueStarts[at] ?? 0));
  }
  return bytes;
}
