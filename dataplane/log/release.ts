import { flushGroup } from './flush.ts';
import type { Manifest } from './format/manifest.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedGroup } from './owned-group.ts';
import { describeOwner } from './owned-group.ts';
import type { SlotAssembler } from './slot-assembler.ts';
import { LogError } from './errors.ts';

/**
 * Hands a group over without fencing anybody (log.md P4): flush while serving; stop admitting (appends wait); wait until
 * the last slot with a block of the group is acknowledged; flush the rest; then one CAS: no owner, no run of ours.
 * Afterwards no slot of this session is needed by the group, so the session's trim may pass them.
 *
 * Outcome of the CAS: applied → gone, the session lives. Lost → somebody took the group over meanwhile. If the manifest
 * that won lists no run of ours, the group is gone and nothing of ours is needed by it: the session lives (and finds out
 * at its next slot, should it have been fenced). If it lists one, we were fenced with unflushed records: the session dies.
 */
export async function releaseGroup(
  group: OwnedGroup,
  assembler: SlotAssembler,
  context: LogContext,
): Promise<void> {
  const { session } = group;
  await group.exclusive(() => flushGroup(group, context));
  group.phase = 'releasing';
  await drained(group, assembler);
  await group.exclusive(async () => {
    await flushGroup(group, context);
    const { manifest } = group;
    const next: Manifest = {
      ...manifest,
      version: manifest.version + 1,
      writer: session.sid,
      owner: undefined,
      state: 'released',
      runs: manifest.runs.filter((run) => run.sid !== session.sid),
    };
    const lost = await group.tryWrite(next);
    if (lost !== undefined) {
      context.counters.unknownReleases += 1;
      const ours = lost.current?.runs.some((run) => run.sid === session.sid) ?? false;
      if (ours) {
        session.die(
          `group ${group.id} was taken over by ${describeOwner(lost.current)} while it was being released`,
        );
        throw session.deathReason;
      }
    }
    group.abandon(new LogError('NOT_LEADER_OR_FOLLOWER', `group ${group.id} has moved to another broker`));
  });
}

/** Resolves when everything the group's partitions have admitted is durable. */
async function drained(group: OwnedGroup, assembler: SlotAssembler): Promise<void> {
  const { session } = group;
  const admitted = (): boolean =>
    [...group.partitions.values()].some((partition) => partition.highWatermark < partition.nextOffset);
  while (admitted()) {
    if ([...group.partitions.values()].some((partition) => partition.hasOpenBlock)) assembler.closeNow();
    await session.durable(session.durableEnd + 1);
  }
}
