import type { BrokerEntry, ClusterState, TopicEntry } from '../../cluster/cluster-state.ts';
import { leaderOf } from '../../cluster/ownership.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import { replicasOf } from '../../cluster/replicas.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { splitAddress } from '../node-endpoints.ts';

/** One partition as Metadata and DescribeTopicPartitions tell it. */
export interface PartitionMetadata {
  readonly errorCode: number;
  readonly partitionIndex: number;
  /** -1: nobody now. */
  readonly leaderId: number;
  /** The assignment's generation, which is the epoch that batches of its owner carry. */
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

export interface BrokerMetadata {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  /** The zone. */
  readonly rack: string;
}

/** What one version of the cluster state says to clients that came through one listener. */
export class ClusterMetadata {
  readonly #state: ClusterState;
  readonly #listener: string;
  readonly #partitions = new Map<string, readonly PartitionMetadata[]>();
  #brokers: readonly BrokerMetadata[] | undefined;
  /** By zone: those of the zone first. */
  readonly #brokersFrom = new Map<string, readonly BrokerMetadata[]>();

  constructor(state: ClusterState, listener: string) {
    this.#state = state;
    this.#listener = listener;
  }

  /** Those that live and can be reached through the listener. */
  get brokers(): readonly BrokerMetadata[] {
    this.#brokers ??= [...this.#state.brokers]
      .filter(([, { state }]) => state !== 'dead')
      .flatMap(([id, broker]) => brokerMetadata(id, broker, this.#listener));
    return this.#brokers;
  }

  /**
   * The same, those of a client's zone first: clients that take the first ones they are told stay in their zone.
   *
   * @param zone one that the cluster has; `undefined`: unknown
   */
  brokersFrom(zone: string | undefined): readonly BrokerMetadata[] {
    if (zone === undefined) return this.brokers;
    let brokers = this.#brokersFrom.get(zone);
    if (brokers === undefined) {
      const isThere = ({ rack }: BrokerMetadata): boolean => rack === zone;
      brokers = [...this.brokers.filter(isThere), ...this.brokers.filter((broker) => !isThere(broker))];
      this.#brokersFrom.set(zone, brokers);
    }
    return brokers;
  }

  /**
   * Who is told to be the controller; every broker does what one would. This one, unless the client's zone is another and
   * has a broker: admin clients talk to that one, then. -1: there is none.
   */
  controllerFor(zone: string | undefined, brokerId: number): number {
    const brokers = this.brokersFrom(zone);
    const own = brokers.find(({ nodeId }) => nodeId === brokerId);
    const first = brokers[0];
    if (own === undefined || (first?.rack === zone && own.rack !== zone)) return first?.nodeId ?? -1;
    return brokerId;
  }

  /** Brokers whose session is dead. Kafka would say: fenced. */
  get deadBrokers(): readonly BrokerMetadata[] {
    return [...this.#state.brokers]
      .filter(([, { state }]) => state === 'dead')
      .flatMap(([id, broker]) => brokerMetadata(id, broker, this.#listener));
  }

  /** In order. The same array for the same topic: thousands of clients may ask for thousands of partitions. */
  partitions(topic: TopicEntry): readonly PartitionMetadata[] {
    let partitions = this.#partitions.get(topic.topicId);
    if (partitions === undefined) {
      partitions = this.#describe(topic);
      this.#partitions.set(topic.topicId, partitions);
    }
    return partitions;
  }

  #describe(topic: TopicEntry): PartitionMetadata[] {
    const partitions: PartitionMetadata[] = [];
    const replicas = replicasOf(this.#state);
    for (const group of groupsOf(topic)) {
      const lists = replicas.of(topic, group);
      const leader = leaderOf(this.#state, group.id);
      const errorCode = this.#leaderProblem(leader?.entry);
      const leaderId = leader === undefined || errorCode !== kafkaErrors.NONE.code ? -1 : leader.broker;
      const leaderEpoch = this.#state.assignments.get(group.id)?.generation ?? -1;
      for (let index = 0; index < group.count; index++) {
        partitions.push({
          errorCode,
          partitionIndex: group.firstPartition + index,
          leaderId,
          leaderEpoch,
          replicaNodes: lists.replicas,
          isrNodes: lists.inSync,
          offlineReplicas: lists.offline,
        });
      }
    }
    return partitions;
  }

  #leaderProblem(leader: BrokerEntry | undefined): number {
    if (leader === undefined) return kafkaErrors.LEADER_NOT_AVAILABLE.code;
    return leader.listeners[this.#listener] === undefined
      ? kafkaErrors.LISTENER_NOT_FOUND.code
      : kafkaErrors.NONE.code;
  }
}

/** Computed once for each version of the state and listener. */
export function clusterMetadata(state: ClusterState, listener: string): ClusterMetadata {
  let ofState = known.get(state);
  if (ofState === undefined) known.set(state, (ofState = new Map<string, ClusterMetadata>()));
  let metadata = ofState.get(listener);
  if (metadata === undefined) ofState.set(listener, (metadata = new ClusterMetadata(state, listener)));
  return metadata;
}

const known = new WeakMap<ClusterState, Map<string, ClusterMetadata>>();

function brokerMetadata(nodeId: number, broker: BrokerEntry, listener: string): BrokerMetadata[] {
  const address = broker.listeners[listener];
  return address === undefined ? [] : [{ nodeId, ...splitAddress(address), rack: broker.zone }];
}
