import { gunzipSync } from 'node:zlib';
import { FormatError } from '../errors.ts';
import type { SnapshotRef, TableMetadata } from '../table-metadata.ts';
import { JsonObject } from './json-object.ts';
import { parseJson, printJson } from './lossless-json.ts';
import { readSchema, schemaJson } from './schema-json.ts';
import { readRef, readSnapshot, refJson, snapshotJson } from './snapshot-json.ts';
import { readSortOrder, readSpec, sortOrderJson, specJson, unassignedFieldId } from './partition-json.ts';

/** What a gzipped file may grow to. */
const maxMetadataBytes = 512 * 1024 * 1024;

/** Iceberg spec, appendix C, "Table Metadata and Snapshots": format version 2. */
export function printTableMetadata(metadata: TableMetadata): string {
  return printJson(tableMetadataJson(metadata));
}

export function tableMetadataJson(metadata: TableMetadata): Record<string, unknown> {
  return {
    // First: whatever it holds never stands in for a field that is known.
    ...metadata.extra,
    'format-version': metadata.formatVersion,
    'table-uuid': metadata.tableUuid,
    location: metadata.location,
    'last-sequence-number': metadata.lastSequenceNumber,
    'last-updated-ms': metadata.lastUpdatedMs,
    'last-column-id': metadata.lastColumnId,
    'current-schema-id': metadata.currentSchemaId,
    schemas: metadata.schemas.map(schemaJson),
    'default-spec-id': metadata.defaultSpecId,
    'partition-specs': metadata.partitionSpecs.map(specJson),
    'last-partition-id': metadata.lastPartitionId,
    'default-sort-order-id': metadata.defaultSortOrderId,
    'sort-orders': metadata.sortOrders.map(sortOrderJson),
    properties: metadata.properties,
    // The reference implementation wrote -1 for "none" for years; readers that insist on a number are still about.
    'current-snapshot-id': metadata.currentSnapshotId ?? -1,
    refs: Object.fromEntries(Object.entries(metadata.refs).map(([name, ref]) => [name, refJson(ref)])),
    snapshots: metadata.snapshots.map(snapshotJson),
    'snapshot-log': metadata.snapshotLog.map(({ timestampMs, snapshotId }) => ({
      'timestamp-ms': timestampMs,
      'snapshot-id': snapshotId,
    })),
    'metadata-log': metadata.metadataLog.map(({ timestampMs, metadataFile }) => ({
      'timestamp-ms': timestampMs,
      'metadata-file': metadataFile,
    })),
  };
}

/** @param source location of the file, for errors: a {@link FormatError} names it and the field. */
export function parseTableMetadata(text: string, source: string): TableMetadata {
  return readTableMetadata(new JsonObject(parseJson(text, source), source));
}

export function readTableMetadata(json: JsonObject): TableMetadata {
  const formatVersion = json.integer('format-version', 1);
  if (formatVersion !== 2) {
    const why = `format version ${formatVersion} is not built; only version 2 is`;
    json.fail('format-version', why, 'UNSUPPORTED');
  }
  const current = json.optionalLong('current-snapshot-id');
  const known: TableMetadata = {
    formatVersion: 2,
    tableUuid: json.text('table-uuid').toLowerCase(),
    location: json.text('location').replace(/\/+$/, ''),
    lastSequenceNumber: json.integer('last-sequence-number'),
    lastUpdatedMs: json.integer('last-updated-ms'),
    lastColumnId: json.id('last-column-id'),
    currentSchemaId: json.id('current-schema-id'),
    schemas: json.list('schemas', readSchema),
    defaultSpecId: json.id('default-spec-id'),
    partitionSpecs: json.list('partition-specs', readSpec),
    lastPartitionId: json.id('last-partition-id'),
    defaultSortOrderId: json.id('default-sort-order-id'),
    sortOrders: json.list('sort-orders', readSortOrder),
    properties: json.texts('properties'),
    currentSnapshotId: current === -1n ? undefined : current,
    snapshots: json.listOrEmpty('snapshots', readSnapshot),
    refs: readRefs(json, current === -1n ? undefined : current),
    snapshotLog: json.listOrEmpty('snapshot-log', (entry) => ({
      timestampMs: entry.integer('timestamp-ms'),
      snapshotId: entry.long('snapshot-id'),
    })),
    metadataLog: json.listOrEmpty('metadata-log', (entry) => ({
      timestampMs: entry.integer('timestamp-ms'),
      metadataFile: entry.text('metadata-file'),
    })),
  };
  checkReferences(known, json);
  // Written by some for format version 1 readers; `schemas` and `partition-specs` say the same.
  json.value('schema');
  json.value('partition-spec');
  const extra = json.rest();
  return extra === undefined ? known : { ...known, extra };
}

/** Metadata from before there were refs has a current snapshot alone. */
function readRefs(json: JsonObject, current: bigint | undefined): Readonly<Record<string, SnapshotRef>> {
  const refs = json.value('refs') === undefined ? undefined : json.object('refs');
  const entries: [string, SnapshotRef][] = (refs?.names() ?? []).map((name) => [
    name,
    readRef(refs?.object(name) ?? json),
  ]);
  const main = entries.find(([name]) => name === 'main')?.[1];
  if (current === undefined) {
    if (main !== undefined)
      json.fail('refs.main', 'there is no current snapshot, so there is no branch main');
    return Object.fromEntries(entries);
  }
  if (main === undefined)
    return Object.fromEntries([...entries, ['main', { snapshotId: current, type: 'branch' }]]);
  if (main.snapshotId !== current)
    json.fail('refs.main', `is ${main.snapshotId}, current-snapshot-id ${current}`);
  return Object.fromEntries(entries);
}

/** Everything that is named is there. */
function checkReferences(metadata: TableMetadata, json: JsonObject): void {
  const { schemas, partitionSpecs, sortOrders, snapshots, currentSnapshotId } = metadata;
  if (!schemas.some(({ schemaId }) => schemaId === metadata.currentSchemaId))
    json.fail('current-schema-id', `there is no schema ${metadata.currentSchemaId}`);
  if (!partitionSpecs.some(({ specId }) => specId === metadata.defaultSpecId))
    json.fail('default-spec-id', `there is no partition spec ${metadata.defaultSpecId}`);
  if (partitionSpecs.some(({ fields }) => fields.some(({ fieldId }) => fieldId === unassignedFieldId)))
    json.fail('partition-specs', 'a field has no field-id');
  if (!sortOrders.some(({ orderId }) => orderId === metadata.defaultSortOrderId))
    json.fail('default-sort-order-id', `there is no sort order ${metadata.defaultSortOrderId}`);
  const ids = new Set(snapshots.map(({ snapshotId }) => snapshotId));
  if (ids.size !== snapshots.length) json.fail('snapshots', 'two snapshots have one id');
  if (currentSnapshotId !== undefined && !ids.has(currentSnapshotId))
    json.fail('current-snapshot-id', `there is no snapshot ${currentSnapshotId}`);
  for (const [name, { snapshotId }] of Object.entries(metadata.refs)) {
    if (!ids.has(snapshotId)) json.fail(`refs.${name}`, `there is no snapshot ${snapshotId}`);
  }
}

/** The bytes of a metadata file as metadata. Gzip (`write.metadata.compression-codec`) is recognised by its first bytes. */
export function decodeTableMetadata(bytes: Uint8Array, source: string): TableMetadata {
  let text: string;
  try {
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const plain = isGzip ? gunzipSync(bytes, { maxOutputLength: maxMetadataBytes }) : bytes;
    text = new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError('INVALID', { source, field: '' }, `cannot be read as text: ${why}`, cause);
  }
  return parseTableMetadata(text, source);
}
