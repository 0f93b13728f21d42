import { readBatchHeader } from '../protocol/record-batch.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import { create } from './create-object.ts';
import { LogError, invariant } from './errors.ts';
import { planFlush } from './flush-plan.ts';
import type { PartitionFlush } from './flush-plan.ts';
import type { BlockEntry, BlockInput } from './format/container.ts';
import { encodeContainer } from './format/container.ts';
import { pageObjectKey, segmentKey, segmentObject, snapshotKey } from './format/keys.ts';
import type { Manifest, PartitionManifest, Run, SegmentRef } from './format/manifest.ts';
import { addSetsum, batchSetsum, emptySetsum } from './format/setsum.ts';
import { encodeSnapshot } from './format/snapshot.ts';
import type { PartitionSnapshot } from './format/snapshot.ts';
import type { LogContext } from './log-context.ts';
import { spillPages } from './manifest-pages.ts';
import type { OwnedGroup } from './owned-group.ts';
import type { OwnedPartition, TailBlock } from './owned-partition.ts';

export interface FlushResult {
  readonly flushedBytes: number;
  readonly segments: number;
}

/**
 * Moves a group's acknowledged records from the WAL into segments (log.md 2.6), owner only; call inside
 * `OwnedGroup.exclusive`.
 *
 * Order: segments and snapshot are written under names of this epoch, session and sequence (put-if-absent); then one CAS
 * of the manifest makes them part of the log and takes the runs' blocks out. Before the CAS they are orphans that nobody
 * can see; when the CAS is lost we are not the owner any more and they stay orphans. The WAL slots are not touched here:
 * the trim deletes them, and only for flushes whose CAS is known to have succeeded.
 */
export async function flushGroup(group: OwnedGroup, context: LogContext): Promise<FlushResult> {
  const { session, manifest } = group;
  const cut = session.durableEnd;
  const plan = planFlush(group.partitions.values(), session.sid, cut, context.options.ownSegmentBytes);
  if (plan.partitions.length === 0 && !hasClosedRuns(manifest)) return { flushedBytes: 0, segments: 0 };

  const refs = new Map<number, SegmentRef[]>();
  await Promise.all(
    plan.segments.map(async (parts) => {
      for (const { partition, ref } of await writeSegment(group, parts, context)) {
        const list = refs.get(partition);
        if (list === undefined) refs.set(partition, [ref]);
        else list.push(ref);
      }
    }),
  );
  const snapshot = await writeSnapshot(group, plan.partitions, context);

  const flushedEnds = new Map(
    plan.partitions.map(({ partition, blocks }) => [partition.partition, flushedEnd(blocks)]),
  );
  const partitions = manifest.partitions.map((before) => {
    const added = (refs.get(before.partition) ?? []).toSorted((a, b) => a.baseOffset - b.baseOffset);
    const owned = group.partitions.get(before.partition);
    const end = flushedEnds.get(before.partition);
    if (owned === undefined || end === undefined) return before;
    return addSegments(before, added, end, owned);
  });
  const next: Manifest = {
    ...manifest,
    version: manifest.version + 1,
    writer: session.sid,
    runs: flushedRuns(manifest.runs, session.sid, cut),
    partitions,
    snapshot: snapshot === undefined ? undefined : { object: snapshot },
  };
  const { manifest: spilled, obsoletePages } = await spillPages(group, next, context);
  await group.write(spilled);

  let flushedBytes = 0;
  for (const { partition, blocks, sizeBytes } of plan.partitions) {
    for (const block of blocks) block.flushed = true;
    flushedBytes += sizeBytes;
    context.flushed(partition, blocks);
  }
  const obsolete = manifest.snapshot?.object;
  if (obsolete !== undefined && obsolete !== snapshot) group.discarded.add([snapshotKey(group.id, obsolete)]);
  group.discarded.add(obsoletePages.map((object) => pageObjectKey(group.id, object)));
  await group.discarded.delete(session.signal);
  return { flushedBytes, segments: plan.segments.length };
}

export function hasClosedRuns(manifest: Manifest): boolean {
  return manifest.runs.some((run) => run.to !== undefined);
}

/** Every closed run has been flushed whole; ours goes on from `cut`. */
function flushedRuns(runs: readonly Run[], sid: string, cut: number): Run[] {
  const open = runs.at(-1);
  invariant(open?.sid === sid && open.to === undefined, 'the owner has the last run, and it is open');
  return [{ ...open, flushedTo: Math.max(open.flushedTo, cut) }];
}

function flushedEnd(blocks: readonly TailBlock[]): {
  offset: number;
  timeMs: number;
  maxTimestampMs: number;
} {
  const last = blocks.at(-1);
  invariant(last !== undefined, 'a flushed partition has blocks');
  return {
    offset: last.entry.lastOffset + 1,
    timeMs: blocks.reduce((latest, block) => Math.max(latest, block.timeMs), 0),
    maxTimestampMs: blocks.reduce((latest, block) => Math.max(latest, block.entry.maxTimestampMs), -1),
  };
}

function addSegments(
  before: PartitionManifest,
  added: readonly SegmentRef[],
  end: { offset: number; timeMs: number; maxTimestampMs: number },
  owned: OwnedPartition,
): PartitionManifest {
  let expected = before.segmentEnd;
  let { appended } = before;
  for (const ref of added) {
    invariant(ref.baseOffset === expected, `segments of partition ${before.partition} follow one another`);
    expected = ref.endOffset;
    appended = addSetsum(appended, ref.setsum);
  }
  invariant(expected === end.offset, `segments of partition ${before.partition} hold every flushed block`);
  return {
    ...before,
    logStart: Math.max(before.logStart, Math.min(owned.logStart, end.offset)),
    segmentEnd: end.offset,
    lastStableOffset: end.offset,
    timeMs: Math.max(before.timeMs, end.timeMs),
    maxTimestampMs: Math.max(before.maxTimestampMs, end.maxTimestampMs),
    segments: [...before.segments, ...added],
    appended,
  };
}

async function writeSegment(
  group: OwnedGroup,
  parts: readonly PartitionFlush[],
  context: LogContext,
): Promise<{ partition: number; ref: SegmentRef }[]> {
  const { session } = group;
  const blocks: BlockInput[] = [];
  for (const { partition, blocks: tail } of parts) {
    for (const run of sameEpoch(tail)) {
      const pieces = (await Promise.all(run.map((block) => blockBytes(block, group, context)))).flat();
      const leaderEpoch = run[0]?.entry.leaderEpoch ?? 0;
      blocks.push({
        topicId: partition.topicId,
        partition: partition.partition,
        leaderEpoch,
        pieces,
      });
    }
  }
  const sequence = context.nextObjectSequence();
  const object = segmentObject(group.manifest.epoch, session.sid, sequence);
  const encoded = encodeContainer({
    formatVersion: context.formatVersion(),
    kind: 'segment',
    sid: session.sid,
    slot: sequence,
    lastCheckpointSlot: 0,
    writerTimeMs: session.slotTimeMs(),
    previousFooterHash: '0'.repeat(32),
    blocks,
  });
  const key = segmentKey(group.id, object);
  await create(context, session, key, encoded.pieces, `${session.sid}/${object}`, encoded.crc32c);
  context.counters.segmentsWritten += 1;
  return encoded.index.map((entry) => ({ partition: entry.partition, ref: segmentRef(object, entry) }));
}

function segmentRef(object: string, entry: BlockEntry): SegmentRef {
  let setsum = emptySetsum;
  for (const batch of entry.batches)
    setsum = addSetsum(setsum, batchSetsum(batch.crc, batch.baseOffset, batch.sizeBytes));
  return {
    object,
    baseOffset: entry.baseOffset,
    endOffset: entry.lastOffset + 1,
    position: entry.position,
    sizeBytes: entry.sizeBytes,
    maxTimestampMs: entry.maxTimestampMs,
    setsum,
  };
}

function* sameEpoch(blocks: readonly TailBlock[]): Generator<readonly TailBlock[]> {
  let start = 0;
  for (let index = 1; index <= blocks.length; index++) {
    if (index < blocks.length && blocks[index]?.entry.leaderEpoch === blocks[start]?.entry.leaderEpoch)
      continue;
    yield blocks.slice(start, index);
    start = index;
  }
}

async function blockBytes(
  block: TailBlock,
  group: OwnedGroup,
  context: LogContext,
): Promise<readonly Uint8Array[]> {
  if (block.pieces !== undefined) return block.pieces;
  try {
    return [await context.wal.readBlock(block.sid, block.slot, block.entry, group.session.signal)];
  } catch (error) {
    // Missing is corruption only for the owner: whoever took the group over may have flushed and swept the slot.
    if (error instanceof LogError && error.code === 'CORRUPT_LOG') await group.session.confirm();
    throw error;
  }
}

export function batchesOf(pieces: readonly Uint8Array[]): BatchHeader[] {
  const batches: BatchHeader[] = [];
  for (const piece of pieces) {
    for (let position = 0; position < piece.length;) {
      const header = readBatchHeader(piece, position);
      batches.push(header);
      position += header.sizeBytes;
    }
  }
  return batches;
}

/** Writes the producer state as of the new segment ends. Returns the object's name; `undefined`: there is no state. */
async function writeSnapshot(
  group: OwnedGroup,
  flushed: readonly PartitionFlush[],
  context: LogContext,
): Promise<string | undefined> {
  for (const { partition, blocks } of flushed) {
    for (const block of blocks) partition.flushProducers(block);
    partition.dropExpiredProducers();
  }
  const partitions: PartitionSnapshot[] = [];
  for (const partition of group.partitions.values()) {
    if (partition.flushedProducers.size === 0) continue;
    partitions.push({
      partition: partition.partition,
      endOffset: partition.flushedProducersEnd,
      producers: [...partition.flushedProducers.entries()].map(([producerId, state]) => ({
        producerId,
        ...state,
      })),
      abortedTransactions: [],
    });
  }
  if (partitions.length === 0) return undefined;
  const { session, manifest } = group;
  const object = `snap-${manifest.epoch}-${session.sid.slice(0, 8)}-${context.nextObjectSequence()}`;
  const bytes = encodeSnapshot({ group: group.id, partitions }, context.formatVersion());
  await create(context, session, snapshotKey(group.id, object), bytes, `${session.sid}/${object}`);
  return object;
}
