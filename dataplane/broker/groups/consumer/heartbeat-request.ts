import type { ConsumerGroupHeartbeatRequest } from '../../../protocol/api/consumer-group-heartbeat.ts';
import { GroupError } from '../errors.ts';
import { awayEpoch, leaveEpoch } from './consumer-member.ts';

/** From this version on members make their ids themselves (KIP-1082). */
const ownMemberIdFrom = 1;

/** What is wrong with a ConsumerGroupHeartbeat whatever the group is. @throws GroupError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR */
export function checkHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  { apiVersion, assignors }: { readonly apiVersion: number; readonly assignors: readonly string[] },
): void {
  const { groupId, memberId, memberEpoch, instanceId, rackId, serverAssignor } = request;
  if (memberId === '' && (apiVersion >= ownMemberIdFrom || memberEpoch > 0 || memberEpoch === leaveEpoch))
    throw invalid('MemberId can not be empty');
  if (groupId === '') throw invalid('GroupId can not be empty');
  if (instanceId === '') throw invalid('InstanceId can not be empty');
  if (rackId === '') throw invalid('RackId can not be empty');
  if (memberEpoch === 0) checkJoining(request);
  if (memberEpoch === awayEpoch && instanceId === null)
    throw invalid('InstanceId can not be null for a static member that goes away for a while');
  if (memberEpoch < awayEpoch) throw invalid(`MemberEpoch ${memberEpoch} means nothing`);
  if (serverAssignor !== null && !assignors.includes(serverAssignor)) {
    throw new GroupError(
      'UNSUPPORTED_ASSIGNOR',
      `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(', ')}.`,
    );
  }
}

function checkJoining({
  rebalanceTimeoutMs,
  topicPartitions,
  subscribedTopicNames,
  subscribedTopicRegex,
}: ConsumerGroupHeartbeatRequest): void {
  if (rebalanceTimeoutMs === -1) throw invalid('RebalanceTimeoutMs must be provided in the first request');
  if (topicPartitions === null || topicPartitions.length > 0)
    throw invalid('TopicPartitions must be empty when (re-)joining');
  if (subscribedTopicNames === null && subscribedTopicRegex === null)
    throw invalid('Either SubscribedTopicNames or SubscribedTopicRegex must be given when (re-)joining');
}

function invalid(message: string): GroupError {
  return new GroupError('INVALID_REQUEST', `${message}.`);
}
