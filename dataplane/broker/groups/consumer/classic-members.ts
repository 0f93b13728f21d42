import type { HeartbeatRequest } from '../../../protocol/api/heartbeat.ts';
import type { LeaveGroupRequest } from '../../../protocol/api/leave-group.ts';
import type { SyncGroupRequest } from '../../../protocol/api/sync-group.ts';
import { decodeSubscription } from '../../../protocol/consumer-protocol.ts';
import { ProtocolError } from '../../../protocol/errors.ts';
import type { KafkaErrorName } from '../../../protocol/error-code.ts';
import { ownProtocols, rebalanceTimeoutOf, requiresKnownMemberIdFrom } from '../classic/classic-join.ts';
import type { JoinArguments } from '../classic/classic-join.ts';
import { joinRefused } from '../classic/classic-member.ts';
import type { ClassicProtocol, JoinAnswer, SyncAnswer } from '../classic/classic-member.ts';
import type { MemberLeft } from '../classic/classic-requests.ts';
import { consumerProtocolType } from '../classic/subscribed-topics.ts';
import { GroupError } from '../errors.ts';
import { newMemberId } from '../member-id.ts';
import type { Operation, Waiter } from '../operation.ts';
import type { ShardContext } from '../shard-context.ts';
import type { ConsumerAssignment } from './consumer-assignment.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { requireMemberOf } from './consumer-heartbeat.ts';
import type { ConsumerHeartbeat } from './consumer-heartbeat.ts';
import { newConsumerMember } from './consumer-member.ts';
import type { ClassicSide, ConsumerMember } from './consumer-member.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { ConsumerRecords } from './consumer-records.ts';
import { encodeClassicAssignment } from './group-migration.ts';
import type { GroupMigration } from './group-migration.ts';
import { replaceStaticMember } from './member-identity.ts';
import type { TopicPartitions } from './topic-partitions.ts';

type ClassicConsumerMember = ConsumerMember & { readonly classic: ClassicSide };

/**
 * Members of the classic protocol in a group of the consumer protocol: while a group is being upgraded, client by client.
 * The group assigns; to the member it looks as if somebody else were the leader, and its epoch as the generation.
 */
export class ClassicMembers {
  readonly #context: ShardContext;
  readonly #records: ConsumerRecords;
  readonly #assignment: ConsumerAssignment;
  readonly #membership: ConsumerMembership;
  readonly #heartbeat: ConsumerHeartbeat;
  readonly #migration: GroupMigration;

  constructor(environment: {
    readonly context: ShardContext;
    readonly records: ConsumerRecords;
    readonly assignment: ConsumerAssignment;
    readonly membership: ConsumerMembership;
    readonly heartbeat: ConsumerHeartbeat;
    readonly migration: GroupMigration;
  }) {
    this.#context = environment.context;
    this.#records = environment.records;
    this.#assignment = environment.assignment;
    this.#membership = environment.membership;
    this.#heartbeat = environment.heartbeat;
    this.#migration = environment.migration;
  }

  /** @throws GroupError before anything is changed */
  join(operation: Operation, group: ConsumerGroup, join: JoinArguments, waiter: Waiter<JoinAnswer>): void {
    const { request, apiVersion, origin } = join;
    const { groupInstanceId: instanceId, protocols } = request;
    const isUnknown = request.memberId === '';
    const memberId = isUnknown
      ? newMemberId(this.#context.runtime, instanceId ?? origin.clientId)
      : request.memberId;
    const known = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId);
    if (known === undefined && group.members.size >= this.#context.options.consumerMaxSize)
      throw new GroupError('GROUP_MAX_SIZE_REACHED', `group ${group.groupId} has no room for another member`);
    const subscription = subscriptionOf(group, request.protocolType, protocols, known?.memberId);
    if (isUnknown && instanceId === null && apiVersion >= requiresKnownMemberIdFrom) {
      operation.answer(waiter, joinRefused('MEMBER_ID_REQUIRED', memberId));
      return;
    }
    if (instanceId !== null && !isUnknown) requireMemberOf(group, memberId, instanceId);

    const member = this.#member(operation, group, memberId, known);
    const updated = this.#heartbeat.update(operation, group, {
      member,
      updated: {
        ...member,
        instanceId,
        rackId: subscription.rackId,
        rebalanceTimeoutMs: rebalanceTimeoutOf(request),
        serverAssignor: null,
        subscribedTopicNames: [...new Set(subscription.topics)].sort(),
        subscribedTopicRegex: '',
        clientId: origin.clientId,
        clientHost: origin.clientHost,
        classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols: ownProtocols(request) },
      },
      owned: this.#ownedOf(subscription.ownedPartitions),
    });
    this.#membership.hasJoined(group, updated);
    this.#membership.expectHeartbeat(group, updated);
    this.#membership.expectSync(group, updated);
    operation.answer(waiter, {
      ...joinRefused('NONE', memberId),
      generationId: updated.memberEpoch,
      protocolType: consumerProtocolType,
      protocolName: protocols[0]?.name ?? null,
    });
    // A static member that spoke the consumer protocol was the last one that did.
    this.#migration.downgradeIfClassic(operation, group);
  }

  #member(
    operation: Operation,
    group: ConsumerGroup,
    memberId: string,
    known: ConsumerMember | undefined,
  ): ConsumerMember {
    if (known === undefined) return newConsumerMember(memberId);
    if (known.memberId === memberId) return known;
    this.#membership.forgetTimers(group.groupId, known.memberId);
    return replaceStaticMember(operation, this.#records, group, known, memberId);
  }

  #ownedOf(
    owned: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  ): TopicPartitions {
    const view = this.#context.topics();
    const topics = new Map<string, ReadonlySet<number>>();
    for (const { topic, partitions } of owned) {
      const topicId = view.topicByName(topic)?.topicId;
      if (topicId !== undefined && partitions.length > 0) topics.set(topicId, new Set(partitions));
    }
    return topics;
  }

  /** @throws GroupError */
  sync(
    operation: Operation,
    group: ConsumerGroup,
    request: SyncGroupRequest,
    waiter: Waiter<SyncAnswer>,
  ): void {
    const { memberId, groupInstanceId, generationId, protocolType, protocolName } = request;
    const member = requireClassic(requireMemberOf(group, memberId, groupInstanceId));
    requireEpoch(group, member, generationId);
    const name = member.classic.protocols[0]?.name ?? null;
    if (
      (protocolType !== null && protocolType !== consumerProtocolType) ||
      (protocolName !== null && protocolName !== name)
    ) {
      throw new GroupError(
        'INCONSISTENT_GROUP_PROTOCOL',
        `member ${memberId} joined group ${group.groupId} with protocol ${consumerProtocolType}/${name}, not ${protocolType}/${protocolName}`,
      );
    }
    // One that has to give partitions up has joined already, and learns now which it keeps.
    if (group.epoch > member.memberEpoch && member.state !== 'UnrevokedPartitions') {
      this.#membership.expectJoin(group, member);
      throw new GroupError('REBALANCE_IN_PROGRESS', `group ${group.groupId} has a newer epoch: join again`);
    }
    this.#membership.hasSynced(group, member);
    this.#membership.expectHeartbeat(group, member);
    operation.answer(waiter, {
      error: 'NONE',
      protocolType: consumerProtocolType,
      protocolName: name,
      assignment: encodeClassicAssignment(this.#context, member),
    });
  }

  /** @throws GroupError */
  heartbeat(group: ConsumerGroup, request: HeartbeatRequest): KafkaErrorName {
    const member = requireClassic(requireMemberOf(group, request.memberId, request.groupInstanceId));
    requireEpoch(group, member, request.generationId);
    this.#membership.expectHeartbeat(group, member);
    const mustRejoin =
      member.memberEpoch < group.epoch ||
      member.state === 'UnrevokedPartitions' ||
      (member.state === 'UnreleasedPartitions' && !this.#assignment.awaitsOthers(group, member));
    if (!mustRejoin) return 'NONE';
    this.#membership.expectJoin(group, member);
    return 'REBALANCE_IN_PROGRESS';
  }

  leave(operation: Operation, group: ConsumerGroup, { members }: LeaveGroupRequest): MemberLeft[] {
    const leaving = new Set<string>();
    const left = members.map(({ memberId, groupInstanceId }): MemberLeft => {
      try {
        // An administrator names a static member by its instance id alone.
        const id =
          memberId === '' && groupInstanceId !== null
            ? group.staticMember(groupInstanceId)?.memberId
            : memberId;
        leaving.add(requireMemberOf(group, id ?? '', groupInstanceId).memberId);
        return { memberId, groupInstanceId, error: 'NONE' };
      } catch (error) {
        if (error instanceof GroupError) return { memberId, groupInstanceId, error: error.code };
        throw error;
      }
    });
    this.#membership.remove(operation, group, [...leaving]);
    return left;
  }
}

/** @throws GroupError UNKNOWN_MEMBER_ID */
function requireClassic(member: ConsumerMember): ClassicConsumerMember {
  const { classic } = member;
  if (classic !== null) return { ...member, classic };
  throw new GroupError(
    'UNKNOWN_MEMBER_ID',
    `member ${member.memberId} speaks the consumer protocol: it cannot use the classic one as well`,
  );
}

/** @throws GroupError ILLEGAL_GENERATION */
function requireEpoch(
  group: ConsumerGroup,
  { memberId, memberEpoch }: ConsumerMember,
  generationId: number,
): void {
  if (generationId === memberEpoch) return;
  throw new GroupError(
    'ILLEGAL_GENERATION',
    `member ${memberId} of group ${group.groupId} is at generation ${memberEpoch}, not ${generationId}: join again`,
  );
}

/** @throws GroupError INCONSISTENT_GROUP_PROTOCOL when the members of the classic protocol have none in common with it */
function subscriptionOf(
  group: ConsumerGroup,
  protocolType: string,
  protocols: readonly ClassicProtocol[],
  memberId: string | undefined,
): ReturnType<typeof decodeSubscription> {
  const others = [...group.members.values()].filter((member) => member.memberId !== memberId);
  const isCommon = protocols.some(({ name }) =>
    others.every(({ classic }) => classic === null || classic.protocols.some((other) => other.name === name)),
  );
  const [first] = protocols;
  if (protocolType !== consumerProtocolType || !isCommon || first === undefined) {
    throw new GroupError(
      'INCONSISTENT_GROUP_PROTOCOL',
      `group ${group.groupId} is a group of consumers, and its members of the classic protocol have no protocol in common with this one`,
    );
  }
  try {
    return decodeSubscription(first.metadata);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new GroupError(
      'INCONSISTENT_GROUP_PROTOCOL',
      `the metadata of protocol ${first.name} is no subscription of a consumer`,
      { cause: error },
    );
  }
}
