import type { ClassicProtocol } from '../classic/classic-member.ts';
import type { RecordValue } from '../group-record.ts';
import { noPartitionEpochs } from './topic-partitions.ts';
import type { PartitionEpochs } from './topic-partitions.ts';

/**
 * Where a member is on the way to its target assignment (KIP-848):
 *
 *  - `Stable`: there, as far as the coordinator can tell;
 *  - `UnrevokedPartitions`: it has to give partitions up before it gets a new epoch;
 *  - `UnreleasedPartitions`: it has a new epoch and waits for partitions that others still have.
 */
export type ConsumerMemberState = 'Stable' | 'UnrevokedPartitions' | 'UnreleasedPartitions' | 'Unknown';

/** Kafka's numbers; a state that a later version adds is `Unknown`. */
const stateCodes: Readonly<Record<ConsumerMemberState, number>> = {
  Stable: 0,
  UnrevokedPartitions: 1,
  UnreleasedPartitions: 2,
  Unknown: 127,
};

/** A member of a group of the consumer protocol. Never changed in place: the group gets a new one. */
export interface ConsumerMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** -1: not told yet. */
  readonly rebalanceTimeoutMs: number;
  /** Sorted, each once. */
  readonly subscribedTopicNames: readonly string[];
  /** Empty: none. */
  readonly subscribedTopicRegex: string;
  readonly serverAssignor: string | null;
  /** Of a member that speaks the classic protocol, in a group that is being upgraded. */
  readonly classic: ClassicSide | null;

  readonly memberEpoch: number;
  /** Accepted as well as the present one: the answer that told of that may have got lost. */
  readonly previousMemberEpoch: number;
  readonly state: ConsumerMemberState;
  readonly assigned: PartitionEpochs;
  readonly pendingRevocation: PartitionEpochs;
}

export interface ClassicSide {
  readonly sessionTimeoutMs: number;
  readonly protocols: readonly ClassicProtocol[];
}

/** The epoch of a static member that is away and will be back within its session. */
export const awayEpoch = -2;
/** The epoch by which a member leaves. */
export const leaveEpoch = -1;

export function newConsumerMember(memberId: string): ConsumerMember {
  return {
    memberId,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    rebalanceTimeoutMs: -1,
    subscribedTopicNames: [],
    subscribedTopicRegex: '',
    serverAssignor: null,
    classic: null,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: 'Stable',
    assigned: noPartitionEpochs,
    pendingRevocation: noPartitionEpochs,
  };
}

export function isReconciledTo({ state, memberEpoch }: ConsumerMember, assignmentEpoch: number): boolean {
  return state === 'Stable' && memberEpoch === assignmentEpoch;
}

/** What the member told of itself. */
export function toMetadataValue(member: ConsumerMember): RecordValue<'consumerGroupMemberMetadata'> {
  const { classic } = member;
  return {
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: member.subscribedTopicNames,
    subscribedTopicRegex: member.subscribedTopicRegex,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    serverAssignor: member.serverAssignor,
    classicMemberMetadata:
      classic === null
        ? null
        : { sessionTimeoutMs: classic.sessionTimeoutMs, supportedProtocols: classic.protocols },
  };
}

export function withMetadataValue(
  member: ConsumerMember,
  value: RecordValue<'consumerGroupMemberMetadata'>,
): ConsumerMember {
  const { classicMemberMetadata: classic } = value;
  return {
    ...member,
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: value.subscribedTopicNames,
    subscribedTopicRegex: value.subscribedTopicRegex ?? '',
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
    classic:
      classic === null
        ? null
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            // What was read from the log lies in memory that is used again.
            protocols: classic.supportedProtocols.map(({ name, metadata }) => ({
              name,
              metadata: Uint8Array.from(metadata),
            })),
          },
  };
}

/** What the coordinator has assigned to it. */
export function toAssignmentValue(
  member: ConsumerMember,
): RecordValue<'consumerGroupCurrentMemberAssignment'> {
  return {
    memberEpoch: member.memberEpoch,
    previousMemberEpoch: member.previousMemberEpoch,
    state: stateCodes[member.state],
    assignedPartitions: toEpochLists(member.assigned),
    partitionsPendingRevocation: toEpochLists(member.pendingRevocation),
  };
}

export function withAssignmentValue(
  member: ConsumerMember,
  value: RecordValue<'consumerGroupCurrentMemberAssignment'>,
): ConsumerMember {
  const { memberEpoch } = value;
  return {
    ...member,
    memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: stateOf(value.state),
    assigned: toPartitionEpochs(value.assignedPartitions, memberEpoch),
    pendingRevocation: toPartitionEpochs(value.partitionsPendingRevocation, memberEpoch),
  };
}

function stateOf(code: number): ConsumerMemberState {
  for (const [state, known] of Object.entries(stateCodes))
    if (known === code) return state as ConsumerMemberState;
  return 'Unknown';
}

type EpochLists = RecordValue<'consumerGroupCurrentMemberAssignment'>['assignedPartitions'];

function toEpochLists(partitions: PartitionEpochs): EpochLists {
  return Array.from(partitions, ([topicId, epochs]) => {
    const sorted = [...epochs].sort(([a], [b]) => a - b);
    return {
      topicId,
      partitions: sorted.map(([partition]) => partition),
      assignmentEpochs: sorted.map(([, epoch]) => epoch),
    };
  });
}

/** Records of before KIP-1251 have no epochs: the member's own is the earliest that is certain. */
function toPartitionEpochs(lists: EpochLists, memberEpoch: number): PartitionEpochs {
  const topics = new Map<string, Map<number, number>>();
  for (const { topicId, partitions, assignmentEpochs } of lists) {
    if (partitions.length === 0) continue;
    topics.set(
      topicId,
      new Map(partitions.map((partition, i) => [partition, assignmentEpochs?.[i] ?? memberEpoch])),
    );
  }
  return topics;
}
