import type { TableSchema } from '../schema/table-type.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { CatalogError, FormatError } from './errors.ts';
import type { FileIo } from './file-io.ts';
import type { AddedFile, ManifestEntry, ManifestFile } from './manifest/manifest-entry.ts';
import { writeManifest } from './manifest/manifest-file.ts';
import { readManifestList, writeManifestList } from './manifest/manifest-list.ts';
import { mergeSmallManifests } from './manifest/merge-manifests.ts';
import { metadataFolder } from './metadata-folder.ts';
import { randomSnapshotId, randomUuid } from './random-ids.ts';
import { appendSummary } from './snapshot-summary.ts';
import type { PartitionSpec, Snapshot, TableMetadata } from './table-metadata.ts';
import type { TableRequirement, TableUpdate } from './table-update.ts';

/** The tag on our last snapshot: it holds the state of ingestion, and never expires. */
export const ingestTag = 'firn.ingest';

export interface AppendRequest {
  /** The table as it was loaded: the new snapshot's parent is its current one. */
  readonly metadata: TableMetadata;
  /** None: a snapshot that only carries a summary (the claim). */
  readonly files: readonly AddedFile[];
  /** Our keys of the summary, `firn.*`. */
  readonly summary: Readonly<Record<string, string>>;
  /**
   * What the refs must be for the commit to be applied; undefined: absent. `main` is compared with `metadata` at once: a
   * CONFLICT when it differs.
   */
  readonly expected: { readonly main: bigint | undefined; readonly ingest: bigint | undefined };
  /**
   * `written` of an earlier attempt at the same append, whose commit failed or whose outcome was not known: the same
   * snapshot id and, while schema and spec are the same, the same manifest. Two attempts can never both be applied: they
   * expect the same tag.
   */
  readonly earlier?: WrittenAppend | undefined;
}

export interface WrittenAppend {
  readonly snapshotId: bigint;
  readonly files: readonly AddedFile[];
  /** Undefined when there were no files. */
  readonly manifest: ManifestFile | undefined;
  readonly schemaId: number;
}

/** What {@link Catalog.commitTable} is to be given. */
export interface AppendCommit {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  readonly snapshot: Snapshot;
  /** For a new attempt: see {@link AppendRequest.earlier}. */
  readonly written: WrittenAppend;
  /** Files that this attempt wrote: unreferenced for ever once it is certain that the commit was not and will not be applied. */
  readonly writtenLocations: readonly string[];
}

/**
 * Writes what a snapshot needs that adds files to a table, and says what to commit. The manifests of the parent are carried
 * over; when there are many small ones, they are merged (`mergeSmallManifests`). Whatever fails here, or is given up,
 * leaves files that nothing refers to, and no change of the table.
 *
 * Rejects with a `CatalogError` (CONFLICT, UNSUPPORTED), with a `FormatError` when the table's own files cannot be read, or
 * with the store's error.
 */
export async function buildAppend(
  io: FileIo,
  runtime: Runtime,
  request: AppendRequest,
  signal?: AbortSignal,
): Promise<AppendCommit> {
  const { metadata, files, expected } = request;
  if (metadata.currentSnapshotId !== expected.main) {
    const now = metadata.currentSnapshotId ?? 'absent';
    throw new CatalogError(
      'CONFLICT',
      `branch main has changed: expected id ${expected.main ?? 'absent'} != ${now}`,
    );
  }
  const parent = metadata.snapshots.find(({ snapshotId }) => snapshotId === expected.main);
  const writer = new SnapshotWriter(io, runtime, metadata, signal);

  const { earlier } = request;
  const snapshotId = earlier?.snapshotId ?? randomSnapshotId(runtime.random);
  const sequenceNumber = metadata.lastSequenceNumber + 1;
  const canReuse = earlier?.schemaId === writer.schema.schemaId && earlier.files === files;
  const reused =
    canReuse && earlier.manifest?.partitionSpecId === writer.spec.specId ? earlier.manifest : undefined;
  const manifest =
    files.length === 0
      ? undefined
      : {
          ...(reused ?? (await writer.manifestOf(snapshotId, files))),
          sequenceNumber,
          minSequenceNumber: sequenceNumber,
        };

  const carried = parent === undefined ? [] : await writer.manifestsOf(parent);
  const manifests = await mergeSmallManifests(
    manifest === undefined ? carried : [manifest, ...carried],
    { snapshotId, sequenceNumber, specId: writer.spec.specId, properties: metadata.properties },
    writer,
  );
  const manifestList = await writer.manifestList({ snapshotId, sequenceNumber, parent }, manifests);
  const snapshot: Snapshot = {
    snapshotId,
    parentSnapshotId: parent?.snapshotId,
    sequenceNumber,
    // Never before the table's last change: readers refuse metadata that goes back in time.
    timestampMs: Math.max(runtime.wallMs(), metadata.lastUpdatedMs),
    manifestList,
    summary: appendSummary(parent, files, request.summary),
    schemaId: writer.schema.schemaId,
  };
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata.tableUuid },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: expected.main },
      { type: 'assert-ref-snapshot-id', ref: ingestTag, snapshotId: expected.ingest },
      { type: 'assert-current-schema-id', currentSchemaId: metadata.currentSchemaId },
      { type: 'assert-default-spec-id', defaultSpecId: metadata.defaultSpecId },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      {
        action: 'set-snapshot-ref',
        refName: 'main',
        ref: { ...metadata.refs['main'], snapshotId, type: 'branch' },
      },
      { action: 'set-snapshot-ref', refName: ingestTag, ref: { snapshotId, type: 'tag' } },
    ],
    snapshot,
    written: { snapshotId, files, manifest, schemaId: writer.schema.schemaId },
    writtenLocations: writer.locations,
  };
}

/** Writes files beside the table's metadata, under random names. */
class SnapshotWriter {
  readonly schema: TableSchema;
  readonly spec: PartitionSpec;
  readonly locations: string[] = [];
  readonly #io: FileIo;
  readonly #runtime: Runtime;
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;

  constructor(io: FileIo, runtime: Runtime, metadata: TableMetadata, signal: AbortSignal | undefined) {
    this.#io = io;
    this.#runtime = runtime;
    this.#signal = signal;
    this.#folder = metadataFolder(metadata);
    this.schema = byId(metadata.schemas, ({ schemaId }) => schemaId, metadata.currentSchemaId);
    this.spec = byId(metadata.partitionSpecs, ({ specId }) => specId, metadata.defaultSpecId);
  }

  async manifestsOf(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    const { manifestList } = snapshot;
    return readManifestList(await this.#io.read(manifestList, this.#signal), manifestList);
  }

  /** A file that was cut off between two blocks is well-formed Avro: only its length tells. */
  async read({ manifestPath, manifestLength }: ManifestFile): Promise<Uint8Array> {
    const bytes = await this.#io.read(manifestPath, this.#signal);
    if (bytes.byteLength === manifestLength) return bytes;
    const what = `has ${bytes.byteLength} bytes, the manifest list says ${manifestLength}`;
    throw new FormatError('INVALID', { source: manifestPath, field: '' }, what);
  }

  manifestOf(
    snapshotId: bigint,
    files: readonly AddedFile[],
  ): Promise<Omit<ManifestFile, 'sequenceNumber' | 'minSequenceNumber'>> {
    return this.manifest(
      snapshotId,
      files.map((file): ManifestEntry => ({
        status: 'added',
        snapshotId,
        // Inherited from the commit, so that the manifest can be used again on another base.
        sequenceNumber: undefined,
        fileSequenceNumber: undefined,
        file: {
          content: 'data',
          filePath: file.location,
          fileFormat: 'PARQUET',
          partition: new Map(),
          recordCount: file.recordCount,
          fileSizeBytes: file.sizeBytes,
          metrics: file.metrics,
          sortOrderId: 0,
        },
      })),
    );
  }

  async manifest(
    snapshotId: bigint,
    entries: readonly ManifestEntry[],
  ): Promise<Omit<ManifestFile, 'sequenceNumber' | 'minSequenceNumber'>> {
    const bytes = writeManifest(
      { schema: this.schema, spec: this.spec, syncMarker: this.#syncMarker() },
      entries,
    );
    const manifestPath = await this.#write(`${randomUuid(this.#runtime.random)}-m0.avro`, bytes);
    const of = (status: ManifestEntry['status']): readonly ManifestEntry[] =>
      entries.filter((entry) => entry.status === status);
    return {
      manifestPath,
      manifestLength: bytes.byteLength,
      partitionSpecId: this.spec.specId,
      content: 'data',
      addedSnapshotId: snapshotId,
      addedFilesCount: of('added').length,
      existingFilesCount: of('existing').length,
      deletedFilesCount: of('deleted').length,
      addedRowsCount: rowsOf(of('added')),
      existingRowsCount: rowsOf(of('existing')),
      deletedRowsCount: rowsOf(of('deleted')),
      partitions: [],
    };
  }

  async manifestList(
    of: {
      readonly snapshotId: bigint;
      readonly sequenceNumber: number;
      readonly parent: Snapshot | undefined;
    },
    manifests: readonly ManifestFile[],
  ): Promise<string> {
    const { snapshotId, sequenceNumber, parent } = of;
    const options = {
      snapshotId,
      sequenceNumber,
      parentSnapshotId: parent?.snapshotId,
      syncMarker: this.#syncMarker(),
    };
    const name = `snap-${snapshotId}-1-${randomUuid(this.#runtime.random)}.avro`;
    return await this.#write(name, writeManifestList(options, manifests));
  }

  async #write(name: string, bytes: Uint8Array): Promise<string> {
    const location = `${this.#folder}/${name}`;
    this.locations.push(location);
    await this.#io.write(location, bytes, this.#signal);
    return location;
  }

  #syncMarker(): Uint8Array {
    return this.#runtime.random.bytes(16);
  }
}

function rowsOf(entries: readonly ManifestEntry[]): number {
  return entries.reduce((sum, { file }) => sum + file.recordCount, 0);
}

function byId<T>(items: readonly T[], idOf: (item: T) => number, id: number): T {
  const found = items.find((item) => idOf(item) === id);
  if (found === undefined)
    throw new CatalogError('REFUSED', `the table's metadata names id ${id}, which it does not have`);
  return found;
}
