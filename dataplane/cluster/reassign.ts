import { assign } from './assign.ts';
import { liveSession, unknownBroker } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, TopicEntry } from './cluster-state.ts';
import { placementPolicyConfig, placementZoneConfig } from './home-zone.ts';
import { groupOf } from './partition-groups.ts';
import type { PartitionGroup } from './partition-groups.ts';
import { place } from './place.ts';
import type { Placed } from './place.ts';
import { unknownTopic } from './topic-changes.ts';

export interface Move {
  readonly topic: string;
  readonly partition: number;
  /** Broker id of the new owner. */
  readonly to: number;
}

/**
 * Gives partition groups other owners, by hand-over from the old one while its session lives. All or nothing. Only whole
 * groups: a group has one owner, so the moves must name all its partitions, all with the same target.
 *
 * To cancel a hand-over, move the group back to `from`.
 */
export function reassign(state: ClusterState, moves: readonly Move[]): ClusterState | ChangeRefused {
  const placed: Placed[] = [];
  for (const [topicName, ofTopic] of Map.groupBy(moves, ({ topic }) => topic)) {
    const topic = state.topics.get(topicName);
    if (topic === undefined) return unknownTopic(topicName);
    const ofGroup = new Map<
      string,
      { readonly group: PartitionGroup; readonly targets: Map<number, number> }
    >();
    for (const { partition, to } of ofTopic) {
      const group = groupOf(topic, partition);
      if (group === undefined) {
        return new ChangeRefused(
          'INVALID_PARTITIONS',
          `topic ${topicName} has no partition ${partition}, only 0 to ${topic.partitions - 1}`,
        );
      }
      const asked = ofGroup.get(group.id) ?? { group, targets: new Map<number, number>() };
      asked.targets.set(partition, to);
      ofGroup.set(group.id, asked);
    }
    for (const { group, targets } of ofGroup.values()) {
      const to = commonTarget(topicName, group, targets);
      if (to instanceof ChangeRefused) return to;
      if (state.assignments.get(group.id)?.broker === to) continue;
      const problem = targetProblem(state, topicName, topic, group, to);
      if (problem !== undefined) return problem;
      placed.push({ group: group.id, broker: to });
    }
  }
  return assign(state, placed);
}

/** Gives all groups of a broker that drains to others, by hand-over, as far as there are others. */
export function moveAway(
  state: ClusterState,
  broker: { readonly id: number; readonly sid: string },
): ClusterState | ChangeRefused {
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  return assign(state, place(state, new Set([broker.id])));
}

/**
 * The new owner serves: it is the leader from here on. Groups that have another owner or generation by now are left
 * alone.
 */
export function clearFrom(
  state: ClusterState,
  served: {
    readonly broker: { readonly id: number; readonly sid: string };
    readonly groups: readonly { readonly group: string; readonly generation: number }[];
  },
): ClusterState | ChangeRefused {
  const { broker, groups } = served;
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  const assignments = new Map(state.assignments);
  let cleared = 0;
  for (const { group, generation } of groups) {
    const assignment = assignments.get(group);
    if (assignment?.broker !== broker.id || assignment.generation !== generation) continue;
    const { from, ...kept } = assignment;
    if (from === undefined) continue;
    assignments.set(group, kept);
    cleared += 1;
  }
  return cleared === 0 ? state : { ...state, assignments };
}

/**
 * The old owner has released: it serves no more, and the new one may acquire at once. Groups that have another owner or
 * generation by now are left alone. Only a hint: when it never comes, the new owner finds the released manifest itself.
 */
export function handOver(
  state: ClusterState,
  released: {
    readonly broker: { readonly id: number; readonly sid: string };
    readonly groups: readonly { readonly group: string; readonly generation: number }[];
  },
): ClusterState | ChangeRefused {
  const { broker, groups } = released;
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  const assignments = new Map(state.assignments);
  let cleared = 0;
  for (const { group, generation } of groups) {
    const assignment = assignments.get(group);
    if (assignment?.from?.sid !== broker.sid || assignment.generation !== generation) continue;
    const { from: _released, ...kept } = assignment;
    assignments.set(group, kept);
    cleared += 1;
  }
  return cleared === 0 ? state : { ...state, assignments };
}

function commonTarget(
  topic: string,
  group: PartitionGroup,
  targets: ReadonlyMap<number, number>,
): number | ChangeRefused {
  const all = Array.from({ length: group.count }, (_, index) => group.firstPartition + index);
  const left = all.filter((partition) => !targets.has(partition));
  const last = group.firstPartition + group.count - 1;
  const rule = `partitions ${group.firstPartition} to ${last} of topic ${topic} form one group and have one owner`;
  if (left.length > 0) {
    return new ChangeRefused(
      'PARTIAL_GROUP',
      `${rule}: add ${listed(left)} to the reassignment, or leave all of them out`,
    );
  }
  const brokers = new Set(targets.values());
  const [to] = brokers;
  if (to !== undefined && brokers.size === 1) return to;
  const asked = [...brokers].map(
    (broker) => `${listed(all.filter((partition) => targets.get(partition) === broker))} to broker ${broker}`,
  );
  return new ChangeRefused(
    'PARTIAL_GROUP',
    `${rule}: the reassignment moves ${asked.join(', ')}; name one broker for all`,
  );
}

function targetProblem(
  state: ClusterState,
  name: string,
  topic: TopicEntry,
  group: PartitionGroup,
  to: number,
): ChangeRefused | undefined {
  const target = state.brokers.get(to);
  if (target === undefined) return unknownBroker(to);
  if (target.state !== 'alive') {
    return new ChangeRefused(
      'BROKER_NOT_ALIVE',
      `partition group ${group.id} of topic ${name} cannot move to broker ${to}: it is ${target.state}`,
    );
  }
  const home = topic.homeZone;
  if (home === undefined || target.zone === home) return undefined;
  const owner = state.assignments.get(group.id)?.broker;
  const others = [...state.brokers].filter(
    ([id, broker]) => broker.zone === home && broker.state === 'alive' && id !== owner,
  );
  if (others.length === 0) return undefined;
  return new ChangeRefused(
    'LEAVES_HOME_ZONE',
    `topic ${name} belongs into zone ${home} (${placementPolicyConfig}, ${placementZoneConfig}): partition group ` +
      `${group.id} cannot move to broker ${to} in zone ${target.zone}; choose one of ${others.map(([id]) => id).join(', ')}, ` +
      `or change these configs`,
  );
}

/** `1, 2, 3 and 9 more` */
function listed(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 20).join(', ');
  return partitions.length > 20 ? `${shown} and ${partitions.length - 20} more` : shown;
}
