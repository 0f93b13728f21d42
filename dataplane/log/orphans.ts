import { listAll } from '../store/list-all.ts';
import { LogError } from './errors.ts';
import {
  groupPrefix,
  manifestKey,
  parsePageKey,
  parseSegmentObject,
  parseSegmentKey,
  parseSnapshotKey,
  segmentPrefix,
} from './format/keys.ts';
import type { LogContext } from './log-context.ts';
import { readPage } from './manifest-pages.ts';
import type { OwnedGroup } from './owned-group.ts';

/**
 * Deletes segments, pages and snapshots of a group that its manifest does not reach; owner only, inside
 * `OwnedGroup.exclusive`. Returns how many there were; rejects when one could not be deleted: call again.
 *
 * Safe without any waiting: objects of older epochs can never be referenced again, since the CAS that would do it needs an
 * ETag that is gone; and of our own epoch nothing is being uploaded, because uploads happen inside `exclusive` too. Objects
 * of *newer* epochs stay: there are some when we have been taken over without knowing it yet. An upload that lands late is
 * an orphan again and goes next time.
 */
export async function deleteOrphans(group: OwnedGroup, context: LogContext): Promise<number> {
  const { signal } = group.session;
  const listed = await listGroup(group.id, context, signal);
  const { manifest } = group;
  const { segments, pages } = await referencedObjects(group, context);
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
  await deleteAll(orphans, context, signal);
  return orphans.length;
}

async function listGroup(id: string, { store }: LogContext, signal: AbortSignal): Promise<string[]> {
  const listed: string[] = [];
  for await (const { key } of listAll(store, segmentPrefix(id), signal)) listed.push(key);
  for await (const { key } of listAll(store, groupPrefix(id), signal)) listed.push(key);
  return listed;
}

async function deleteAll(keys: readonly string[], { store }: LogContext, signal: AbortSignal): Promise<void> {
  if (keys.length === 0) return;
  const [failure] = await store.deleteMany(keys, { signal });
  if (failure !== undefined) throw failure.error;
}

/** All objects a group's manifest reaches, by name. Reads its pages. */
async function referencedObjects(
  group: OwnedGroup,
  context: LogContext,
): Promise<{ readonly segments: ReadonlySet<string>; readonly pages: ReadonlySet<string> }> {
  const segments = new Set<string>();
  const pages = new Set<string>();
  for (const partition of group.manifest.partitions) {
    for (const ref of partition.segments) segments.add(ref.object);
    for (const page of partition.pages) {
      pages.add(page.object);
      for (const ref of await readPage(group, page, context)) segments.add(ref.object);
    }
  }
  return { segments, pages };
}

/** The epoch in `page-<n>-<epoch>-<sid8>` or `snap-<epoch>-<sid8>-<seq>`; of any other name: newer than all. */
function epochOf(object: string, part: number): number {
  const epoch = Number(object.split('-')[part]);
  return Number.isSafeInteger(epoch) ? epoch : Infinity;
}

/**
 * Begins the deletion of a topic for one group, owner only, inside `OwnedGroup.exclusive`: the manifest becomes a tombstone
 * and stays, so that a stale owner or a late write finds the group deleted. Its objects are for {@link emptyDeletedGroup}.
 *
 * The group goes out of service in the same turn: a tombstone has no runs, so a flush or a release that waits for its turn
 * would have nothing to go on from, and what it wrote could never become part of the log.
 */
export async function deleteGroup(group: OwnedGroup): Promise<void> {
  const { manifest, session } = group;
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
  group.abandon(
    new LogError('UNKNOWN_TOPIC_OR_PARTITION', `the topic of group ${group.id} has been deleted`),
  );
}

/**
 * Deletes everything of a group whose manifest is a tombstone, but for that. Anybody may: a tombstone is final, so nothing
 * of the group is ever read or referenced again. Rejects when something could not be deleted: call again.
 */
export async function emptyDeletedGroup(id: string, context: LogContext, signal: AbortSignal): Promise<void> {
  const tombstone = manifestKey(id);
  const keys = await listGroup(id, context, signal);
  await deleteAll(
    keys.filter((key) => key !== tombstone),
    context,
    signal,
  );
}
