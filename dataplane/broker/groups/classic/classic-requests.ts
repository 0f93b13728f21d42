import type { HeartbeatRequest } from '../../../protocol/api/heartbeat.ts';
import type { LeaveGroupRequest } from '../../../protocol/api/leave-group.ts';
import type { SyncGroupRequest } from '../../../protocol/api/sync-group.ts';
import type { KafkaErrorName } from '../../../protocol/error-code.ts';
import { GroupError } from '../errors.ts';
import type { Operation, Waiter } from '../operation.ts';
import type { ClassicGroup } from './classic-group.ts';
import { noBytes, syncRefused } from './classic-member.ts';
import type { SyncAnswer } from './classic-member.ts';
import type { ClassicRebalance } from './classic-rebalance.ts';

export interface MemberLeft {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly error: KafkaErrorName;
}

/** What members of a classic group send after they have joined: SyncGroup, Heartbeat, LeaveGroup. */
export class ClassicRequests {
  readonly #rebalance: ClassicRebalance;
  readonly #nowMs: () => number;

  constructor(rebalance: ClassicRebalance, nowMs: () => number) {
    this.#rebalance = rebalance;
    this.#nowMs = nowMs;
  }

  /** @throws GroupError */
  sync(
    operation: Operation,
    group: ClassicGroup,
    request: SyncGroupRequest,
    waiter: Waiter<SyncAnswer>,
  ): void {
    const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
    const member = group.requireMember(memberId, groupInstanceId);
    requireGeneration(group, generationId);
    if (differs(protocolType, group.protocolType) || differs(protocolName, group.protocolName)) {
      throw new GroupError(
        'INCONSISTENT_GROUP_PROTOCOL',
        `group ${group.groupId} uses protocol ${group.protocolType}/${group.protocolName}, member ${memberId} speaks of ${protocolType}/${protocolName}`,
      );
    }
    switch (group.state) {
      case 'Empty':
      case 'PreparingRebalance':
        operation.answer(waiter, syncRefused('REBALANCE_IN_PROGRESS'));
        return;
      case 'CompletingRebalance':
        group.awaitSync(operation, member, waiter);
        this.#rebalance.synced(group, memberId);
        if (group.isLeader(memberId)) this.#assign(operation, group, request);
        return;
      case 'Stable':
        this.#rebalance.synced(group, memberId);
        operation.answer(waiter, assignmentOf(group, member.assignment));
    }
  }

  /** The leader has decided. Its assignment is durable before anybody hears of it. */
  #assign(operation: Operation, group: ClassicGroup, { assignments }: SyncGroupRequest): void {
    const byMember = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    for (const member of group.members.values()) {
      const assignment = byMember.get(member.memberId);
      member.assignment = assignment === undefined ? noBytes : Uint8Array.from(assignment);
    }
    group.transitionTo('Stable', this.#nowMs());
    group.persist(operation);
    for (const member of group.members.values()) {
      if (group.answerSync(operation, member, assignmentOf(group, member.assignment)))
        this.#rebalance.heartbeat(group, member);
    }
  }

  /** @throws GroupError */
  heartbeat(group: ClassicGroup, request: HeartbeatRequest): KafkaErrorName {
    const member = group.requireMember(request.memberId, request.groupInstanceId);
    requireGeneration(group, request.generationId);
    this.#rebalance.heartbeat(group, member);
    return group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  leave(operation: Operation, group: ClassicGroup, { members }: LeaveGroupRequest): MemberLeft[] {
    const before = group.members.size;
    const left = members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      error: this.#leave(operation, group, memberId, groupInstanceId),
    }));
    if (group.members.size < before) this.#rebalance.continueWithout(operation, group);
    else this.#rebalance.tryCompleteJoin(operation, group);
    return left;
  }

  #leave(
    operation: Operation,
    group: ClassicGroup,
    memberId: string,
    groupInstanceId: string | null,
  ): KafkaErrorName {
    if (group.pendingMembers.has(memberId)) {
      this.#rebalance.expectNoHeartbeat(group.groupId, memberId);
      group.remove(memberId);
      return 'NONE';
    }
    // An administrator names a static member by its instance id alone.
    const id = memberId === '' && groupInstanceId !== null ? group.staticMemberId(groupInstanceId) : memberId;
    try {
      const member = group.requireMember(id ?? '', groupInstanceId);
      this.#rebalance.removeMember(operation, group, member);
      return 'NONE';
    } catch (error) {
      if (error instanceof GroupError) return error.code;
      throw error;
    }
  }
}

/** @throws GroupError ILLEGAL_GENERATION */
export function requireGeneration(group: ClassicGroup, generationId: number): void {
  if (generationId === group.generation) return;
  throw new GroupError(
    'ILLEGAL_GENERATION',
    `group ${group.groupId} is at generation ${group.generation}, not ${generationId}: join again`,
  );
}

function assignmentOf(group: ClassicGroup, assignment: Uint8Array): SyncAnswer {
  return {
    error: 'NONE',
    protocolType: group.protocolType ?? null,
    protocolName: group.protocolName ?? null,
    assignment,
  };
}

/** Versions before 5 do not name the protocol (KIP-559). */
function differs(named: string | null, actual: string | undefined): boolean {
  return named !== null && actual !== undefined && named !== actual;
}
