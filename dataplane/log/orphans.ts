import { listAll } from '../store/list-all.ts';
import {
  groupPrefix,
  parsePageKey,
  parseSegmentObject,
  parseSegmentKey,
  parseSnapshotKey,
  segmentPrefix,
} from './format/keys.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedGroup } from './owned-group.ts';
import { referencedObjects } from './retention.ts';

/**
 * Deletes segments, pages and snapshots of a group that its manifest does not reach; owner only, inside
 * `OwnedGroup.exclusive`.
 *
 * Safe without any waiting: objects of older epochs can never be referenced again, since the CAS that would do it needs an
 * ETag that is gone; and of our own epoch nothing is being uploaded, because uploads happen inside `exclusive` too. Objects
 * of *newer* epochs stay: there are some when we have been taken over without knowing it yet. An upload that lands late is
 * an orphan again and goes next time.
 */
export async function deleteOrphans(group: OwnedGroup, context: LogContext): Promise<number> {
  const { store } = context;
  const { signal } = group.session;
  const listed: string[] = [];
  for await (const { key } of listAll(store, segmentPrefix(group.id), signal)) listed.push(key);
  for await (const { key } of listAll(store, groupPrefix(group.id), signal)) listed.push(key);
  const { manifest } = group;
  const { segments, pages } = await referencedObjects(manifest, context, signal);
  const orphans = listed.filter((key) => {
    const segment = parseSegmentKey(key);
    if (segment !== undefined) {
      const { object } = segment;
      return !segments.has(object) && (parseSegmentObject(object)?.epoch ?? Infinity) <= manifest.epoch;
    }
    const page = parsePageKey(key);
    if (page !== undefined) return !pages.has(page.object) && epochOf(page.object, 2) <= manifest.epoch;
    const snapshot = parseSnapshotKey(key);
    if (snapshot === undefined || snapshot.object === manifest.snapshot?.object) return false;
    return epochOf(snapshot.object, 1) <= manifest.epoch;
  });
  if (orphans.length > 0) await store.deleteMany(orphans, { signal });
  return orphans.length;
}

/** The epoch in `page-<n>-<epoch>-<sid8>` or `snap-<epoch>-<sid8>-<seq>`; of any other name: newer than all. */
function epochOf(object: string, part: number): number {
  const epoch = Number(object.split('-')[part]);
  return Number.isSafeInteger(epoch) ? epoch : Infinity;
}

/**
 * Carries out the deletion of a topic for one group, owner only, inside `OwnedGroup.exclusive`. The manifest stays as a
 * tombstone, so that a stale owner or a late write finds the group deleted; everything else goes. Returns whether the
 * group's prefixes are empty but for it.
 */
export async function deleteGroup(group: OwnedGroup, context: LogContext): Promise<boolean> {
  const { manifest, session } = group;
  if (manifest.state !== 'deleted') {
    await group.write({
      ...manifest,
      version: manifest.version + 1,
      writer: session.sid,
      state: 'deleted',
      runs: [],
      partitions: manifest.partitions.map((partition) => ({
        ...partition,
        logStart: Math.max(partition.logStart, partition.segmentEnd),
        pages: [],
        segments: [],
        pruned: partition.appended,
      })),
      snapshot: undefined,
    });
  }
  await deleteOrphans(group, context);
  return true;
}
