import type { BatchHeader } from '../protocol/record-batch.ts';
import { lastSequence, patchBatch, readBatchHeader, setLogAppendTime } from '../protocol/record-batch.ts';
import type { Append } from './append.ts';
import type { BlockEntry } from './format/container.ts';
import type { PartitionManifest } from './format/manifest.ts';
import type { PartitionSnapshot } from './format/snapshot.ts';
import { LogError, invariant } from './errors.ts';
import type { OpenBlock } from './open-blocks.ts';
import { OpenBlocks } from './open-blocks.ts';
import type { LogOptions } from './options.ts';
import type { SequencedBatch } from './producer-table.ts';
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
  readonly #open: OpenBlocks;
  /** Blocks that have a slot which is not acknowledged yet, with the appends that wait for that. */
  readonly #issued: { readonly block: TailBlock; readonly appends: readonly Append[] }[] = [];
  #flushedTimeMs: number;
  #waiters: DurabilityWaiter[] = [];
  readonly #readers = new Set<() => void>();

  constructor(
    topicId: string,
    leaderEpoch: number,
    manifest: PartitionManifest,
    snapshot: PartitionSnapshot | undefined,
    { options, counters }: PartitionEnvironment,
  ) {
    this.#open = new OpenBlocks(options.maxSlotBytes);
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
    this.producers = new ProducerTable(options, () => {
      counters.producersEvicted += 1;
    });
    this.flushedProducers = new ProducerTable(options);
    for (const table of [this.producers, this.flushedProducers]) table.restore(snapshot?.producers ?? []);
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

  /** Admits one append: gives its batches offsets and the leader epoch (in place), and adds them to the open blocks. */
  admit(append: Append, headers: readonly BatchHeader[]): void {
    const { bytes } = append;
    append.baseOffset = this.nextOffset;
    const { produced } = this.#open.add(append);
    let position = 0;
    for (const header of headers) {
      const batchOffset = this.nextOffset;
      patchBatch(bytes, position, batchOffset, this.leaderEpoch);
      const lastOffset = batchOffset + header.lastOffsetDelta;
      if (header.producerId >= 0) {
        const admitted = this.producers.admit(sequencesOf(header), batchOffset, lastOffset, this.timeMs);
        if (admitted !== undefined) produced.push(admitted);
      }
      this.nextOffset = lastOffset + 1;
      position += header.sizeBytes;
    }
    append.lastOffset = this.nextOffset - 1;
  }

  get openBytes(): number {
    return this.#open.sizeBytes;
  }

  /** Of the block that {@link closeBlock} would take. */
  get nextBlockBytes(): number {
    return this.#open.nextBytes;
  }

  get hasOpenBlock(): boolean {
    return !this.#open.isEmpty;
  }

  /** Takes the oldest open block out, to be frozen into a slot of time `slotTimeMs`: its last change. */
  closeBlock(slotTimeMs: number): OpenBlock {
    const block = this.#open.take();
    this.timeMs = Math.max(this.timeMs, slotTimeMs);
    for (const admitted of block.produced) this.producers.settle(admitted, this.timeMs);
    if (block.hasLogAppendTime) for (const append of block.appends) stamp(append, this.timeMs);
    return block;
  }

  /** Forgets the open blocks, whose appends have been rejected; returns how many bytes that were. */
  dropOpenBlocks(): number {
    return this.#open.drop();
  }

  /** Registers the block under the slot it was frozen into. */
  issued(block: TailBlock, appends: readonly Append[]): void {
    this.tail.push(block);
    this.#issued.push({ block, appends });
    this.maxTimestampMs = Math.max(this.maxTimestampMs, block.entry.maxTimestampMs);
  }

  /** The block's slot and all lower ones are durable. */
  acknowledge(block: TailBlock): void {
    invariant(block.entry.baseOffset === this.highWatermark, 'blocks are acknowledged in offset order');
    this.highWatermark = block.entry.lastOffset + 1;
    const at = this.#issued.findIndex((issued) => issued.block === block);
    const [issued] = at === 0 ? [this.#issued.shift()] : this.#issued.splice(at, 1);
    for (const { baseOffset, lastOffset, logAppendTimeMs, resolve } of issued?.appends ?? [])
      resolve({ baseOffset, lastOffset, logAppendTimeMs, logStartOffset: this.logStart, duplicate: false });
    if (this.#waiters.length > 0) {
      const waiters = this.#waiters;
      this.#waiters = waiters.filter(({ lastOffset }) => lastOffset >= this.highWatermark);
      for (const { lastOffset, resolve } of waiters) if (lastOffset < this.highWatermark) resolve();
    }
    this.wakeReaders();
  }

  /** Resolves when the admitted records up to `lastOffset` are durable; rejects when the session dies first. */
  durable(lastOffset: number): Promise<void> {
    if (lastOffset < this.highWatermark) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ lastOffset, resolve, reject });
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
    for (const { appends } of this.#issued.splice(0)) for (const append of appends) append.reject(error);
    this.#open.reject(error);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
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
  for (const batch of block.entry.batches) table.record(batch, batch.baseOffset, batch.lastOffset, timeMs);
}

/** What idempotence looks at. */
export function sequencesOf(header: BatchHeader): SequencedBatch {
  const { producerId, producerEpoch, baseSequence } = header;
  return { producerId, producerEpoch, baseSequence, lastSequence: lastSequence(header) };
}

/** What a partition needs of `LogContext`. */
export interface PartitionEnvironment {
  readonly options: Pick<LogOptions, 'maxSlotBytes' | 'producerIdExpirationMs' | 'maxProducersPerPartition'>;
  readonly counters: { producersEvicted: number };
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

/** Makes the slot's time the timestamp of the append's records, if its topic wants that. */
function stamp(append: Append, timeMs: number): void {
  if (!append.logAppendTime) return;
  const { bytes } = append;
  append.logAppendTimeMs = timeMs;
  for (let position = 0; position < bytes.length; position += readBatchHeader(bytes, position).sizeBytes)
    setLogAppendTime(bytes, position, timeMs);
}

interface DurabilityWaiter {
  readonly lastOffset: number;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}
