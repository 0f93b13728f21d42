import { CatalogError } from '../errors.ts';
import type { Snapshot, SnapshotRef } from '../table-metadata.ts';
import { refuse } from './metadata-draft.ts';
import type { MetadataDraft } from './metadata-draft.ts';

const mainBranch = 'main';

export function addSnapshot(draft: MetadataDraft, snapshot: Snapshot): void {
  const { snapshotId, parentSnapshotId, sequenceNumber, schemaId } = snapshot;
  if (snapshotId <= 0n) refuse(`${snapshotId} is no snapshot id: it must be above 0`);
  if (draft.snapshots.has(snapshotId)) refuse(`snapshot ${snapshotId} exists already`);
  if (sequenceNumber <= draft.lastSequenceNumber && parentSnapshotId !== undefined) {
    // Somebody else's commit, to another branch perhaps, came in between: to be built anew, so no client should give up.
    throw new CatalogError(
      'CONFLICT',
      `snapshot ${snapshotId} has sequence number ${sequenceNumber}, but the table is at ` +
        `${draft.lastSequenceNumber} already`,
    );
  }
  if (schemaId !== undefined && !draft.schemas.has(schemaId))
    refuse(`snapshot ${snapshotId} names schema ${schemaId}, which the table does not have`);
  draft.snapshots.set(snapshotId, snapshot);
  draft.addedSnapshots.add(snapshotId);
  draft.lastSequenceNumber = Math.max(draft.lastSequenceNumber, sequenceNumber);
  draft.lastUpdatedMs = laterMs(draft, snapshot.timestampMs);
  draft.changed = true;
}

export function setSnapshotRef(draft: MetadataDraft, name: string, ref: SnapshotRef): void {
  const snapshot = draft.snapshots.get(ref.snapshotId);
  if (snapshot === undefined)
    refuse(`cannot set ${JSON.stringify(name)} to unknown snapshot ${ref.snapshotId}`);
  if (name === '') refuse('a ref needs a name');
  if (name === mainBranch && ref.type !== 'branch') refuse('main must be a branch');
  const existing = draft.refs.get(name);
  if (existing !== undefined && isSame(existing, ref)) return;
  if (draft.addedSnapshots.has(ref.snapshotId)) draft.lastUpdatedMs = laterMs(draft, snapshot.timestampMs);
  if (name === mainBranch && existing?.snapshotId !== ref.snapshotId) {
    draft.snapshotLog.push({ timestampMs: draft.lastUpdatedMs ?? draft.nowMs, snapshotId: ref.snapshotId });
  }
  draft.refs.set(name, ref);
  draft.changed = true;
}

export function removeSnapshotRef(draft: MetadataDraft, name: string): void {
  if (draft.refs.delete(name)) draft.changed = true;
}

/** A snapshot that a ref still names when the commit is complete is refused then (`MetadataDraft.finish`). */
export function removeSnapshots(draft: MetadataDraft, snapshotIds: readonly bigint[]): void {
  for (const snapshotId of snapshotIds) {
    if (!draft.snapshots.delete(snapshotId)) continue;
    draft.addedSnapshots.delete(snapshotId);
    draft.removedSnapshots.add(snapshotId);
    draft.changed = true;
  }
}

/**
 * Committers' clocks differ. Readers (Java's among them) refuse metadata whose log goes back by more than a minute, so
 * times of the log never go back at all.
 */
function laterMs(draft: MetadataDraft, timestampMs: number): number {
  return Math.max(timestampMs, draft.base?.lastUpdatedMs ?? 0, draft.lastUpdatedMs ?? 0);
}

function isSame(a: SnapshotRef, b: SnapshotRef): boolean {
  return (
    a.snapshotId === b.snapshotId &&
    a.type === b.type &&
    a.maxRefAgeMs === b.maxRefAgeMs &&
    a.maxSnapshotAgeMs === b.maxSnapshotAgeMs &&
    a.minSnapshotsToKeep === b.minSnapshotsToKeep
  );
}
