import { cordonedConfig } from './broker-config-changes.ts';
import { unknownBroker } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, TopicEntry } from './cluster-state.ts';
import { placementPolicyConfig, placementZoneConfig } from './home-zone.ts';
import { takersOf } from './ownership.ts';
import type { PartitionGroup } from './partition-groups.ts';

/**
 * Lists of brokers that clients ask for, a partition each, as Kafka has them: the first is the owner, all of them are what
 * Metadata names as replicas. A group has one owner and one list.
 */
export type RequestedReplicas = ReadonlyMap<number, readonly number[]>;

/** The list of a group of which all partitions must be asked for alike. */
export function replicasOfGroup(
  topic: string,
  group: PartitionGroup,
  asked: RequestedReplicas,
): readonly number[] | ChangeRefused {
  const all = Array.from({ length: group.count }, (_, index) => group.firstPartition + index);
  const left = all.filter((partition) => !asked.has(partition));
  const last = group.firstPartition + group.count - 1;
  const rule = `partitions ${group.firstPartition} to ${last} of topic ${topic} form one group and have one owner`;
  if (left.length > 0) {
    return new ChangeRefused(
      'PARTIAL_GROUP',
      `${rule}: add ${listed(left)} to the reassignment, or leave all of them out`,
    );
  }
  const byList = Map.groupBy(all, (partition) => (asked.get(partition) ?? []).join(','));
  const [list = ''] = byList.keys();
  if (byList.size === 1) return asked.get(group.firstPartition) ?? [];
  const owners = new Set(Array.from(byList.keys(), (brokers) => brokers.split(',')[0]));
  const shown = [...byList].map(([brokers, partitions]) =>
    owners.size > 1
      ? `${listed(partitions)} to broker ${brokers.split(',')[0] ?? ''}`
      : `${listed(partitions)} to brokers ${brokers}`,
  );
  const advice = owners.size > 1 ? 'name one broker for all' : `name the same brokers for all, as in ${list}`;
  return new ChangeRefused('PARTIAL_GROUP', `${rule}: the request gives ${shown.join('; ')}; ${advice}`);
}

/** What is wrong with a list of brokers, apart from who is to be the owner. */
export function replicasProblem(
  state: ClusterState,
  topic: string,
  partition: number,
  replicas: readonly number[],
): ChangeRefused | undefined {
  const refuse = (what: string): ChangeRefused =>
    new ChangeRefused('INVALID_REPLICAS', `partition ${partition} of topic ${topic} ${what}`);
  if (replicas.length === 0) return refuse('is given no broker: name its owner first');
  const twice = replicas.find((broker, index) => replicas.indexOf(broker) < index);
  if (twice !== undefined) return refuse(`is given broker ${twice} twice`);
  const unknown = replicas.find((broker) => !state.brokers.has(broker));
  return unknown === undefined ? undefined : unknownBroker(unknown);
}

/**
 * Why a broker cannot be the owner. A topic stays in its home zone for as long as somebody there can have it.
 *
 * @param topic needs no assignment yet
 */
export function ownerProblem(
  state: ClusterState,
  topic: { readonly name: string } & Pick<TopicEntry, 'homeZone'>,
  group: PartitionGroup,
  to: number,
): ChangeRefused | undefined {
  const target = state.brokers.get(to);
  if (target === undefined) return unknownBroker(to);
  if (target.state !== 'alive') {
    return new ChangeRefused(
      'BROKER_NOT_ALIVE',
      `partition group ${group.id} of topic ${topic.name} cannot go to broker ${to}: it is ${target.state}`,
    );
  }
  const takers = takersOf(state);
  if (!takers.has(to)) {
    return new ChangeRefused(
      'BROKER_CORDONED',
      `partition group ${group.id} of topic ${topic.name} cannot go to broker ${to}: it is cordoned and would lose it at ` +
        `once; choose another one, or remove ${cordonedConfig} from broker ${to}`,
    );
  }
  const home = topic.homeZone;
  if (home === undefined || target.zone === home) return undefined;
  const owner = state.assignments.get(group.id)?.broker;
  const others = [...state.brokers].filter(
    ([id, broker]) => broker.zone === home && takers.has(id) && id !== owner,
  );
  if (others.length === 0) return undefined;
  return new ChangeRefused(
    'LEAVES_HOME_ZONE',
    `topic ${topic.name} belongs into zone ${home} (${placementPolicyConfig}, ${placementZoneConfig}): partition group ` +
      `${group.id} cannot go to broker ${to} in zone ${target.zone}; choose one of ${others.map(([id]) => id).join(', ')}, ` +
      `or change these configs`,
  );
}

/** The topic with other lists for some of its groups; `undefined` removes one. */
export function withReplicas(
  topic: TopicEntry,
  changes: ReadonlyMap<number, readonly number[] | undefined>,
): TopicEntry {
  const replicas = new Map(topic.replicas);
  for (const [index, list] of changes) {
    if (list === undefined) replicas.delete(index);
    else replicas.set(index, list);
  }
  const { replicas: _before, ...kept } = topic;
  return replicas.size === 0 ? kept : { ...kept, replicas };
}

/** `1, 2, 3 and 9 more` */
function listed(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 20).join(', ');
  return partitions.length > 20 ? `${shown} and ${partitions.length - 20} more` : shown;
}
