import type { Configs } from '../cluster/cluster-state.ts';
import { topicConfigOf } from '../cluster/config/topic-configs.ts';
import type { PageRef, PartitionManifest, SegmentRef } from './format/manifest.ts';
import type { LogContext } from './log-context.ts';
import { moveLogStart } from './log-start.ts';
import { readPage } from './manifest-pages.ts';
import type { OwnedGroup } from './owned-group.ts';

/** Kafka's `retention.ms` and `retention.bytes`; -1: unlimited. */
export interface RetentionLimits {
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/**
 * The offset of a partition from which on retention deletes nothing, whatever the limits say: somebody has not taken the
 * records from there on yet. `Infinity`: nobody holds anything. DeleteRecords does not ask.
 */
export type RetentionHold = (topicId: string, partition: number) => number;

const holdNothing: RetentionHold = () => Infinity;

/**
 * Says segment by segment, oldest first, which ones go: while the partition holds more than `retentionBytes` without
 * them, or while their newest record is older than `retentionMs`. The first that stays ends it.
 */
export class RetentionCut {
  readonly #limits: RetentionLimits;
  readonly #nowMs: number;
  #totalBytes: number;

  /** @param totalBytes of the whole partition, also what is not in segments yet */
  constructor(limits: RetentionLimits, nowMs: number, totalBytes: number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#totalBytes = totalBytes;
  }

  /** Whether the next segment would go. */
  wouldDrop({ sizeBytes, maxTimestampMs }: Pick<SegmentRef, 'sizeBytes' | 'maxTimestampMs'>): boolean {
    const { retentionMs, retentionBytes } = this.#limits;
    // Records without time stamps (-1) have no age.
    const tooOld = retentionMs >= 0 && maxTimestampMs >= 0 && this.#nowMs - maxTimestampMs > retentionMs;
    const tooMuch = retentionBytes >= 0 && this.#totalBytes - sizeBytes >= retentionBytes;
    return tooOld || tooMuch;
  }

  /** Whether the next segment goes; then the one after it is the next. */
  drops(ref: SegmentRef): boolean {
    if (!this.wouldDrop(ref)) return false;
    this.#totalBytes -= ref.sizeBytes;
    return true;
  }
}

/**
 * The limits that hold for a topic: none unless its `cleanup.policy` says `delete`.
 *
 * @param own `TopicEntry.configs`
 * @param cluster `ClusterState.configs`
 * @throws ConfigError for a value that only a newer release understands
 */
export function retentionLimits(own: Configs, cluster: Configs): RetentionLimits {
  const config = topicConfigOf(own, cluster);
  if (!config['cleanup.policy'].includes('delete')) return { retentionMs: -1, retentionBytes: -1 };
  return { retentionMs: config['retention.ms'], retentionBytes: config['retention.bytes'] };
}

/**
 * Applies the limits to all partitions of a group; call inside `OwnedGroup.exclusive`. Costs no request while nothing
 * goes, except that the oldest page of a partition is read once by each owner; and what goes costs the pages it is in.
 */
export async function applyRetention(
  group: OwnedGroup,
  limits: RetentionLimits,
  context: LogContext,
  hold: RetentionHold = holdNothing,
): Promise<void> {
  if (limits.retentionMs < 0 && limits.retentionBytes < 0) return;
  const nowMs = context.runtime.wallMs();
  const targets = new Map<number, number>();
  const pagesRead = new Map<string, readonly SegmentRef[]>();
  for (const partition of group.manifest.partitions) {
    const cut = new RetentionCut(limits, nowMs, totalBytes(partition, group));
    const from = await retainedFrom(group, partition, cut, async (page) => {
      const refs = await readPage(group, page, context);
      pagesRead.set(page.object, refs);
      return refs;
    });
    if (from === undefined) continue;
    const until = Math.min(from, hold(group.manifest.topicId, partition.partition));
    if (until > partition.logStart) targets.set(partition.partition, until);
  }
  if (targets.size > 0) await moveLogStart(group, targets, context, pagesRead);
}

/** The first offset that stays; `undefined`: all that there is. What is not in segments yet always stays. */
async function retainedFrom(
  group: OwnedGroup,
  { pages, segments }: PartitionManifest,
  cut: RetentionCut,
  read: (page: PageRef) => Promise<readonly SegmentRef[]>,
): Promise<number | undefined> {
  let from: number | undefined;
  for (const page of pages) {
    const first = group.pages.first(page);
    if (first !== undefined && !cut.wouldDrop(first)) return from;
    for (const ref of await read(page)) {
      if (!cut.drops(ref)) return from;
      from = ref.endOffset;
    }
  }
  for (const ref of segments) {
    if (!cut.drops(ref)) return from;
    from = ref.endOffset;
  }
  return from;
}

function totalBytes({ partition, pages, segments }: PartitionManifest, group: OwnedGroup): number {
  let bytes = 0;
  for (const { sizeBytes } of pages) bytes += sizeBytes;
  for (const { sizeBytes } of segments) bytes += sizeBytes;
  const { tail = [], highWatermark = 0 } = group.partitions.get(partition) ?? {};
  // What is not acknowledged yet may never become part of the log: nothing goes on account of it.
  for (const { flushed, entry } of tail)
    if (!flushed && entry.lastOffset < highWatermark) bytes += entry.sizeBytes;
  return bytes;
}
