import type { CoordinatorLog } from './coordinator-log.ts';
import { decodeGroupRecord } from './group-record.ts';
import { openBatches, replayPartition } from './partition-replay.ts';
import { replayRecord } from './replay.ts';
import { decodeSnapshotMark } from './snapshot.ts';
import type { ShardContext } from './shard-context.ts';

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
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Loaded> {
  const reader = new ShardReader(state);
  await replayPartition(log, partition, limits, (piece, offset) => reader.read(piece, offset));
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
    for (const { header, cursor, nextOffset } of openBatches(piece)) {
      while (cursor.next()) {
        const { key, value } = cursor;
        if (cursor.offset >= offset && key !== null) this.#replay(key, value, cursor.offset);
      }
      this.#bytes += header.sizeBytes;
      next = nextOffset;
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
