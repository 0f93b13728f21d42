import type { CoordinatorPhase, CoordinatorStatus } from './coordinator.ts';
import type { WorkerStatus } from './partition-worker.ts';
import type { RecordProblem } from './record-problem.ts';
import type { TableSettings } from './table-settings.ts';

/** What a broker knows of a topic's table; all of it where the coordinator is, else what its own workers know. */
export interface TableStatus {
  readonly topicId: string;
  readonly topic: string;
  /** Namespace levels and name, joined by dots. */
  readonly table: string;
  /** `undefined`: the coordinator is at another broker. */
  readonly coordinator:
    | {
        readonly epoch: number;
        readonly phase: CoordinatorPhase;
        readonly commitSeq: number | undefined;
        /** Milliseconds since 1970. */
        readonly lastCommitMs: number | undefined;
        readonly lastError: { readonly code: string; readonly message: string } | undefined;
      }
    | undefined;
  readonly partitions: readonly TablePartitionStatus[];
}

export interface TablePartitionStatus {
  readonly partition: number;
  /**
   * `running`: a worker here; `stopped`: a worker here, at a record that cannot become a row; `elsewhere`: another broker's
   * worker; `unreachable`: no worker that the coordinator can ask.
   */
  readonly state: 'running' | 'stopped' | 'elsewhere' | 'unreachable';
  /** The first offset that is not in the table; `undefined`: not known here. */
  readonly committed: number | undefined;
  /** Records that are not in the table yet. */
  readonly lagRecords: number | undefined;
  /** Since the newest record that was committed, by its own time; 0 when all are; `undefined`: nothing was committed yet. */
  readonly freshnessMs: number | undefined;
  readonly openRows: number;
  readonly waitingFiles: number;
  readonly problem: RecordProblem | undefined;
  readonly unreachable: string | undefined;
}

export function tableStatus(known: {
  readonly topicId: string;
  readonly topic: string;
  readonly settings: TableSettings;
  readonly coordinator: CoordinatorStatus | undefined;
  readonly partitions: number;
  readonly workers: ReadonlyMap<number, WorkerStatus>;
  /** Of partitions that are served here. */
  readonly endOffset: (partition: number) => number | undefined;
  readonly nowMs: number;
}): TableStatus {
  const { settings, coordinator, workers } = known;
  const partitions = Array.from({ length: known.partitions }, (_, partition) =>
    partitionStatus(partition, coordinator, workers.get(partition), known.endOffset(partition), known.nowMs),
  );
  return {
    topicId: known.topicId,
    topic: known.topic,
    table: [...settings.namespace, settings.tableName].join('.'),
    coordinator:
      coordinator === undefined
        ? undefined
        : {
            epoch: coordinator.epoch,
            phase: coordinator.phase,
            commitSeq: coordinator.commitSeq,
            lastCommitMs: coordinator.lastCommitMs,
            lastError: coordinator.lastError,
          },
    partitions,
  };
}

function partitionStatus(
  partition: number,
  coordinator: CoordinatorStatus | undefined,
  worker: WorkerStatus | undefined,
  endOffset: number | undefined,
  nowMs: number,
): TablePartitionStatus {
  const committed =
    coordinator?.phase === 'committing' ? (coordinator.offsets.get(partition) ?? 0) : worker?.committed;
  const lagRecords =
    committed === undefined || endOffset === undefined ? undefined : Math.max(0, endOffset - committed);
  const newestMs =
    coordinator?.newestMs.get(partition) ?? (committed === 0 ? undefined : coordinator?.ingestedMs);
  const unreachable = coordinator?.unreachable.get(partition);
  return {
    partition,
    state: stateOf(worker, unreachable),
    committed,
    lagRecords,
    freshnessMs: lagRecords === 0 ? 0 : newestMs === undefined ? undefined : Math.max(0, nowMs - newestMs),
    openRows: worker?.openRows ?? 0,
    waitingFiles: worker?.waitingFiles ?? 0,
    problem: worker?.problem,
    unreachable,
  };
}

function stateOf(
  worker: WorkerStatus | undefined,
  unreachable: string | undefined,
): TablePartitionStatus['state'] {
  if (worker !== undefined) return worker.problem === undefined ? 'running' : 'stopped';
  return unreachable === undefined ? 'elsewhere' : 'unreachable';
}
