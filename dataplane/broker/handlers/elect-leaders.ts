import type { ClusterState, TopicEntry } from '../../cluster/cluster-state.ts';
import { isReady, leaderOf } from '../../cluster/ownership.ts';
import { groupOf, groupsOf } from '../../cluster/partition-groups.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import { reassign } from '../../cluster/reassign.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { ElectLeadersRequest, electLeaders } from '../../protocol/api/elect-leaders.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { told } from '../admin/refusal-codes.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';

type Response = ResponseInput<typeof electLeaders>;

/** Kafka's numbers of what may be elected. */
const electionType = { preferred: 0, unclean: 1 } as const;

interface Dependencies {
  readonly view: ClusterView;
  readonly changes: ClusterChanges;
}

/** A group that is to go to its preferred owner. */
interface Election {
  readonly name: string;
  readonly group: PartitionGroup;
  readonly to: number;
}

interface Verdict {
  readonly name: string;
  readonly partition: number;
  readonly outcome: ToldError | Election;
}

/**
 * ElectLeaders. The preferred owner of a group is the first broker of the list that a reassignment or an assignment by
 * hand gave it, and comes to own all of the group by hand-over; groups without such a list have none. An unclean election
 * is never needed: no broker lacks records.
 */
export function electLeadersHandler({ view, changes }: Dependencies): Handler<typeof electLeaders> {
  return async ({ electionType: type, topicPartitions, timeoutMs }) => {
    const { state } = view;
    if (type !== electionType.preferred && type !== electionType.unclean)
      return { throttleTimeMs: 0, errorCode: kafkaErrors.INVALID_REQUEST.code, replicaElectionResults: [] };
    const verdicts =
      state === undefined ? [] : judge(state, type === electionType.preferred, topicPartitions ?? all(state));
    const elections = new Map<string, Election>();
    for (const { outcome } of verdicts) if ('group' in outcome) elections.set(outcome.group.id, outcome);
    const groups = [...elections.values()];
    const outcomes = await changes.each(groups, elected, { timeoutMs });
    const failures = new Map(groups.map(({ group }, index) => [group.id, outcomes[index]]));
    const results = verdicts
      .map(({ name, partition, outcome }) => ({
        name,
        partition,
        failure: 'group' in outcome ? failures.get(outcome.group.id) : outcome,
      }))
      // Who asks for all partitions wants to hear of those where something happened.
      .filter(({ failure }) => topicPartitions !== null || failure?.name !== 'ELECTION_NOT_NEEDED');
    return {
      throttleTimeMs: 0,
      errorCode: kafkaErrors.NONE.code,
      replicaElectionResults: [...Map.groupBy(results, ({ name }) => name)].map(([topic, ofTopic]) => ({
        topic,
        partitionResult: ofTopic.map(({ partition, failure }) => ({
          partitionId: partition,
          errorCode: failure?.code ?? kafkaErrors.NONE.code,
          errorMessage: failure?.message ?? null,
        })),
      })),
    } satisfies Response;
  };
}

function all(state: ClusterState): NonNullable<ElectLeadersRequest['topicPartitions']> {
  return Array.from(state.topics, ([topic, { partitions }]) => ({
    topic,
    partitions: Array.from({ length: partitions }, (_, partition) => partition),
  }));
}

function judge(
  state: ClusterState,
  isPreferred: boolean,
  asked: NonNullable<ElectLeadersRequest['topicPartitions']>,
): Verdict[] {
  return asked.flatMap(({ topic: name, partitions }) => {
    const topic = state.topics.get(name);
    const groups = topic === undefined ? [] : groupsOf(topic);
    return partitions.map((partition) => {
      const index = topic === undefined ? undefined : groupOf(topic, partition)?.index;
      const group = index === undefined ? undefined : groups[index];
      const outcome =
        topic === undefined || group === undefined
          ? told('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${partition} of topic ${name}`)
          : isPreferred
            ? preferred(state, name, topic, group)
            : unclean(state, group);
      return { name, partition, outcome };
    });
  });
}

function preferred(
  state: ClusterState,
  name: string,
  topic: TopicEntry,
  group: PartitionGroup,
): ToldError | Election {
  const to = topic.replicas?.get(group.index)?.[0];
  if (to === undefined || state.assignments.get(group.id)?.broker === to)
    return told('ELECTION_NOT_NEEDED', 'the preferred broker owns it already, or no broker is preferred');
  const entry = state.brokers.get(to);
  return entry !== undefined && isReady(entry)
    ? { name, group, to }
    : told('PREFERRED_LEADER_NOT_AVAILABLE', `broker ${to} is preferred, but it is not alive, or cordoned`);
}

function unclean(state: ClusterState, group: PartitionGroup): ToldError {
  return leaderOf(state, group.id) === undefined
    ? told('ELIGIBLE_LEADERS_NOT_AVAILABLE', 'no broker is alive that could own it: start one')
    : told('ELECTION_NOT_NEEDED', 'it has a leader, and no broker lacks records');
}

function elected(state: ClusterState, { name, group, to }: Election): ReturnType<typeof reassign> {
  const moves = Array.from({ length: group.count }, (_, index) => ({
    topic: name,
    partition: group.firstPartition + index,
    to,
  }));
  return reassign(state, moves);
}
