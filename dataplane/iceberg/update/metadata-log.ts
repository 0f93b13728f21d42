import type { MetadataLogEntry, TableMetadata } from '../table-metadata.ts';

const maxEntriesProperty = 'write.metadata.previous-versions-max';
const defaultMaxEntries = 100;

/** The base's log and the base itself, cut to what the table's properties allow. */
export function metadataLogAfter(
  base: TableMetadata | undefined,
  metadataLocation: string | undefined,
  properties: ReadonlyMap<string, string>,
): readonly MetadataLogEntry[] {
  if (base === undefined || metadataLocation === undefined) return [];
  const entry = { timestampMs: base.lastUpdatedMs, metadataFile: metadataLocation };
  return [...base.metadataLog, entry].slice(-maxEntriesOf(properties));
}

function maxEntriesOf(properties: ReadonlyMap<string, string>): number {
  const value = Number(properties.get(maxEntriesProperty) ?? defaultMaxEntries);
  return Number.isSafeInteger(value) && value >= 1 ? value : defaultMaxEntries;
}
