import type { TableMetadata } from './table-metadata.ts';

/** Where metadata files, manifest lists and manifests of a table lie; no `/` at the end. */
export function metadataFolder({
  location,
  properties,
}: Pick<TableMetadata, 'location' | 'properties'>): string {
  return (properties['write.metadata.path'] ?? `${location}/metadata`).replace(/\/+$/, '');
}
