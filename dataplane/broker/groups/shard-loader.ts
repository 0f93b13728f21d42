import { codecOfAttributes } from '../../protocol/compression/codec.ts';
import { decompress } from '../../protocol/compression/decompress.ts';
import { batchOverheadBytes, parseBatches } from '../../protocol/record-batch.ts';
import { RecordCursor } from '../../protocol/records.ts';
import type { CoordinatorLog } from './coordinator-log.ts';
import { decodeGroupRecord } from './group-record.ts';
import { replayRecord } from './replay.ts';
import { decodeSnapshotMark } from './snapshot.ts';
import type { ShardContext } from './shard-context.ts';

/** More than a batch of this topic ever holds. */
const maxBatchBytes = 2 ** 30;

/** What was found of snapshots while a partition was read. */
export interface Loaded {
  readonly bytes: number;
  /** Since the last whole snapshot began. */
  readonly bytesSinceSnapshot: number;
  /** Of the last whole snapshot; 0: there is none. */
  readonly snapshotBytes: number;
  readonly lastSnapshotNumber: number;
  /** Where the last whole snapshot starts: what is before is not needed. */
  readonly snapshotOffset: number | undefined;
}

/**
 * Reads a partition from its start to its confirmed end into `state`.
 *
 * @throws LogError, RecordBatchError, ProtocolError
 */
export async function loadShard(
  log: CoordinatorLog,
  partition: number,
  state: Pick<ShardContext, 'groups' | 'offsets'>,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Loaded> {
  const end = await log.endOffset(partition);
  let offset = log.startOffset(partition);
  const reader = new ShardReader(state);
  while (offset < end) {
    signal.throwIfAborted();
    const { pieces, release } = await log.read(partition, offset, maxBytes);
    const before = offset;
    for (const piece of pieces) offset = Math.max(offset, reader.read(piece, before));
    release();
    if (offset === before)
      throw new Error(
        `partition ${partition} of __consumer_offsets has no record at ${before}, though it ends at ${end}`,
      );
  }
  return reader.loaded;
}

/** The first mark of a snapshot that is being read. */
interface Begin {
  readonly number: number;
  readonly offset: number;
  readonly bytesBefore: number;
  /** Seen since. */
  records: number;
}

class ShardReader {
  readonly #state: Pick<ShardContext, 'groups' | 'offsets'>;
  #bytes = 0;
  #begin: Begin | undefined;
  #whole: { readonly offset: number; readonly bytesBefore: number; readonly sizeBytes: number } | undefined;
  #lastNumber = 0;

  constructor(state: Pick<ShardContext, 'groups' | 'offsets'>) {
    this.#state = state;
  }

  get loaded(): Loaded {
    return {
      bytes: this.#bytes,
      bytesSinceSnapshot: this.#bytes - (this.#whole?.bytesBefore ?? 0),
      snapshotBytes: this.#whole?.sizeBytes ?? 0,
      lastSnapshotNumber: this.#lastNumber,
      snapshotOffset: this.#whole?.offset,
    };
  }

  /** Replays the records from `offset` on; returns the offset after them. */
  read(piece: Uint8Array, offset: number): number {
    let next = offset;
    let position = 0;
    for (const header of parseBatches(piece, { verifyCrc: true })) {
      const body = piece.subarray(position + batchOverheadBytes, position + header.sizeBytes);
      const cursor = new RecordCursor(
        header,
        decompress(codecOfAttributes(header.attributes) ?? 'none', body, maxBatchBytes),
      );
      while (cursor.next()) {
        const { key, value } = cursor;
        if (cursor.offset >= offset && key !== null) this.#replay(key, value, cursor.offset);
      }
      position += header.sizeBytes;
      this.#bytes += header.sizeBytes;
      next = header.baseOffset + header.lastOffsetDelta + 1;
    }
    return next;
  }

  #replay(key: Uint8Array, value: Uint8Array | null, offset: number): void {
    const record = decodeGroupRecord(key, value);
    if (record !== undefined) {
      if (this.#begin !== undefined) this.#begin.records += 1;
      replayRecord(this.#state, record);
      return;
    }
    const mark = decodeSnapshotMark(key, value);
    if (mark === undefined) return;
    this.#lastNumber = Math.max(this.#lastNumber, mark.number);
    const begin = this.#begin;
    this.#begin = undefined;
    if (mark.kind === 'begin')
      this.#begin = { number: mark.number, offset, bytesBefore: this.#bytes, records: 0 };
    else if (begin?.number === mark.number && begin.records === mark.records) {
      const { bytesBefore } = begin;
      this.#whole = { offset: begin.offset, bytesBefore, sizeBytes: this.#bytes - bytesBefore };
    }
  }
}
