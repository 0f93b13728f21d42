import type {
  EpochStart,
  Manifest,
  PageRef,
  PartitionManifest,
  Run,
  SegmentRef,
} from './manifest-content.ts';
import { addSetsum, SetsumAccumulator } from './setsum.ts';

/** What is wrong with a manifest in itself, `undefined` when nothing is. Never written, and never acted upon when read. */
export function manifestProblem(manifest: Manifest): string | undefined {
  const { group, topicId, firstPartition, partitions, partitionCount, owner, state } = manifest;
  if (!group.startsWith(`${topicId}-`)) return `group ${group} is not one of topic ${topicId}`;
  if (partitions.length !== partitionCount || partitionCount === 0) {
    return `it has ${partitions.length} partitions, ${partitionCount} are declared`;
  }
  if (state !== 'deleted' && (state === 'owned') !== (owner !== undefined)) {
    return `its state is ${state} and it has ${owner === undefined ? 'no' : 'an'} owner`;
  }
  const runs = runsProblem(manifest);
  if (runs !== undefined) return runs;
  for (const [index, partition] of partitions.entries()) {
    if (partition.partition !== firstPartition + index) {
      return `partition ${partition.partition} stands where ${firstPartition + index} belongs`;
    }
    const problem = partitionProblem(partition, manifest.epoch);
    if (problem !== undefined) return `partition ${partition.partition}: ${problem}`;
  }
  return undefined;
}

/**
 * Invariant 8 of the log: what keeps `after` from being the version after `before`, `undefined` when nothing does.
 * Everything that only grows must not shrink, and what was decided stays decided.
 */
export function checkSuccessor(before: Manifest, after: Manifest): string | undefined {
  const problem = manifestProblem(after) ?? identityProblem(before, after) ?? runChangeProblem(before, after);
  if (problem !== undefined) return problem;
  for (const [index, old] of before.partitions.entries()) {
    const next = after.partitions[index];
    if (next === undefined) return `partition ${old.partition} is gone`;
    const change = partitionChangeProblem(old, next);
    if (change !== undefined) return `partition ${old.partition}: ${change}`;
  }
  return undefined;
}

function identityProblem(before: Manifest, after: Manifest): string | undefined {
  for (const field of ['group', 'topicId', 'firstPartition', 'partitionCount'] as const) {
    if (before[field] !== after[field]) return `${field} changes from ${before[field]} to ${after[field]}`;
  }
  if (after.version !== before.version + 1) return `version ${after.version} follows ${before.version}`;
  if (after.epoch < before.epoch) return `epoch ${after.epoch} follows ${before.epoch}`;
  if (after.assignmentGeneration < before.assignmentGeneration) {
    return `assignment generation ${after.assignmentGeneration} follows ${before.assignmentGeneration}`;
  }
  if (before.state === 'deleted' && after.state !== 'deleted') return 'a deleted group comes back';
  const taken = after.owner !== undefined && after.owner.sid !== before.owner?.sid;
  if (taken && after.epoch === before.epoch) return `the owner changes within epoch ${after.epoch}`;
  return undefined;
}

function runChangeProblem(before: Manifest, after: Manifest): string | undefined {
  for (const run of after.runs) {
    const old = before.runs.find((candidate) => candidate.sid === run.sid && candidate.from === run.from);
    if (old === undefined) continue;
    const name = `the run of ${run.sid} from slot ${run.from}`;
    if (run.epoch !== old.epoch) return `${name} changes its epoch from ${old.epoch} to ${run.epoch}`;
    if (run.flushedTo < old.flushedTo)
      return `${name}: flushedTo goes from ${old.flushedTo} to ${run.flushedTo}`;
    if (old.to !== undefined && run.to !== old.to) {
      return `${name} ended at slot ${old.to} and now ${run.to === undefined ? 'is open' : `ends at ${run.to}`}`;
    }
  }
  return undefined;
}

function partitionChangeProblem(before: PartitionManifest, after: PartitionManifest): string | undefined {
  const grows = ['logStart', 'segmentEnd', 'lastStableOffset', 'timeMs', 'maxTimestampMs'] as const;
  for (const field of grows) {
    if (after[field] < before[field]) return `${field} goes from ${before[field]} to ${after[field]}`;
  }
  if (after.segmentEnd === before.segmentEnd && after.appended !== before.appended) {
    return `appended changes although segmentEnd stays ${after.segmentEnd}`;
  }
  return epochChangeProblem(before, after);
}

/**
 * Where an epoch began above the log's start is history. Only an epoch in which nothing was written gives way, to the
 * next epoch at the same offset.
 */
function epochChangeProblem(before: PartitionManifest, after: PartitionManifest): string | undefined {
  for (const old of before.epochs) {
    if (old.startOffset <= after.logStart) continue;
    const kept = after.epochs.some(
      (entry) => entry.startOffset === old.startOffset && entry.epoch >= old.epoch,
    );
    if (!kept) return `epoch ${old.epoch} from offset ${old.startOffset} is gone`;
  }
  return undefined;
}

function runsProblem(manifest: Manifest): string | undefined {
  const { runs, epoch, owner } = manifest;
  for (const [index, run] of runs.entries()) {
    const name = `the run of ${run.sid} from slot ${run.from}`;
    const isLast = index === runs.length - 1;
    if (run.to === undefined) {
      if (!isLast) return `${name} is open but not the last`;
      if (run.sid !== owner?.sid) return `${name} is open, but the owner is ${owner?.sid ?? 'nobody'}`;
    } else if (run.to < run.from || run.flushedTo > run.to) {
      return `${name} ends at slot ${run.to}, flushed to ${run.flushedTo}`;
    }
    const before: Run | undefined = runs[index - 1];
    if (run.epoch > epoch || (before !== undefined && before.epoch >= run.epoch)) {
      return `${name} has epoch ${run.epoch}, after ${before?.epoch ?? 'none'}, of ${epoch}`;
    }
  }
  return undefined;
}

function partitionProblem(partition: PartitionManifest, epoch: number): string | undefined {
  return refsProblem(partition) ?? epochsProblem(partition.epochs, epoch) ?? conservationProblem(partition);
}

function refsProblem(partition: PartitionManifest): string | undefined {
  const { logStart, segmentEnd, lastStableOffset } = partition;
  if (lastStableOffset > segmentEnd) {
    return `its last stable offset ${lastStableOffset} is beyond its segments' end ${segmentEnd}`;
  }
  let expected: number | undefined;
  for (const ref of refsOf(partition)) {
    if (expected === undefined && ref.baseOffset > logStart) {
      return `its log starts at ${logStart}, its first segment at ${ref.baseOffset}`;
    }
    if (expected !== undefined && ref.baseOffset !== expected) {
      return `${ref.object} starts at offset ${ref.baseOffset}, ${expected} was expected`;
    }
    if (ref.endOffset <= ref.baseOffset) return `${ref.object} ends at offset ${ref.endOffset}`;
    expected = ref.endOffset;
  }
  if (expected === undefined ? segmentEnd > logStart : segmentEnd !== expected) {
    return `its segments end at ${expected ?? logStart} instead of ${segmentEnd}`;
  }
  return undefined;
}

function* refsOf(partition: PartitionManifest): Generator<PageRef | SegmentRef> {
  yield* partition.pages;
  yield* partition.segments;
}

function epochsProblem(epochs: readonly EpochStart[], epoch: number): string | undefined {
  for (const [index, entry] of epochs.entries()) {
    const before = epochs[index - 1];
    if (entry.epoch > epoch || (before !== undefined && before.epoch >= entry.epoch)) {
      return `epoch ${entry.epoch} follows epoch ${before?.epoch ?? 'none'} in a group of epoch ${epoch}`;
    }
    if (before !== undefined && before.startOffset > entry.startOffset) {
      return `epoch ${entry.epoch} starts at offset ${entry.startOffset}, the one before at ${before.startOffset}`;
    }
  }
  return undefined;
}

/** Invariant 12: what was ever flushed is live or was pruned. */
function conservationProblem(partition: PartitionManifest): string | undefined {
  const live = new SetsumAccumulator();
  for (const ref of refsOf(partition)) live.addSum(ref.setsum);
  const accounted = addSetsum(live.sum, partition.pruned);
  if (accounted === partition.appended) return undefined;
  return `its segments and what was pruned add up to ${accounted}, but ${partition.appended} was appended`;
}
