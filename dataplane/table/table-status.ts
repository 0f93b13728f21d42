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
   * `running`: a worker here; `stopped`: a worker here, at a record that cannot become a row; `waiting`: a worker here that
   * no coordinator has asked, because that is at another broker; `elsewhere`: another broker's worker; `unreachable`: no worker
   * that the coordinator can ask.
   */
  readonly state: 'running' | 'stopped' | 'waiting' | 'elsewhere' | 'unreachable';
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
  /** What went wrong with the worker here the last time and is tried again. */
  readonly lastError: string | undefined;
}

/** Kafka's log start and high watermark. */
export interface RecordRange {
  readonly logStart: number;
  readonly highWatermark: number;
}

export function tableStatus(known: {
  readonly topicId: string;
  readonly topic: string;
  readonly settings: TableSettings;
  readonly coordinator: CoordinatorStatus | undefined;
  readonly partitions: number;
  readonly workers: ReadonlyMap<number, WorkerStatus>;
  /** Which records there are, of partitions that are served here. */
  readonly records: (partition: number) => RecordRange | undefined;
  readonly nowMs: number;
}): TableStatus {
  const { settings, coordinator, workers } = known;
  const partitions = Array.from({ length: known.partitions }, (_, partition) =>
    partitionStatus(partition, coordinator, workers.get(partition), known.records(partition), known.nowMs),
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
  records: RecordRange | undefined,
  nowMs: number,
): TablePartitionStatus {
  const committed =
    coordinator?.phase === 'committing' ? (coordinator.offsets.get(partition) ?? 0) : worker?.committed;
  const lagRecords =
    committed === undefined || records === undefined
      ? undefined
      : // What was deleted does not wait.
        Math.max(0, records.highWatermark - Math.max(committed, records.logStart));
  const newestMs =
    coordinator?.newestMs.get(partition) ?? (committed === 0 ? undefined : coordinator?.ingestedMs);
  const unreachable = worker === undefined ? coordinator?.unreachable.get(partition) : undefined;
  return {
    partition,
    state: stateOf(worker, coordinator !== undefined, unreachable),
    committed,
    lagRecords,
    freshnessMs: lagRecords === 0 ? 0 : newestMs === undefined ? undefined : Math.max(0, nowMs - newestMs),
    openRows: worker?.openRows ?? 0,
    waitingFiles: worker?.waitingFiles ?? 0,
    problem: worker?.problem,
    unreachable,
    lastError: worker?.lastError,
  };
}

function stateOf(
  worker: WorkerStatus | undefined,
  isLedHere: boolean,
  unreachable: string | undefined,
): TablePartitionStatus['state'] {
  if (worker?.problem !== undefined) return 'stopped';
  if (worker !== undefined) return isLedHere || worker.committed !== undefined ? 'running' : 'waiting';
  return unreachable === undefined ? 'elsewhere' : 'unreachable';
}
