import type { ClusterClient } from '../cluster/cluster-client.ts';
import { mintHexId } from '../cluster/new-cluster.ts';
import { createTopic } from '../cluster/topic-changes.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ClusterView } from './cluster-view.ts';
import type { CoordinatorAddress, CoordinatorDirectory } from './groups/coordinator-directory.ts';
import { offsetsTopic } from './groups/coordinator-log.ts';
import { splitAddress } from './node-endpoints.ts';

/** Finds the owners of `__consumer_offsets`, which comes into being when a coordinator is asked for the first time. */
export class OffsetsTopicDirectory implements CoordinatorDirectory {
  readonly #cluster: ClusterClient;
  readonly #view: ClusterView;
  readonly #runtime: Runtime;
  readonly #partitions: number;

  /** @param partitions Kafka's `offsets.topic.num.partitions`: of the topic, when it is created here */
  constructor(environment: {
    readonly cluster: ClusterClient;
    readonly view: ClusterView;
    readonly runtime: Runtime;
    readonly partitions: number;
  }) {
    this.#cluster = environment.cluster;
    this.#view = environment.view;
    this.#runtime = environment.runtime;
    this.#partitions = environment.partitions;
  }

  async offsetsPartitions(signal: AbortSignal): Promise<number> {
    const known = this.#view.topicByName(offsetsTopic);
    if (known !== undefined) return known.topic.partitions;
    const topicId = mintHexId(this.#runtime.random);
    // Kafka's tools show these configs for it; retention would lose offsets that nobody has committed again.
    const configs = { 'cleanup.policy': 'compact', 'compression.type': 'producer', 'segment.bytes': '104857600' };
    const outcome = await this.#cluster.change(
      (state) =>
        state.topics.has(offsetsTopic)
          ? state
          : createTopic(state, {
              name: offsetsTopic,
              topicId,
              partitions: this.#partitions,
              internal: true,
              configs,
            }),
      { signal },
    );
    if (outcome.kind === 'refused') throw new Error(outcome.refused.message);
    const created = outcome.state.topics.get(offsetsTopic);
    if (created === undefined) throw new Error(`${offsetsTopic} was deleted while it was being created`);
    return created.partitions;
  }

  coordinatorOf(partition: number, listener: string): CoordinatorAddress | undefined {
    const offsets = this.#view.topicByName(offsetsTopic);
    const leader = offsets === undefined ? undefined : this.#view.leader(offsets.topic, partition);
    const address = leader?.entry.listeners[listener];
    if (leader === undefined || address === undefined) return undefined;
    return { nodeId: leader.brokerId, ...splitAddress(address) };
  }
}
