import type { Operation } from '../operation.ts';
import { timerKey } from '../shard-context.ts';
import type { ShardContext } from '../shard-context.ts';
import type { ClassicGroup } from './classic-group.ts';
import { joinRefused, noBytes, syncRefused } from './classic-member.ts';
import type { ClassicMember, JoinAnswer } from './classic-member.ts';

/** How classic groups rebalance: the phases and their timeouts. Every method runs inside an operation. */
export class ClassicRebalance {
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  /** The member has given a sign of life. */
  heartbeat(group: ClassicGroup, member: ClassicMember): void {
    this.#expectHeartbeat(group, member, member.sessionTimeoutMs);
  }

  /** A new member cannot send heartbeats before it is answered; its client may be gone meanwhile. */
  expectJoin(group: ClassicGroup, member: ClassicMember): void {
    this.#expectHeartbeat(group, member, this.#context.options.newMemberJoinTimeoutMs);
  }

  #expectHeartbeat(group: ClassicGroup, { memberId }: ClassicMember, timeoutMs: number): void {
    const { groupId } = group;
    this.#context.schedule(heartbeatKey(groupId, memberId), groupId, timeoutMs, (operation) => {
      this.#heartbeatMissed(operation, groupId, memberId);
    });
  }

  /** An id was given out: it is forgotten unless its client joins with it in time. */
  expectPendingMember(group: ClassicGroup, memberId: string, timeoutMs: number): void {
    const { groupId } = group;
    group.pendingMembers.add(memberId);
    this.#context.schedule(heartbeatKey(groupId, memberId), groupId, timeoutMs, (operation) => {
      this.#heartbeatMissed(operation, groupId, memberId);
    });
  }

  expectNoHeartbeat(groupId: string, memberId: string): void {
    this.#context.unschedule(heartbeatKey(groupId, memberId));
  }

  #heartbeatMissed(operation: Operation, groupId: string, memberId: string): void {
    const group = this.#classic(groupId);
    if (group === undefined) return;
    if (group.pendingMembers.has(memberId)) {
      this.removePendingMember(operation, group, memberId);
      return;
    }
    const member = group.members.get(memberId);
    if (member === undefined || member.needsNoHeartbeat) return;
    this.removeMember(operation, group, member);
    this.continueWithout(operation, group);
  }

  removePendingMember(operation: Operation, group: ClassicGroup, memberId: string): void {
    this.expectNoHeartbeat(group.groupId, memberId);
    group.remove(memberId);
    this.tryCompleteJoin(operation, group);
  }

  /** Takes a member out and answers what it has parked; the group goes on with {@link continueWithout}. */
  removeMember(operation: Operation, group: ClassicGroup, member: ClassicMember): void {
    this.expectNoHeartbeat(group.groupId, member.memberId);
    // If its client lives after all it joins again, as a new member.
    group.answerJoin(operation, member, joinRefused('UNKNOWN_MEMBER_ID', ''));
    group.answerSync(operation, member, syncRefused('UNKNOWN_MEMBER_ID'));
    group.remove(member.memberId);
  }

  /** Members are gone: those that are left get a new generation. */
  continueWithout(operation: Operation, group: ClassicGroup): void {
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.prepare(operation, group);
    else this.tryCompleteJoin(operation, group);
  }

  /** A new rebalance, or, when one is being prepared, perhaps the end of its join phase. */
  prepareOrComplete(operation: Operation, group: ClassicGroup): void {
    if (group.state === 'PreparingRebalance') this.tryCompleteJoin(operation, group);
    else this.prepare(operation, group);
  }

  prepare(operation: Operation, group: ClassicGroup): void {
    const { runtime, options } = this.#context;
    const { groupId } = group;
    if (group.state === 'CompletingRebalance') {
      for (const member of group.members.values()) {
        member.assignment = noBytes;
        if (group.answerSync(operation, member, syncRefused('REBALANCE_IN_PROGRESS')))
          this.heartbeat(group, member);
      }
    }
    group.pendingSyncMembers.clear();
    this.#context.unschedule(syncKey(groupId));
    const isInitial = group.state === 'Empty';
    group.transitionTo('PreparingRebalance', runtime.wallMs());
    if (isInitial) {
      const delayMs = options.initialRebalanceDelayMs;
      this.#delayInitial(group, delayMs, Math.max(group.rebalanceTimeoutMs - delayMs, 0));
    } else if (group.haveAllJoined) this.#complete(operation, group);
    else this.#expectAllToJoin(group);
  }

  /** Members that start together come together: each that comes prolongs the wait, up to the rebalance timeout. */
  #delayInitial(group: ClassicGroup, delayMs: number, remainingMs: number): void {
    const { groupId } = group;
    group.newMemberAdded = false;
    this.#context.schedule(joinKey(groupId), groupId, delayMs, (operation) => {
      const current = this.#classic(groupId);
      if (current?.state !== 'PreparingRebalance') return;
      if (current.newMemberAdded && remainingMs > 0) {
        const nextMs = Math.min(this.#context.options.initialRebalanceDelayMs, remainingMs);
        this.#delayInitial(current, nextMs, Math.max(remainingMs - delayMs, 0));
      } else this.#complete(operation, current);
    });
  }

  #expectAllToJoin(group: ClassicGroup): void {
    const { groupId } = group;
    this.#context.schedule(joinKey(groupId), groupId, group.rebalanceTimeoutMs, (operation) => {
      const current = this.#classic(groupId);
      if (current?.state === 'PreparingRebalance') this.#complete(operation, current);
    });
  }

  /** Ends the join phase if nobody is missing. The first one of an empty group lasts as long as its delay. */
  tryCompleteJoin(operation: Operation, group: ClassicGroup): void {
    if (group.state !== 'PreparingRebalance' || group.previousState === 'Empty') return;
    if (group.haveAllJoined) this.#complete(operation, group);
  }

  /** Ends the join phase: dynamic members that have not joined are out, static ones stay until their session is over. */
  #complete(operation: Operation, group: ClassicGroup): void {
    const { runtime } = this.#context;
    const { groupId } = group;
    this.#context.unschedule(joinKey(groupId));
    for (const member of group.members.values()) {
      if (!member.isAwaitingJoin && member.instanceId === null) this.removeMember(operation, group, member);
    }
    if (group.members.size > 0 && !group.electJoinedLeader()) {
      // Only static members, none of which has come: their sessions decide.
      this.#expectAllToJoin(group);
      return;
    }
    group.beginGeneration(runtime.wallMs());
    if (group.state === 'Empty') {
      group.persist(operation);
      return;
    }
    for (const member of group.members.values()) {
      group.answerJoin(operation, member, this.generationFor(group, member));
      this.heartbeat(group, member);
      member.isNew = false;
      group.pendingSyncMembers.add(member.memberId);
    }
    this.#expectAllToSync(group);
  }

  /** The answer to JoinGroup that tells a member of the present generation. */
  generationFor(group: ClassicGroup, member: ClassicMember): JoinAnswer {
    const isLeader = group.isLeader(member.memberId);
    return {
      error: 'NONE',
      memberId: member.memberId,
      generationId: group.generation,
      protocolType: group.protocolType ?? null,
      protocolName: group.protocolName ?? null,
      leader: group.leaderId ?? '',
      skipAssignment: false,
      members: isLeader ? group.joinedMembers() : [],
    };
  }

  #expectAllToSync(group: ClassicGroup): void {
    const { groupId, generation } = group;
    this.#context.schedule(syncKey(groupId), groupId, group.rebalanceTimeoutMs, (operation) => {
      const current = this.#classic(groupId);
      if (current === undefined || current.generation !== generation || current.haveAllSynced) return;
      if (current.state !== 'CompletingRebalance' && current.state !== 'Stable') return;
      for (const memberId of current.pendingSyncMembers)
        this.removeMember(operation, current, current.memberOf(memberId));
      this.prepare(operation, current);
    });
  }

  /** The member has sent its SyncGroup. */
  synced(group: ClassicGroup, memberId: string): void {
    group.pendingSyncMembers.delete(memberId);
    if (group.haveAllSynced) this.#context.unschedule(syncKey(group.groupId));
  }

  /** A group was read from the log: its members have their whole session timeout to report. */
  resume(group: ClassicGroup): void {
    for (const member of group.members.values()) this.heartbeat(group, member);
  }

  /** The group is removed or becomes another kind of group. */
  forget(group: ClassicGroup): void {
    const { groupId } = group;
    this.#context.unschedule(joinKey(groupId));
    this.#context.unschedule(syncKey(groupId));
    for (const memberId of group.members.keys()) this.expectNoHeartbeat(groupId, memberId);
    for (const memberId of group.pendingMembers) this.expectNoHeartbeat(groupId, memberId);
  }

  #classic(groupId: string): ClassicGroup | undefined {
    const group = this.#context.groups.get(groupId);
    return group?.type === 'classic' ? group : undefined;
  }
}

function heartbeatKey(groupId: string, memberId: string): string {
  return timerKey('heartbeat', groupId, memberId);
}

function joinKey(groupId: string): string {
  return timerKey('join', groupId);
}

function syncKey(groupId: string): string {
  return timerKey('sync', groupId);
}
