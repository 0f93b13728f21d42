import type { ClusterClient } from '../cluster/cluster-client.ts';
import type { BrokerEntry, ClusterState, Configs, TopicEntry } from '../cluster/cluster-state.ts';
import { leaderOf } from '../cluster/ownership.ts';
import { groupOf } from '../cluster/partition-groups.ts';

export interface NamedTopic {
  readonly name: string;
  readonly topic: TopicEntry;
}

export interface PartitionLeader {
  readonly brokerId: number;
  readonly entry: BrokerEntry;
  /** The assignment's generation: the epoch that batches of its owner carry. */
  readonly leaderEpoch: number;
}

const unknownState: Pick<ClusterState, 'topics' | 'configs'> = { topics: new Map(), configs: {} };

/** Look-ups in the newest cluster state that this broker knows. */
export class ClusterView {
  readonly #cluster: Pick<ClusterClient, 'current'>;
  #indexed: ClusterState | undefined;
  #byId = new Map<string, NamedTopic>();

  constructor(cluster: Pick<ClusterClient, 'current'>) {
    this.#cluster = cluster;
  }

  get state(): ClusterState | undefined {
    return this.#cluster.current;
  }

  /** Dynamic settings of the whole cluster: the defaults of topics. */
  get configs(): Configs {
    return (this.state ?? unknownState).configs;
  }

  topicByName(name: string): NamedTopic | undefined {
    const topic = (this.state ?? unknownState).topics.get(name);
    return topic === undefined ? undefined : { name, topic };
  }

  topicById(topicId: string): NamedTopic | undefined {
    const { state } = this;
    if (state !== this.#indexed) {
      this.#indexed = state;
      this.#byId = new Map();
      for (const [name, topic] of (state ?? unknownState).topics)
        this.#byId.set(topic.topicId, { name, topic });
    }
    return this.#byId.get(topicId);
  }

  /** Who leads a partition; `undefined`: nobody now, or there is no such partition. */
  leader(topic: TopicEntry, partition: number): PartitionLeader | undefined {
    const { state } = this;
    const group = groupOf(topic, partition);
    if (state === undefined || group === undefined) return undefined;
    const leader = leaderOf(state, group.id);
    const leaderEpoch = state.assignments.get(group.id)?.generation;
    if (leader === undefined || leaderEpoch === undefined) return undefined;
    return { brokerId: leader.broker, entry: leader.entry, leaderEpoch };
  }

  /** The generation of a partition's assignment, if there is one. */
  generation(topic: TopicEntry, partition: number): number | undefined {
    const group = groupOf(topic, partition);
    return group === undefined ? undefined : this.state?.assignments.get(group.id)?.generation;
  }
}
