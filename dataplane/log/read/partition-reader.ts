import { untilAborted } from '../../store/body.ts';
import { LogError } from '../errors.ts';
import { slotKey } from '../format/keys.ts';
import type { LogContext } from '../log-context.ts';
import type { Served } from '../served-groups.ts';
import type { OwnedGroup } from '../owned-group.ts';
import type { OwnedPartition, TailBlock } from '../owned-partition.ts';
import { BatchCollector } from './batch-collector.ts';
import { ColdStore } from './cold-store.ts';
import { endOfLeaderEpoch } from './epoch-end.ts';
import type { EpochEnd } from './epoch-end.ts';
import { Gone } from './segment-directory.ts';
import { firstAtLeast } from './segment-index.ts';
import { SegmentReader } from './segment-reader.ts';
import { firstBatchSince, firstSegmentBatchSince } from './timestamp-lookup.ts';
import type { TimestampedOffset } from './timestamp-lookup.ts';

export interface ReadResult {
  /** One or more whole record batches each, in offset order. Views: copy before changing, or before keeping for long. */
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /**
   * Promises that nobody looks at `pieces` any more (a socket has sent them): their memory is used for other records. May
   * be left out; then the garbage collector has the work. Calling it again does nothing.
   */
  readonly release: () => void;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
}

/**
 * Reads a partition this broker owns: from memory what is hot, from the WAL what a takeover left there, else from segments.
 *
 * Nothing here confirms that this session still owns the partition (log.md P6), except before an answer would say that
 * something is missing or that the log ends early.
 */
export class PartitionReader {
  readonly cold: ColdStore;
  readonly #segments: SegmentReader;

  constructor(context: Pick<LogContext, 'store' | 'options'>) {
    this.cold = new ColdStore(context.store, context.options);
    this.#segments = new SegmentReader(this.cold);
  }

  /**
   * Whole batches from the one that contains `offset` on, below the high watermark; at least one when there is one, else
   * at most `maxBytes`. What is in memory is taken together, what is not is waited for only at the beginning.
   *
   * @throws LogError OFFSET_OUT_OF_RANGE below the log start; CORRUPT_LOG; UNSUPPORTED_FORMAT
   */
  async read(served: Served, offset: number, maxBytes: number, signal?: AbortSignal): Promise<ReadResult> {
    const { group, partition } = served;
    if (offset < partition.logStart) throw belowStart(partition, offset);
    // The end is read before anything is waited for: what is durable now stays so.
    const end = partition.highWatermark;
    const collector = new BatchCollector(offset, maxBytes);
    while (collector.nextOffset < end && !collector.isFull) {
      const { manifest } = group;
      const block = blockOf(partition.tail, collector.nextOffset);
      if (block?.pieces !== undefined) {
        collector.addBlock(block.pieces, block.entry.batches);
        continue;
      }
      if (collector.sizeBytes > 0) break;
      const gone =
        block === undefined || block.flushed
          ? await this.#fromSegments(served, collector, signal)
          : await this.#fromSlot(block, collector, signal);
      if (gone === undefined) continue;
      if (block?.flushed === false) await stillMissing(served, gone, () => block.flushed, signal);
      else await stillMissing(served, gone, () => group.manifest !== manifest, signal);
      if (offset < partition.logStart) throw belowStart(partition, offset);
    }
    return {
      pieces: collector.pieces,
      sizeBytes: collector.sizeBytes,
      release: () => {
        collector.release();
      },
      highWatermark: partition.highWatermark,
      lastStableOffset: partition.lastStableOffset,
      logStartOffset: partition.logStart,
    };
  }

  async #fromSegments(
    { group, partition }: Served,
    collector: BatchCollector,
    signal: AbortSignal | undefined,
  ): Promise<Gone | undefined> {
    if (group.phase === 'gone') throw notServed(group);
    const { logStart, segmentEnd } = group.partitionManifest(partition.partition);
    // The manifest is ahead of `partition.logStart` for a moment when retention has moved it.
    if (collector.nextOffset < logStart) throw belowStart(partition, collector.nextOffset);
    if (collector.nextOffset >= segmentEnd) {
      throw new LogError(
        'CORRUPT_LOG',
        `offset ${collector.nextOffset} of ${partition.topicId}/${partition.partition} is in no block and no segment ` +
          `(segments end at ${segmentEnd}, the high watermark is ${partition.highWatermark}); run 'firn log verify'`,
      );
    }
    return await this.#segments.collect(group.manifest, partition.partition, collector, signal);
  }

  async #fromSlot(
    block: TailBlock,
    collector: BatchCollector,
    signal: AbortSignal | undefined,
  ): Promise<Gone | undefined> {
    const { sid, slot, entry } = block;
    const records = await this.cold.slotBlock(sid, slot, entry, signal);
    if (records === 'gone') return new Gone(slotKey(sid, slot));
    collector.addHeldBlock(records, entry.batches);
    return undefined;
  }

  /**
   * Kafka's ListOffsets by timestamp, to the batch: base offset of the first batch below the high watermark that has a
   * record of `timestampMs` or later (or the log start, when the batch begins before it); `undefined`: there is none.
   * Records before the wanted one may come first in that batch: it is not unpacked.
   *
   * @throws LogError CORRUPT_LOG
   */
  async offsetForTimestamp(
    served: Served,
    timestampMs: number,
    signal?: AbortSignal,
  ): Promise<TimestampedOffset | undefined> {
    const { group, partition } = served;
    for (let isConfirmed = false; ;) {
      // One look at both: a flush moves blocks from the tail to segments.
      const { manifest } = group;
      const entry = group.partitionManifest(partition.partition);
      const { logStart, highWatermark } = partition;
      const tail = partition.tail.filter(
        ({ entry: { baseOffset, lastOffset } }) =>
          baseOffset >= entry.segmentEnd && lastOffset < highWatermark,
      );
      const since = { timestampMs, logStart };
      const inSegments = await firstSegmentBatchSince(
        this.cold,
        this.#segments,
        manifest,
        entry,
        since,
        signal,
      );
      if (inSegments instanceof Gone) {
        await stillMissing(served, inSegments, () => group.manifest !== manifest, signal);
        continue;
      }
      const found = inSegments ?? firstBatchSince(tail, since);
      if (found !== undefined || isConfirmed) return found;
      // "There is none" sends a consumer to the log end: it has to be the end.
      await untilAborted(group.session.confirm(), signal);
      if (group.phase === 'gone') throw notServed(group);
      isConfirmed = true;
    }
  }

  /**
   * Kafka's OffsetForLeaderEpoch: where the records of `epoch`, or of the last epoch before it that has records, end.
   * Consumers take an end below their position for a truncated log, so the log end is confirmed before it is told (P6).
   *
   * @returns `undefined` for an epoch this partition has not reached
   */
  async offsetForLeaderEpoch(
    served: Served,
    epoch: number,
    signal?: AbortSignal,
  ): Promise<EpochEnd | undefined> {
    const { group, partition } = served;
    await untilAborted(group.confirm(), signal);
    const { epochs } = group.partitionManifest(partition.partition);
    return endOfLeaderEpoch(epochs, epoch, { logStart: partition.logStart, logEnd: partition.highWatermark });
  }
}

/**
 * Returns when what was missing is explained: our own flush, release or retention moved on meanwhile. Before it says that
 * the log is damaged it makes sure that we still own the group, since a new owner may have moved things without our
 * knowing, and that no change of the manifest is under way: it may have landed, and another broker's sweep may have acted
 * upon it, before we were told.
 *
 * @throws LogError CORRUPT_LOG when it is not, NOT_LEADER_OR_FOLLOWER when the group is not ours any more
 */
async function stillMissing(
  { group }: Served,
  gone: Gone,
  isExplained: () => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!isExplained()) {
    await untilAborted(group.session.confirm(), signal);
    await untilAborted(
      group.exclusive(() => Promise.resolve()),
      signal,
    );
  }
  if (group.phase === 'gone') throw notServed(group);
  if (isExplained()) return;
  throw new LogError(
    'CORRUPT_LOG',
    `${gone.key} is missing, but the manifest of ${group.id} (version ${group.manifest.version}) needs it; run 'firn log verify'`,
  );
}

function notServed(group: OwnedGroup): LogError {
  if (!group.session.live) return group.session.deathReason;
  return new LogError('NOT_LEADER_OR_FOLLOWER', `group ${group.id} is not served here any more`);
}

function belowStart(partition: OwnedPartition, offset: number): LogError {
  return new LogError(
    'OFFSET_OUT_OF_RANGE',
    `offset ${offset} of ${partition.topicId}/${partition.partition} is below the log start`,
  );
}

/** The block that contains `offset`. */
function blockOf(tail: readonly TailBlock[], offset: number): TailBlock | undefined {
  const block = tail[firstAtLeast(tail.length, (at) => tail[at]?.entry.lastOffset ?? 0, offset)];
  return block !== undefined && block.entry.baseOffset <= offset ? block : undefined;
}
