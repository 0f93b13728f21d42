import { inBackground } from '../runtime/in-background.ts';
import type { BrokerLog } from '../log/broker-log.ts';
import type { Served } from '../log/served-groups.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';
import type { ClusterView, NamedTopic, PartitionLeader } from './cluster-view.ts';

/** A partition that this broker leads, or why it does not. */
export type PartitionAccess =
  { readonly kind: 'served'; readonly topic: NamedTopic; readonly served: Served } | PartitionRefusal;

export interface PartitionRefusal {
  readonly kind: 'refused';
  readonly error: KafkaErrorName;
  readonly errorCode: number;
  /** Where the client should go instead, as far as is known (KIP-951). */
  readonly leader?: PartitionLeader | undefined;
}

/** How a client names a partition: by the topic's name or its id. */
export interface PartitionName {
  readonly topic: NamedTopic | undefined;
  readonly byId: boolean;
  readonly partition: number;
  /** -1: the client does not know it. */
  readonly currentLeaderEpoch: number;
}

/**
 * Finds the partitions that requests name, as Kafka does (KIP-320): a client whose leader epoch is older than ours has to
 * fetch metadata (FENCED_LEADER_EPOCH), one that has seen a newer one makes us look (UNKNOWN_LEADER_EPOCH).
 *
 * While a group is handed over, Metadata names us with the generation of the next owner: that is not newer than ours.
 */
export class PartitionDirectory {
  readonly #log: BrokerLog;
  readonly view: ClusterView;

  constructor(log: BrokerLog, view: ClusterView) {
    this.#log = log;
    this.view = view;
  }

  find({ topic, byId, partition, currentLeaderEpoch }: PartitionName): PartitionAccess {
    if (topic === undefined) return refused(byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION');
    const { topicId, partitions } = topic.topic;
    if (!(partition >= 0 && partition < partitions)) return refused('UNKNOWN_TOPIC_OR_PARTITION');
    const served = this.#log.served(topicId, partition);
    if (served === undefined) {
      const leader = this.view.leader(topic.topic, partition);
      return refused('NOT_LEADER_OR_FOLLOWER', leader);
    }
    if (currentLeaderEpoch >= 0) {
      const { epoch } = served.group.manifest;
      if (currentLeaderEpoch < epoch)
        return refused('FENCED_LEADER_EPOCH', this.view.leader(topic.topic, partition));
      if (currentLeaderEpoch > Math.max(epoch, this.view.generation(topic.topic, partition) ?? 0)) {
        inBackground(this.#log.cluster.refresh().catch(() => undefined));
        return refused('UNKNOWN_LEADER_EPOCH');
      }
    }
    return { kind: 'served', topic, served };
  }
}

export function refused(error: KafkaErrorName, leader?: PartitionLeader): PartitionRefusal {
  return { kind: 'refused', error, errorCode: kafkaErrors[error].code, leader };
}
