import { consumerGroupHeartbeat } from '../../../protocol/api/consumer-group-heartbeat.ts';
import { offsetCommit } from '../../../protocol/api/offset-commit.ts';
import { errorNameOf } from '../../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../../protocol/error-code.ts';
import type { RequestInput, ResponseOf } from '../../../protocol/api.ts';
import { nameOf } from '../group-fixture.ts';
import type { GroupHandlers, GroupWorld } from '../group-fixture.ts';
import { noPartitions, toPartitionLists, toTopicPartitions } from './topic-partitions.ts';
import type { TopicPartitions } from './topic-partitions.ts';

type Heartbeat = RequestInput<typeof consumerGroupHeartbeat>;
type HeartbeatResponse = ResponseOf<typeof consumerGroupHeartbeat>;

/** A client of the consumer protocol (KIP-848), by hand: each method is one request. */
export class ConsumerClient {
  readonly #world: GroupWorld;
  readonly groupId: string;
  memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  topics: readonly string[] | null;
  regex: string | null;
  assignor: string | null = null;
  rebalanceTimeoutMs = 30_000;
  epoch = 0;
  /** Which broker it asks; default: the coordinator. */
  broker: number | undefined;
  /** What it consumes. */
  owned: TopicPartitions = noPartitions;
  /** What it shall have, as last told. */
  assignment: TopicPartitions = noPartitions;

  constructor(
    world: GroupWorld,
    groupId: string,
    memberId: string,
    options: {
      readonly topics?: readonly string[];
      readonly regex?: string;
      readonly instanceId?: string;
      readonly rackId?: string;
    } = {},
  ) {
    this.#world = world;
    this.groupId = groupId;
    this.memberId = memberId;
    this.instanceId = options.instanceId ?? null;
    this.rackId = options.rackId ?? null;
    this.regex = options.regex ?? null;
    this.topics = options.topics ?? (this.regex === null ? ['topic'] : null);
  }

  get #handlers(): GroupHandlers {
    if (this.broker !== undefined) return this.#world.broker(this.broker).handlers;
    return (this.#world.ownerOf(this.groupId) ?? this.#world.broker(0)).handlers;
  }

  /** Takes on epoch and assignment of the answer. What it has it changes only by {@link obey}. */
  async heartbeat(changes: Partial<Heartbeat> = {}): Promise<HeartbeatResponse> {
    const isJoining = this.epoch === 0;
    const answer = await this.#world.call(consumerGroupHeartbeat, this.#handlers.consumerGroupHeartbeat, {
      groupId: this.groupId,
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: isJoining ? this.rackId : null,
      rebalanceTimeoutMs: isJoining ? this.rebalanceTimeoutMs : -1,
      subscribedTopicNames: isJoining ? this.topics : null,
      subscribedTopicRegex: isJoining ? this.regex : null,
      serverAssignor: isJoining ? this.assignor : null,
      topicPartitions: isJoining ? [] : toPartitionLists(this.owned),
      ...changes,
    });
    if (answer.errorCode !== 0) return answer;
    this.epoch = Math.max(answer.memberEpoch, 0);
    if (answer.assignment !== null) this.assignment = toTopicPartitions(answer.assignment.topicPartitions);
    return answer;
  }

  /** Gives up and takes over as it was told. */
  obey(): void {
    this.owned = this.assignment;
  }

  /** Heartbeat, and what a client does about the answer. */
  async step(changes: Partial<Heartbeat> = {}): Promise<KafkaErrorName | undefined> {
    const error = nameOf(await this.heartbeat(changes));
    if (error === 'NONE') this.obey();
    else if (error === 'FENCED_MEMBER_EPOCH' || error === 'UNKNOWN_MEMBER_ID') this.abandon();
    return error;
  }

  abandon(): void {
    this.epoch = 0;
    this.owned = noPartitions;
    this.assignment = noPartitions;
  }

  async leave(memberEpoch = -1): Promise<KafkaErrorName | undefined> {
    return nameOf(await this.heartbeat({ memberEpoch }));
  }

  async commit(
    topic: string,
    partition: number,
    offset: number,
    epoch = this.epoch,
  ): Promise<KafkaErrorName | undefined> {
    const answer = await this.#world.call(
      offsetCommit,
      this.#handlers.offsetCommit,
      {
        groupId: this.groupId,
        generationIdOrMemberEpoch: epoch,
        memberId: this.memberId,
        topics: [
          {
            name: topic,
            partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }],
          },
        ],
      },
      { version: 9 },
    );
    return errorNameOf(answer.topics[0]?.partitions[0]?.errorCode ?? -1);
  }

  /** `topic:0,1 other:2` */
  get shown(): string {
    const { topics } = this.#world;
    return toPartitionLists(this.owned)
      .map(({ topicId, partitions }) => {
        const name = topics.find((topic) => topic.topicId === topicId)?.name ?? '?';
        return `${name}:${partitions.join(',')}`;
      })
      .sort()
      .join(' ');
  }
}

/** Heartbeats of all, again and again, until nothing changes any more. */
export async function settle(clients: readonly ConsumerClient[]): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const before = clients.map(({ epoch, shown }) => `${epoch} ${shown}`).join();
    for (const client of clients) await client.step();
    if (clients.map(({ epoch, shown }) => `${epoch} ${shown}`).join() === before && round > 1) return;
  }
  throw new Error('the group does not come to rest');
}
