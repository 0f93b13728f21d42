import type { FileMetrics } from '../data-file.ts';
import type { ColumnChunk } from '../parquet/column-chunk.ts';
import type { RowGroup } from '../parquet/footer.ts';
import type { Bounds } from '../parquet/statistics.ts';
import { valueOrder } from '../parquet/value-order.ts';
import { lowerBound, upperBound } from './single-value.ts';

/** What Iceberg's manifests say of a file with these row groups. */
export function fileMetrics(rowGroups: readonly RowGroup[]): FileMetrics {
  const columnSizes = new Map<number, number>();
  const valueCounts = new Map<number, number>();
  const nullValueCounts = new Map<number, number>();
  const nanValueCounts = new Map<number, number>();
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  for (const i of rowGroups[0]?.chunks.keys() ?? []) {
    const chunks = rowGroups.flatMap((group) => group.chunks[i] ?? []);
    const leaf = chunks[0]?.leaf;
    if (leaf === undefined) continue;
    const id = leaf.fieldId;
    columnSizes.set(id, sum(chunks, 'sizeBytes'));
    valueCounts.set(id, sum(chunks, 'valueCount'));
    nullValueCounts.set(id, sum(chunks, 'nullCount'));
    if (leaf.type.kind === 'float' || leaf.type.kind === 'double')
      nanValueCounts.set(id, sum(chunks, 'nanCount'));
    const bounds = leaf.maxRepetition > 0 ? undefined : boundsOf(chunks);
    if (bounds === undefined) continue;
    lowerBounds.set(id, lowerBound(leaf, bounds.min));
    const upper = upperBound(leaf, bounds.max);
    if (upper !== undefined) upperBounds.set(id, upper);
  }
  const splitOffsets = rowGroups.map(({ offset }) => offset);
  return {
    columnSizes,
    valueCounts,
    nullValueCounts,
    nanValueCounts,
    lowerBounds,
    upperBounds,
    splitOffsets,
  };
}

function sum(
  chunks: readonly ColumnChunk[],
  count: 'sizeBytes' | 'valueCount' | 'nullCount' | 'nanCount',
): number {
  return chunks.reduce((total, chunk) => total + chunk[count], 0);
}

function boundsOf(chunks: readonly ColumnChunk[]): Bounds | undefined {
  let bounds: Bounds | undefined;
  for (const { leaf, bounds: next } of chunks) {
    if (next === undefined) continue;
    const order = valueOrder(leaf);
    bounds = {
      min: bounds === undefined || order(next.min, bounds.min) < 0 ? next.min : bounds.min,
      max: bounds === undefined || order(next.max, bounds.max) > 0 ? next.max : bounds.max,
    };
  }
  return bounds;
}
