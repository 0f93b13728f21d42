import type { ConsumerGroupDescribeResponse } from '../../../protocol/api/consumer-group-describe.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { GroupRegistry } from '../group-registry.ts';
import { noAuthorizedOperations } from '../group-descriptions.ts';
import type { TopicsView } from '../topics-view.ts';
import { toPartitionLists } from './topic-partitions.ts';

export type DescribedConsumerGroup = ConsumerGroupDescribeResponse['groups'][number];
type DescribedAssignment = DescribedConsumerGroup['members'][number]['assignment'];

const memberTypes = { classic: 0, consumer: 1 } as const;

/** What there is to say of a group that cannot be described. */
export function undescribed(groupId: string, code: number, message: string): DescribedConsumerGroup {
  return {
    errorCode: code,
    errorMessage: message,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
    authorizedOperations: noAuthorizedOperations,
  };
}

/** One group as ConsumerGroupDescribe shows it. Classic groups do not exist for it. */
export function describeConsumer(
  {
    groups,
    assignorName,
    topics,
  }: {
    readonly groups: GroupRegistry;
    readonly assignorName: string;
    readonly topics: TopicsView;
  },
  groupId: string,
): DescribedConsumerGroup {
  const group = groups.get(groupId);
  if (group?.type !== 'consumer') {
    const what =
      group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a consumer group.`;
    return undescribed(groupId, errorCode.GROUP_ID_NOT_FOUND, what);
  }
  return {
    errorCode: errorCode.NONE,
    errorMessage: null,
    groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName,
    members: Array.from(group.members.values(), (member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: member.subscribedTopicNames,
      subscribedTopicRegex: member.subscribedTopicRegex,
      assignment: describeAssignment(member.assigned, topics),
      targetAssignment: describeAssignment(group.target(member.memberId), topics),
      memberType: member.classic === null ? memberTypes.consumer : memberTypes.classic,
    })),
    authorizedOperations: noAuthorizedOperations,
  };
}

/** Topics that are gone have no name, and are left out. */
function describeAssignment(
  partitions: Parameters<typeof toPartitionLists>[0],
  topics: TopicsView,
): DescribedAssignment {
  const topicPartitions = toPartitionLists(partitions).flatMap(({ topicId, partitions: indexes }) => {
    const topicName = topics.topicById(topicId)?.name;
    return topicName === undefined ? [] : [{ topicId, topicName, partitions: indexes }];
  });
  return { topicPartitions };
}
