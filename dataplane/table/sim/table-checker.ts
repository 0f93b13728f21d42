import { ingestTag } from '../../iceberg/append.ts';
import type { TableMetadata } from '../../iceberg/table-metadata.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { ApplyEvent } from '../../store/simulated/observation.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { decodeIngestState } from '../ingest-state.ts';
import type { IngestState } from '../ingest-state.ts';
import type { RecordHistory } from './record-history.ts';
import { TableView, pointersPrefix } from './table-view.ts';
import type { TableRow } from './table-rows.ts';
import { TableViolation } from './violation.ts';
import type { Invariant } from './violation.ts';

/** What somebody who is no broker has done to a table, until that is set right again. */
export type ForeignHarm = 'rolled back' | 'dropped' | 'recreated' | 'tag removed';

export interface Harm {
  readonly what: ForeignHarm;
  /** What there was right after: nobody may move its refs but who sets it right. */
  readonly metadata: TableMetadata | undefined;
  /** How it was before. */
  readonly tag: bigint;
  readonly metadataLocation: string;
}

interface CheckedTable {
  readonly topic: string;
  readonly history: RecordHistory;
  uuid: string | undefined;
  ingest: IngestState | undefined;
  tag: bigint | undefined;
  /** Where its metadata lay when it was last as it should be. */
  metadataLocation: string | undefined;
  harm: Harm | undefined;
  /** Keys that the table references. */
  reachable: ReadonlySet<string>;
}

/**
 * The invariants of tables.md §7, checked from outside at every instant at which a table changes or a file is deleted.
 * It works on the bytes in the store, reads data files with another implementation, and compares them with what producers
 * have sent.
 */
export class TableChecker {
  readonly view: TableView;
  readonly #time: VirtualTime;
  readonly #tables = new Map<string, CheckedTable>();
  readonly #foreigner: string;
  readonly #leadingEpoch: (topic: string) => number;
  claims = 0;
  coordinatorChanges = 0;
  commits = 0;

  constructor(
    time: VirtualTime,
    store: SimulatedStore,
    options: {
      readonly keyOf: (location: string) => string;
      /** Process of the engine that is not ours. */
      readonly foreigner: string;
      /** The highest epoch of a coordinator of this topic that has begun to commit. */
      readonly leadingEpoch: (topic: string) => number;
    },
  ) {
    this.#time = time;
    this.#foreigner = options.foreigner;
    this.#leadingEpoch = options.leadingEpoch;
    this.view = new TableView(store, options.keyOf);
    store.onApply((event) => {
      try {
        this.#applied(event);
      } catch (error) {
        time.fail(error);
      }
    });
  }

  expect(pointerKey: string, topic: string, history: RecordHistory): void {
    this.#tables.set(pointerKey, {
      topic,
      history,
      uuid: undefined,
      ingest: undefined,
      tag: undefined,
      metadataLocation: undefined,
      harm: undefined,
      reachable: new Set(),
    });
  }

  /** What our last snapshot of a table says. */
  ingest(pointerKey: string): IngestState | undefined {
    return this.#table(pointerKey).ingest;
  }

  harmOf(pointerKey: string): ForeignHarm | undefined {
    return this.#table(pointerKey).harm?.what;
  }

  harm(pointerKey: string): Harm | undefined {
    return this.#table(pointerKey).harm;
  }

  #applied({ operation, key, result, process }: ApplyEvent): void {
    if (result === 'deleted') {
      for (const { topic, reachable } of this.#tables.values())
        if (reachable.has(key))
          throw new TableViolation('reference safety', `${process} deletes ${key} of table ${topic}`);
      return;
    }
    if (
      operation === 'put' &&
      result === 'written' &&
      key.startsWith(pointersPrefix) &&
      this.#tables.has(key)
    )
      this.#check(key, process);
  }

  #check(pointerKey: string, process: string): void {
    const table = this.#table(pointerKey);
    const metadata = this.view.table(pointerKey);
    if (process === this.#foreigner) table.harm = harmOf(table, metadata);
    else if (table.harm !== undefined) checkUntouched(table.topic, table.harm, metadata);
    if (table.harm !== undefined) {
      // Of a table that is gone all files are kept, so that it can be brought back.
      if (metadata?.tableUuid === table.uuid && metadata !== undefined)
        table.reachable = this.#reachable(metadata);
      return;
    }
    if (metadata === undefined) return;
    table.metadataLocation = this.view.metadataLocation(pointerKey);
    this.#checkContent(table, metadata);
  }

  #checkContent(table: CheckedTable, metadata: TableMetadata): void {
    table.reachable = this.#reachable(metadata);
    this.#compare(table, metadata).catch((error: unknown) => {
      this.#time.fail(error);
    });
  }

  #reachable({ snapshots }: TableMetadata): ReadonlySet<string> {
    return new Set(snapshots.flatMap((snapshot) => this.view.reachable(snapshot)));
  }

  /** All in the instant of the change: nothing here waits for anything but promises that are settled. */
  async #compare(table: CheckedTable, metadata: TableMetadata): Promise<void> {
    const { topic } = table;
    const tag = metadata.refs[ingestTag]?.snapshotId;
    const main = metadata.refs['main']?.snapshotId;
    if (tag === undefined) {
      if (table.tag !== undefined) throw new TableViolation('monotone tag', `${topic}: the tag is gone`);
      if (main !== undefined)
        throw new TableViolation('offsets', `${topic}: main has a snapshot, and no tag`);
      return;
    }
    const snapshotOf = (id: bigint | undefined): TableMetadata['snapshots'][number] => {
      const snapshot = metadata.snapshots.find(({ snapshotId }) => snapshotId === id);
      if (snapshot === undefined)
        throw new TableViolation('offsets', `${topic}: snapshot ${id ?? 'none'} of a ref is not there`);
      return snapshot;
    };
    const ingest = await decodeIngestState(snapshotOf(tag).summary, {
      put: () => Promise.reject(new Error('the checker writes nothing')),
      get: () => Promise.reject(new Error('offsets lie in the summary')),
    });
    this.#checkProgress(table, metadata, tag, ingest);
    const rows = new Map<number, TableRow[]>();
    for (const file of this.view.dataFiles(snapshotOf(main))) {
      for (const row of await this.view.rows(file)) {
        const list = rows.get(row.partition);
        if (list === undefined) rows.set(row.partition, [row]);
        else list.push(row);
      }
    }
    for (const partition of new Set([...rows.keys(), ...ingest.offsets.keys()]))
      checkRows(table.history, partition, rows.get(partition) ?? [], ingest.offsets.get(partition) ?? 0);
  }

  #checkProgress(table: CheckedTable, metadata: TableMetadata, tag: bigint, ingest: IngestState): void {
    const { topic, ingest: before } = table;
    const back = (what: string): TableViolation => new TableViolation('monotone tag', `${topic}: ${what}`);
    if (table.uuid !== undefined && table.uuid !== metadata.tableUuid)
      throw new TableViolation('no revival', `${topic}: another table than ${table.uuid} is filled`);
    if (before !== undefined && tag !== table.tag) {
      if (ingest.epoch < before.epoch) throw back(`epoch ${before.epoch} is followed by ${ingest.epoch}`);
      if (ingest.commitSeq < before.commitSeq)
        throw back(`commit ${before.commitSeq} is followed by ${ingest.commitSeq}`);
      for (const [partition, offset] of before.offsets)
        if ((ingest.offsets.get(partition) ?? 0) < offset)
          throw back(`offset ${offset} of ${partition} is followed by ${ingest.offsets.get(partition) ?? 0}`);
    }
    if (tag !== table.tag) {
      const leading = this.#leadingEpoch(topic);
      if (ingest.epoch < leading)
        throw new TableViolation(
          'fencing',
          `${topic}: the coordinator of epoch ${ingest.epoch} commits, although that of ${leading} does`,
        );
      if (ingest.commitSeq === before?.commitSeq || before === undefined) this.claims += 1;
      else this.commits += 1;
      if (ingest.epoch !== before?.epoch) this.coordinatorChanges += 1;
    }
    table.uuid = metadata.tableUuid;
    table.tag = tag;
    table.ingest = ingest;
  }

  #table(pointerKey: string): CheckedTable {
    const table = this.#tables.get(pointerKey);
    if (table === undefined) throw new Error(`nobody expects a table at ${pointerKey}`);
    return table;
  }

  violation(invariant: Invariant, what: string): void {
    this.#time.fail(new TableViolation(invariant, what));
  }
}

function checkRows(
  history: RecordHistory,
  partition: number,
  rows: readonly TableRow[],
  committed: number,
): void {
  const where = `${history.topic}/${partition}`;
  let next = 0;
  for (const row of rows.toSorted((a, b) => a.offset - b.offset)) {
    if (row.offset < next)
      throw new TableViolation('no duplicates', `${where}: offset ${row.offset} is in the table twice`);
    const missing = history.firstNeeded(partition, next, row.offset);
    if (missing !== undefined)
      throw new TableViolation('no gaps', `${where}: offset ${missing} is missing before ${row.offset}`);
    history.seen(row);
    next = row.offset + 1;
  }
  if (next > committed)
    throw new TableViolation('offsets', `${where}: rows end at ${next}, the summary says ${committed}`);
  if (history.firstNeeded(partition, next, committed) !== undefined)
    throw new TableViolation('no gaps', `${where}: rows end at ${next}, the summary says ${committed}`);
}

/** What somebody has done to a table, as it is now; `undefined`: it is as it should be. */
function harmOf(table: CheckedTable, metadata: TableMetadata | undefined): Harm | undefined {
  const { uuid, tag, metadataLocation } = table;
  if (uuid === undefined || tag === undefined || metadataLocation === undefined) return undefined;
  const harm = (what: ForeignHarm): Harm => ({ what, metadata, tag, metadataLocation });
  if (metadata === undefined) return harm('dropped');
  if (metadata.tableUuid !== uuid) return harm('recreated');
  if (metadata.refs[ingestTag]?.snapshotId !== tag) return harm('tag removed');
  return isBelow(metadata, tag) ? undefined : harm('rolled back');
}

/** Whether a snapshot is one of those that `main` was made of, as far as they have not expired. */
function isBelow(metadata: TableMetadata, wanted: bigint): boolean {
  const find = (id: bigint | undefined): TableMetadata['snapshots'][number] | undefined =>
    metadata.snapshots.find(({ snapshotId }) => snapshotId === id);
  const sequenceNumber = find(wanted)?.sequenceNumber ?? 0;
  let at = metadata.refs['main']?.snapshotId;
  while (at !== undefined && at !== wanted) {
    const snapshot = find(at);
    if (snapshot === undefined) return true;
    if (snapshot.sequenceNumber < sequenceNumber) return false;
    at = snapshot.parentSnapshotId;
  }
  return at === wanted;
}

/** A table that was harmed is left alone. A zombie may leave an empty one where one was dropped: see `openTable`. */
function checkUntouched(
  topic: string,
  { what, metadata: before }: NonNullable<CheckedTable['harm']>,
  now: TableMetadata | undefined,
): void {
  if (now === undefined || (before === undefined && now.snapshots.length === 0)) return;
  const refs = (metadata: TableMetadata | undefined): string =>
    JSON.stringify([
      metadata?.tableUuid,
      String(metadata?.refs['main']?.snapshotId),
      String(metadata?.refs[ingestTag]?.snapshotId),
    ]);
  if (refs(before) !== refs(now))
    throw new TableViolation('no revival', `${topic} was ${what}, and a broker writes to it all the same`);
}
