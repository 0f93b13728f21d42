import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { LogOptions } from './options.ts';
import type { OwnedGroup } from './owned-group.ts';
import type { OwnedPartition, TailBlock } from './owned-partition.ts';
import type { WalReader } from './wal-reader.ts';

/** What the parts of one broker's log share. */
export interface LogContext {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly options: LogOptions;
  readonly wal: WalReader;
  readonly broker: { readonly id: number; readonly zone: string };
  /** The version all objects are written in: what `meta/cluster` says, never this program's own maximum. */
  readonly formatVersion: () => number;
  /** Numbers objects within this process, so that names are used once. */
  readonly nextObjectSequence: () => number;
  /** Called when blocks are in segments that the manifest names. */
  readonly flushed: (partition: OwnedPartition, blocks: readonly TailBlock[]) => void;
  /** Called when the log start of a partition has moved. */
  readonly trimmed: (partition: OwnedPartition) => void;
  /** Called when a group has been released or deleted by a session that lives on. */
  readonly gone: (group: OwnedGroup) => void;
  readonly counters: LogCounters;
}

/** Plain counters of one broker's log: for metrics, simulation and tests. */
export interface LogCounters {
  segmentsWritten: number;
  takeovers: number;
  handovers: number;
  sessionDeaths: number;
  fencesWritten: number;
  trims: number;
  trimRaces: number;
  checkpoints: number;
  slotsSwept: number;
  unknownReleases: number;
  /** Producers that were forgotten before they expired, because a partition had too many. */
  producersEvicted: number;
}

export function newLogCounters(): LogCounters {
  return {
    segmentsWritten: 0,
    takeovers: 0,
    handovers: 0,
    sessionDeaths: 0,
    fencesWritten: 0,
    trims: 0,
    trimRaces: 0,
    checkpoints: 0,
    slotsSwept: 0,
    unknownReleases: 0,
    producersEvicted: 0,
  };
}
