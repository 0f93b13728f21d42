import { LogError } from './errors.ts';
import { create } from './create-object.ts';
import { pageObject, pageObjectKey } from './format/keys.ts';
import type { Manifest, PageRef, PartitionManifest, SegmentRef } from './format/manifest.ts';
import { decodePage, encodePage } from './format/manifest.ts';
import { addSetsum, emptySetsum } from './format/setsum.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedGroup } from './owned-group.ts';

/**
 * Keeps the manifest's root small: when it names more than `manifestSegments` segments, the oldest ones of the partition
 * with the most move to an immutable page (log.md 2.4). A last page that is not full is written again with them; the page
 * it replaces becomes unreferenced with the CAS of the manifest this returns: delete it then.
 */
export async function spillPages(
  group: OwnedGroup,
  manifest: Manifest,
  context: LogContext,
): Promise<{ readonly manifest: Manifest; readonly obsoletePages: readonly string[] }> {
  const limit = context.options.manifestSegments;
  let total = manifest.partitions.reduce((sum, partition) => sum + partition.segments.length, 0);
  const obsoletePages: string[] = [];
  if (total <= limit) return { manifest, obsoletePages };
  const partitions = [...manifest.partitions];
  while (total > limit) {
    let fullest = 0;
    for (const [index, partition] of partitions.entries()) {
      if (partition.segments.length > (partitions[fullest]?.segments.length ?? 0)) fullest = index;
    }
    const partition = partitions[fullest];
    if (partition === undefined || partition.segments.length < 2) break;
    const moved = partition.segments.slice(0, Math.ceil(partition.segments.length / 2));
    const last = partition.pages.at(-1);
    const replaced = last !== undefined && last.count + moved.length <= limit ? last : undefined;
    if (replaced !== undefined) obsoletePages.push(replaced.object);
    partitions[fullest] = await movedToPage(group, partition, moved, replaced, context);
    total -= moved.length;
  }
  return { manifest: { ...manifest, partitions }, obsoletePages };
}

async function movedToPage(
  group: OwnedGroup,
  partition: PartitionManifest,
  moved: readonly SegmentRef[],
  replaced: PageRef | undefined,
  context: LogContext,
): Promise<PartitionManifest> {
  const older = replaced === undefined ? [] : await readPage(group, replaced, context);
  const page = await pageOf(group, [...older, ...moved], context);
  return {
    ...partition,
    pages: [...partition.pages.filter((kept) => kept !== replaced), page],
    segments: partition.segments.slice(moved.length),
  };
}

/** Writes a page of segment references; nothing refers to it before the manifest with the returned reference is written. */
export async function pageOf(
  group: OwnedGroup,
  refs: readonly SegmentRef[],
  context: LogContext,
): Promise<PageRef> {
  const { session, manifest } = group;
  const object = pageObject(context.nextObjectSequence(), `${manifest.epoch}-${session.sid.slice(0, 8)}`);
  const bytes = encodePage(refs, context.formatVersion());
  const key = pageObjectKey(group.id, object);
  await create(context, session, key, bytes, `${session.sid}/${object}`);
  group.pages.learn(object, refs);
  return pageRef(object, refs);
}

function pageRef(object: string, refs: readonly SegmentRef[]): PageRef {
  const first = refs[0];
  const last = refs.at(-1);
  if (first === undefined || last === undefined) throw new Error('a page has segments');
  return {
    object,
    baseOffset: first.baseOffset,
    endOffset: last.endOffset,
    count: refs.length,
    sizeBytes: refs.reduce((sum, ref) => sum + ref.sizeBytes, 0),
    maxTimestampMs: refs.reduce((latest, ref) => Math.max(latest, ref.maxTimestampMs), -1),
    setsum: refs.reduce((sum, ref) => addSetsum(sum, ref.setsum), emptySetsum),
  };
}

/** The segment references of one page. A page that is missing or contradicts its reference is corruption, never "empty". */
export async function readPage(
  group: OwnedGroup,
  page: PageRef,
  context: Pick<LogContext, 'store'>,
): Promise<readonly SegmentRef[]> {
  const key = pageObjectKey(group.id, page.object);
  const found = await context.store.get(key, { signal: group.session.signal });
  if (found.kind !== 'found') {
    // Missing is corruption only for the owner: whoever took the group over may have replaced the page.
    await group.session.confirm();
    throw new LogError(
      'CORRUPT_LOG',
      `${key} is missing, but the manifest of ${group.id} names it; run 'firn log verify'`,
    );
  }
  const refs = decodePage(found.body, key);
  if (
    refs.length !== page.count ||
    refs[0]?.baseOffset !== page.baseOffset ||
    refs.at(-1)?.endOffset !== page.endOffset
  ) {
    throw new LogError(
      'CORRUPT_LOG',
      `${key} does not hold the segments its manifest says; run 'firn log verify'`,
    );
  }
  group.pages.learn(page.object, refs);
  return refs;
}
