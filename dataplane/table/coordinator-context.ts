import type { Catalog } from '../iceberg/catalog.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { SchemaLookup } from '../schema/registry/schema-lookup.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { CrashPoints } from './crash-points.ts';
import type { BuildSnapshot, CommitCounters } from './table-commit.ts';
import type { TableFiles } from './table-files.ts';
import type { TableSettings } from './table-settings.ts';
import type { WorkerDirectory } from './worker-directory.ts';

/** What a coordinator needs of the broker that it runs in. */
export interface CoordinatorContext {
  readonly topicId: string;
  readonly topicName: string;
  readonly clusterId: string;
  /** The leader epoch of partition 0. */
  readonly epoch: number;
  readonly settings: TableSettings;
  readonly catalog: Catalog;
  readonly store: ObjectStore;
  readonly files: TableFiles;
  readonly runtime: Runtime;
  readonly schemas: SchemaLookup;
  readonly directory: WorkerDirectory;
  readonly build: BuildSnapshot;
  /** Resolves when it is certain that this process still owned partition 0 when it was called. */
  readonly confirm: (signal: AbortSignal) => Promise<void>;
  readonly crashPoint: CrashPoints;
  readonly counters: CommitCounters & {
    /** Times that nothing could be committed, by code. */
    readonly failures: Map<string, number>;
  };
  /** Something went wrong; what is tried again, and what has stopped. */
  readonly onProblem: (what: string, error: unknown) => void;
}
