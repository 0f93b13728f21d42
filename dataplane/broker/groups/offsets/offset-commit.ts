import type { OffsetCommitRequest } from '../../../protocol/api/offset-commit.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import { requireGeneration } from '../classic/classic-requests.ts';
import { unknownMember } from '../classic/classic-group.ts';
import type { ClassicGroup } from '../classic/classic-group.ts';
import type { ClassicRebalance } from '../classic/classic-rebalance.ts';
import type { ConsumerGroup } from '../consumer/consumer-group.ts';
import type { ConsumerMember } from '../consumer/consumer-member.ts';
import { GroupError } from '../errors.ts';
import type { Group } from '../group-registry.ts';
import type { Operation } from '../operation.ts';
import { applyRecord } from '../replay.ts';
import type { ShardContext } from '../shard-context.ts';
import { noTopicId } from './committed-offsets.ts';
import type { CommittedOffset } from './committed-offsets.ts';

/** A request of the handler: topics are resolved, the others are answered already. */
export interface OffsetCommit {
  readonly request: Omit<OffsetCommitRequest, 'topics'>;
  readonly apiVersion: number;
  readonly topics: readonly {
    readonly name: string;
    readonly topicId: string | undefined;
    /** How many partitions the topic has. */
    readonly partitionCount: number;
    readonly partitions: OffsetCommitRequest['topics'][number]['partitions'];
  }[];
}

type CommittedPartition = OffsetCommit['topics'][number]['partitions'][number];

/** For each topic the error codes of its partitions, in the order of the request. */
export type CommitAnswer = readonly (readonly number[])[];

/** From this version of OffsetCommit on clients know the errors of KIP-848. */
const knowsMemberEpochsFrom = 9;

/** OffsetCommit. Whoever commits for a group with members has to be one of them, in the present generation. */
export class OffsetCommits {
  readonly #context: ShardContext;
  readonly #rebalance: ClassicRebalance;

  constructor(context: ShardContext, rebalance: ClassicRebalance) {
    this.#context = context;
    this.#rebalance = rebalance;
  }

  /** @throws GroupError */
  commit(operation: Operation, { request, apiVersion, topics }: OffsetCommit): CommitAnswer {
    const { groupId, memberId } = request;
    const group = this.#group(request, apiVersion);
    if (group.type === 'classic') {
      requireCommitter(group, request);
      const member = group.members.get(memberId);
      if (member !== undefined) this.#rebalance.heartbeat(group, member);
    } else requireConsumerCommitter(group, { request, apiVersion, topics });
    const nowMs = this.#context.runtime.wallMs();
    const expireTimestampMs = request.retentionTimeMs < 0 ? -1 : nowMs + request.retentionTimeMs;
    return topics.map(({ name, topicId, partitionCount, partitions }) =>
      partitions.map((partition) => {
        const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = partition;
        const problem = this.#problem(partition, partitionCount);
        if (problem !== undefined) return problem;
        this.#store(
          operation,
          { groupId, topic: name, partition: partitionIndex },
          {
            offset: committedOffset,
            leaderEpoch: committedLeaderEpoch,
            metadata: committedMetadata ?? '',
            commitTimestampMs: nowMs,
            expireTimestampMs,
            topicId: topicId ?? noTopicId,
          },
        );
        return errorCode.NONE;
      }),
    );
  }

  #problem(
    { partitionIndex, committedOffset, committedMetadata }: CommittedPartition,
    partitionCount: number,
  ): number | undefined {
    // Else a client could fill the memory with partitions that do not exist. Retriable: one may have come just now.
    if (partitionIndex < 0 || partitionIndex >= partitionCount) return errorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if ((committedMetadata?.length ?? 0) > this.#context.options.offsetMetadataMaxBytes)
      return errorCode.OFFSET_METADATA_TOO_LARGE;
    // Beyond any offset that this log can have (2^53); decoded to infinity.
    return Number.isSafeInteger(committedOffset) ? undefined : errorCode.INVALID_COMMIT_OFFSET_SIZE;
  }

  #store(
    operation: Operation,
    key: { readonly groupId: string; readonly topic: string; readonly partition: number },
    offset: CommittedOffset,
  ): void {
    const { groupId, topic, partition } = key;
    applyRecord(this.#context, operation, {
      id: 'offsetCommit',
      key: { group: groupId, topic, partition },
      value: {
        offset: offset.offset,
        leaderEpoch: offset.leaderEpoch,
        metadata: offset.metadata,
        commitTimestamp: offset.commitTimestampMs,
        expireTimestamp: offset.expireTimestampMs,
        topicId: offset.topicId,
      },
    });
  }

  #group({ groupId, generationIdOrMemberEpoch }: OffsetCommit['request'], apiVersion: number): Group {
    const group = this.#context.groups.get(groupId);
    if (group !== undefined) return group;
    // Consumers that assign partitions themselves, and tools, commit to groups without members.
    if (generationIdOrMemberEpoch < 0) return this.#context.groups.createClassic(groupId);
    throw new GroupError(
      apiVersion >= knowsMemberEpochsFrom ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION',
      `there is no group ${groupId}: join it first`,
    );
  }
}

function requireCommitter(
  group: ClassicGroup,
  { memberId, groupInstanceId, generationIdOrMemberEpoch }: OffsetCommit['request'],
): void {
  if (generationIdOrMemberEpoch < 0 && group.state === 'Empty') return;
  if (generationIdOrMemberEpoch >= 0 || memberId !== '' || groupInstanceId !== null) {
    group.requireMember(memberId, groupInstanceId);
    requireGeneration(group, generationIdOrMemberEpoch);
  } else if (group.state !== 'Empty') {
    throw unknownMember(group.groupId, 'without an id (only members may commit while there are any)');
  }
  if (group.state === 'CompletingRebalance') {
    throw new GroupError(
      'REBALANCE_IN_PROGRESS',
      `group ${group.groupId} is rebalancing: commit when it is over`,
    );
  }
}

/**
 * A member that is behind may still commit for partitions that it had at its epoch and has had ever since (KIP-1251): its
 * commit was under way when its epoch was raised.
 *
 * @throws GroupError
 */
function requireConsumerCommitter(group: ConsumerGroup, { request, apiVersion, topics }: OffsetCommit): void {
  const { memberId, generationIdOrMemberEpoch: epoch } = request;
  // Tools, and consumers that assign partitions themselves.
  if (epoch < 0 && group.isEmpty) return;
  const member = group.requireMember(memberId);
  if (member.classic === null && apiVersion < knowsMemberEpochsFrom) {
    throw new GroupError(
      'UNSUPPORTED_VERSION',
      `OffsetCommit version ${knowsMemberEpochsFrom} or above must be used by members using the consumer group protocol`,
    );
  }
  if (epoch === member.memberEpoch) return;
  if (member.classic !== null || epoch > member.memberEpoch) throw staleEpoch(member, epoch);
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex } of partitions) {
      const assignedAt =
        member.assigned.get(topicId ?? '')?.get(partitionIndex) ??
        member.pendingRevocation.get(topicId ?? '')?.get(partitionIndex);
      if (assignedAt === undefined || epoch < assignedAt) throw staleEpoch(member, epoch);
    }
  }
}

/** Without a member id it is a tool, or a client that does not say. @throws GroupError */
export function requireFetcher(group: ConsumerGroup, memberId: string | null, memberEpoch: number): void {
  if (memberId === null && memberEpoch < 0) return;
  const member = group.requireMember(memberId ?? '');
  if (memberEpoch !== member.memberEpoch) throw staleEpoch(member, memberEpoch);
}

function staleEpoch({ memberId, memberEpoch, classic }: ConsumerMember, received: number): GroupError {
  return new GroupError(
    classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION',
    `The received member epoch ${received} of ${memberId} does not match the expected member epoch ${memberEpoch}.`,
  );
}
