import type { LoadedTable, TableIdentifier } from '../iceberg/catalog.ts';
import { RunningState } from '../runtime/running-state.ts';
import type { Service } from '../runtime/service.ts';
import type { StructType } from '../schema/table-type.ts';
import { ingestTag } from '../iceberg/append.ts';
import { CommitPace } from './commit-pace.ts';
import { planCommit } from './commit-plan.ts';
import type { CoordinatorContext } from './coordinator-context.ts';
import { TableStop, invariant } from './errors.ts';
import type { IngestSource, IngestState, Summary } from './ingest-state.ts';
import {
  claimSummary,
  decodeIngestState,
  encodeIngestState,
  summaryKeys,
  unknownKeys,
} from './ingest-state.ts';
import { OffsetVectors } from './offset-vectors.ts';
import { columnsOf } from './table-columns.ts';
import { commitSnapshot } from './table-commit.ts';
import type { CommitContext } from './table-commit.ts';
import { openTable } from './table-opening.ts';
import type { TableSettings } from './table-settings.ts';
import { tagMoved, tagSnapshot } from './table-verdict.ts';
import type { Committable, TableTarget } from './table-workers.ts';
import { WakeUp } from './wake-up.ts';
import { WorkerCalls } from './worker-calls.ts';

export type CoordinatorPhase =
  /** Finds or creates the table, and claims it. */
  | 'opening'
  /** There is no table yet, and no schema to make its columns of. */
  | 'waiting-for-schema'
  | 'committing'
  /** See `lastError`. It looks again from time to time, unless it was superseded. */
  | 'stopped';

/** What a coordinator tells of itself. */
export interface CoordinatorStatus {
  readonly identifier: TableIdentifier;
  readonly epoch: number;
  readonly phase: CoordinatorPhase;
  readonly commitSeq: number | undefined;
  /** Milliseconds since 1970, by this process's clock. */
  readonly lastCommitMs: number | undefined;
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
  readonly offsets: ReadonlyMap<number, number>;
  /** By partition: the newest time of a record that this coordinator has committed, milliseconds since 1970. */
  readonly newestMs: ReadonlyMap<number, number>;
  /** When those before it last committed, or claimed, milliseconds since 1970: about as new is what they have committed. */
  readonly ingestedMs: number | undefined;
  /** By partition: why nobody works on it. */
  readonly unreachable: ReadonlyMap<number, string>;
}

/** The table as this coordinator knows it after its last change of it. */
interface Claimed {
  readonly table: LoadedTable;
  readonly ingest: IngestState;
  /** Keys of newer releases, repeated by every commit. */
  readonly others: Summary;
  /** Key of the object with its offsets, if they lie in one; and of the one before it. */
  readonly vectors: readonly string[];
}

/** How long after it has stopped a coordinator looks whether somebody has set things right. */
const stoppedRetryMs = 10_000;

/**
 * The only one who writes to a topic's table: at the broker that owns partition 0, with that partition's leader epoch,
 * which the log has fenced (tables.md §7).
 *
 * ```
 *   open table ─▶ claim it: an empty snapshot with our epoch ─▶ ┌─▶ wait ─▶ collect files ─▶ commit them ─┐
 *                                                               └──────────────────────────────────────────┘
 * ```
 *
 * From the claim on no older coordinator's commit can be applied, since each asserts the tag that it saw. One commit is
 * under way at a time, and its outcome is known before anything else begins. What it knows is in the table: another
 * coordinator can go on at any moment.
 */
export class Coordinator implements Service {
  readonly id: string;
  readonly #context: CoordinatorContext;
  readonly #source: IngestSource;
  readonly #identifier: TableIdentifier;
  readonly #name: string;
  readonly #state: RunningState;
  readonly #pace: CommitPace;
  readonly #updated = new WakeUp();
  readonly #commits: CommitContext;
  readonly #vectors: OffsetVectors;
  readonly #calls: WorkerCalls;
  readonly #newestMs = new Map<number, number>();
  #settings: TableSettings;
  #phase: CoordinatorPhase = 'opening';
  #claimed: Claimed | undefined;
  #lastCommitMs: number | undefined;
  #ingestedMs: number | undefined;
  #lastError: CoordinatorStatus['lastError'];
  /** Files that are in no snapshot and cannot come into one once a later commit than theirs is applied. */
  #garbage: string[] = [];
  #ran: Promise<void> = Promise.resolve();

  constructor(context: CoordinatorContext) {
    this.#context = context;
    const { topicId, clusterId, settings, epoch, runtime } = context;
    this.id = `table coordinator of ${topicId}`;
    this.#source = { clusterId, topicId };
    this.#settings = settings;
    this.#identifier = { namespace: settings.namespace, name: settings.tableName };
    this.#name = [...settings.namespace, settings.tableName].join('.');
    this.#state = new RunningState(runtime);
    const intervalMs = (): number => this.#settings.commitIntervalMs;
    this.#pace = new CommitPace(runtime, this.#state, intervalMs);
    this.#calls = new WorkerCalls(context, this.#state.signal, intervalMs);
    this.#vectors = new OffsetVectors(context.store, runtime, topicId, this.#state.signal);
    this.#commits = {
      catalog: context.catalog,
      identifier: this.#identifier,
      name: this.#name,
      source: this.#source,
      epoch,
      build: context.build,
      state: this.#state,
      crashPoint: context.crashPoint,
      counters: context.counters,
      onProblem: context.onProblem,
      onFailing: (code, error) => {
        this.#noteFailure(code, error.message);
      },
    };
  }

  get status(): CoordinatorStatus {
    const { ingest } = this.#claimed ?? {};
    return {
      identifier: this.#identifier,
      epoch: this.#context.epoch,
      phase: this.#phase,
      commitSeq: ingest?.commitSeq,
      lastCommitMs: this.#lastCommitMs,
      lastError: this.#lastError,
      offsets: ingest?.offsets ?? noOffsets,
      newestMs: this.#newestMs,
      ingestedMs: this.#ingestedMs,
      unreachable: this.#calls.unreachable,
    };
  }

  run(): Promise<void> {
    this.#ran = this.#run();
    return this.#ran;
  }

  async stop(): Promise<void> {
    this.#state.stop();
    this.#pace.wake();
    this.#updated.ring();
    await this.#ran.catch(() => undefined);
  }

  /** Other settings of the same table. */
  update(settings: TableSettings): void {
    this.#settings = settings;
    this.#pace.wake();
    this.#updated.ring();
  }

  /** Something is worth a look before the interval is over. */
  due(): void {
    this.#pace.due();
  }

  async #run(): Promise<void> {
    while (this.#state.shouldRun()) {
      try {
        await this.#lead();
      } catch (error) {
        if (!this.#state.shouldRun()) break;
        // What is known of the table is found out anew.
        this.#claimed = undefined;
        this.#failed(error);
        if (error instanceof TableStop) {
          this.#phase = 'stopped';
          // Whoever superseded it leads; nothing it could do would be applied.
          if (error.code === 'SUPERSEDED') break;
          // A schema that is registered may help; for all else somebody has to do something to the table, of which nobody tells.
          if (error.code === 'UNSUPPORTED_SCHEMA') await this.#pace.untilDue(stoppedRetryMs);
          else await this.#updated.wait(undefined, stoppedRetryMs, this.#context.runtime);
        } else {
          this.#phase = 'opening';
          await this.#state.backoff();
        }
      }
    }
  }

  #failed(error: unknown): void {
    const code = error instanceof TableStop ? error.code : 'ERROR';
    const message = error instanceof Error ? error.message : String(error);
    if (this.#lastError?.message !== message)
      this.#context.onProblem(`table ${this.#name}: nothing is committed`, error);
    this.#noteFailure(code, message);
  }

  #noteFailure(code: string, message: string): void {
    const { failures } = this.#context.counters;
    this.#lastError = { code, message };
    failures.set(code, (failures.get(code) ?? 0) + 1);
  }

  async #lead(): Promise<void> {
    const { settings: _, ...context } = this.#context;
    const opened = await openTable({
      ...context,
      identifier: this.#identifier,
      name: this.#name,
      source: this.#source,
      state: this.#state,
      columns: () => this.#columns(),
    });
    const claimed = await this.#claim(opened);
    // Somebody else was faster: what the table says now is what counts.
    if (claimed === undefined) return;
    this.#claimed = claimed;
    this.#phase = 'committing';
    this.#lastError = undefined;
    this.#state.resetBackoff();
    // Workers begin at once; what they have finished by then is taken at the first commit.
    await this.#collect(claimed, false);
    let current = claimed;
    while (this.#state.shouldRun()) {
      const isOver = await this.#pace.pause();
      if (!this.#state.shouldRun()) return;
      const next = await this.#commitOnce(current, isOver);
      if (next === undefined) continue;
      current = next;
      this.#claimed = next;
      this.#lastError = undefined;
    }
  }

  /** Waits for a schema to make columns of: the subject's latest one, or that of the first record. */
  async #columns(): Promise<StructType> {
    const { schemas, topicName } = this.#context;
    const { signal } = this.#state;
    for (;;) {
      const latest = await schemas.latest(`${topicName}-value`, signal);
      if (latest !== undefined) return columnsOf(latest, topicName);
      this.#phase = 'waiting-for-schema';
      this.#lastError = undefined;
      const answers = await this.#calls.collect(undefined, noOffsets, false);
      for (const id of new Set(answers.map(({ firstSchemaId }) => firstSchemaId))) {
        const first = id === undefined ? undefined : await schemas.byId(id, signal);
        if (first !== undefined) return columnsOf(first, topicName);
      }
      await this.#pace.untilDue(this.#settings.commitIntervalMs);
      signal.throwIfAborted();
    }
  }

  /**
   * Puts our epoch on top: an empty snapshot whose summary is the last one's but for the epoch (tables.md §7, 2).
   * `undefined`: the tag was moved before.
   */
  async #claim(opened: LoadedTable): Promise<Claimed | undefined> {
    const { epoch, crashPoint, counters } = this.#context;
    const { metadata } = opened;
    if (metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId)?.fields.length !== 0)
      throw new TableStop(
        'UNSUPPORTED_TABLE',
        `table ${this.#name} is partitioned, which is not built yet: make its default partition spec an empty one`,
      );
    const tag = metadata.refs[ingestTag]?.snapshotId;
    const snapshot = tag === undefined ? undefined : tagSnapshot(metadata, tag, this.#name);
    const before = snapshot?.summary;
    this.#ingestedMs ??= snapshot?.timestampMs;
    const objects = this.#vectors;
    const ingest: IngestState =
      before === undefined
        ? { epoch, commitSeq: 0, commitId: this.#newId(), source: this.#source, offsets: noOffsets }
        : { ...(await decodeIngestState(before, objects)), epoch };
    if (before !== undefined) this.#refuseOlder(before);
    const summary =
      before === undefined ? await encodeIngestState(ingest, objects) : claimSummary(before, epoch);
    crashPoint('coordinator.claim.before');
    const result = await commitSnapshot(this.#commits, opened, [], summary);
    if (result.kind === 'moved') return undefined;
    crashPoint('coordinator.claim.after');
    counters.claims += 1;
    this.#garbage.push(...result.garbage);
    return { table: result.table, ingest, others: unknownKeys(summary), vectors: vectorsIn(summary) };
  }

  #refuseOlder(before: Summary): void {
    const epoch = Number(before['firn.epoch']);
    if (epoch <= this.#context.epoch) return;
    throw new TableStop(
      'SUPERSEDED',
      `table ${this.#name} was claimed by the coordinator of epoch ${epoch}; this one has epoch ${this.#context.epoch}`,
    );
  }

  /** Collects what is finished, or can be, and commits it; `undefined`: there was nothing. */
  async #commitOnce(current: Claimed, finish: boolean): Promise<Claimed | undefined> {
    const { crashPoint, runtime, counters } = this.#context;
    const committables = await this.#collect(current, finish);
    crashPoint('coordinator.collected');
    const { chosen, lost, offsets } = planCommit(current.ingest.offsets, committables);
    this.#garbage.push(...lost.flatMap(({ file }) => file?.path ?? []));
    if (chosen.length === 0) return undefined;
    const ingest: IngestState = {
      ...current.ingest,
      commitSeq: current.ingest.commitSeq + 1,
      commitId: this.#newId(),
      offsets,
    };
    const encoded = await encodeIngestState(ingest, this.#vectors);
    crashPoint('coordinator.offsets.put');
    const files = chosen.flatMap(({ file }) => (file === undefined ? [] : [file]));
    const result = await commitSnapshot(this.#commits, current.table, files, {
      ...current.others,
      ...encoded,
    });
    if (result.kind === 'moved') throw tagMoved(this.#name);
    counters.commits += 1;
    this.#state.resetBackoff();
    this.#lastCommitMs = runtime.wallMs();
    for (const { partition, file } of chosen) {
      if (file !== undefined && file.maxTimestampMs >= 0)
        this.#newestMs.set(partition, Math.max(file.maxTimestampMs, this.#newestMs.get(partition) ?? 0));
    }
    const vectors = [...vectorsIn(encoded), ...current.vectors];
    const next = { ...current, table: result.table, ingest, vectors: vectors.slice(0, 2) };
    this.#calls.tell(offsets, chosen);
    crashPoint('coordinator.told');
    this.#garbage.push(...result.garbage);
    await this.#cleanUp(vectors.slice(2));
    return next;
  }

  async #collect(claimed: Claimed, finish: boolean): Promise<readonly Committable[]> {
    const answers = await this.#calls.collect(targetOf(claimed.table), claimed.ingest.offsets, finish);
    return answers.flatMap(({ committables }) => committables);
  }

  /**
   * Deletes files that lost: ours alone, which we know by name, and only now that a later commit than any that could have
   * them is applied (tables.md §7, 7). What a crash leaves behind takes room and does no harm.
   */
  async #cleanUp(vectors: readonly string[]): Promise<void> {
    const { files, crashPoint, onProblem } = this.#context;
    const garbage = this.#garbage.splice(0);
    if (garbage.length + vectors.length === 0) return;
    crashPoint('coordinator.cleanup.before');
    try {
      if (garbage.length > 0) await files.delete(garbage, this.#state.signal);
      if (vectors.length > 0) await this.#vectors.delete(vectors);
    } catch (error) {
      this.#state.signal.throwIfAborted();
      onProblem(`files that table ${this.#name} does not have could not be deleted`, error);
    }
    crashPoint('coordinator.cleanup.after');
  }

  #newId(): string {
    return this.#context.files.uniqueName();
  }
}

const noOffsets: ReadonlyMap<number, number> = new Map();

function vectorsIn(summary: Summary): readonly string[] {
  const key = summary[summaryKeys.offsetsObject];
  return key === undefined ? [] : [key];
}

function targetOf({ metadata }: LoadedTable): TableTarget {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId);
  invariant(schema !== undefined, `table ${metadata.tableUuid} has its current schema`);
  return {
    uuid: metadata.tableUuid,
    location: metadata.location,
    schema,
    specId: metadata.defaultSpecId,
  };
}
