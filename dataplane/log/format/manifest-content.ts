import type { Setsum } from './setsum.ts';

/** The root of a partition group's log (log.md 2.4), the only object of the group that ever changes. See `manifest.ts`. */
export interface Manifest {
  /** Grows by one with every write. */
  readonly version: number;
  readonly group: string;
  readonly topicId: string;
  readonly firstPartition: number;
  readonly partitionCount: number;
  /** The leader epoch of all its partitions; grows with every change of owner. */
  readonly epoch: number;
  /** Present while `owned`, absent while `released`; when `deleted`, who deleted it, if it is known. */
  readonly owner: ManifestOwner | undefined;
  /** The session that wrote this version: with `version` it names the write. */
  readonly writer: string;
  /** Of the newest assignment that was acted upon. */
  readonly assignmentGeneration: number;
  readonly state: ManifestState;
  /** Oldest first; at most the last one is open. */
  readonly runs: readonly Run[];
  /** One for each partition, in order: that of partition p is at `p - firstPartition`. */
  readonly partitions: readonly PartitionManifest[];
  /** Producer state at the partitions' `segmentEnd`; absent: there is none. */
  readonly snapshot: SnapshotRef | undefined;
}

export type ManifestState = 'owned' | 'released' | 'deleted';

export interface ManifestOwner {
  readonly sid: string;
  readonly broker: number;
  readonly zone: string;
}

/** Slots of one session that may hold blocks of this group which are in no segment. */
export interface Run {
  readonly sid: string;
  readonly epoch: number;
  readonly from: number;
  /** Exclusive; absent: open, up to the first slot that holds no data. */
  readonly to: number | undefined;
  /** Blocks in lower slots are in segments. */
  readonly flushedTo: number;
}

export interface PartitionManifest {
  readonly partition: number;
  readonly logStart: number;
  /** Offset after the last record in segments. */
  readonly segmentEnd: number;
  /** At `segmentEnd`. */
  readonly lastStableOffset: number;
  /** Slot time of the last flushed block, never going backwards. */
  readonly timeMs: number;
  /** Of all records ever flushed; -1 before the first. */
  readonly maxTimestampMs: number;
  /** The newest segments, after those in `pages`. */
  readonly segments: readonly SegmentRef[];
  readonly pages: readonly PageRef[];
  readonly epochs: readonly EpochStart[];
  /** Of every batch ever moved into segments; equals `pruned` plus the sums of all segments and pages. */
  readonly appended: Setsum;
  /** Of the batches that retention has taken out. */
  readonly pruned: Setsum;
}

/** One partition's block in a segment object. */
export interface SegmentRef {
  readonly object: string;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  readonly position: number;
  readonly sizeBytes: number;
  readonly maxTimestampMs: number;
  readonly setsum: Setsum;
}

/** An immutable object with older segment references of one partition. */
export interface PageRef {
  readonly object: string;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** Segments in it. */
  readonly count: number;
  readonly sizeBytes: number;
  readonly maxTimestampMs: number;
  readonly setsum: Setsum;
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

export interface SnapshotRef {
  readonly object: string;
}
