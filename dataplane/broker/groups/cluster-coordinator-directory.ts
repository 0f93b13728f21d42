import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { leaderOf } from '../../cluster/ownership.ts';
import { groupOf } from '../../cluster/partition-groups.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilAborted } from '../../store/body.ts';
import { createInternalTopic } from '../internal-topic.ts';
import { splitAddress } from '../node-endpoints.ts';
import type { CoordinatorAddress, CoordinatorDirectory } from './coordinator-directory.ts';
import { offsetsTopic } from './coordinator-log.ts';
import { GroupError } from './errors.ts';
import { StaticTopicsView } from './topics-view.ts';
import type { TopicsView } from './topics-view.ts';

/** Kafka's `offsets.topic.num.partitions`. Decided when the topic is created: groups cannot move between partitions. */
const defaultOffsetsPartitions = 50;

/** As Kafka shows them: tools look at these. */
const offsetsTopicConfigs = {
  'cleanup.policy': 'compact',
  'compression.type': 'producer',
  'segment.bytes': '104857600',
};

/** {@link CoordinatorDirectory} over `meta/cluster`. */
export class ClusterCoordinatorDirectory implements CoordinatorDirectory {
  readonly #cluster: ClusterClient;
  readonly #runtime: Runtime;
  readonly #partitions: number;
  #creation: Promise<number> | undefined;

  constructor(environment: {
    readonly cluster: ClusterClient;
    readonly runtime: Runtime;
    readonly partitions?: number | undefined;
  }) {
    this.#cluster = environment.cluster;
    this.#runtime = environment.runtime;
    this.#partitions = environment.partitions ?? defaultOffsetsPartitions;
  }

  async offsetsPartitions(signal: AbortSignal): Promise<number> {
    const topic = this.#cluster.current?.topics.get(offsetsTopic);
    if (topic !== undefined) return topic.partitions;
    // One change for all that ask meanwhile, whoever of them stays.
    this.#creation ??= this.#create().finally(() => {
      this.#creation = undefined;
    });
    return untilAborted(this.#creation, signal);
  }

  async #create(): Promise<number> {
    const topic = await createInternalTopic(this.#cluster, this.#runtime.random, {
      name: offsetsTopic,
      partitions: this.#partitions,
      configs: offsetsTopicConfigs,
    });
    if (!(topic instanceof ChangeRefused)) return topic.partitions;
    const why = topic.message;
    throw new GroupError('COORDINATOR_NOT_AVAILABLE', `topic ${offsetsTopic} could not be created: ${why}`);
  }

  coordinatorOf(partition: number, listener: string): CoordinatorAddress | undefined {
    const state = this.#cluster.current;
    const topic = state?.topics.get(offsetsTopic);
    if (state === undefined || topic === undefined) return undefined;
    const group = groupOf(topic, partition);
    const leader = group === undefined ? undefined : leaderOf(state, group.id);
    const address = leader?.entry.listeners[listener];
    if (leader === undefined || address === undefined) return undefined;
    return { nodeId: leader.broker, ...splitAddress(address) };
  }
}

/**
 * The topics of a cluster state as groups see them. Racks are the home zone: the zone of a partition's present owner
 * changes with every takeover, and each change would make all groups of the topic rebalance.
 */
export function topicsViewOf(state: ClusterState): TopicsView {
  return new StaticTopicsView(
    Array.from(state.topics, ([name, { topicId, partitions, homeZone, internal }]) => ({
      name,
      topicId,
      partitions,
      isInternal: internal,
      ...(homeZone === undefined ? {} : { racks: homeRacks(partitions, homeZone) }),
    })),
  );
}

function homeRacks(partitions: number, homeZone: string): readonly (readonly string[])[] {
  const racks = [homeZone];
  return Array.from({ length: partitions }, () => racks);
}
