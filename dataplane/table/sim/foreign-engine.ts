import { ingestTag } from '../../iceberg/append.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import { EmbeddedCatalog } from '../../iceberg/catalogs/embedded/embedded-catalog.ts';
import { CatalogError } from '../../iceberg/errors.ts';
import type { ManifestEntry, ManifestFile } from '../../iceberg/manifest/manifest-entry.ts';
import { readManifest, writeManifest } from '../../iceberg/manifest/manifest-file.ts';
import { readManifestList, writeManifestList } from '../../iceberg/manifest/manifest-list.ts';
import { randomSnapshotId, randomUuid } from '../../iceberg/random-ids.ts';
import type { Snapshot } from '../../iceberg/table-metadata.ts';
import type { TableRequirement, TableUpdate } from '../../iceberg/table-update.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { keyOfLocation } from '../../store/locations.ts';
import { StoreError } from '../../store/errors.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import type { ForeignHarm } from './table-checker.ts';
import type { SimulatedTopic, TableSimulation } from './table-simulation.ts';

/**
 * An engine that is not ours, at the same catalog: it compacts and expires as maintenance does, adds columns, and does what
 * people do by mistake. It knows nothing of `firn.*`. Whatever it does may be refused, or have an unknown outcome.
 */
export class ForeignEngine {
  readonly process: SimulatedProcess;
  readonly #world: TableSimulation;
  readonly #store: ObjectStore;
  readonly #catalog: EmbeddedCatalog;
  readonly #repairing = new Set<string>();

  constructor(world: TableSimulation, name: string) {
    this.#world = world;
    this.process = world.time.process(name);
    this.#store = world.store.connect(this.process, { attemptTimeoutMs: 500 });
    this.#catalog = new EmbeddedCatalog(this.#store, this.process.runtime);
  }

  /** Puts live files into new ones, and leaves some as they are. */
  async compact(topic: SimulatedTopic): Promise<void> {
    await this.#attempt(topic, async (table) => {
      const { metadata } = table;
      const main = snapshotOf(table, 'main');
      if (main === undefined) return false;
      const { random } = this.#world;
      const entries: ManifestEntry[] = [];
      for (const { manifestPath } of readManifestList(await this.#read(main.manifestList), main.manifestList))
        for (const entry of readManifest(await this.#read(manifestPath), manifestPath).entries)
          if (entry.status !== 'deleted') entries.push(entry);
      if (entries.length === 0) return false;
      const snapshotId = randomSnapshotId(this.process.random);
      const sequenceNumber = metadata.lastSequenceNumber + 1;
      const rewritten: ManifestEntry[] = [];
      for (const { file } of entries) {
        const isMoved = random.chance(0.7);
        const filePath = isMoved
          ? `${metadata.location}/data/compacted-${randomUuid(this.process.random)}.parquet`
          : file.filePath;
        if (isMoved) await this.#store.put(this.#keyOf(filePath), await this.#read(file.filePath));
        rewritten.push({
          status: isMoved ? 'added' : 'existing',
          snapshotId,
          sequenceNumber: isMoved ? undefined : 1,
          fileSequenceNumber: isMoved ? undefined : 1,
          file: { ...file, filePath },
        });
      }
      const manifestList = await this.#writeSnapshot(table, snapshotId, sequenceNumber, main, rewritten);
      const snapshot: Snapshot = {
        snapshotId,
        parentSnapshotId: main.snapshotId,
        sequenceNumber,
        timestampMs: Math.max(this.process.runtime.wallMs(), metadata.lastUpdatedMs),
        manifestList,
        summary: { operation: 'replace' },
        schemaId: metadata.currentSchemaId,
      };
      await this.#commit(topic, table, main.snapshotId, [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
      ]);
      this.#world.count('compactions');
      return true;
    });
  }

  /** Removes snapshots that no ref names, then the files that only they had. */
  async expire(topic: SimulatedTopic): Promise<void> {
    await this.#attempt(topic, async (table) => {
      const { metadata } = table;
      const kept = new Set(Object.values(metadata.refs).map(({ snapshotId }) => snapshotId));
      const isKept = ({ snapshotId }: Snapshot): boolean =>
        kept.has(snapshotId) || this.#world.random.chance(0.2);
      const left = metadata.snapshots.filter(isKept);
      const gone = metadata.snapshots.filter((snapshot) => !left.includes(snapshot));
      if (gone.length === 0) return false;
      const { view } = this.#world.checker;
      const candidates = new Set(gone.flatMap((snapshot) => view.reachable(snapshot)));
      const after = await this.#commit(topic, table, snapshotOf(table, 'main')?.snapshotId, [
        { action: 'remove-snapshots', snapshotIds: gone.map(({ snapshotId }) => snapshotId) },
      ]);
      const used = new Set(after.metadata.snapshots.flatMap((snapshot) => view.reachable(snapshot)));
      await this.#store.deleteMany([...candidates].filter((key) => !used.has(key)));
      this.#world.count('expiries');
      return true;
    });
  }

  async addColumn(topic: SimulatedTopic): Promise<void> {
    await this.#attempt(topic, async (table) => {
      const { metadata } = table;
      const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId);
      if (schema === undefined) return false;
      const id = metadata.lastColumnId + 1;
      const field = { id, name: `extra_${id}`, required: false, type: { kind: 'long' } } as const;
      const schemaId = Math.max(...metadata.schemas.map((known) => known.schemaId)) + 1;
      const struct = { ...schema.struct, fields: [...schema.struct.fields, field] };
      await this.#commit(topic, table, snapshotOf(table, 'main')?.snapshotId, [
        { action: 'add-schema', schema: { ...schema, schemaId, struct }, lastColumnId: id },
        { action: 'set-current-schema', schemaId: -1 },
      ]);
      this.#world.count('columns');
      return true;
    });
  }

  /** Does harm, and sets it right after a while. */
  async harm(topic: SimulatedTopic, what: ForeignHarm): Promise<void> {
    const { checker, random } = this.#world;
    if (checker.harmOf(topic.pointerKey) !== undefined) return;
    await this.#attempt(topic, async (table) => {
      const tag = snapshotOf(table, ingestTag);
      if (tag === undefined) return false;
      await this.#doHarm(topic, table, tag, what);
      return true;
    });
    // Whether it has happened, also when it is said to have failed, the checker has seen.
    if (checker.harmOf(topic.pointerKey) !== undefined) this.#world.count('harms');
    await this.#world.sleep(random.logBetween(20, 2_500));
    await this.repair(topic);
  }

  async #doHarm(topic: SimulatedTopic, table: LoadedTable, tag: Snapshot, what: ForeignHarm): Promise<void> {
    const { identifier } = topic;
    switch (what) {
      case 'rolled back': {
        const older = table.metadata.snapshots.filter((one) => one.sequenceNumber < tag.sequenceNumber);
        if (older.length === 0) return;
        const { snapshotId } = this.#world.random.pick(older);
        await this.#commit(topic, table, snapshotOf(table, 'main')?.snapshotId, [
          { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
        ]);
        return;
      }
      case 'tag removed':
        await this.#commit(topic, table, snapshotOf(table, 'main')?.snapshotId, [
          { action: 'remove-snapshot-ref', refName: ingestTag },
        ]);
        return;
      case 'dropped':
        await this.#catalog.dropTable(identifier, { purge: false });
        return;
      case 'recreated':
        await this.#catalog.dropTable(identifier, { purge: false });
        await this.#catalog.createTable(identifier, {
          struct: {
            kind: 'struct',
            fields: [{ id: 1, name: 'name', required: false, type: { kind: 'string' } }],
          },
          properties: table.metadata.properties,
        });
    }
  }

  /** Puts the table back as it was before the harm. */
  async repair(topic: SimulatedTopic): Promise<void> {
    const { checker } = this.#world;
    // One at a time: who is late would bring back what the table was before others had set it right.
    if (this.#repairing.has(topic.name)) return;
    this.#repairing.add(topic.name);
    for (;;) {
      const harm = checker.harm(topic.pointerKey);
      if (harm === undefined) break;
      try {
        await this.#undo(topic, harm.what, harm.tag, harm.metadataLocation);
      } catch (error) {
        if (!(error instanceof CatalogError) && !(error instanceof StoreError)) throw error;
      }
      await this.#world.sleep(20);
    }
    this.#repairing.delete(topic.name);
  }

  async #undo(
    topic: SimulatedTopic,
    what: ForeignHarm,
    tag: bigint,
    metadataLocation: string,
  ): Promise<void> {
    const { identifier } = topic;
    if (what === 'dropped' || what === 'recreated') {
      if (await this.#catalog.tableExists(identifier))
        await this.#catalog.dropTable(identifier, { purge: false });
      await this.#catalog.registerTable(identifier, metadataLocation);
      return;
    }
    const table = await this.#catalog.loadTable(identifier);
    const ref =
      what === 'rolled back'
        ? ({ action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: tag } } as const)
        : ({
            action: 'set-snapshot-ref',
            refName: ingestTag,
            ref: { type: 'tag', snapshotId: tag },
          } as const);
    await this.#catalog.commitTable(
      identifier,
      [{ type: 'assert-table-uuid', uuid: table.metadata.tableUuid }],
      [ref],
    );
  }

  async #attempt(topic: SimulatedTopic, work: (table: LoadedTable) => Promise<boolean>): Promise<void> {
    if (this.#world.checker.harmOf(topic.pointerKey) !== undefined) return;
    try {
      const table = await this.#catalog.loadTable(topic.identifier);
      // Maintenance of a table that has just been harmed could make that good for ever.
      if (this.#world.checker.harmOf(topic.pointerKey) === undefined) await work(table);
    } catch (error) {
      // Somebody was faster, or the store had a bad moment; or a snapshot was expired while it was read.
      const isExpected =
        error instanceof CatalogError ||
        error instanceof StoreError ||
        (error instanceof Error && error.name === 'MissingFile');
      if (!isExpected) throw error;
    }
  }

  async #commit(
    topic: SimulatedTopic,
    { metadata }: LoadedTable,
    main: bigint | undefined,
    updates: readonly TableUpdate[],
  ): Promise<LoadedTable> {
    const requirements: TableRequirement[] = [
      { type: 'assert-table-uuid', uuid: metadata.tableUuid },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: main },
      { type: 'assert-current-schema-id', currentSchemaId: metadata.currentSchemaId },
    ];
    return await this.#catalog.commitTable(topic.identifier, requirements, updates);
  }

  async #writeSnapshot(
    { metadata }: LoadedTable,
    snapshotId: bigint,
    sequenceNumber: number,
    parent: Snapshot,
    entries: readonly ManifestEntry[],
  ): Promise<string> {
    const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId);
    const spec = metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId);
    if (schema === undefined || spec === undefined) throw new Error('the table lacks its schema or its spec');
    const syncMarker = this.process.random.bytes(16);
    const manifestPath = `${metadata.location}/metadata/${randomUuid(this.process.random)}-m0.avro`;
    const bytes = writeManifest({ schema, spec, syncMarker }, entries);
    await this.#store.put(this.#keyOf(manifestPath), bytes);
    const added = entries.filter(({ status }) => status === 'added');
    const existing = entries.filter(({ status }) => status === 'existing');
    const rows = (list: readonly ManifestEntry[]): number =>
      list.reduce((sum, { file }) => sum + file.recordCount, 0);
    const manifest: ManifestFile = {
      manifestPath,
      manifestLength: bytes.byteLength,
      partitionSpecId: spec.specId,
      content: 'data',
      sequenceNumber,
      minSequenceNumber: 1,
      addedSnapshotId: snapshotId,
      addedFilesCount: added.length,
      existingFilesCount: existing.length,
      deletedFilesCount: 0,
      addedRowsCount: rows(added),
      existingRowsCount: rows(existing),
      deletedRowsCount: 0,
      partitions: [],
    };
    const manifestList = `${metadata.location}/metadata/snap-${snapshotId}.avro`;
    const list = { snapshotId, sequenceNumber, parentSnapshotId: parent.snapshotId, syncMarker };
    await this.#store.put(this.#keyOf(manifestList), writeManifestList(list, [manifest]));
    return manifestList;
  }

  async #read(location: string): Promise<Uint8Array> {
    const found = await this.#store.get(this.#keyOf(location));
    if (found.kind === 'found') return found.body;
    const error = new Error(`${location} is gone`);
    error.name = 'MissingFile';
    throw error;
  }

  #keyOf(location: string): string {
    const key = keyOfLocation(this.#store, location);
    if (key === undefined) throw new Error(`${location} lies outside of the store`);
    return key;
  }
}

function snapshotOf({ metadata }: LoadedTable, ref: string): Snapshot | undefined {
  const id = metadata.refs[ref]?.snapshotId;
  return metadata.snapshots.find(({ snapshotId }) => snapshotId === id);
}
