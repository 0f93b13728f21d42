import type { ClusterSeen } from './cluster-seen.ts';

/** `unreachable`: the cluster takes it for alive, and it does not answer us. */
export type BrokerShownState = 'alive' | 'draining' | 'cordoned' | 'unreachable' | 'dead';

/** What `firn status --json` tells of brokers, zones, partitions and moves. */
export interface ClusterStatus {
  readonly clusterId: string | null;
  /** By id. */
  readonly brokers: readonly BrokerShown[];
  /** By name. */
  readonly zones: readonly ZoneShown[];
  readonly topics: number;
  readonly internalTopics: number;
  readonly partitions: number;
  /** Consumer groups, of the brokers that answer. */
  readonly groups: number;
  readonly moving: readonly PartitionMoving[];
  readonly strays: readonly Stray[];
  readonly leaderless: readonly PartitionName[];
}

export interface BrokerShown {
  readonly id: number;
  readonly state: BrokerShownState;
  readonly zone: string | null;
  readonly address: string;
  readonly partitionsLed: number;
  /** Consumer groups that it coordinates; `null`: it does not answer. */
  readonly groups: number | null;
  /** Partitions of table topics that it makes files of. */
  readonly tableWorkers: number;
  /** Tables that it commits to. */
  readonly tableCoordinators: number;
}

export interface ZoneShown {
  readonly zone: string | null;
  /** That are not dead. */
  readonly brokers: number;
  readonly partitionsLed: number;
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

/** On its way from one broker to another. */
export interface PartitionMoving extends PartitionName {
  readonly from: number | null;
  readonly to: number | null;
}

/** Led in another zone than the one its topic belongs into. */
export interface Stray extends PartitionName {
  readonly broker: number;
  readonly zone: string | null;
  readonly homeZone: string;
}

/** @param draining brokers that are handing over what they have: Kafka's protocol does not tell */
export function clusterStatus(
  { metadata, dead, placements, moving, answers }: ClusterSeen,
  draining: ReadonlySet<number>,
): ClusterStatus {
  const { clusterId, topics } = metadata;
  const zoneOf = new Map(metadata.brokers.map(({ id, rack }) => [id, rack]));
  const led = topics.flatMap(({ name, partitions }) => {
    const { isTable = false, homeZone } = placements.get(name) ?? {};
    return partitions.map(({ partition, leader }) => ({ topic: name, partition, leader, isTable, homeZone }));
  });
  const byLeader = Map.groupBy(led, ({ leader }) => leader);
  const stateOf = (id: number): BrokerShownState => {
    const answer = answers.get(id);
    if (answer === undefined) return 'unreachable';
    if (draining.has(id)) return 'draining';
    return answer.cordoned ? 'cordoned' : 'alive';
  };
  const live = metadata.brokers.map((broker) => ({ ...broker, state: stateOf(broker.id) }));
  const brokers = [...live, ...dead.map((broker) => ({ ...broker, state: 'dead' as const }))]
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, host, port, rack, state }): BrokerShown => {
      const own = byLeader.get(id) ?? [];
      const tables = own.filter(({ isTable }) => isTable);
      return {
        id,
        state,
        zone: rack,
        address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
        partitionsLed: own.length,
        groups: answers.get(id)?.groups ?? null,
        tableWorkers: tables.length,
        tableCoordinators: tables.filter(({ partition }) => partition === 0).length,
      };
    });
  const leaderOf = new Map(led.map(({ topic, partition, leader }) => [`${topic}/${partition}`, leader]));
  return {
    clusterId,
    brokers,
    zones: zonesOf(brokers),
    topics: topics.filter(({ isInternal }) => !isInternal).length,
    internalTopics: topics.filter(({ isInternal }) => isInternal).length,
    partitions: led.length,
    groups: brokers.reduce((sum, { groups }) => sum + (groups ?? 0), 0),
    moving: moving.map(({ topic, partition, to }) => ({
      topic,
      partition,
      from: leaderOf.get(`${topic}/${partition}`) ?? null,
      to: to ?? null,
    })),
    strays: led.flatMap(({ topic, partition, leader, homeZone }) => {
      const zone = zoneOf.get(leader ?? -1);
      if (leader === undefined || zone === undefined || homeZone === undefined || zone === homeZone)
        return [];
      return [{ topic, partition, broker: leader, zone, homeZone }];
    }),
    leaderless: led
      .filter(({ leader }) => leader === undefined)
      .map(({ topic, partition }) => ({ topic, partition })),
  };
}

function zonesOf(brokers: readonly BrokerShown[]): ZoneShown[] {
  return [...Map.groupBy(brokers, ({ zone }) => zone)]
    .map(([zone, ofZone]) => ({
      zone,
      brokers: ofZone.filter(({ state }) => state !== 'dead').length,
      partitionsLed: ofZone.reduce((sum, { partitionsLed }) => sum + partitionsLed, 0),
    }))
    .toSorted((a, b) => ((a.zone ?? '') < (b.zone ?? '') ? -1 : 1));
}
