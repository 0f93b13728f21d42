import type { Snapshot, SnapshotRef } from '../table-metadata.ts';
import type { JsonObject } from './json-object.ts';

/** Iceberg spec, appendix C, "Snapshots" and "References". */

export function snapshotJson(snapshot: Snapshot): Record<string, unknown> {
  const { parentSnapshotId, schemaId } = snapshot;
  return {
    ...snapshot.extra,
    'sequence-number': snapshot.sequenceNumber,
    'snapshot-id': snapshot.snapshotId,
    ...(parentSnapshotId === undefined ? {} : { 'parent-snapshot-id': parentSnapshotId }),
    'timestamp-ms': snapshot.timestampMs,
    summary: snapshot.summary,
    'manifest-list': snapshot.manifestList,
    ...(schemaId === undefined ? {} : { 'schema-id': schemaId }),
  };
}

export function readSnapshot(json: JsonObject): Snapshot {
  if (json.has('manifests') && !json.has('manifest-list')) {
    json.fail(
      'manifests',
      'a snapshot of format version 1 that lists its manifests itself is not supported; rewrite the table with ' +
        'format version 2',
      'UNSUPPORTED',
    );
  }
  const extraFields = {
    snapshotId: json.long('snapshot-id'),
    parentSnapshotId: parentOf(json),
    sequenceNumber: json.optionalInteger('sequence-number') ?? 0,
    timestampMs: json.integer('timestamp-ms'),
    manifestList: json.text('manifest-list'),
    summary: json.texts('summary'),
    schemaId: json.optionalInteger('schema-id', 0, 2 ** 31 - 1),
  };
  const extra = json.rest();
  return extra === undefined ? extraFields : { ...extraFields, extra };
}

/** Some writers say -1 for none. */
function parentOf(json: JsonObject): bigint | undefined {
  const parent = json.optionalLong('parent-snapshot-id');
  return parent === -1n ? undefined : parent;
}

export function refJson(ref: SnapshotRef): Record<string, unknown> {
  const { maxRefAgeMs, maxSnapshotAgeMs, minSnapshotsToKeep } = ref;
  return {
    'snapshot-id': ref.snapshotId,
    type: ref.type,
    ...(maxRefAgeMs === undefined ? {} : { 'max-ref-age-ms': maxRefAgeMs }),
    ...(maxSnapshotAgeMs === undefined ? {} : { 'max-snapshot-age-ms': maxSnapshotAgeMs }),
    ...(minSnapshotsToKeep === undefined ? {} : { 'min-snapshots-to-keep': minSnapshotsToKeep }),
  };
}

export function readRef(json: JsonObject): SnapshotRef {
  const type = json.text('type').toLowerCase();
  if (type !== 'branch' && type !== 'tag') json.fail('type', 'must be branch or tag');
  const maxRefAgeMs = json.optionalInteger('max-ref-age-ms', 1);
  const maxSnapshotAgeMs = json.optionalInteger('max-snapshot-age-ms', 1);
  const minSnapshotsToKeep = json.optionalInteger('min-snapshots-to-keep', 1, 2 ** 31 - 1);
  if (type === 'tag' && (maxSnapshotAgeMs !== undefined || minSnapshotsToKeep !== undefined))
    json.fail('', 'a tag has neither max-snapshot-age-ms nor min-snapshots-to-keep');
  return {
    snapshotId: json.long('snapshot-id'),
    type,
    ...(maxRefAgeMs === undefined ? {} : { maxRefAgeMs }),
    ...(maxSnapshotAgeMs === undefined ? {} : { maxSnapshotAgeMs }),
    ...(minSnapshotsToKeep === undefined ? {} : { minSnapshotsToKeep }),
  };
}
