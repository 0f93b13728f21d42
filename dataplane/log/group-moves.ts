import type { ClusterState, GroupLayout } from '../cluster/cluster-state.ts';
import { isDeadSid } from '../cluster/ownership.ts';
import { groupOf, groupsOf } from '../cluster/partition-groups.ts';
import type { PartitionGroup } from '../cluster/partition-groups.ts';
import { inBackground } from '../runtime/in-background.ts';
import { sleep } from '../runtime/runtime.ts';
import { acquireGroup } from './acquire.ts';
import { AcquirePauses } from './acquire-pauses.ts';
import { DeadSession } from './dead-session.ts';
import { parseGroupId } from './format/keys.ts';
import type { LogContext } from './log-context.ts';
import { deleteGroup, emptyDeletedGroup } from './orphans.ts';
import type { OwnedGroup } from './owned-group.ts';
import { releaseGroup } from './release.ts';
import type { ServedGroups } from './served-groups.ts';
import type { SlotAssembler } from './slot-assembler.ts';
import type { WalSession } from './session.ts';
import { TurnQueue } from './turn-queue.ts';

export interface GroupMoveEvents {
  /** A group is served, for this generation of its assignment; said again for as long as `meta/cluster` does not know. */
  readonly onServing: (group: string, generation: number) => void;
  /** A group was released, for this generation of its assignment: its next owner need not wait any more. */
  readonly onReleased: (group: string, generation: number) => void;
  readonly onDeleted: (group: string) => void;
  /** Something went wrong that is retried; the message names what and why. */
  readonly onProblem: (what: string, error: unknown) => void;
}

/**
 * Brings the groups a session serves in line with what `meta/cluster` assigns to its broker (log.md P1, P4): acquires,
 * releases and deletes, each group by one of these at a time, all groups at once as far as {@link TurnQueue} lets them.
 */
export class GroupMoves {
  readonly #session: WalSession;
  readonly #context: LogContext;
  readonly #groups: ServedGroups;
  readonly #assembler: SlotAssembler;
  readonly #refreshCluster: () => Promise<ClusterState>;
  readonly #events: GroupMoveEvents;
  readonly #onGone: (group: OwnedGroup) => void;
  readonly #onSettled: () => void;
  /** What `meta/cluster` gives to this broker, as last seen. */
  readonly #assigned = new Map<string, { readonly topicId: string; readonly group: PartitionGroup }>();
  readonly #layouts = new Map<string, GroupLayout>();
  readonly #acquiring = new Set<string>();
  /** By group that pauses between attempts: how things stood at the last one. */
  readonly #pausing = new Map<string, Standing>();
  /** Being acquired, and said to have been released since the attempt under way began. */
  readonly #saidReleased = new Set<string>();
  readonly #pauses: AcquirePauses;
  readonly #acquireTurns: TurnQueue;
  readonly #releaseTurns: TurnQueue;
  readonly #moving = new Set<string>();
  readonly #deadSessions = new Map<string, DeadSession>();
  #wanted: ClusterState | undefined;
  #draining = false;

  constructor(environment: {
    readonly session: WalSession;
    readonly context: LogContext;
    readonly groups: ServedGroups;
    readonly assembler: SlotAssembler;
    readonly refreshCluster: () => Promise<ClusterState>;
    readonly events: GroupMoveEvents;
    /** The group was released or deleted, and is not served any more. */
    readonly onGone: (group: OwnedGroup) => void;
    /** A release has succeeded or failed: what waited for that goes on. */
    readonly onSettled: () => void;
  }) {
    this.#session = environment.session;
    this.#context = environment.context;
    this.#groups = environment.groups;
    this.#assembler = environment.assembler;
    this.#refreshCluster = environment.refreshCluster;
    this.#events = environment.events;
    this.#onGone = environment.onGone;
    this.#onSettled = environment.onSettled;
    this.#pauses = new AcquirePauses(this.#context.runtime, this.#context.options.retryBackoffMs);
    // All groups of a broker may come at a time, and have to go at a time.
    this.#acquireTurns = new TurnQueue(this.#context.options.acquireConcurrency);
    this.#releaseTurns = new TurnQueue(this.#context.options.acquireConcurrency);
  }

  /** Groups on their way here. */
  get arriving(): ArrivingGroups {
    const failing = [...this.#pausing.values()].filter(({ ownerSid }) => ownerSid === undefined).length;
    return { count: this.#acquiring.size, failing };
  }

  deadSession(sid: string): DeadSession {
    let known = this.#deadSessions.get(sid);
    if (known === undefined) {
      known = new DeadSession(sid, this.#context, this.#session.signal);
      this.#deadSessions.set(sid, known);
    }
    return known;
  }

  /** Starts what brings the groups in line with the cluster state. Call after every change of it; returns at once. */
  reconcile(state: ClusterState, brokerId: number): void {
    if (!this.#session.live || this.#draining) return;
    this.#wanted = state;
    this.#layouts.clear();
    for (const topic of state.topics.values()) {
      this.#layouts.set(topic.topicId, topic);
      for (const group of groupsOf(topic)) this.#want(state, topic.topicId, group, brokerId);
    }
    for (const topic of state.deletedTopics.values()) {
      for (const group of groupsOf(topic)) this.#want(state, topic.topicId, group, brokerId);
    }
    for (const group of this.#groups.all()) {
      if (state.assignments.get(group.id)?.broker !== brokerId) inBackground(this.#release(group));
      else if (state.deletedTopics.has(group.manifest.topicId)) inBackground(this.#delete(group));
    }
    this.#pauses.wake((id) => {
      const standing = this.#pausing.get(id);
      return standing !== undefined && hasChanged(standing, id, state);
    });
  }

  /** More groups are to be acquired than can be at a time. */
  get isAcquiringMany(): boolean {
    return this.#acquireTurns.isWaiting;
  }

  /** Tries again what failed: releases, deletions, reports of what is served. */
  retry(): void {
    if (this.#wanted !== undefined) this.reconcile(this.#wanted, this.#context.broker.id);
    // An acquisition uses one of these throughout; afterwards all it found out is in the group.
    if (this.#acquiring.size === 0) this.#deadSessions.clear();
  }

  #want(state: ClusterState, topicId: string, group: PartitionGroup, brokerId: number): void {
    const assignment = state.assignments.get(group.id);
    if (assignment?.broker !== brokerId) {
      this.#assigned.delete(group.id);
      return;
    }
    this.#assigned.set(group.id, { topicId, group });
    if (this.#acquiring.has(group.id)) return;
    const owned = this.#groups.get(group.id);
    if (owned !== undefined) {
      const isKnown = assignment.from === undefined && assignment.hasManifest === true;
      if (!isKnown && owned.generation === assignment.generation)
        this.#events.onServing(group.id, owned.generation);
      return;
    }
    // Not served and still moving: its tombstone stands, and its objects are being deleted.
    if (!this.#moving.has(group.id)) inBackground(this.#acquire(topicId, group, brokerId));
  }

  /** Acquires, again and again until the group is ours or somebody else's by a newer assignment. */
  async #acquire(topicId: string, group: PartitionGroup, brokerId: number): Promise<void> {
    const { id } = group;
    this.#acquiring.add(id);
    const { counters } = this.#context;
    try {
      for (let failures = 1; this.#session.live; failures++) {
        const known = this.#wanted;
        const assignment = known?.assignments.get(id);
        if (known === undefined || assignment?.broker !== brokerId) return;
        if (this.#draining) return;
        const outcome = await this.#acquireTurns
          .run(id, () =>
            acquireGroup({
              topicId,
              group,
              generation: assignment.generation,
              // Of a deleted topic nothing is lost any more.
              hasManifest: assignment.hasManifest === true && !known.deletedTopics.has(topicId),
              session: this.#session,
              context: this.#context,
              knownCluster: () => this.#wanted,
              refreshCluster: this.#refreshCluster,
              deadSession: (sid) => this.deadSession(sid),
            }).then(async (acquired) => {
              // Who wrote the tombstone may have died before all was deleted.
              if (acquired.kind === 'deleted')
                await emptyDeletedGroup(id, this.#context, this.#session.signal);
              return acquired;
            }),
          )
          .catch((error: unknown) => {
            if (this.#session.live) this.#events.onProblem(`group ${id} could not be acquired`, error);
            return undefined;
          });
        if (outcome?.kind === 'owned') {
          if (outcome.how === 'takeover') counters.takeovers += 1;
          if (outcome.how === 'handover') counters.handovers += 1;
          this.#serve(outcome.group, assignment.generation);
          return;
        }
        if (outcome?.kind === 'deleted') {
          this.#events.onDeleted(id);
          return;
        }
        const standing = { state: known, ownerSid: outcome?.kind === 'wait' ? outcome.ownerSid : undefined };
        if (await this.#hasChangedIn(id, standing, failures)) failures = 0;
      }
    } finally {
      this.#acquiring.delete(id);
      this.#saidReleased.delete(id);
    }
  }

  /** Waits before the next attempt to acquire; true: something has changed meanwhile for which the last one was too early. */
  async #hasChangedIn(id: string, standing: Standing, failures: number): Promise<boolean> {
    if (this.#draining || !this.#session.live || this.#saidReleased.delete(id)) return true;
    if (this.#wanted !== undefined && hasChanged(standing, id, this.#wanted)) return true;
    this.#pausing.set(id, standing);
    const ended = await this.#pauses.pause(id, failures);
    this.#pausing.delete(id);
    this.#saidReleased.delete(id);
    return ended === 'woken';
  }

  /** Nothing is decided by it but to look at the manifest now, whatever it says. */
  released(id: string): void {
    if (!this.#acquiring.has(id)) return;
    this.#saidReleased.add(id);
    this.#pauses.wake((paused) => paused === id);
  }

  /** Somebody wants this partition, which is not served yet: its group goes before those that only wait. */
  askFor(topicId: string, partition: number): void {
    if (!this.#acquireTurns.isWaiting) return;
    const layout = this.#layouts.get(topicId);
    const id = layout === undefined ? undefined : groupOf(layout, partition)?.id;
    if (id !== undefined) this.#acquireTurns.hurry(id);
  }

  #serve(group: OwnedGroup, generation: number): void {
    if (!this.#session.live) return;
    this.#groups.add(group, generation);
    this.#events.onServing(group.id, generation);
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    // The assignment may have moved on while we were acquiring.
    if (wanted.assignments.get(group.id)?.broker !== this.#context.broker.id)
      inBackground(this.#release(group));
    else if (wanted.deletedTopics.has(group.manifest.topicId)) inBackground(this.#delete(group));
  }

  async #release(group: OwnedGroup): Promise<void> {
    const { id } = group;
    if (this.#moving.has(id)) return;
    this.#moving.add(id);
    try {
      await this.#releaseTurns.run(id, () => releaseGroup(group, this.#assembler, this.#context));
      this.#forget(group);
      const generation = this.#wanted?.assignments.get(id)?.generation;
      if (generation !== undefined) this.#events.onReleased(id, generation);
    } catch (error) {
      if (group.phase === 'releasing') group.phase = 'serving';
      if (this.#session.live) this.#events.onProblem(`group ${id} could not be released`, error);
    } finally {
      this.#moving.delete(id);
      this.#onSettled();
      this.#returned(id);
    }
  }

  /** The group may have been given back while it was on its way out. */
  #returned(id: string): void {
    const assigned = this.#assigned.get(id);
    if (this.#draining) return;
    if (assigned === undefined || !this.#session.live || this.#groups.has(id) || this.#acquiring.has(id))
      return;
    inBackground(this.#acquire(assigned.topicId, assigned.group, this.#context.broker.id));
  }

  /**
   * Once the tombstone stands the group is not served any more, whether or not its objects could be deleted: what is left
   * of them goes with the next {@link retry}, or with the next owner, whose acquisition finds the tombstone. Until then
   * `meta/cluster` is not told, and remembers the topic.
   */
  async #delete(group: OwnedGroup): Promise<void> {
    const { id } = group;
    if (this.#moving.has(id)) return;
    this.#moving.add(id);
    try {
      await group.exclusive(() => deleteGroup(group));
      this.#forget(group);
      await emptyDeletedGroup(id, this.#context, this.#session.signal);
      this.#events.onDeleted(id);
    } catch (error) {
      if (this.#session.live) this.#events.onProblem(`group ${id} could not be deleted`, error);
    } finally {
      this.#moving.delete(id);
    }
  }

  #forget(group: OwnedGroup): void {
    if (this.#groups.remove(group)) this.#onGone(group);
  }

  /** Hands all groups over to nobody and takes no more. Resolves when none is on its way here or away. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#pauses.wake(() => true);
    do {
      await Promise.all(this.#groups.all().map((group) => this.#release(group)));
      // An acquisition under way may succeed yet. Nothing is served when END is written: what came after it in a run that
      // begins before it would be acknowledged and lost.
    } while (await this.#isMoving());
  }

  /** Whether groups are on their way here or away; then it waits a little first. */
  async #isMoving(): Promise<boolean> {
    if (!this.#session.live || this.#acquiring.size + this.#moving.size === 0) return false;
    const lookAgainMs = Math.min(100, this.#context.options.retryBackoffMs);
    await sleep(this.#context.runtime, lookAgainMs, this.#session.signal).catch(() => undefined);
    return true;
  }

  /** The session has ended: acquisitions that wait for their turn find that out. */
  abandon(): void {
    this.#acquireTurns.openAll();
    this.#pauses.wake(() => true);
  }
}

export interface ArrivingGroups {
  /** Being acquired, waiting for their turn or for their old owner, or to be tried again. */
  readonly count: number;
  /** Of these, to be tried again because the last attempt failed. */
  readonly failing: number;
}

/** By which cluster state a group could not be acquired, and which live session it was that has to release it first. */
interface Standing {
  readonly state: ClusterState | undefined;
  readonly ownerSid: string | undefined;
}

/** Whether `meta/cluster` says something new of the group: it is worth while to try again at once. */
function hasChanged({ state: before, ownerSid }: Standing, id: string, now: ClusterState): boolean {
  const then = before?.assignments.get(id);
  const assignment = now.assignments.get(id);
  if (then?.generation !== assignment?.generation || then?.from?.sid !== assignment?.from?.sid) return true;
  const topicId = parseGroupId(id)?.topicId ?? '';
  if (before?.deletedTopics.has(topicId) !== now.deletedTopics.has(topicId)) return true;
  return (
    ownerSid !== undefined &&
    isDeadSid(now, ownerSid) &&
    !(before !== undefined && isDeadSid(before, ownerSid))
  );
}
