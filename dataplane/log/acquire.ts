import type { PartitionGroup } from '../cluster/partition-groups.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import { isDeadSid } from '../cluster/ownership.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import type { ETag } from '../store/object-store.ts';
import type { DeadSession } from './dead-session.ts';
import { LogError, invariant } from './errors.ts';
import { manifestKey, snapshotKey } from './format/keys.ts';
import { decodeManifest, emptyPartitionManifest, encodeManifest } from './format/manifest.ts';
import type { Manifest, PartitionManifest, Run } from './format/manifest.ts';
import { decodeSnapshot } from './format/snapshot.ts';
import type { GroupSnapshot } from './format/snapshot.ts';
import type { LogContext } from './log-context.ts';
import { OwnedGroup, isSameWrite } from './owned-group.ts';
import { OwnedPartition } from './owned-partition.ts';
import type { TailBlock } from './owned-partition.ts';
import type { WalSession } from './session.ts';

export interface AcquireRequest {
  readonly topicId: string;
  readonly group: PartitionGroup;
  /** Generation of the assignment that makes this broker the owner. */
  readonly generation: number;
  /** `meta/cluster` knows of an owner that has served the group. */
  readonly hasManifest: boolean;
  readonly session: WalSession;
  readonly context: LogContext;
  /** As last seen. */
  readonly knownCluster: () => ClusterState | undefined;
  /** The cluster state as of a read that begins after the call. */
  readonly refreshCluster: () => Promise<ClusterState>;
  /** Shared by all groups of a dead session. */
  readonly deadSession: (sid: string) => DeadSession;
}

export type AcquireOutcome =
  | { readonly kind: 'owned'; readonly group: OwnedGroup; readonly how: 'created' | 'handover' | 'takeover' }
  /** A live session still has the group and has to release it first (hand-over). */
  | { readonly kind: 'wait'; readonly ownerSid: string }
  /** A newer assignment has been carried out: this one is out of date. */
  | { readonly kind: 'stale' }
  /** The topic has been deleted. */
  | { readonly kind: 'deleted' };

/**
 * Makes this session the owner of a group (log.md P1): read the manifest; fence the session in its open run, if that
 * session is dead; replay what is not in segments; CAS the manifest. Only then may requests be answered.
 *
 * Race: the CAS is on the ETag that was read before sealing and replaying, so nothing has changed in between; whoever
 * loses starts again from the manifest that won. A live session is never fenced: fencing it for one group would kill all
 * its others. "Dead" is judged by a cluster state read *after* the manifest, since a session registers before it acquires
 * anything; and a dead session never comes back.
 */
export async function acquireGroup(request: AcquireRequest): Promise<AcquireOutcome> {
  const { context, session, group, generation } = request;
  const key = manifestKey(group.id);
  let { hasManifest } = request;
  for (;;) {
    const found = await context.store.get(key, { signal: session.signal });
    const current = found.kind === 'found' ? decodeManifest(found.body, key) : undefined;
    const etag = found.kind === 'found' ? found.info.etag : 'absent';
    if (current === undefined && hasManifest) throw manifestLost(request, key);
    hasManifest ||= current !== undefined;
    if (current !== undefined) checkIdentity(current, request, key);
    if (current?.state === 'deleted') return { kind: 'deleted' };
    if (current !== undefined && current.assignmentGeneration > generation) return { kind: 'stale' };

    const open = openRun(current);
    let closed: Run[] = (current?.runs ?? []).filter((run) => run.to !== undefined);
    if (open !== undefined && open.sid !== session.sid) {
      if (!(await isDead(request, open.sid))) return { kind: 'wait', ownerSid: open.sid };
      const from = Math.max(open.from, open.flushedTo);
      const note = { group: group.id, manifestVersion: current?.version ?? 0, fencer: session.sid };
      const { seal, trim } = await request.deadSession(open.sid).seal(from, note);
      closed = [...closed, { ...open, to: seal, flushedTo: Math.max(open.flushedTo, trim) }];
    }

    const replayed = await replay(request, current, closed);
    if (replayed === 'changed') continue;
    const next = ownedManifest(request, current, closed, replayed);
    const result = await compareAndSwap(context.store, context.runtime, {
      key,
      expected: etag,
      bytes: encodeManifest(next, context.formatVersion()),
      id: `${session.sid}/${next.version}`,
      signal: session.signal,
      isOurs: (bytes) => isSameWrite(decodeManifest(bytes, key), next),
    }).catch((error: unknown) => {
      // It may still land and name this session the owner; without knowing it, nobody could ever take the group from it.
      session.die(`the manifest of group ${group.id} could not be written`, error);
      throw error;
    });
    if (result.kind === 'lost') continue;
    const how = current === undefined ? 'created' : open === undefined ? 'handover' : 'takeover';
    return {
      kind: 'owned',
      group: ownedGroup(request, decodeManifest(result.bytes, key), result.etag, replayed),
      how,
    };
  }
}

/** A state known before may take a session for alive that has died since, and for dead one that was not born yet. */
async function isDead({ knownCluster, refreshCluster }: AcquireRequest, sid: string): Promise<boolean> {
  const known = knownCluster();
  if (known !== undefined && !isDeadSid(known, sid)) return false;
  return isDeadSid(await refreshCluster(), sid);
}

function openRun(manifest: Manifest | undefined): Run | undefined {
  const last = manifest?.runs.at(-1);
  return last?.to === undefined ? last : undefined;
}

function checkIdentity(manifest: Manifest, { group, topicId }: AcquireRequest, key: string): void {
  if (
    manifest.group === group.id &&
    manifest.topicId === topicId &&
    manifest.firstPartition === group.firstPartition &&
    manifest.partitionCount === group.count
  ) {
    return;
  }
  throw new LogError(
    'CORRUPT_LOG',
    `${key} describes group ${manifest.group} (topic ${manifest.topicId}, ${manifest.partitionCount} partitions from ` +
      `${manifest.firstPartition} on), but meta/cluster says ${group.id} (topic ${topicId}, ${group.count} from ${group.firstPartition} on)`,
  );
}

/** A group is only ever new once: starting it at offset 0 again would hide all records that it has. */
function manifestLost({ group, generation }: AcquireRequest, key: string): LogError {
  return new LogError(
    'CORRUPT_LOG',
    `${key} is missing, but group ${group.id} has had owners before (it is at generation ${generation}): its records are ` +
      `out of reach. Restore it from a copy of the bucket and run 'firn log verify', or delete the topic`,
  );
}

interface Replayed {
  readonly blocks: ReadonlyMap<number, readonly TailBlock[]>;
  readonly snapshot: GroupSnapshot | undefined;
  /** Runs that hold a block which is not in segments. */
  readonly neededRuns: readonly Run[];
}

/** Reads snapshot and slot indexes, never record bytes. 'changed': manifest or trim have moved on, so begin again. */
async function replay(
  request: AcquireRequest,
  manifest: Manifest | undefined,
  closed: readonly Run[],
): Promise<Replayed | 'changed'> {
  const { context, session, group, topicId } = request;
  const snapshotObject = manifest?.snapshot?.object;
  let snapshot: GroupSnapshot | undefined;
  if (snapshotObject !== undefined) {
    const key = snapshotKey(group.id, snapshotObject);
    const found = await context.store.get(key, { signal: session.signal });
    if (found.kind !== 'found') {
      const problem = `${key} is missing, but the manifest of ${group.id} names it; run 'firn log verify'`;
      return staleOrCorrupt(request, manifest, new LogError('CORRUPT_LOG', problem));
    }
    snapshot = decodeSnapshot(found.body, key);
  }
  const blocks = new Map<number, TailBlock[]>();
  const neededRuns: Run[] = [];
  for (const run of closed) {
    invariant(run.to !== undefined, 'only closed runs are replayed');
    const dead = request.deadSession(run.sid);
    const from = Math.max(run.from, run.flushedTo, await dead.readTrim());
    let needed = false;
    for (let partition = group.firstPartition; partition < group.firstPartition + group.count; partition++) {
      const located = await dead.blocks(topicId, partition, from, run.to).catch(async (error: unknown) => {
        if (!(error instanceof LogError && error.code === 'CORRUPT_LOG')) throw error;
        // A session that does not know yet that it was fenced goes on trimming what no group needs, and no manifest tells
        // of that. It writes the trim before it deletes: what it has deleted lies below the trim as of now.
        if ((await dead.readTrim()) > from) return 'changed';
        return staleOrCorrupt(request, manifest, error);
      });
      if (located === 'changed') return 'changed';
      for (const { slot, entry } of located) {
        needed = true;
        const list = blocks.get(partition) ?? [];
        list.push({
          sid: run.sid,
          slot: slot.slot,
          timeMs: slot.timeMs,
          entry,
          pieces: undefined,
          flushed: false,
        });
        blocks.set(partition, list);
      }
    }
    if (needed) neededRuns.push(run);
  }
  return { blocks, snapshot, neededRuns };
}

/** Something that the manifest needs is missing: it is out of date ('changed'), or the log is corrupt. */
async function staleOrCorrupt(
  request: AcquireRequest,
  manifest: Manifest | undefined,
  problem: LogError,
): Promise<'changed'> {
  const key = manifestKey(request.group.id);
  const again = await request.context.store.get(key, { signal: request.session.signal });
  if (again.kind === 'found' && decodeManifest(again.body, key).version !== manifest?.version)
    return 'changed';
  throw problem;
}

function ownedManifest(
  request: AcquireRequest,
  before: Manifest | undefined,
  closed: readonly Run[],
  replayed: Replayed,
): Manifest {
  const { session, context, group, topicId, generation } = request;
  // The generation, so that what Metadata tells clients from `meta/cluster` is the epoch that batches carry: a client that
  // has seen a newer epoch in a batch takes no older metadata.
  const epoch = Math.max(generation, before === undefined ? 0 : before.epoch + 1);
  const from = session.nextSlot;
  const partitions = partitionManifests(request, before).map((partition): PartitionManifest => {
    const last = replayed.blocks.get(partition.partition)?.at(-1);
    const nextOffset = last === undefined ? partition.segmentEnd : last.entry.lastOffset + 1;
    // An epoch in which nothing was written leaves no trace: Kafka's epoch table has one entry per start offset.
    const epochs = partition.epochs.filter((entry) => entry.startOffset < nextOffset);
    return { ...partition, epochs: [...epochs, { epoch, startOffset: nextOffset }] };
  });
  invariant(closed.length >= replayed.neededRuns.length, 'needed runs are closed runs');
  return {
    version: (before?.version ?? 0) + 1,
    group: group.id,
    topicId,
    firstPartition: group.firstPartition,
    partitionCount: group.count,
    epoch,
    owner: { sid: session.sid, broker: context.broker.id, zone: context.broker.zone },
    writer: session.sid,
    assignmentGeneration: generation,
    state: 'owned',
    runs: [...replayed.neededRuns, { sid: session.sid, epoch, from, to: undefined, flushedTo: from }],
    partitions,
    snapshot: before?.snapshot,
  };
}

function partitionManifests(
  { group }: AcquireRequest,
  before: Manifest | undefined,
): readonly PartitionManifest[] {
  if (before !== undefined) return before.partitions;
  return Array.from({ length: group.count }, (_, index) =>
    emptyPartitionManifest(group.firstPartition + index),
  );
}

function ownedGroup(request: AcquireRequest, manifest: Manifest, etag: ETag, replayed: Replayed): OwnedGroup {
  const { context, session, topicId } = request;
  const partitions = new Map<number, OwnedPartition>();
  for (const entry of manifest.partitions) {
    const snapshot = replayed.snapshot?.partitions.find(
      (candidate) => candidate.partition === entry.partition,
    );
    const partition = new OwnedPartition(topicId, manifest.epoch, entry, snapshot, context);
    for (const block of replayed.blocks.get(entry.partition) ?? []) partition.replay(block);
    partitions.set(entry.partition, partition);
  }
  return new OwnedGroup({
    store: context.store,
    runtime: context.runtime,
    session,
    formatVersion: context.formatVersion,
    manifest,
    etag,
    partitions,
  });
}
