import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState, Configs } from '../../cluster/cluster-state.ts';
import { clusterConfigOf } from '../../cluster/config/cluster-configs.ts';
import { checkedConfigs } from '../../cluster/config/config-check.ts';
import type { RequestedReplicas } from '../../cluster/requested-replicas.ts';
import { declareTopic } from '../../cluster/topic-changes.ts';
import { internalProblem } from './internal-topics.ts';

/** A topic that a client wants, by CreateTopics or by asking for its metadata. */
export interface RequestedTopic {
  readonly name: string;
  /** Freshly minted. */
  readonly topicId: string;
  /** `undefined`: the cluster's default. */
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
  readonly configs: Configs;
  /** Gives number and owners of the partitions. */
  readonly assignments?: RequestedReplicas | undefined;
}

/** Like `declareTopic`: `placeHomeless` has to follow. */
export function declareRequestedTopic(
  state: ClusterState,
  requested: RequestedTopic,
): ClusterState | ChangeRefused {
  const { name, topicId, assignments } = requested;
  const refused =
    internalProblem(name, undefined, 'created') ??
    (state.topics.has(name) ? undefined : collisionProblem(state, name));
  if (refused !== undefined) return refused;
  const configs = checkedConfigs('topic', requested.configs);
  if (configs instanceof ChangeRefused) return configs;
  const defaults = clusterConfigOf(state.configs);
  const partitions = assignments?.size ?? requested.partitions ?? defaults['num.partitions'];
  const replicationFactor =
    assignments?.get(0)?.length ?? requested.replicationFactor ?? defaultReplicationFactor(state.configs);
  return declareTopic(state, {
    name,
    topicId,
    partitions,
    internal: false,
    configs,
    replicationFactor,
    assignments,
  });
}

/** `undefined`: one replica in every zone. */
export function defaultReplicationFactor(configs: Configs): number | undefined {
  const factor = clusterConfigOf(configs)['default.replication.factor'];
  return factor === -1 ? undefined : factor;
}

/** Metrics of Kafka's tools write `.` as `_`, so Kafka has no two topics that differ in nothing else. */
function collisionProblem(state: ClusterState, name: string): ChangeRefused | undefined {
  if (!/[._]/.test(name)) return undefined;
  const written = name.replaceAll('.', '_');
  for (const other of state.topics.keys()) {
    if (other.length === name.length && other.replaceAll('.', '_') === written) {
      return new ChangeRefused(
        'INVALID_TOPIC_NAME',
        `topic ${name} collides with topic ${other}: they differ only in "." and "_", which metrics write alike`,
      );
    }
  }
  return undefined;
}
