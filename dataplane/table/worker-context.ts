import type { BrokerLog } from '../log/broker-log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { SchemaLookup } from '../schema/registry/schema-lookup.ts';
import type { CrashPoints } from './crash-points.ts';
import type { DataFileWriters } from './data-file-writer.ts';
import type { OpenFilesMemory } from './open-files-memory.ts';
import type { TableFiles } from './table-files.ts';
import type { WorkPace } from './work-pace.ts';

/** What all workers of one broker share. */
export interface WorkerContext {
  readonly log: Pick<BrokerLog, 'read' | 'served'>;
  readonly runtime: Runtime;
  readonly schemas: SchemaLookup;
  readonly files: TableFiles;
  readonly writers: DataFileWriters;
  readonly memory: OpenFilesMemory;
  readonly pace: WorkPace;
  readonly options: WorkerOptions;
  readonly crashPoint: CrashPoints;
  readonly counters: WorkerCounters;
  /** Something went wrong that is tried again. */
  readonly onProblem: (what: string, error: unknown) => void;
}

export interface WorkerOptions {
  /** Bytes of batches that are read from the log at a time. */
  readonly readBytes: number;
  /** After so much work without a pause workers let others have the thread. */
  readonly sliceMs: number;
  /** Finished files that wait for a commit, at most: then the worker waits too. */
  readonly maxWaitingFiles: number;
  /** How often a worker that stopped at a record looks whether that record is gone. */
  readonly stoppedCheckMs: number;
}

export const defaultWorkerOptions: WorkerOptions = {
  readBytes: 1024 * 1024,
  sliceMs: 8,
  maxWaitingFiles: 64,
  stoppedCheckMs: 1_000,
};

/** Counted since the broker started. */
export interface WorkerCounters {
  rows: number;
  files: number;
  fileBytes: number;
  /** Offsets that were passed because their records had been deleted. */
  deletedOffsets: number;
  /** Times that a worker failed and began anew. */
  workerFailures: number;
}
