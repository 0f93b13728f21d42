import { inOrder } from '../../runtime/concurrency.ts';
import type { ManifestEntry, ManifestFile } from './manifest-entry.ts';
import { readManifest } from './manifest-file.ts';

/** What a merge needs of whoever writes the snapshot. */
export interface ManifestWriter {
  read(manifest: ManifestFile): Promise<Uint8Array>;
  manifest(
    snapshotId: bigint,
    entries: readonly ManifestEntry[],
  ): Promise<Omit<ManifestFile, 'sequenceNumber' | 'minSequenceNumber'>>;
}

export interface MergeOptions {
  readonly snapshotId: bigint;
  readonly sequenceNumber: number;
  /** Only manifests of this spec are merged. */
  readonly specId: number;
  /** Of the table: `commit.manifest-merge.enabled`, `commit.manifest.min-count-to-merge`, `commit.manifest.target-size-bytes`. */
  readonly properties: Readonly<Record<string, string>>;
}

const readsAtOnce = 16;
const defaultMinCount = 100;
const defaultTargetBytes = 8 * 1024 * 1024;

/**
 * Keeps the number of manifests bounded, so that a commit each second does not cost every query a thousand requests. When
 * at least `min-count-to-merge` data manifests are below the target size, they are read and written anew in as few as the
 * target size allows; else nothing is touched. So one commit in a hundred reads a hundred small files.
 *
 * Files keep the snapshot and sequence numbers they came with, now written out; entries of files that are deleted are left
 * out unless this snapshot deleted them.
 */
export async function mergeSmallManifests(
  manifests: readonly ManifestFile[],
  options: MergeOptions,
  writer: ManifestWriter,
): Promise<readonly ManifestFile[]> {
  const { properties, snapshotId, sequenceNumber } = options;
  if (properties['commit.manifest-merge.enabled'] === 'false') return manifests;
  const targetBytes = positive(properties['commit.manifest.target-size-bytes']) ?? defaultTargetBytes;
  const minCount = positive(properties['commit.manifest.min-count-to-merge']) ?? defaultMinCount;
  const small = manifests.filter(
    ({ content, partitionSpecId, manifestLength, keyMetadata }) =>
      content === 'data' &&
      partitionSpecId === options.specId &&
      manifestLength < targetBytes &&
      keyMetadata === undefined,
  );
  if (small.length < Math.max(2, minCount)) return manifests;

  const replacements = new Map<ManifestFile, ManifestFile | undefined>();
  for (const bin of binsOf(small, targetBytes)) {
    const [first] = bin;
    if (first === undefined || bin.length < 2) continue;
    const entries: ManifestEntry[] = [];
    for await (const live of inOrder(bin, readsAtOnce, (manifest) =>
      liveEntries(manifest, snapshotId, writer),
    ))
      entries.push(...live);
    for (const manifest of bin) replacements.set(manifest, undefined);
    if (entries.length === 0) continue;
    const minSequenceNumber = Math.min(...bin.map((manifest) => manifest.minSequenceNumber));
    replacements.set(first, {
      ...(await writer.manifest(snapshotId, entries)),
      sequenceNumber,
      minSequenceNumber,
    });
  }
  return manifests.flatMap((manifest) => {
    if (!replacements.has(manifest)) return [manifest];
    return replacements.get(manifest) ?? [];
  });
}

async function liveEntries(
  manifest: ManifestFile,
  snapshotId: bigint,
  writer: ManifestWriter,
): Promise<readonly ManifestEntry[]> {
  const { entries } = readManifest(await writer.read(manifest), manifest.manifestPath);
  return entries
    .map((entry) => inheritFrom(manifest, entry))
    .filter((entry) => entry.status !== 'deleted')
    .map((entry): ManifestEntry =>
      // What this very snapshot adds still inherits its sequence number: another attempt may get another one.
      entry.snapshotId === snapshotId && entry.status === 'added'
        ? { ...entry, sequenceNumber: undefined, fileSequenceNumber: undefined }
        : { ...entry, status: 'existing' },
    );
}

/** Iceberg spec, "Sequence Number Inheritance" and "Snapshot ID Inheritance". */
export function inheritFrom(manifest: ManifestFile, entry: ManifestEntry): ManifestEntry {
  const isInherited = entry.status === 'added' || manifest.sequenceNumber === 0;
  return {
    ...entry,
    snapshotId: entry.snapshotId ?? manifest.addedSnapshotId,
    sequenceNumber: entry.sequenceNumber ?? (isInherited ? manifest.sequenceNumber : undefined),
    fileSequenceNumber: entry.fileSequenceNumber ?? (isInherited ? manifest.sequenceNumber : undefined),
  };
}

/** In the order given, each at most the target size. */
function binsOf(
  manifests: readonly ManifestFile[],
  targetBytes: number,
): readonly (readonly ManifestFile[])[] {
  const bins: ManifestFile[][] = [];
  let sizeBytes = 0;
  for (const manifest of manifests) {
    const bin = bins.at(-1);
    if (bin === undefined || sizeBytes + manifest.manifestLength > targetBytes) {
      bins.push([manifest]);
      sizeBytes = manifest.manifestLength;
    } else {
      bin.push(manifest);
      sizeBytes += manifest.manifestLength;
    }
  }
  return bins;
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text ?? Number.NaN);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
