import type { JoinGroupRequest } from '../../../protocol/api/join-group.ts';
import { GroupError } from '../errors.ts';
import { newMemberId } from '../member-id.ts';
import type { Operation, Waiter } from '../operation.ts';
import type { ClientOrigin, ShardContext } from '../shard-context.ts';
import type { ClassicGroup } from './classic-group.ts';
import { ClassicMember, joinRefused } from './classic-member.ts';
import type { ClassicProtocol, JoinAnswer } from './classic-member.ts';
import type { ClassicRebalance } from './classic-rebalance.ts';

export interface JoinArguments {
  readonly request: JoinGroupRequest;
  /** Of JoinGroup: what a client understands depends on it. */
  readonly apiVersion: number;
  readonly origin: ClientOrigin;
}

/** From this version of JoinGroup on a dynamic member joins twice: without an id to get one, then with it (KIP-394). */
export const requiresKnownMemberIdFrom = 4;
/** From this version on a leader can be told not to assign (KIP-814). */
const skipsAssignmentFrom = 9;

/** JoinGroup to a classic group, or one that does not exist yet. */
export class ClassicJoin {
  readonly #context: ShardContext;
  readonly #rebalance: ClassicRebalance;

  constructor(context: ShardContext, rebalance: ClassicRebalance) {
    this.#context = context;
    this.#rebalance = rebalance;
  }

  /** @throws GroupError */
  join(
    operation: Operation,
    group: ClassicGroup | undefined,
    join: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    const { groupId, memberId } = join.request;
    if (group === undefined) {
      // Only who has never been told an id may create a group.
      if (memberId !== '') {
        operation.answer(waiter, joinRefused('UNKNOWN_MEMBER_ID', memberId));
        return;
      }
      group = this.#context.groups.createClassic(groupId);
      if (this.#refusal(group, join) !== undefined) this.#context.groups.delete(groupId);
    }
    const refusal = this.#refusal(group, join);
    if (refusal !== undefined) {
      if (refusal === 'GROUP_MAX_SIZE_REACHED') this.#giveUp(operation, group, memberId);
      operation.answer(waiter, joinRefused(refusal, refusal === 'GROUP_MAX_SIZE_REACHED' ? '' : memberId));
      return;
    }
    if (memberId === '') this.#joinUnknown(operation, group, join, waiter);
    else this.#joinKnown(operation, group, join, waiter);
  }

  #refusal(
    group: ClassicGroup,
    { request }: JoinArguments,
  ): 'GROUP_MAX_SIZE_REACHED' | 'INCONSISTENT_GROUP_PROTOCOL' | undefined {
    if (!this.#hasRoom(group, request)) return 'GROUP_MAX_SIZE_REACHED';
    return group.supports(request.protocolType, request.protocols)
      ? undefined
      : 'INCONSISTENT_GROUP_PROTOCOL';
  }

  #hasRoom(group: ClassicGroup, { memberId, groupInstanceId, protocols }: JoinGroupRequest): boolean {
    const { maxSize, maxGroupBytes, maxPendingMembers } = this.#context.options;
    const replaced = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
    const known = group.members.get(replaced ?? memberId);
    let sizeBytes = group.sizeBytes - (known?.sizeBytes ?? 0);
    for (const { name, metadata } of protocols) sizeBytes += name.length + metadata.length;
    if (sizeBytes > maxGroupBytes) return false;
    if (memberId === '' && group.pendingMembers.size >= maxPendingMembers) return false;
    switch (group.state) {
      case 'Empty':
        return true;
      case 'PreparingRebalance':
        // Those who wait count, not the members: of a group that has become too large the last to come is out.
        return known?.isAwaitingJoin === true || group.awaitingJoin < maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return known !== undefined || group.members.size < maxSize;
    }
  }

  /** There is no room for it, so nobody needs to wait for it. */
  #giveUp(operation: Operation, group: ClassicGroup, memberId: string): void {
    if (group.pendingMembers.has(memberId)) this.#rebalance.removePendingMember(operation, group, memberId);
    const member = group.members.get(memberId);
    if (member === undefined) return;
    this.#rebalance.removeMember(operation, group, member);
    this.#rebalance.continueWithout(operation, group);
  }

  #joinUnknown(
    operation: Operation,
    group: ClassicGroup,
    join: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    const { request, apiVersion, origin } = join;
    const { groupInstanceId } = request;
    const memberId = newMemberId(this.#context.runtime, groupInstanceId ?? origin.clientId);
    if (groupInstanceId !== null) {
      const known = group.staticMemberId(groupInstanceId);
      if (known === undefined) this.#add(operation, group, memberId, join, waiter);
      else this.#replaceStatic(operation, group, { oldMemberId: known, memberId }, join, waiter);
    } else if (apiVersion >= requiresKnownMemberIdFrom) {
      this.#rebalance.expectPendingMember(group, memberId, request.sessionTimeoutMs);
      operation.answer(waiter, joinRefused('MEMBER_ID_REQUIRED', memberId));
    } else this.#add(operation, group, memberId, join, waiter);
  }

  #joinKnown(
    operation: Operation,
    group: ClassicGroup,
    join: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    const { request } = join;
    const { memberId, groupInstanceId } = request;
    if (group.pendingMembers.has(memberId)) {
      if (groupInstanceId !== null) {
        throw new GroupError(
          'UNKNOWN_MEMBER_ID',
          `member ${memberId} of group ${group.groupId} got its id without an instance id and cannot join with one (${groupInstanceId})`,
        );
      }
      this.#add(operation, group, memberId, join, waiter);
      return;
    }
    const member = group.requireMember(memberId, groupInstanceId);
    const hasChanged = !member.hasProtocols(request.protocols);
    switch (group.state) {
      case 'PreparingRebalance':
        this.#rejoin(operation, group, member, join, waiter);
        return;
      case 'CompletingRebalance':
        // Unchanged: the answer to its JoinGroup got lost.
        if (hasChanged) this.#rejoin(operation, group, member, join, waiter);
        else operation.answer(waiter, this.#rebalance.generationFor(group, member));
        return;
      case 'Stable':
        // The leader may want to assign anew for reasons that are not in its metadata, such as new partitions.
        if (hasChanged || group.isLeader(memberId)) this.#rejoin(operation, group, member, join, waiter);
        else operation.answer(waiter, this.#rebalance.generationFor(group, member));
        return;
      case 'Empty':
        operation.answer(waiter, joinRefused('UNKNOWN_MEMBER_ID', memberId));
    }
  }

  #add(
    operation: Operation,
    group: ClassicGroup,
    memberId: string,
    { request, origin }: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    const member = new ClassicMember({
      memberId,
      instanceId: request.groupInstanceId,
      clientId: origin.clientId,
      clientHost: origin.clientHost,
      rebalanceTimeoutMs: rebalanceTimeoutOf(request),
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: ownProtocols(request),
    });
    member.isNew = true;
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.newMemberAdded = true;
    group.add(member, request.protocolType);
    group.awaitJoin(operation, member, waiter);
    this.#rebalance.expectJoin(group, member);
    this.#rebalance.prepareOrComplete(operation, group);
  }

  #rejoin(
    operation: Operation,
    group: ClassicGroup,
    member: ClassicMember,
    { request }: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    update(member, request);
    group.awaitJoin(operation, member, waiter);
    this.#rebalance.prepareOrComplete(operation, group);
  }

  #replaceStatic(
    operation: Operation,
    group: ClassicGroup,
    { oldMemberId, memberId }: { readonly oldMemberId: string; readonly memberId: string },
    { request, apiVersion }: JoinArguments,
    waiter: Waiter<JoinAnswer>,
  ): void {
    const oldLeader = group.leaderId ?? '';
    const member = group.replaceStaticMember(operation, oldMemberId, memberId);
    this.#rebalance.expectNoHeartbeat(group.groupId, oldMemberId);
    this.#rebalance.heartbeat(group, member);
    update(member, request);
    if (group.state === 'Stable' && group.selectProtocol() === group.protocolName) {
      // Its assignment is as it was: a restart within the session timeout disturbs nobody (KIP-345).
      group.updateSubscribedTopics();
      group.persist(operation);
      const generation = this.#rebalance.generationFor(group, member);
      const isLeader = group.isLeader(memberId);
      if (apiVersion >= skipsAssignmentFrom)
        operation.answer(waiter, { ...generation, skipAssignment: isLeader });
      // A leader that does not know the flag would assign: it is told of the leader that its old self was.
      else operation.answer(waiter, { ...generation, leader: oldLeader, members: [] });
      return;
    }
    group.awaitJoin(operation, member, waiter);
    // In CompletingRebalance the leader may be assigning to the old id already.
    this.#rebalance.prepareOrComplete(operation, group);
  }
}

function update(member: ClassicMember, request: JoinGroupRequest): void {
  member.protocols = ownProtocols(request);
  member.rebalanceTimeoutMs = rebalanceTimeoutOf(request);
  member.sessionTimeoutMs = request.sessionTimeoutMs;
}

/** JoinGroup v0 has no rebalance timeout. */
export function rebalanceTimeoutOf({ rebalanceTimeoutMs, sessionTimeoutMs }: JoinGroupRequest): number {
  return rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs;
}

/** The request's bytes are views of a frame that is not kept. */
export function ownProtocols({ protocols }: JoinGroupRequest): ClassicProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Uint8Array.from(metadata) }));
}
