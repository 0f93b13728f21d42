import { snapshotKey } from '../format/keys.ts';
import { decodeSnapshot } from '../format/snapshot.ts';
import type { PartitionSnapshot } from '../format/snapshot.ts';
import { reportDamage } from './damage.ts';
import type { GroupCheck } from './group-check.ts';
import type { PartitionChain } from './partition-chain.ts';
import type { VerifyContext } from './verify-context.ts';

/**
 * Checks the snapshot that a group's manifest names: it exists, is this group's, stands at `segmentEnd`, and agrees with
 * the producers that were seen in segments. Call when the group's segments have been checked, and nothing beyond them.
 */
export async function checkSnapshot(group: GroupCheck, context: VerifyContext): Promise<void> {
  const { manifest } = group;
  const object = manifest.snapshot?.object;
  if (object === undefined) return;
  const { reader, findings } = context;
  const key = snapshotKey(group.id, object);
  const found = await reader.read(key, ({ bytes }) => decodeSnapshot(bytes, key));
  if (found.kind === 'absent') {
    if (!(await group.hasChanged()))
      findings.add('SNAPSHOT_MISSING', key, 'this snapshot does not exist, but its manifest names it');
    return;
  }
  if (found.kind === 'damaged') {
    reportDamage(findings, key, found.error);
    return;
  }
  if (found.value.group !== group.id) {
    findings.add('WRONG_PLACE', key, `it is a snapshot of group ${found.value.group}`);
    return;
  }
  for (const snapshot of found.value.partitions) {
    const entry = manifest.partitions[snapshot.partition - manifest.firstPartition];
    const problem =
      entry === undefined
        ? `it has partition ${snapshot.partition}, which is not in its group`
        : snapshot.endOffset === entry.segmentEnd
          ? producersProblem(snapshot, group.chain(snapshot.partition))
          : `partition ${snapshot.partition} stands at offset ${snapshot.endOffset}, its segments end at ${entry.segmentEnd}`;
    if (problem !== undefined) findings.add('SNAPSHOT_MISMATCH', key, problem);
  }
}

/** Producers that the snapshot leaves out have expired. Those it has must stand where their last batch in segments left them. */
function producersProblem(snapshot: PartitionSnapshot, chain: PartitionChain): string | undefined {
  for (const { producerId, epoch, batches } of snapshot.producers) {
    const seen = chain.producers.last(producerId);
    const last = batches.at(-1);
    if (seen === undefined || last === undefined || chain.end !== snapshot.endOffset) continue;
    if (
      seen.epoch === epoch &&
      seen.lastSequence === last.lastSequence &&
      seen.lastOffset === last.lastOffset
    )
      continue;
    return (
      `producer ${producerId} of partition ${snapshot.partition} stands at epoch ${epoch}, sequence ${last.lastSequence}, ` +
      `offset ${last.lastOffset}; in segments its last batch has epoch ${seen.epoch}, sequence ${seen.lastSequence}, offset ${seen.lastOffset}`
    );
  }
  return undefined;
}
