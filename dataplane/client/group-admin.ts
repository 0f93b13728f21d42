import { consumerGroupDescribe } from '../protocol/api/consumer-group-describe.ts';
import { deleteGroups } from '../protocol/api/delete-groups.ts';
import { describeGroups } from '../protocol/api/describe-groups.ts';
import { listGroups } from '../protocol/api/list-groups.ts';
import { offsetFetch } from '../protocol/api/offset-fetch.ts';
import { decodeAssignment } from '../protocol/consumer-protocol.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { KafkaClient } from './kafka-client.ts';
import { KafkaError, refuseError } from './kafka-error.ts';

export interface ListedGroup {
  readonly group: string;
  /** `Classic`, `Consumer`; empty where the broker is too old to say. */
  readonly type: string;
  readonly state: string;
  readonly protocol: string;
}

export interface GroupDescription extends ListedGroup {
  readonly assignor: string;
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly id: string;
  readonly instance: string | null;
  readonly clientId: string;
  readonly host: string;
  /** By topic. */
  readonly assignment: ReadonlyMap<string, readonly number[]>;
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string | null;
}

/** From this version on OffsetFetch takes several groups. */
const offsetFetchOfMany = 8;
/** The newest version of OffsetFetch that says topics by name. */
const offsetFetchByName = 9;

/** The groups of all brokers, by name. @throws KafkaError */
export function listAllGroups(client: KafkaClient): Promise<readonly ListedGroup[]> {
  return client.retrying(async () => {
    const { brokers } = await client.metadata([]);
    const found = await Promise.all(brokers.map(({ id }) => groupsAt(client, id)));
    return found.flat().toSorted((a, b) => (a.group < b.group ? -1 : 1));
  });
}

/** The groups that a broker coordinates. @throws KafkaError, ClientError: it cannot be asked */
export async function groupsAt(client: KafkaClient, broker: number): Promise<readonly ListedGroup[]> {
  const connection = await client.broker(broker);
  const { errorCode, groups } = await connection.request(listGroups, {});
  refuseError(errorCode, `groups of broker ${broker} could not be listed`);
  return groups.map(({ groupId, groupType, groupState, protocolType }) => ({
    group: groupId,
    type: groupType,
    state: groupState,
    protocol: protocolType,
  }));
}

/** @throws KafkaError GROUP_ID_NOT_FOUND when there is no such group */
export function describeGroup(client: KafkaClient, group: string): Promise<GroupDescription> {
  return client.retrying(async () => {
    const connection = await client.coordinator(group);
    if (connection.versionOf(consumerGroupDescribe) !== undefined) {
      const { groups } = await connection.request(consumerGroupDescribe, {
        groupIds: [group],
        includeAuthorizedOperations: false,
      });
      const [answer] = groups;
      // Of the classic protocol, or none: the other request tells.
      if (answer !== undefined && answer.errorCode !== kafkaErrors.GROUP_ID_NOT_FOUND.code) {
        refuseError(answer.errorCode, `group ${group} could not be described`, answer.errorMessage);
        return {
          group,
          type: 'Consumer',
          state: answer.groupState,
          protocol: 'consumer',
          assignor: answer.assignorName,
          members: answer.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
            id: memberId,
            instance: instanceId,
            clientId,
            host: clientHost,
            assignment: new Map(
              assignment.topicPartitions.map(({ topicName, partitions }) => [topicName, partitions]),
            ),
          })),
        };
      }
    }
    const { groups } = await connection.request(describeGroups, { groups: [group] });
    const [answer] = groups;
    refuseError(answer?.errorCode ?? -1, `group ${group} could not be described`, answer?.errorMessage);
    // Older versions say so of a group that does not exist.
    if (answer === undefined || answer.groupState === 'Dead')
      throw new KafkaError(kafkaErrors.GROUP_ID_NOT_FOUND.code, `there is no group ${group}`);
    return {
      group,
      type: 'Classic',
      state: answer.groupState,
      protocol: answer.protocolType,
      assignor: answer.protocolData,
      members: answer.members.map(
        ({ memberId, groupInstanceId, clientId, clientHost, memberAssignment }) => ({
          id: memberId,
          instance: groupInstanceId,
          clientId,
          host: clientHost,
          assignment: assignmentOf(memberAssignment),
        }),
      ),
    };
  });
}

/** What a group has committed, by topic and partition. @throws KafkaError */
export function committedOffsets(client: KafkaClient, group: string): Promise<readonly CommittedOffset[]> {
  return client.retrying(async () => {
    const connection = await client.coordinator(group);
    const version = Math.min(connection.versionOf(offsetFetch) ?? 0, offsetFetchByName);
    const request =
      version >= offsetFetchOfMany
        ? { groups: [{ groupId: group, topics: null }] }
        : { groupId: group, topics: null };
    const response = await connection.request(offsetFetch, request, { version });
    const answer = response.groups[0] ?? response;
    refuseError(answer.errorCode, `offsets of group ${group} could not be read`);
    const offsets: CommittedOffset[] = [];
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, committedOffset, metadata, errorCode } of partitions) {
        refuseError(errorCode, `the offset of group ${group} in ${name}-${partitionIndex} could not be read`);
        if (committedOffset >= 0)
          offsets.push({ topic: name, partition: partitionIndex, offset: committedOffset, metadata });
      }
    }
    return offsets.toSorted((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    );
  });
}

/** @throws KafkaError */
export async function deleteGroup(client: KafkaClient, group: string): Promise<void> {
  const connection = await client.retrying(() => client.coordinator(group));
  const { results } = await connection.request(deleteGroups, { groupsNames: [group] });
  refuseError(results[0]?.errorCode ?? -1, `group ${group} was not deleted`);
}

/** What a member of a classic group was given; nothing when it is not in the format of consumers. */
function assignmentOf(bytes: Uint8Array): ReadonlyMap<string, readonly number[]> {
  if (bytes.length === 0) return new Map();
  try {
    const { assignedPartitions } = decodeAssignment(bytes);
    return new Map(assignedPartitions.map(({ topic, partitions }) => [topic, partitions]));
  } catch (error) {
    if (error instanceof ProtocolError) return new Map();
    throw error;
  }
}
