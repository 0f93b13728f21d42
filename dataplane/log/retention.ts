import type { Configs } from '../cluster/cluster-state.ts';
import { topicConfigOf } from '../cluster/config/topic-configs.ts';
import { segmentKey, pageObjectKey } from './format/keys.ts';
import type { Manifest, PartitionManifest, SegmentRef } from './format/manifest.ts';
import { addSetsum } from './format/setsum.ts';
import type { LogContext } from './log-context.ts';
import { pageOf, readPage } from './manifest-pages.ts';
import type { OwnedGroup } from './owned-group.ts';

/** Kafka's `retention.ms` and `retention.bytes`; -1: unlimited. */
export interface RetentionLimits {
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/**
 * The first offset that stays: whole segments go, oldest first, while the partition holds more than `retentionBytes`
 * without them, or while their newest record is older than `retentionMs`. What is not in segments yet always stays.
 */
export function retainedFrom(
  segments: readonly SegmentRef[],
  unflushedBytes: number,
  limits: RetentionLimits,
  nowMs: number,
): number | undefined {
  let total = segments.reduce((sum, ref) => sum + ref.sizeBytes, unflushedBytes);
  let from: number | undefined;
  for (const ref of segments) {
    // Records without time stamps (-1) have no age.
    const tooOld =
      limits.retentionMs >= 0 && ref.maxTimestampMs >= 0 && nowMs - ref.maxTimestampMs > limits.retentionMs;
    const tooMuch = limits.retentionBytes >= 0 && total - ref.sizeBytes >= limits.retentionBytes;
    if (!tooOld && !tooMuch) break;
    total -= ref.sizeBytes;
    from = ref.endOffset;
  }
  return from;
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

/** Applies the limits to all partitions of a group; call inside `OwnedGroup.exclusive`. */
export async function applyRetention(
  group: OwnedGroup,
  limits: RetentionLimits,
  context: LogContext,
): Promise<void> {
  if (limits.retentionMs < 0 && limits.retentionBytes < 0) return;
  const nowMs = context.runtime.wallMs();
  const targets = new Map<number, number>();
  for (const partition of group.manifest.partitions) {
    const pages = await Promise.all(
      partition.pages.map((page) => readPage(group.id, page, context, group.session.signal)),
    );
    const segments = [...pages.flat(), ...partition.segments];
    const owned = group.partitions.get(partition.partition);
    const unflushed = (owned?.tail ?? []).reduce(
      (sum, block) => (block.flushed ? sum : sum + block.entry.sizeBytes),
      0,
    );
    const from = retainedFrom(segments, unflushed, limits, nowMs);
    if (from !== undefined && from > partition.logStart) targets.set(partition.partition, from);
  }
  if (targets.size > 0) await moveLogStart(group, targets, context);
}

/**
 * Moves the log start of partitions up to the given offsets and lets go of what lies below; call inside
 * `OwnedGroup.exclusive`. Serves retention and DeleteRecords alike.
 *
 * Unreference, then delete: the CAS of the manifest moves `logStart` and drops the references; only afterwards are the
 * objects deleted. When that fails half-way they are orphans, found by {@link deleteOrphans}. A reader with an older
 * manifest gets a 404 and reads the manifest again.
 */
export async function moveLogStart(
  group: OwnedGroup,
  targets: ReadonlyMap<number, number>,
  context: LogContext,
): Promise<void> {
  const { manifest, session } = group;
  const dropped = new Set<string>();
  const obsoletePages: string[] = [];
  const partitions: PartitionManifest[] = [];
  for (const before of manifest.partitions) {
    const target = targets.get(before.partition);
    if (target === undefined || target <= before.logStart) {
      partitions.push(before);
      continue;
    }
    let { pruned } = before;
    const drop = (ref: SegmentRef): void => {
      dropped.add(ref.object);
      pruned = addSetsum(pruned, ref.setsum);
    };
    const pages = [];
    for (const page of before.pages) {
      if (page.baseOffset >= target) {
        pages.push(page);
        continue;
      }
      const refs = await readPage(group.id, page, context, session.signal);
      const kept = refs.filter((ref) => ref.endOffset > target);
      if (kept.length === refs.length) {
        pages.push(page);
        continue;
      }
      for (const ref of refs) if (ref.endOffset <= target) drop(ref);
      obsoletePages.push(page.object);
      if (kept.length > 0) pages.push(await pageOf(manifest, kept, context, session));
    }
    const segments = before.segments.filter((ref) => ref.endOffset > target);
    for (const ref of before.segments) if (ref.endOffset <= target) drop(ref);
    const epochs = before.epochs.filter((_, index) => {
      const next = before.epochs[index + 1];
      return next === undefined || next.startOffset > target;
    });
    partitions.push({ ...before, logStart: target, pages, segments, epochs, pruned });
  }
  const next: Manifest = { ...manifest, version: manifest.version + 1, writer: session.sid, partitions };
  await group.write(next);
  for (const [partition, target] of targets) {
    const owned = group.partitions.get(partition);
    if (owned === undefined) continue;
    owned.logStart = Math.max(owned.logStart, target);
    context.trimmed(owned);
  }
  const referenced = await referencedObjects(next, context, session.signal);
  const keys = [...dropped]
    .filter((object) => !referenced.segments.has(object))
    .map((object) => segmentKey(group.id, object));
  await context.store.deleteMany(
    [...keys, ...obsoletePages.map((object) => pageObjectKey(group.id, object))],
    { signal: session.signal },
  );
}

/** All objects a manifest reaches, by name. Reads its pages. */
export async function referencedObjects(
  manifest: Manifest,
  context: LogContext,
  signal: AbortSignal,
): Promise<{ readonly segments: ReadonlySet<string>; readonly pages: ReadonlySet<string> }> {
  const segments = new Set<string>();
  const pages = new Set<string>();
  for (const partition of manifest.partitions) {
    for (const ref of partition.segments) segments.add(ref.object);
    for (const page of partition.pages) {
      pages.add(page.object);
      for (const ref of await readPage(manifest.group, page, context, signal)) segments.add(ref.object);
    }
  }
  return { segments, pages };
}
