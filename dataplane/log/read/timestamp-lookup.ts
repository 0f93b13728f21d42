import type { Manifest, PartitionManifest } from '../format/manifest.ts';
import type { TailBlock } from '../owned-partition.ts';
import type { ColdStore } from './cold-store.ts';
import { Gone } from './segment-directory.ts';
import type { SegmentRef } from '../format/manifest.ts';
import type { SegmentReader } from './segment-reader.ts';

export interface TimestampedOffset {
  readonly offset: number;
  /** The batch's latest timestamp: that of the first record looked for, or a later one. */
  readonly timestampMs: number;
}

export interface Since {
  readonly timestampMs: number;
  readonly logStart: number;
}

/** The first batch in segments with a record of that time or later. Reads pages and indexes, only where they may have it. */
export async function firstSegmentBatchSince(
  cold: ColdStore,
  segments: SegmentReader,
  manifest: Manifest,
  partition: PartitionManifest,
  since: Since,
  signal: AbortSignal | undefined,
): Promise<TimestampedOffset | Gone | undefined> {
  for (const page of partition.pages) {
    if (!mayHold(page, since)) continue;
    const refs = await cold.directory.page(manifest.group, page, signal);
    if (refs instanceof Gone) return refs;
    const found = await firstOfRefs(segments, manifest, partition, refs, since, signal);
    if (found !== undefined) return found;
  }
  return await firstOfRefs(segments, manifest, partition, partition.segments, since, signal);
}

async function firstOfRefs(
  segments: SegmentReader,
  manifest: Manifest,
  { partition }: PartitionManifest,
  refs: readonly SegmentRef[],
  since: Since,
  signal: AbortSignal | undefined,
): Promise<TimestampedOffset | Gone | undefined> {
  for (const ref of refs) {
    if (!mayHold(ref, since)) continue;
    const place = await segments.place(manifest, partition, ref.baseOffset, signal);
    if (place instanceof Gone) return place;
    const { baseOffsets, lastOffsets, maxTimestampsMs } = place.block;
    for (const [batch, maxTimestampMs] of maxTimestampsMs.entries()) {
      if (maxTimestampMs < since.timestampMs || (lastOffsets[batch] ?? 0) < since.logStart) continue;
      return { offset: Math.max(baseOffsets[batch] ?? 0, since.logStart), timestampMs: maxTimestampMs };
    }
  }
  return undefined;
}

function mayHold(
  ref: { readonly endOffset: number; readonly maxTimestampMs: number },
  since: Since,
): boolean {
  return ref.maxTimestampMs >= since.timestampMs && ref.endOffset > since.logStart;
}

/** The first batch in blocks of the WAL with a record of that time or later. */
export function firstBatchSince(blocks: readonly TailBlock[], since: Since): TimestampedOffset | undefined {
  for (const { entry } of blocks) {
    if (entry.maxTimestampMs < since.timestampMs || entry.lastOffset < since.logStart) continue;
    for (const { baseOffset, lastOffset, maxTimestampMs } of entry.batches) {
      if (maxTimestampMs < since.timestampMs || lastOffset < since.logStart) continue;
      return { offset: Math.max(baseOffset, since.logStart), timestampMs: maxTimestampMs };
    }
  }
  return undefined;
}
