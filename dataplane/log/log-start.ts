import { pageObjectKey, segmentKey } from './format/keys.ts';
import type { Manifest, PageRef, PartitionManifest, SegmentRef } from './format/manifest.ts';
import { addSetsum } from './format/setsum.ts';
import type { LogContext } from './log-context.ts';
import { pageOf, readPage } from './manifest-pages.ts';
import type { OwnedGroup } from './owned-group.ts';

/**
 * Moves the log start of partitions up to the given offsets and lets go of what lies below; call inside
 * `OwnedGroup.exclusive`. Serves retention and DeleteRecords alike. Reads only the pages that lie below the new start in
 * part or whole, unless they are in `pagesRead`.
 *
 * Unreference, then delete: the CAS of the manifest moves `logStart` and drops the references; only afterwards are the
 * objects deleted ({@link DiscardedObjects}: what the store does not delete is tried again). A reader with an older
 * manifest gets a 404 and reads the manifest again.
 */
export async function moveLogStart(
  group: OwnedGroup,
  targets: ReadonlyMap<number, number>,
  context: LogContext,
  pagesRead: ReadonlyMap<string, readonly SegmentRef[]> = new Map(),
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
    const pages: PageRef[] = [];
    for (const page of before.pages) {
      if (page.baseOffset >= target) {
        pages.push(page);
        continue;
      }
      const refs = pagesRead.get(page.object) ?? (await readPage(group, page, context));
      const kept = refs.filter((ref) => ref.endOffset > target);
      if (kept.length === refs.length) {
        pages.push(page);
        continue;
      }
      for (const ref of refs) if (ref.endOffset <= target) drop(ref);
      obsoletePages.push(page.object);
      if (kept.length > 0) pages.push(await pageOf(group, kept, context));
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
  group.discarded.add(obsoletePages.map((object) => pageObjectKey(group.id, object)));
  // Should this fail, only a listing of the group finds them again.
  const { isCleanedUp } = group;
  group.isCleanedUp = false;
  const unreferenced = await withoutReferenced(group, dropped, context);
  group.discarded.add([...unreferenced].map((object) => segmentKey(group.id, object)));
  group.isCleanedUp = isCleanedUp;
  await group.discarded.delete(session.signal);
}

/**
 * Those of the dropped objects that the manifest does not name any more: partitions share objects, and a partition may
 * name one several times. An object that a page seems to name by a coincidence of hashes stays; the next owner's clean-up
 * finds it.
 */
async function withoutReferenced(
  group: OwnedGroup,
  dropped: ReadonlySet<string>,
  context: LogContext,
): Promise<ReadonlySet<string>> {
  const left = new Set(dropped);
  for (const { segments, pages } of group.manifest.partitions) {
    for (const ref of segments) left.delete(ref.object);
    // Of one partition, what names an object stands together: no page names dropped ones but the first, in its beginning.
    for (const page of group.partitions.size === 1 ? pages.slice(0, 1) : pages) {
      if (left.size === 0) return left;
      if (group.pages.first(page) === undefined) await readPage(group, page, context);
      const first = group.pages.first(page)?.object;
      if (first !== undefined) left.delete(first);
      for (const object of group.pages.named(page, left) ?? []) left.delete(object);
    }
  }
  return left;
}
