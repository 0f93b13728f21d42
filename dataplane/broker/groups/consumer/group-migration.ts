import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
} from '../../../protocol/consumer-protocol.ts';
import { ProtocolError } from '../../../protocol/errors.ts';
import { ClassicGroup } from '../classic/classic-group.ts';
import { joinRefused, syncRefused } from '../classic/classic-member.ts';
import type { ClassicMember } from '../classic/classic-member.ts';
import type { ClassicRebalance } from '../classic/classic-rebalance.ts';
import { consumerProtocolType } from '../classic/subscribed-topics.ts';
import { GroupError } from '../errors.ts';
import type { Operation } from '../operation.ts';
import { applyRecord } from '../replay.ts';
import type { ShardContext } from '../shard-context.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { newConsumerMember } from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerMembership } from './consumer-membership.ts';
import type { ConsumerRecords } from './consumer-records.ts';
import type { PartitionEpochs } from './topic-partitions.ts';

/**
 * Groups change between the classic and the consumer protocol while they are at work (KIP-848): up when the first member
 * of the consumer protocol joins, down when the last one leaves. Empty groups are whatever the next member speaks.
 */
export class GroupMigration {
  readonly #context: ShardContext;
  readonly #records: ConsumerRecords;
  readonly #rebalance: ClassicRebalance;
  readonly #membership: () => ConsumerMembership;

  constructor(environment: {
    readonly context: ShardContext;
    readonly records: ConsumerRecords;
    readonly rebalance: ClassicRebalance;
    readonly membership: () => ConsumerMembership;
  }) {
    this.#context = environment.context;
    this.#records = environment.records;
    this.#rebalance = environment.rebalance;
    this.#membership = environment.membership;
  }

  /** Whether a member of the consumer protocol may join. @throws GroupError GROUP_ID_NOT_FOUND, as in Kafka */
  checkConsumerGroup(groupId: string): void {
    const group = this.#context.groups.get(groupId);
    if (group?.type !== 'classic' || group.isEmpty) return;
    const { consumerMigrationPolicy, consumerMaxSize } = this.#context.options;
    if (consumerMigrationPolicy !== 'bidirectional' && consumerMigrationPolicy !== 'upgrade')
      throw cannotUpgrade(groupId, 'online upgrade is disabled');
    if (!group.usesConsumerProtocol)
      throw cannotUpgrade(groupId, 'the group does not use the consumer embedded protocol');
    if (group.members.size > consumerMaxSize)
      throw cannotUpgrade(groupId, 'the group size exceeds the consumer group maximum size');
    for (const member of group.members.values()) this.#toConsumerMember(group, member);
  }

  /** The group of a member of the consumer protocol; made, or made from a classic one, when it joins. Check first. */
  consumerGroup(operation: Operation, groupId: string, isJoining: boolean): ConsumerGroup {
    const group = this.#context.groups.get(groupId);
    if (group?.type === 'consumer') return group;
    if (!isJoining) throw new GroupError('GROUP_ID_NOT_FOUND', `there is no consumer group ${groupId}`);
    if (group !== undefined && !group.isEmpty) return this.#upgrade(operation, group);
    if (group !== undefined) this.#removeClassic(operation, group);
    const created = new ConsumerGroup(groupId);
    this.#context.groups.set(created);
    return created;
  }

  #removeClassic(operation: Operation, group: ClassicGroup): void {
    this.#rebalance.forget(group);
    // One that only holds offsets was never written.
    if (group.persisted !== undefined)
      applyRecord(this.#context, operation, {
        id: 'groupMetadata',
        key: { group: group.groupId },
        value: null,
      });
    this.#context.groups.delete(group.groupId);
  }

  #upgrade(operation: Operation, classic: ClassicGroup): ConsumerGroup {
    const { groupId, generation } = classic;
    const members = Array.from(classic.members.values(), (member) => this.#toConsumerMember(classic, member));
    for (const member of classic.members.values()) {
      classic.answerJoin(operation, member, joinRefused('REBALANCE_IN_PROGRESS', member.memberId));
      classic.answerSync(operation, member, syncRefused('REBALANCE_IN_PROGRESS'));
    }
    this.#removeClassic(operation, classic);
    const group = new ConsumerGroup(groupId);
    this.#context.groups.set(group);
    for (const member of members) this.#records.setMember(operation, group, member);
    this.#records.setEpoch(operation, groupId, generation, 0);
    for (const member of members) {
      const target = new Map(
        Array.from(member.assigned, ([topicId, epochs]) => [topicId, new Set(epochs.keys())]),
      );
      this.#records.setTarget(operation, group, member.memberId, target);
    }
    this.#records.setAssignmentEpoch(operation, group, generation);
    for (const member of members) {
      this.#records.setCurrent(operation, group, member);
      this.#membership().expectHeartbeat(group, member);
    }
    return group;
  }

  /** @throws GroupError GROUP_ID_NOT_FOUND when what the client put into it cannot be read or would be lost */
  #toConsumerMember(group: ClassicGroup, member: ClassicMember): ConsumerMember {
    try {
      const metadata = member.metadataFor(group.protocolName ?? member.protocols[0]?.name);
      const { topics, rackId } = decodeSubscription(metadata);
      return {
        ...newConsumerMember(member.memberId),
        instanceId: member.instanceId,
        rackId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        subscribedTopicNames: [...new Set(topics)].sort(),
        classic: { sessionTimeoutMs: member.sessionTimeoutMs, protocols: member.protocols },
        memberEpoch: group.generation,
        previousMemberEpoch: group.generation,
        assigned: this.#partitionsOf(group, member),
      };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw cannotUpgrade(group.groupId, 'the embedded consumer protocol is malformed', error);
    }
  }

  #partitionsOf({ groupId, generation }: ClassicGroup, { assignment }: ClassicMember): PartitionEpochs {
    const topics = new Map<string, ReadonlyMap<number, number>>();
    // Before the first assignment, or in the midst of a rebalance, it has none.
    if (assignment.length === 0) return topics;
    const { assignedPartitions, userData } = decodeAssignment(assignment);
    if (userData !== null && userData.length > 0) {
      throw cannotUpgrade(
        groupId,
        'an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade',
      );
    }
    const view = this.#context.topics();
    for (const { topic, partitions } of assignedPartitions) {
      const topicId = view.topicByName(topic)?.topicId;
      if (topicId === undefined || partitions.length === 0) continue;
      topics.set(topicId, new Map(partitions.map((partition) => [partition, generation])));
    }
    return topics;
  }

  /** After members have gone: whether the group has become a classic one. */
  downgradeIfClassic(operation: Operation, group: ConsumerGroup): boolean {
    if (group.isEmpty || group.classicMembers < group.members.size) return false;
    const { consumerMigrationPolicy, maxSize } = this.#context.options;
    if (consumerMigrationPolicy !== 'bidirectional' && consumerMigrationPolicy !== 'downgrade') return false;
    if (group.members.size > maxSize) return false;
    const classic = this.#toClassic(group);
    this.#membership().forget(group);
    this.#records.removeGroup(operation, group);
    this.#context.groups.set(classic);
    classic.persist(operation);
    this.#rebalance.resume(classic);
    this.#rebalance.prepareOrComplete(operation, classic);
    return true;
  }

  #toClassic(group: ConsumerGroup): ClassicGroup {
    const members = [...group.members.values()];
    const classic = ClassicGroup.fromRecordValue(group.groupId, {
      protocolType: consumerProtocolType,
      generation: group.epoch,
      protocol: null,
      leader: members[0]?.memberId ?? null,
      currentStateTimestamp: this.#context.runtime.wallMs(),
      members: members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.classic?.sessionTimeoutMs ?? 0,
        subscription: Buffer.alloc(0),
        assignment: encodeClassicAssignment(this.#context, member),
      })),
    });
    for (const member of members)
      classic.memberOf(member.memberId).protocols = member.classic?.protocols ?? [];
    classic.protocolName = classic.selectProtocol();
    classic.updateSubscribedTopics();
    return classic;
  }
}

/** What the member has, as a classic leader would have assigned it, in the version that the member speaks. */
export function encodeClassicAssignment(
  context: Pick<ShardContext, 'topics'>,
  { assigned, classic }: ConsumerMember,
): Buffer {
  const view = context.topics();
  const assignedPartitions = Array.from(assigned, ([topicId, epochs]) => ({
    topic: view.topicById(topicId)?.name ?? '',
    partitions: [...epochs.keys()].sort((a, b) => a - b),
  })).filter(({ topic }) => topic !== '');
  const metadata = Buffer.from(classic?.protocols[0]?.metadata ?? []);
  const version = metadata.length < 2 ? 0 : Math.min(Math.max(metadata.readInt16BE(), 0), 3);
  return encodeAssignment({ assignedPartitions }, version);
}

function cannotUpgrade(groupId: string, why: string, cause?: unknown): GroupError {
  return new GroupError(
    'GROUP_ID_NOT_FOUND',
    `Cannot upgrade classic group ${groupId} to consumer group because ${why}.`,
    { cause },
  );
}
