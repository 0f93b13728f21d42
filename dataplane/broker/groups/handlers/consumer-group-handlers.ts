import type {
  consumerGroupDescribe,
  ConsumerGroupDescribeRequest,
} from '../../../protocol/api/consumer-group-describe.ts';
import type {
  consumerGroupHeartbeat,
  ConsumerGroupHeartbeatRequest,
} from '../../../protocol/api/consumer-group-heartbeat.ts';
import type { ResponseInput } from '../../../protocol/api.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { RequestContext } from '../../request-context.ts';
import { describeConsumer, undescribed } from '../consumer/consumer-description.ts';
import type { DescribedConsumerGroup } from '../consumer/consumer-description.ts';
import type { HeartbeatAnswer } from '../consumer/consumer-heartbeat.ts';
import { toPartitionLists } from '../consumer/topic-partitions.ts';
import { GroupError } from '../errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import { codeOf } from './answer-errors.ts';
import { originOf } from './membership-handlers.ts';

/** ConsumerGroupHeartbeat, ConsumerGroupDescribe. */
export class ConsumerGroupHandlers {
  readonly #coordinator: GroupCoordinator;

  constructor(coordinator: GroupCoordinator) {
    this.#coordinator = coordinator;
  }

  async consumerGroupHeartbeat(
    request: ConsumerGroupHeartbeatRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof consumerGroupHeartbeat>> {
    const { groupId } = request;
    try {
      const shard = this.#coordinator.shardOf(groupId);
      const heartbeat = { request, apiVersion: context.apiVersion, origin: originOf(context) };
      const answer = await shard.write<HeartbeatAnswer>(groupId, (operation, waiter) => {
        operation.answer(waiter, shard.requests.consumerHeartbeat(operation, heartbeat));
      });
      const { assignment } = answer;
      return {
        throttleTimeMs: 0,
        errorCode: errorCode.NONE,
        memberId: answer.memberId,
        memberEpoch: answer.memberEpoch,
        heartbeatIntervalMs: answer.heartbeatIntervalMs,
        assignment: assignment === null ? null : { topicPartitions: toPartitionLists(assignment) },
      };
    } catch (error) {
      return {
        throttleTimeMs: 0,
        errorCode: codeOf(error),
        errorMessage: messageOf(error),
        memberEpoch: 0,
        heartbeatIntervalMs: 0,
      };
    }
  }

  async consumerGroupDescribe({
    groupIds,
  }: ConsumerGroupDescribeRequest): Promise<ResponseInput<typeof consumerGroupDescribe>> {
    return {
      throttleTimeMs: 0,
      groups: await Promise.all(groupIds.map((groupId) => this.#describe(groupId))),
    };
  }

  async #describe(groupId: string): Promise<DescribedConsumerGroup> {
    const { view } = this.#coordinator;
    try {
      const shard = this.#coordinator.shardOf(groupId);
      return await shard.read(groupId, ({ groups, requests }) => {
        const group = groups.get(groupId);
        const assignorName = group === undefined ? '' : requests.assignorOf(group);
        return describeConsumer({ groups, assignorName, topics: view }, groupId);
      });
    } catch (error) {
      return undescribed(groupId, codeOf(error), messageOf(error));
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof GroupError ? error.message : '';
}
