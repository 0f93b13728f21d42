import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { leaderOf } from '../../cluster/ownership.ts';
import { groupOf } from '../../cluster/partition-groups.ts';
import type { Random } from '../../runtime/runtime.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { createInternalTopic } from '../internal-topic.ts';
import { registryPartition } from './registry-partition.ts';

/** The name that Confluent's registry uses, in whose formats it is written. */
export const schemasTopic = '_schemas';

/** Nothing of it is deleted. */
const schemasTopicConfigs = { 'cleanup.policy': 'compact', 'compression.type': 'producer' };

/** Who has the registry of a cluster, as far as this broker knows. */
export type RegistryPlace =
  | { readonly kind: 'absent' }
  /** Clients made the topic: a registry outside of the brokers keeps its schemas in it. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'here' }
  /** For a sentence: `broker 1001 (b1:9092)`. */
  | { readonly kind: 'other'; readonly brokerId: number; readonly broker: string };

/** Finds, and creates, the topic of the registry in `meta/cluster`. */
export class RegistryDirectory {
  readonly #cluster: ClusterClient;
  readonly #random: Random;
  readonly #brokerId: number;
  #creation: Promise<void> | undefined;

  constructor(environment: {
    readonly cluster: ClusterClient;
    readonly random: Random;
    readonly brokerId: number;
  }) {
    this.#cluster = environment.cluster;
    this.#random = environment.random;
    this.#brokerId = environment.brokerId;
  }

  get place(): RegistryPlace {
    const state = this.#cluster.current;
    return state === undefined ? { kind: 'nobody' } : placeIn(state, this.#brokerId);
  }

  /** Reads the cluster state: another broker may have created the topic. @throws StoreError */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#cluster.refresh(signal);
  }

  /** One change for all that ask meanwhile, whoever of them stays. @throws RegistryError, StoreError, ClusterError */
  create(): Promise<void> {
    this.#creation ??= this.#create().finally(() => {
      this.#creation = undefined;
    });
    return this.#creation;
  }

  async #create(): Promise<void> {
    const topic = await createInternalTopic(this.#cluster, this.#random, {
      name: schemasTopic,
      partitions: 1,
      configs: schemasTopicConfigs,
    });
    if (topic instanceof ChangeRefused)
      throw new RegistryError('storeError', `topic ${schemasTopic} could not be created: ${topic.message}`);
  }
}

function placeIn(state: ClusterState, brokerId: number): RegistryPlace {
  const topic = state.topics.get(schemasTopic);
  if (topic === undefined) return { kind: 'absent' };
  if (!topic.internal) return { kind: 'foreign' };
  const group = groupOf(topic, registryPartition);
  const leader = group === undefined ? undefined : leaderOf(state, group.id);
  if (leader === undefined) return { kind: 'nobody' };
  if (leader.broker === brokerId) return { kind: 'here' };
  return {
    kind: 'other',
    brokerId: leader.broker,
    broker: `broker ${leader.broker} (${leader.entry.address})`,
  };
}
