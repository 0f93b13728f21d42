import type { BatchHeader } from '../protocol/record-batch.ts';
import { lastSequence, patchBatch, readBatchHeader, setLogAppendTime } from '../protocol/record-batch.ts';
import type { BlockEntry } from './format/container.ts';
import type { PartitionManifest } from './format/manifest.ts';
import type { PartitionSnapshot } from './format/snapshot.ts';
import { LogError, invariant } from './errors.ts';
import type { ProducedBatch } from './producer-table.ts';
import { ProducerTable } from './producer-table.ts';

/**
 * One partition as its owner holds it in memory:
 *
 *     logStart      segmentEnd          highWatermark     nextOffset
 *        │ segments     │ tail: durable      │ tail: being    │
 *        ▼              ▼ blocks in the WAL  ▼ written + open ▼
 *
 * Offsets are given out at admission. Readers see nothing at or above the high watermark, which moves only when a whole
 * slot and all lower slots of the session are durable.
 */
export class OwnedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  /** State after every block that was admitted. */
  readonly producers: ProducerTable;
  /** State as of `segmentEnd`: what the next snapshot starts from. */
  readonly flushedProducers: ProducerTable;
  /** Closed blocks that are still needed here: not yet in segments, or kept in memory for readers. Oldest first. */
  readonly tail: TailBlock[] = [];
  /** Where `flushedProducers` stands. */
  flushedProducersEnd: number;
  logStart: number;
  nextOffset: number;
  highWatermark: number;
  /** Slot time of the last closed block, never going backwards. */
  timeMs: number;
  maxTimestampMs: number;
  #open: OpenBlock | undefined;
  #flushedTimeMs: number;
  readonly #waiters: DurabilityWaiter[] = [];
  readonly #duplicateWaiters: DurabilityWaiter[] = [];
  readonly #readers = new Set<() => void>();

  constructor(
    topicId: string,
    leaderEpoch: number,
    manifest: PartitionManifest,
    snapshot: PartitionSnapshot | undefined,
    producerIdExpirationMs: number,
  ) {
    this.topicId = topicId;
    this.partition = manifest.partition;
    this.leaderEpoch = leaderEpoch;
    this.logStart = manifest.logStart;
    this.nextOffset = manifest.segmentEnd;
    this.highWatermark = manifest.segmentEnd;
    this.timeMs = manifest.timeMs;
    this.flushedProducersEnd = manifest.segmentEnd;
    this.#flushedTimeMs = manifest.timeMs;
    this.maxTimestampMs = manifest.maxTimestampMs;
    this.producers = new ProducerTable(producerIdExpirationMs);
    this.flushedProducers = new ProducerTable(producerIdExpirationMs);
    for (const producer of snapshot?.producers ?? []) {
      for (const table of [this.producers, this.flushedProducers]) {
        table.restore(producer.producerId, {
          epoch: producer.epoch,
          lastTimeMs: producer.lastTimeMs,
          batches: producer.batches.map((batch) => ({ ...batch })),
          transactionFirstOffset: producer.transactionFirstOffset,
        });
      }
    }
  }

  /** Adds a durable block of an earlier session, or of ours, found in the WAL by replay. */
  replay(block: TailBlock): void {
    const { entry } = block;
    if (entry.baseOffset !== this.nextOffset) {
      throw new LogError(
        'CORRUPT_LOG',
        `partition ${this.topicId}/${this.partition}: slot ${block.slot} of session ${block.sid} continues at offset ` +
          `${entry.baseOffset}, but ${this.nextOffset} comes next; run 'firn log verify'`,
      );
    }
    this.tail.push(block);
    applyBlock(this.producers, block, this.timeMs);
    this.timeMs = Math.max(this.timeMs, block.timeMs);
    this.maxTimestampMs = Math.max(this.maxTimestampMs, entry.maxTimestampMs);
    this.nextOffset = entry.lastOffset + 1;
    this.highWatermark = this.nextOffset;
  }

  /** Takes the block into `flushedProducers`, once: a flush that failed half-way is repeated. */
  flushProducers(block: TailBlock): void {
    if (block.entry.baseOffset < this.flushedProducersEnd) return;
    applyBlock(this.flushedProducers, block, this.#flushedTimeMs);
    this.#flushedTimeMs = Math.max(this.#flushedTimeMs, block.timeMs);
    this.flushedProducersEnd = block.entry.lastOffset + 1;
  }

  /** Forgets expired producers in `flushedProducers`; nobody can tell, since {@link ProducerTable.check} ignores them. */
  dropExpiredProducers(): void {
    this.flushedProducers.dropExpired(this.#flushedTimeMs);
    this.producers.dropExpired(this.#flushedTimeMs);
  }

  /**
   * Admits one append: gives its batches offsets and the leader epoch (in place), and adds them to the open block.
   * Returns the admitted range. The bytes belong to the log from now on and must not change.
   */
  admit(
    bytes: Uint8Array,
    headers: readonly BatchHeader[],
    logAppendTimeMs: number | undefined,
  ): { baseOffset: number; lastOffset: number } {
    const baseOffset = this.nextOffset;
    this.#open ??= { pieces: [], batches: [], produced: [], sizeBytes: 0 };
    let position = 0;
    for (const header of headers) {
      const batchOffset = this.nextOffset;
      patchBatch(bytes, position, batchOffset, this.leaderEpoch);
      if (logAppendTimeMs !== undefined) setLogAppendTime(bytes, position, logAppendTimeMs);
      const lastOffset = batchOffset + header.lastOffsetDelta;
      const produced = this.producers.record(
        {
          producerId: header.producerId,
          producerEpoch: header.producerEpoch,
          baseSequence: header.baseSequence,
          lastSequence: lastSequence(header),
        },
        batchOffset,
        lastOffset,
        this.timeMs,
        this.timeMs,
      );
      if (produced !== undefined)
        this.#open.produced.push({ producerId: header.producerId, batch: produced });
      this.#open.batches.push(readBatchHeader(bytes, position));
      this.nextOffset = lastOffset + 1;
      position += header.sizeBytes;
    }
    this.#open.pieces.push(bytes);
    this.#open.sizeBytes += bytes.length;
    return { baseOffset, lastOffset: this.nextOffset - 1 };
  }

  get openBytes(): number {
    return this.#open?.sizeBytes ?? 0;
  }

  get hasOpenBlock(): boolean {
    return this.#open !== undefined;
  }

  /** Takes the open block out, to be frozen into a slot of time `slotTimeMs`. */
  closeBlock(slotTimeMs: number): OpenBlock {
    const open = this.#open;
    invariant(open !== undefined, 'closing a block that was never opened');
    this.#open = undefined;
    this.timeMs = Math.max(this.timeMs, slotTimeMs);
    for (const { producerId, batch } of open.produced) this.producers.touch(producerId, batch, this.timeMs);
    return open;
  }

  /** Registers the block under the slot it was frozen into. */
  issued(block: TailBlock): void {
    this.tail.push(block);
    this.maxTimestampMs = Math.max(this.maxTimestampMs, block.entry.maxTimestampMs);
  }

  /** The block's slot and all lower ones are durable. */
  acknowledge(block: TailBlock): void {
    invariant(block.entry.baseOffset === this.highWatermark, 'blocks are acknowledged in offset order');
    this.highWatermark = block.entry.lastOffset + 1;
    while (this.#waiters[0] !== undefined && this.#waiters[0].lastOffset < this.highWatermark)
      this.#waiters.shift()?.resolve();
    if (this.#duplicateWaiters.length > 0) {
      const pending = this.#duplicateWaiters.splice(0);
      for (const waiter of pending) {
        if (waiter.lastOffset < this.highWatermark) waiter.resolve();
        else this.#duplicateWaiters.push(waiter);
      }
    }
    this.wakeReaders();
  }

  /** Resolves when the admitted records up to `lastOffset` are durable; rejects when the session dies first. */
  durable(lastOffset: number, duplicate = false): Promise<void> {
    if (lastOffset < this.highWatermark) return Promise.resolve();
    return new Promise((resolve, reject) => {
      (duplicate ? this.#duplicateWaiters : this.#waiters).push({ lastOffset, resolve, reject });
    });
  }

  /** Calls back once, when the high watermark has moved or the partition is gone from here. */
  onChange(wake: () => void): () => void {
    this.#readers.add(wake);
    return () => {
      this.#readers.delete(wake);
    };
  }

  wakeReaders(): void {
    if (this.#readers.size === 0) return;
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const wake of readers) wake();
  }

  /** Fails everything that still waits here. */
  fail(error: LogError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    for (const waiter of this.#duplicateWaiters.splice(0)) waiter.reject(error);
    this.wakeReaders();
  }

  /** Offset after the last record of a complete transaction; equals the high watermark while none are open. */
  get lastStableOffset(): number {
    return this.highWatermark;
  }
}

/** Adds a block's batches to a producer table as replay does; `partitionTimeMs` is the partition's time before it. */
export function applyBlock(table: ProducerTable, block: TailBlock, partitionTimeMs: number): void {
  const timeMs = Math.max(partitionTimeMs, block.timeMs);
  for (const batch of block.entry.batches)
    table.record(batch, batch.baseOffset, batch.lastOffset, timeMs, partitionTimeMs);
}

export interface TailBlock {
  readonly sid: string;
  readonly slot: number;
  /** Slot time from the slot's header. */
  readonly timeMs: number;
  readonly entry: BlockEntry;
  /** The block's bytes, when this process still has them; else they are read from the slot. */
  pieces: readonly Uint8Array[] | undefined;
  /** In a segment that a manifest names: kept for readers only. */
  flushed: boolean;
}

export interface OpenBlock {
  readonly pieces: Uint8Array[];
  /** As they stand in `pieces`, offsets and epoch patched. */
  readonly batches: BatchHeader[];
  readonly produced: { readonly producerId: number; readonly batch: ProducedBatch }[];
  sizeBytes: number;
}

interface DurabilityWaiter {
  readonly lastOffset: number;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}
