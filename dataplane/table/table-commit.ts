import { ingestTag } from '../iceberg/append.ts';
import type { Catalog, LoadedTable, TableIdentifier } from '../iceberg/catalog.ts';
import { CatalogError } from '../iceberg/errors.ts';
import type { TableRequirement, TableUpdate } from '../iceberg/table-update.ts';
import type { RunningState } from '../runtime/running-state.ts';
import type { CrashPoints } from './crash-points.ts';
import { TableStop } from './errors.ts';
import type { IngestSource, Summary } from './ingest-state.ts';
import { judge } from './table-verdict.ts';
import type { CommittableFile } from './table-workers.ts';

/** A snapshot that is ready to be asked for: its manifests are in the store. */
export interface BuiltSnapshot {
  readonly snapshotId: bigint;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
  /** Locations of the manifests and the manifest list that were written for it, and are in no other snapshot. */
  readonly written: readonly string[];
}

/**
 * Writes manifests for a snapshot on top of `main` as `table` has it, with `files` added. Its requirements are the table's
 * uuid, both refs as `table` has them (or that they are not there), schema and partition spec; its updates add the snapshot
 * and set both refs.
 */
export type BuildSnapshot = (
  request: {
    readonly table: LoadedTable;
    readonly files: readonly CommittableFile[];
    readonly summary: Summary;
  },
  signal: AbortSignal,
) => Promise<BuiltSnapshot>;

export interface CommitCounters {
  /** By what became of an attempt. */
  commits: number;
  claims: number;
  conflicts: number;
  unknownOutcomes: number;
  unavailable: number;
}

/** What the commits of one coordinator have in common. */
export interface CommitContext {
  readonly catalog: Catalog;
  readonly identifier: TableIdentifier;
  /** For messages. */
  readonly name: string;
  readonly source: IngestSource;
  readonly epoch: number;
  readonly build: BuildSnapshot;
  readonly state: RunningState;
  readonly crashPoint: CrashPoints;
  readonly counters: CommitCounters;
  readonly onProblem: (what: string, error: unknown) => void;
  /** Nothing can be committed now, and it is tried again: until a commit is applied. */
  readonly onFailing: (code: string, error: CatalogError) => void;
}

export type CommitResult =
  | {
      readonly kind: 'applied';
      readonly table: LoadedTable;
      /** What was written for attempts that were not applied, and now cannot be any more. */
      readonly garbage: readonly string[];
    }
  /** Another coordinator's change came first, as it may before we have claimed the table. Nothing of ours was applied. */
  | { readonly kind: 'moved' };

/**
 * Makes one change of the table happen: asks the catalog for a snapshot, and when that is refused, or its outcome is not
 * known, loads the table again and decides (tables.md §7, 4 to 6). Whatever is asked for again asserts the same tag, so
 * that of all attempts at most one can ever be applied; nothing else is begun before one has been.
 *
 * @throws TableStop when nothing may be written any more; the reason of `context.state.signal` when it aborts: an attempt
 * may land after that
 */
export async function commitSnapshot(
  context: CommitContext,
  base: LoadedTable,
  files: readonly CommittableFile[],
  summary: Summary,
): Promise<CommitResult> {
  const { catalog, identifier, state, crashPoint } = context;
  const { signal } = state;
  const tag = base.metadata.refs[ingestTag]?.snapshotId;
  const attempts = new Map<bigint, readonly string[]>();
  let table = base;
  for (;;) {
    const built = await context.build({ table, files, summary }, signal);
    attempts.set(built.snapshotId, built.written);
    crashPoint('coordinator.manifests.put');
    try {
      crashPoint('coordinator.commit.before');
      const { requirements, updates } = built;
      const applied = await catalog.commitTable(identifier, requirements, updates, signal);
      crashPoint('coordinator.commit.after');
      return { kind: 'applied', table: applied, garbage: garbageOf(attempts, built.snapshotId) };
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error;
      await heard(context, error);
    }
    table = await loadTable(context);
    const verdict = judge(table.metadata, {
      name: context.name,
      uuid: base.metadata.tableUuid,
      source: context.source,
      epoch: context.epoch,
      tag,
      attempts: new Set(attempts.keys()),
    });
    crashPoint('coordinator.resolved');
    if (verdict === 'moved') return { kind: 'moved' };
    if (verdict === 'applied') {
      const winner = table.metadata.refs[ingestTag]?.snapshotId;
      return { kind: 'applied', table, garbage: garbageOf(attempts, winner) };
    }
    await state.backoff();
  }
}

/** Returns when the table has to tell what became of the attempt. */
async function heard(context: CommitContext, error: CatalogError): Promise<void> {
  const { counters, crashPoint, state, name, onProblem, onFailing } = context;
  switch (error.code) {
    case 'CONFLICT':
      counters.conflicts += 1;
      crashPoint('coordinator.conflict');
      return;
    case 'UNKNOWN_OUTCOME':
      counters.unknownOutcomes += 1;
      onFailing(error.code, error);
      onProblem(`a commit to table ${name} has an unknown outcome and is looked for`, error);
      crashPoint('coordinator.unknown');
      return;
    case 'UNAVAILABLE':
      counters.unavailable += 1;
      onFailing(error.code, error);
      onProblem(`a commit to table ${name} is tried again`, error);
      await state.backoff();
      state.signal.throwIfAborted();
      return;
    case 'NO_SUCH_TABLE':
    case 'NO_SUCH_NAMESPACE':
      throw dropped(name, error);
    case 'REFUSED':
    case 'UNSUPPORTED':
    case 'ALREADY_EXISTS':
    case 'NAMESPACE_NOT_EMPTY':
      throw new TableStop(
        'CATALOG_REFUSED',
        `the catalog refuses a commit to table ${name}: ${error.message}`,
        error,
      );
  }
}

/** Loads the table, again and again until the catalog answers. */
async function loadTable(context: CommitContext): Promise<LoadedTable> {
  const { catalog, identifier, name, state, onProblem, onFailing } = context;
  for (;;) {
    try {
      return await catalog.loadTable(identifier, state.signal);
    } catch (error) {
      state.signal.throwIfAborted();
      if (!(error instanceof CatalogError)) throw error;
      if (error.code === 'NO_SUCH_TABLE' || error.code === 'NO_SUCH_NAMESPACE') throw dropped(name, error);
      if (!error.retriable)
        throw new TableStop('CATALOG_REFUSED', `table ${name} cannot be loaded: ${error.message}`, error);
      onFailing(error.code, error);
      onProblem(`table ${name} could not be loaded`, error);
    }
    await state.backoff();
    state.signal.throwIfAborted();
  }
}

export function dropped(name: string, cause?: unknown): TableStop {
  return new TableStop(
    'TABLE_DROPPED',
    `table ${name} is gone; its rows went with it, and the records before the last commit are perhaps no longer in the ` +
      'topic: bring the table back, or give the topic another table.topic.namespace',
    cause,
  );
}

function garbageOf(
  attempts: ReadonlyMap<bigint, readonly string[]>,
  applied: bigint | undefined,
): readonly string[] {
  const kept = new Set(applied === undefined ? [] : attempts.get(applied));
  return [...attempts.values()].flat().filter((location) => !kept.has(location));
}
