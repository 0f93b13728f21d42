import type { ClusterState, Configs } from '../cluster/cluster-state.ts';
import { leaderOf } from '../cluster/ownership.ts';
import { groupsOf } from '../cluster/partition-groups.ts';
import type { Catalog } from '../iceberg/catalog.ts';
import type { BrokerLog } from '../log/broker-log.ts';
import type { OwnedPartition } from '../log/owned-partition.ts';
import { inBackground } from '../runtime/in-background.ts';
import type { Cancel, Runtime } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import type { SchemaLookup } from '../schema/registry/schema-lookup.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { snapshotBuilder } from './build-snapshot.ts';
import { Coordinator } from './coordinator.ts';
import type { CrashPoints } from './crash-points.ts';
import { noCrashPoints } from './crash-points.ts';
import type { DataFileWriters } from './data-file-writer.ts';
import { LocalTableWorkers } from './local-table-workers.ts';
import { OpenFilesMemory } from './open-files-memory.ts';
import { PartitionWorker } from './partition-worker.ts';
import { defaultWorkerOptions } from './worker-context.ts';
import type { WorkerContext, WorkerCounters, WorkerOptions } from './worker-context.ts';
import { rowFileWriters } from './row-file-writers.ts';
import type { BuildSnapshot, CommitCounters } from './table-commit.ts';
import { TableFiles } from './table-files.ts';
import type { TableSettings } from './table-settings.ts';
import { isSameSettings } from './table-settings.ts';
import { tableStatus } from './table-status.ts';
import type { TableStatus } from './table-status.ts';
import type { TableWorkers } from './table-workers.ts';
import { TopicsById } from './topics-by-id.ts';
import type { NamedTopic } from './topics-by-id.ts';
import { WorkPace } from './work-pace.ts';
import type { PartitionWorkers, WorkerDirectory } from './worker-directory.ts';

export interface TableServiceEnvironment {
  readonly log: BrokerLog;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly catalog: Catalog;
  readonly schemas: SchemaLookup;
  /** What a topic's configs, and the cluster's, say of its table. */
  readonly settings: (topic: string, own: Configs, cluster: Configs) => TableSettings;
  /** Asks the workers of another broker; left out, or `undefined`: not possible, and their records wait. */
  readonly peers?: ((broker: number) => TableWorkers | undefined) | undefined;
  /** Who encodes data files. Default: this thread. */
  readonly writers?: DataFileWriters | undefined;
  readonly options?: Partial<TableServiceOptions> | undefined;
  readonly crashPoint?: CrashPoints | undefined;
  readonly onProblem: (what: string, error: unknown) => void;
}

export interface TableServiceOptions extends WorkerOptions {
  /** What the open data files of this broker may take in memory together. Default 256 MiB. */
  readonly openFileBytes: number;
}

/** What this broker has done for tables since it started, and how it stands. */
export interface TableCounters extends WorkerCounters, CommitCounters {
  /** Times that nothing could be committed, by code. */
  readonly failures: Map<string, number>;
}

interface RunningTable {
  readonly topicId: string;
  readonly topic: string;
  settings: TableSettings;
  readonly workers: Map<number, { readonly owned: OwnedPartition; readonly worker: PartitionWorker }>;
  coordinator: { readonly owned: OwnedPartition; readonly service: Coordinator } | undefined;
}

/**
 * The tables of one broker: a worker for each partition that it serves of a topic with a table, and the coordinator of
 * each topic whose partition 0 it serves. They come and go with ownership and with the topics' settings.
 */
export class TableService {
  readonly workers: LocalTableWorkers;
  readonly counters: TableCounters = {
    rows: 0,
    files: 0,
    fileBytes: 0,
    deletedOffsets: 0,
    workerFailures: 0,
    commits: 0,
    claims: 0,
    conflicts: 0,
    unknownOutcomes: 0,
    unavailable: 0,
    failures: new Map(),
  };
  readonly #environment: TableServiceEnvironment;
  readonly #context: WorkerContext;
  readonly #files: TableFiles;
  readonly #memory: OpenFilesMemory;
  readonly #build: BuildSnapshot;
  readonly #directory: WorkerDirectory;
  readonly #topics = new TopicsById();
  /** By topic id. */
  readonly #tables = new Map<string, RunningTable>();
  /** By topic id: partitions that are served here. */
  readonly #served = new Map<string, Set<number>>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #cancels: Cancel[] = [];
  #isStopped = false;

  constructor(environment: TableServiceEnvironment) {
    this.#environment = environment;
    const { log, store, runtime, schemas, onProblem } = environment;
    const { writers = rowFileWriters(), crashPoint = noCrashPoints } = environment;
    const { openFileBytes = 256 * 1024 * 1024, ...options } = environment.options ?? {};
    this.#files = new TableFiles(store, runtime);
    this.#build = snapshotBuilder(store, runtime);
    this.#memory = new OpenFilesMemory(openFileBytes);
    const workerOptions = { ...defaultWorkerOptions, ...options };
    this.#context = {
      log,
      runtime,
      schemas,
      files: this.#files,
      writers,
      memory: this.#memory,
      pace: new WorkPace(runtime, workerOptions.sliceMs),
      options: workerOptions,
      crashPoint,
      counters: this.counters,
      onProblem,
    };
    this.workers = new LocalTableWorkers(
      runtime,
      (topicId, partition) => this.#tables.get(topicId)?.workers.get(partition)?.worker,
    );
    this.#directory = { locate: (topicId) => this.#locate(topicId) };
  }

  /** Begins to follow what the log serves and what topics want. */
  start(): void {
    const { log, schemas } = this.#environment;
    this.#cancels.push(
      log.cluster.subscribe(() => {
        this.#reconcileAll();
      }),
      log.subscribeServing({
        serving: (topicId, partition) => {
          const partitions = this.#served.get(topicId) ?? new Set();
          this.#served.set(topicId, partitions.add(partition));
          this.#reconcile(topicId);
        },
        lost: (topicId, partition) => {
          const partitions = this.#served.get(topicId);
          partitions?.delete(partition);
          if (partitions?.size === 0) this.#served.delete(topicId);
          this.#reconcile(topicId);
        },
      }),
      schemas.subscribe(() => {
        for (const { workers, coordinator } of this.#tables.values()) {
          for (const { worker } of workers.values()) if (worker.status.problem !== undefined) worker.retry();
          if (coordinator?.service.status.phase !== 'committing') coordinator?.service.due();
        }
      }),
    );
    this.#reconcileAll();
  }

  /** Ends all work at once; nothing is lost by that. Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#cancels.splice(0)) cancel();
    for (const table of this.#tables.values()) this.#remove(table);
    await Promise.all(this.#stopping);
  }

  /** Bytes that open data files take in memory. */
  get openFileBytes(): number {
    return this.#memory.usedBytes;
  }

  /** Of all topics with a table that this broker has something to do with. */
  get status(): readonly TableStatus[] {
    const { log, runtime } = this.#environment;
    const { current } = log.cluster;
    return [...this.#tables.values()].map(({ topicId, topic, settings, coordinator, workers }) =>
      tableStatus({
        topicId,
        topic,
        settings,
        coordinator: coordinator?.service.status,
        partitions: current?.topics.get(topic)?.partitions ?? 0,
        workers: new Map([...workers].map(([partition, { worker }]) => [partition, worker.status])),
        records: (partition) => workers.get(partition)?.owned,
        nowMs: runtime.wallMs(),
      }),
    );
  }

  /**
   * The offset that retention must not pass while the topic has a table; `undefined`: not known, so nothing may go;
   * Infinity: the topic has none.
   */
  committedFloor(topicId: string, partition: number): number | undefined {
    const table = this.#tables.get(topicId);
    if (table === undefined) return this.#hasTable(topicId) ? undefined : Infinity;
    const status = table.coordinator?.service.status;
    if (status?.phase === 'committing') return status.offsets.get(partition) ?? 0;
    return table.workers.get(partition)?.worker.status.committed;
  }

  #hasTable(topicId: string): boolean {
    const state = this.#environment.log.cluster.current;
    const found = this.#topics.find(state, topicId);
    // What is not known may have one.
    return state === undefined || found === undefined || this.#settingsOf(state, found).enabled;
  }

  #settingsOf(state: ClusterState, { name, entry }: NamedTopic): TableSettings {
    return this.#environment.settings(name, entry.configs, state.configs);
  }

  /** All topics: what they want may have changed. */
  #reconcileAll(): void {
    for (const topicId of new Set([...this.#served.keys(), ...this.#tables.keys()])) this.#reconcile(topicId);
  }

  #reconcile(topicId: string): void {
    const state = this.#environment.log.cluster.current;
    if (state === undefined || this.#isStopped) return;
    const topic = this.#served.has(topicId) ? this.#topics.find(state, topicId) : undefined;
    const settings = topic === undefined ? undefined : this.#settingsOf(state, topic);
    if (topic !== undefined && settings?.enabled === true) {
      this.#reconcileTopic(state, topic.name, topicId, settings);
      return;
    }
    const table = this.#tables.get(topicId);
    if (table !== undefined) this.#remove(table);
  }

  #reconcileTopic(state: ClusterState, topic: string, topicId: string, settings: TableSettings): void {
    const before = this.#tables.get(topicId);
    // Another table: the workers' files are none of it.
    if (before !== undefined && !isSameTable(before.settings, settings)) this.#remove(before);
    let table = this.#tables.get(topicId);
    if (table === undefined) {
      table = { topicId, topic, settings, workers: new Map(), coordinator: undefined };
      this.#tables.set(topicId, table);
    }
    if (!isSameSettings(table.settings, settings)) {
      table.settings = settings;
      table.coordinator?.service.update(settings);
      for (const { worker } of table.workers.values()) worker.retry(settings.targetFileBytes);
    }
    const served = this.#served.get(topicId) ?? noPartitions;
    for (const [partition, { owned, worker }] of table.workers) {
      if (served.has(partition) && this.#owned(topicId, partition) === owned) continue;
      table.workers.delete(partition);
      this.#end(worker);
    }
    const { coordinator } = table;
    if (coordinator !== undefined && this.#owned(topicId, 0) !== coordinator.owned) {
      table.coordinator = undefined;
      this.#end(coordinator.service);
    }
    for (const partition of served) this.#startPartition(state, table, partition);
  }

  #startPartition(state: ClusterState, table: RunningTable, partition: number): void {
    const { topicId, settings } = table;
    const owned = this.#owned(topicId, partition);
    if (owned === undefined) return;
    if (!table.workers.has(partition)) {
      const worker = new PartitionWorker(this.#context, {
        topicId,
        partition,
        targetFileBytes: settings.targetFileBytes,
        onDue: () => {
          table.coordinator?.service.due();
        },
      });
      table.workers.set(partition, { owned, worker });
      this.#begin(worker);
      // It does not wait for the next commit to be told where to begin.
      table.coordinator?.service.due();
    }
    if (partition === 0 && table.coordinator === undefined) {
      const service = new Coordinator({
        ...this.#environment,
        topicId,
        topicName: table.topic,
        clusterId: state.clusterId,
        epoch: owned.leaderEpoch,
        settings,
        files: this.#files,
        directory: this.#directory,
        build: this.#build,
        confirm: async () => {
          await this.#environment.log.endOffset(topicId, 0);
        },
        crashPoint: this.#context.crashPoint,
        counters: this.counters,
      });
      table.coordinator = { owned, service };
      this.#begin(service);
    }
  }

  #owned(topicId: string, partition: number): OwnedPartition | undefined {
    if (this.#served.get(topicId)?.has(partition) !== true) return undefined;
    return this.#environment.log.served(topicId, partition)?.partition;
  }

  #begin(service: Service): void {
    const ran = service.run().catch((error: unknown) => {
      this.#environment.onProblem(`${service.id} ended`, error);
    });
    inBackground(ran);
  }

  #end(service: Service): void {
    const stopping: Promise<void> = service.stop().then(() => {
      this.#stopping.delete(stopping);
    });
    this.#stopping.add(stopping);
    inBackground(stopping);
  }

  #remove(table: RunningTable): void {
    this.#tables.delete(table.topicId);
    this.workers.forget(table.topicId);
    if (table.coordinator !== undefined) this.#end(table.coordinator.service);
    for (const { worker } of table.workers.values()) this.#end(worker);
  }

  #locate(topicId: string): readonly PartitionWorkers[] {
    const { log, peers } = this.#environment;
    const state = log.cluster.current;
    const found = this.#topics.find(state, topicId);
    if (state === undefined || found === undefined) return [];
    const here: number[] = [];
    const elsewhere: PartitionWorkers[] = [];
    for (const group of groupsOf(found.entry)) {
      const partitions = Array.from({ length: group.count }, (_, at) => group.firstPartition + at);
      const table = this.#tables.get(topicId);
      const mine = partitions.filter((partition) => table?.workers.has(partition));
      here.push(...mine);
      if (mine.length > 0) continue;
      const owner = leaderOf(state, group.id)?.broker;
      const workers = owner === undefined ? undefined : peers?.(owner);
      if (workers !== undefined) elsewhere.push({ kind: 'reachable', workers, partitions });
      else {
        const reason =
          owner === undefined
            ? 'no broker serves it'
            : owner === log.context.broker.id
              ? 'this broker is still taking it over'
              : `its owner is broker ${owner}, and this broker has no internal listener to ask it for files`;
        elsewhere.push({ kind: 'unreachable', reason, partitions });
      }
    }
    return here.length === 0
      ? elsewhere
      : [{ kind: 'reachable', workers: this.workers, partitions: here }, ...elsewhere];
  }
}

const noPartitions: ReadonlySet<number> = new Set();

function isSameTable(a: TableSettings, b: TableSettings): boolean {
  return a.tableName === b.tableName && a.namespace.join('.') === b.namespace.join('.');
}
