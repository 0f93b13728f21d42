import assert from 'node:assert/strict';
import { decodeShape, encodeShape } from './document.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { isGroupId, isId, isObjectName } from './keys.ts';
import { manifestProblem } from './manifest-check.ts';
import type { Manifest, PartitionManifest, SegmentRef } from './manifest-content.ts';
import { emptySetsum, isSetsum } from './setsum.ts';
import {
  int32,
  list,
  natural,
  nullable,
  object,
  oneOf,
  text,
  textMatching,
  timestamp,
  tuple,
} from './shape.ts';

export { checkSuccessor } from './manifest-check.ts';
export type {
  EpochStart,
  Manifest,
  ManifestOwner,
  ManifestState,
  PageRef,
  PartitionManifest,
  Run,
  SegmentRef,
  SnapshotRef,
} from './manifest-content.ts';

/** A partition that has never held a record. */
export function emptyPartitionManifest(partition: number): PartitionManifest {
  return {
    partition,
    logStart: 0,
    segmentEnd: 0,
    lastStableOffset: 0,
    timeMs: 0,
    maxTimestampMs: -1,
    segments: [],
    pages: [],
    epochs: [],
    appended: emptySetsum,
    pruned: emptySetsum,
  };
}

const sid = textMatching(isId, 'a session id');
const topicId = textMatching(isId, 'a topic id');
const group = textMatching(isGroupId, 'a partition group id');
const setsum = textMatching(isSetsum, 'a setsum');
const segmentName = textMatching((name) => isObjectName('segment', name), 'the name of a segment');
const pageName = textMatching((name) => isObjectName('page', name), 'the name of a page');
const snapshotName = textMatching((name) => isObjectName('snapshot', name), 'the name of a snapshot');

const segmentShape = tuple({
  object: segmentName,
  baseOffset: natural,
  endOffset: natural,
  position: natural,
  sizeBytes: natural,
  maxTimestampMs: timestamp,
  setsum,
});

const pageShape = tuple({
  object: pageName,
  baseOffset: natural,
  endOffset: natural,
  count: natural,
  sizeBytes: natural,
  maxTimestampMs: timestamp,
  setsum,
});

const partitionShape = tuple({
  logStart: natural,
  segmentEnd: natural,
  lastStableOffset: natural,
  timeMs: natural,
  maxTimestampMs: timestamp,
  segments: list(segmentShape),
  pages: list(pageShape),
  epochs: list(tuple({ epoch: int32, startOffset: natural })),
  appended: setsum,
  pruned: setsum,
});

const manifestShape = object({
  v: natural,
  group,
  topic: topicId,
  first: int32,
  epoch: int32,
  owner: nullable(tuple({ sid, broker: int32, zone: text })),
  writer: sid,
  assignGen: natural,
  state: oneOf('owned', 'released', 'deleted'),
  runs: list(tuple({ sid, epoch: int32, from: natural, to: nullable(natural), flushedTo: natural })),
  parts: list(partitionShape),
  snap: nullable(snapshotName),
});

/**
 * JSON in a document frame; lists of many are arrays of values in the order of the interfaces above. Version 2 has one
 * more element in every segment reference and one more field, both reserved: readers pass over them.
 *
 * 1024 segments: 12 to 20 KiB stored; 1.2 ms to encode or to decode, with all checks.
 */
export function encodeManifest(manifest: Manifest, formatVersion: number): Uint8Array {
  const problem = manifestProblem(manifest);
  assert(problem === undefined, `manifest of ${manifest.group}: ${problem ?? ''}`);
  const { owner } = manifest;
  return encodeShape(
    'manifest',
    formatVersion,
    {
      v: manifest.version,
      group: manifest.group,
      topic: manifest.topicId,
      first: manifest.firstPartition,
      epoch: manifest.epoch,
      owner: owner === undefined ? null : [owner.sid, owner.broker, owner.zone],
      writer: manifest.writer,
      assignGen: manifest.assignmentGeneration,
      state: manifest.state,
      runs: manifest.runs.map((run) => [run.sid, run.epoch, run.from, run.to ?? null, run.flushedTo]),
      parts: manifest.partitions.map((partition) => [
        partition.logStart,
        partition.segmentEnd,
        partition.lastStableOffset,
        partition.timeMs,
        partition.maxTimestampMs,
        encodeSegments(partition.segments, formatVersion),
        partition.pages.map((page) => [
          page.object,
          page.baseOffset,
          page.endOffset,
          page.count,
          page.sizeBytes,
          page.maxTimestampMs,
          page.setsum,
        ]),
        partition.epochs.map(({ epoch, startOffset }) => [epoch, startOffset]),
        partition.appended,
        partition.pruned,
      ]),
      snap: manifest.snapshot?.object ?? null,
      ...(formatVersion >= 2 ? { reserved: [] } : {}),
    },
    manifestShape,
  );
}

/**
 * @throws LogFormatError, also when the manifest contradicts itself (`manifest-check.ts`)
 */
export function decodeManifest(bytes: Uint8Array, where: string): Manifest {
  const { v, topic, first, assignGen, parts, snap, ...same } = decodeShape(
    'manifest',
    bytes,
    where,
    manifestShape,
  );
  const manifest: Manifest = {
    ...same,
    version: v,
    topicId: topic,
    firstPartition: first,
    partitionCount: parts.length,
    assignmentGeneration: assignGen,
    partitions: parts.map((partition, index) => ({ partition: first + index, ...partition })),
    snapshot: snap === undefined ? undefined : { object: snap },
  };
  const problem = manifestProblem(manifest);
  if (problem !== undefined) {
    throw new LogFormatError(
      'INVALID',
      where,
      `this manifest contradicts itself: ${problem}; ${corruptAdvice}`,
    );
  }
  return manifest;
}

/** A page: segment references of one partition. */
export function encodePage(segments: readonly SegmentRef[], formatVersion: number): Uint8Array {
  return encodeShape('page', formatVersion, encodeSegments(segments, formatVersion), list(segmentShape));
}

/** @throws LogFormatError */
export function decodePage(bytes: Uint8Array, where: string): SegmentRef[] {
  return decodeShape('page', bytes, where, list(segmentShape));
}

function encodeSegments(segments: readonly SegmentRef[], formatVersion: number): unknown[] {
  return segments.map((segment) => {
    const fields: unknown[] = [
      segment.object,
      segment.baseOffset,
      segment.endOffset,
      segment.position,
      segment.sizeBytes,
      segment.maxTimestampMs,
      segment.setsum,
    ];
    if (formatVersion >= 2) fields.push(null);
    return fields;
  });
}
