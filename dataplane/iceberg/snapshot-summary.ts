import type { AddedFile } from './manifest/manifest-entry.ts';
import type { Snapshot } from './table-metadata.ts';

/** Totals of a summary and what an append adds to each (Iceberg spec, "Optional Snapshot Summary Fields"). */
const totals = [
  'total-records',
  'total-files-size',
  'total-data-files',
  'total-delete-files',
  'total-position-deletes',
  'total-equality-deletes',
] as const;

/** Of an append to an unpartitioned table. A total that the parent does not know stays unknown. */
export function appendSummary(
  parent: Snapshot | undefined,
  files: readonly AddedFile[],
  own: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const records = files.reduce((sum, file) => sum + file.recordCount, 0);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const added: Readonly<Record<(typeof totals)[number], number>> = {
    'total-records': records,
    'total-files-size': sizeBytes,
    'total-data-files': files.length,
    'total-delete-files': 0,
    'total-position-deletes': 0,
    'total-equality-deletes': 0,
  };
  const known = totals.flatMap((name) => {
    const before = parent === undefined ? 0 : Number(parent.summary[name] ?? Number.NaN);
    return Number.isSafeInteger(before) ? [[name, String(before + added[name])] as const] : [];
  });
  return {
    operation: 'append',
    ...own,
    ...(files.length === 0
      ? {}
      : {
          'added-data-files': String(files.length),
          'added-records': String(records),
          'added-files-size': String(sizeBytes),
          'changed-partition-count': '1',
        }),
    ...Object.fromEntries(known),
  };
}
