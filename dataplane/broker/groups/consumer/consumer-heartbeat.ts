import type { ConsumerGroupHeartbeatRequest } from '../../../protocol/api/consumer-group-heartbeat.ts';
import { GroupError } from '../errors.ts';
import type { Group } from '../group-registry.ts';
import { randomUuid } from '../member-id.ts';
import type { Operation } from '../operation.ts';
import type { ClientOrigin, ShardContext } from '../shard-context.ts';
import type { ConsumerAssignment } from './consumer-assignment.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { awayEpoch, leaveEpoch, newConsumerMember } from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { ConsumerRecords } from './consumer-records.ts';
import type { GroupMigration } from './group-migration.ts';
import { checkHeartbeat } from './heartbeat-request.ts';
import { memberToReplace, replaceStaticMember, requireMemberEpoch } from './member-identity.ts';
import { TopicRegex } from './regex/topic-regex.ts';
import { noPartitionEpochs, samePartitions, toTopicPartitions } from './topic-partitions.ts';
import type { PartitionEpochs, TopicPartitions } from './topic-partitions.ts';

/** The answer to ConsumerGroupHeartbeat. */
export interface HeartbeatAnswer {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as the member knows it. */
  readonly assignment: PartitionEpochs | null;
}

export interface HeartbeatArguments {
  readonly request: ConsumerGroupHeartbeatRequest;
  readonly apiVersion: number;
  readonly origin: ClientOrigin;
}

/** ConsumerGroupHeartbeat (KIP-848): by it members join, subscribe, tell what they have, get what they shall have, and leave. */
export class ConsumerHeartbeat {
  readonly #context: ShardContext;
  readonly #records: ConsumerRecords;
  readonly #assignment: ConsumerAssignment;
  readonly #membership: ConsumerMembership;
  readonly #migration: GroupMigration;

  constructor(environment: {
    readonly context: ShardContext;
    readonly records: ConsumerRecords;
    readonly assignment: ConsumerAssignment;
    readonly membership: ConsumerMembership;
    readonly migration: GroupMigration;
  }) {
    this.#context = environment.context;
    this.#records = environment.records;
    this.#assignment = environment.assignment;
    this.#membership = environment.membership;
    this.#migration = environment.migration;
  }

  /** @throws GroupError before anything is changed */
  heartbeat(operation: Operation, { request, apiVersion, origin }: HeartbeatArguments): HeartbeatAnswer {
    checkHeartbeat(request, { apiVersion, assignors: this.#context.options.consumerAssignors });
    const { groupId, memberEpoch } = request;
    if (memberEpoch === leaveEpoch || memberEpoch === awayEpoch) return this.#leave(operation, request);
    const isJoining = memberEpoch === 0;
    const memberId = request.memberId === '' ? randomUuid(this.#context.runtime) : request.memberId;
    this.#check({ ...request, memberId }, origin, isJoining);
    const group = this.#migration.consumerGroup(operation, groupId, isJoining);
    const member = this.#member(operation, group, memberId, request.instanceId);
    const owned = request.topicPartitions === null ? null : toTopicPartitions(request.topicPartitions);
    const updated = this.update(operation, group, { member, updated: merge(member, request, origin), owned });
    this.#membership.expectHeartbeat(group, updated);
    return {
      memberId,
      memberEpoch: updated.memberEpoch,
      heartbeatIntervalMs: this.#context.options.consumerHeartbeatIntervalMs,
      assignment: knowsAssignment(request, member, updated, owned) ? null : updated.assigned,
    };
  }

  /**
   * The rest of a heartbeat, and of a JoinGroup of a classic member: remembers what the member tells of itself, brings the
   * group in line with that, and takes the member one step further. Returns the member.
   */
  update(
    operation: Operation,
    group: ConsumerGroup,
    change: {
      readonly member: ConsumerMember;
      readonly updated: ConsumerMember;
      readonly owned: TopicPartitions | null;
    },
  ): ConsumerMember {
    const { member, updated, owned } = change;
    if (!group.members.has(member.memberId) || !isSameMetadata(member, updated))
      this.#records.setMember(operation, group, updated);
    const namesChanged = !sameNames(member.subscribedTopicNames, updated.subscribedTopicNames);
    const regexChanged = member.subscribedTopicRegex !== updated.subscribedTopicRegex;
    // A new group must leave epoch 0: that is what members join with.
    this.#assignment.refreshEpoch(operation, group, group.epoch === 0 || namesChanged || regexChanged);
    this.#assignment.refreshTarget(operation, group);
    const reconciled = this.#assignment.reconcileMember(operation, group, updated, {
      hasSubscriptionChanged: namesChanged || regexChanged,
      owned,
    });
    if (reconciled !== updated && reconciled.classic === null) {
      if (reconciled.state === 'UnrevokedPartitions') this.#membership.expectRevocation(group, reconciled);
      else this.#membership.revocationIsOver(group, reconciled);
    }
    return reconciled;
  }

  /** Everything that can be refused, before the group is touched. */
  #check(request: ConsumerGroupHeartbeatRequest, origin: ClientOrigin, isJoining: boolean): void {
    const { groupId, memberId, memberEpoch, instanceId, subscribedTopicRegex } = request;
    const group = this.#context.groups.get(groupId);
    if (isJoining) this.#migration.checkConsumerGroup(groupId);
    if (group?.type === 'consumer') {
      const owned = request.topicPartitions === null ? null : toTopicPartitions(request.topicPartitions);
      if (instanceId !== null && isJoining) memberToReplace(group, instanceId, memberId);
      else if (instanceId !== null || !isJoining) {
        const member = requireMemberOf(group, memberId, instanceId);
        if (!isJoining) requireMemberEpoch(member, memberEpoch, owned);
      }
    } else if (!isJoining) throw notFound(groupId);
    this.#checkRoom(request, origin);
    if (subscribedTopicRegex !== null && subscribedTopicRegex !== '') {
      const isKnown = group?.type === 'consumer' && group.regexes.has(subscribedTopicRegex);
      if (!isKnown) this.#checkRegex(group, subscribedTopicRegex);
    }
  }

  /** @throws GroupError INVALID_REGULAR_EXPRESSION, GROUP_MAX_SIZE_REACHED */
  #checkRegex(group: Group | undefined, regex: string): void {
    const { maxRegexesPerGroup } = this.#context.options;
    void new TopicRegex(regex);
    if (group?.type !== 'consumer' || group.regexes.size < maxRegexesPerGroup) return;
    throw new GroupError(
      'GROUP_MAX_SIZE_REACHED',
      `the members of group ${group.groupId} subscribe by ${group.regexes.size} regular expressions already, more are not kept`,
    );
  }

  #checkRoom(request: ConsumerGroupHeartbeatRequest, { clientId }: ClientOrigin): void {
    const { groupId, memberId, instanceId, subscribedTopicNames, subscribedTopicRegex } = request;
    const { consumerMaxSize, maxGroupBytes } = this.#context.options;
    const group = this.#context.groups.get(groupId);
    this.#context.groups.requireRoom(groupId);
    const isKnown =
      group?.members.has(memberId) === true ||
      (instanceId !== null && group?.type === 'consumer' && group.staticMember(instanceId) !== undefined);
    if (!isKnown && (group?.members.size ?? 0) >= consumerMaxSize) {
      throw new GroupError(
        'GROUP_MAX_SIZE_REACHED',
        `The consumer group has reached its maximum capacity of ${consumerMaxSize} members.`,
      );
    }
    // What a member is remembered by grows only here.
    if (subscribedTopicNames === null && subscribedTopicRegex === null) return;
    let sizeBytes = sizeOf({ memberId, clientId, subscribedTopicNames, subscribedTopicRegex });
    if (group?.type === 'consumer') {
      for (const member of group.members.values())
        if (member.memberId !== memberId) sizeBytes += sizeOf(member);
    }
    if (sizeBytes > maxGroupBytes) {
      throw new GroupError(
        'GROUP_MAX_SIZE_REACHED',
        `the subscriptions of group ${groupId} take more than ${maxGroupBytes} bytes: subscribe to fewer topics, or by a regular expression`,
      );
    }
  }

  #member(
    operation: Operation,
    group: ConsumerGroup,
    memberId: string,
    instanceId: string | null,
  ): ConsumerMember {
    const known = group.members.get(memberId);
    if (known !== undefined) return known;
    const replaced = instanceId === null ? undefined : group.staticMember(instanceId);
    if (replaced === undefined) return newConsumerMember(memberId);
    this.#membership.forgetTimers(group.groupId, replaced.memberId);
    return replaceStaticMember(operation, this.#records, group, replaced, memberId);
  }

  #leave(operation: Operation, request: ConsumerGroupHeartbeatRequest): HeartbeatAnswer {
    const { groupId, memberId, memberEpoch, instanceId } = request;
    const group = this.#context.groups.get(groupId);
    if (group?.type !== 'consumer') throw notFound(groupId);
    const member = requireMemberOf(group, memberId, instanceId);
    if (memberEpoch === awayEpoch) {
      // It keeps its partitions for the session that it has.
      this.#records.setCurrent(operation, group, {
        ...member,
        memberEpoch: awayEpoch,
        pendingRevocation: noPartitionEpochs,
      });
    } else this.#membership.remove(operation, group, [member.memberId]);
    return { memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null };
  }
}

/** @throws GroupError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
export function requireMemberOf(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
): ConsumerMember {
  if (instanceId === null) return group.requireMember(memberId);
  const member = group.staticMember(instanceId);
  if (member === undefined) {
    throw new GroupError(
      'UNKNOWN_MEMBER_ID',
      `group ${group.groupId} has no member with instance id ${instanceId}: join it first`,
    );
  }
  if (member.memberId === memberId) return member;
  throw new GroupError(
    'FENCED_INSTANCE_ID',
    `instance id ${instanceId} of group ${group.groupId} belongs to member ${member.memberId} now, not to ${memberId}: two clients use the same group.instance.id`,
  );
}

function notFound(groupId: string): GroupError {
  return new GroupError(
    'GROUP_ID_NOT_FOUND',
    `there is no group ${groupId} of the consumer protocol: join it first`,
  );
}

/**
 * Whether the assignment need not be told: it is as it was before this heartbeat, and nothing says that the answer to an
 * earlier one got lost. A client that has met an error sends a full request; one that comes with an old epoch, or has other
 * partitions than it should, has missed something as well.
 */
function knowsAssignment(
  request: ConsumerGroupHeartbeatRequest,
  member: ConsumerMember,
  updated: ConsumerMember,
  owned: TopicPartitions | null,
): boolean {
  const { memberEpoch, rebalanceTimeoutMs, subscribedTopicNames, subscribedTopicRegex } = request;
  const isFull =
    rebalanceTimeoutMs !== -1 &&
    (subscribedTopicNames !== null || subscribedTopicRegex !== null) &&
    owned !== null;
  if (isFull || memberEpoch !== updated.memberEpoch) return false;
  if (owned !== null && !samePartitions(owned, updated.assigned)) return false;
  return samePartitions(member.assigned, updated.assigned);
}

/** What is null did not change since the last heartbeat. */
function merge(
  member: ConsumerMember,
  request: ConsumerGroupHeartbeatRequest,
  { clientId, clientHost }: ClientOrigin,
): ConsumerMember {
  const { instanceId, rackId, rebalanceTimeoutMs, serverAssignor } = request;
  const { subscribedTopicNames, subscribedTopicRegex } = request;
  return {
    ...member,
    instanceId: instanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: serverAssignor ?? member.serverAssignor,
    subscribedTopicNames:
      subscribedTopicNames === null ? member.subscribedTopicNames : [...new Set(subscribedTopicNames)].sort(),
    subscribedTopicRegex: subscribedTopicRegex ?? member.subscribedTopicRegex,
    clientId,
    clientHost,
    classic: null,
  };
}

function isSameMetadata(a: ConsumerMember, b: ConsumerMember): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    a.subscribedTopicRegex === b.subscribedTopicRegex &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.classic === b.classic &&
    sameNames(a.subscribedTopicNames, b.subscribedTopicNames)
  );
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

/** About what a member takes. */
function sizeOf({
  memberId,
  clientId,
  subscribedTopicNames,
  subscribedTopicRegex,
}: {
  readonly memberId: string;
  readonly clientId: string;
  readonly subscribedTopicNames: readonly string[] | null;
  readonly subscribedTopicRegex: string | null;
}): number {
  let size = 200 + memberId.length + clientId.length + (subscribedTopicRegex?.length ?? 0);
  for (const name of subscribedTopicNames ?? []) size += name.length + 16;
  return size;
}
