import type { AnyApi } from './api.ts';
import type { VersionRange } from './version-range.ts';
import { addOffsetsToTxn } from './api/add-offsets-to-txn.ts';
import { addPartitionsToTxn } from './api/add-partitions-to-txn.ts';
import { alterConfigs } from './api/alter-configs.ts';
import { alterPartitionReassignments } from './api/alter-partition-reassignments.ts';
import { apiVersions } from './api/api-versions.ts';
import { consumerGroupDescribe } from './api/consumer-group-describe.ts';
import { consumerGroupHeartbeat } from './api/consumer-group-heartbeat.ts';
import { createPartitions } from './api/create-partitions.ts';
import { createTopics } from './api/create-topics.ts';
import { deleteGroups } from './api/delete-groups.ts';
import { deleteRecords } from './api/delete-records.ts';
import { deleteTopics } from './api/delete-topics.ts';
import { describeCluster } from './api/describe-cluster.ts';
import { describeConfigs } from './api/describe-configs.ts';
import { describeGroups } from './api/describe-groups.ts';
import { describeLogDirs } from './api/describe-log-dirs.ts';
import { describeProducers } from './api/describe-producers.ts';
import { describeQuorum } from './api/describe-quorum.ts';
import { describeTopicPartitions } from './api/describe-topic-partitions.ts';
import { describeTransactions } from './api/describe-transactions.ts';
import { electLeaders } from './api/elect-leaders.ts';
import { endTxn } from './api/end-txn.ts';
import { fetch } from './api/fetch.ts';
import { findCoordinator } from './api/find-coordinator.ts';
import { getTelemetrySubscriptions } from './api/get-telemetry-subscriptions.ts';
import { heartbeat } from './api/heartbeat.ts';
import { incrementalAlterConfigs } from './api/incremental-alter-configs.ts';
import { initProducerId } from './api/init-producer-id.ts';
import { joinGroup } from './api/join-group.ts';
import { leaveGroup } from './api/leave-group.ts';
import { listConfigResources } from './api/list-config-resources.ts';
import { listGroups } from './api/list-groups.ts';
import { listOffsets } from './api/list-offsets.ts';
import { listPartitionReassignments } from './api/list-partition-reassignments.ts';
import { listTransactions } from './api/list-transactions.ts';
import { metadata } from './api/metadata.ts';
import { offsetCommit } from './api/offset-commit.ts';
import { offsetDelete } from './api/offset-delete.ts';
import { offsetFetch } from './api/offset-fetch.ts';
import { offsetForLeaderEpoch } from './api/offset-for-leader-epoch.ts';
import { produce } from './api/produce.ts';
import { pushTelemetry } from './api/push-telemetry.ts';
import { saslAuthenticate } from './api/sasl-authenticate.ts';
import { saslHandshake } from './api/sasl-handshake.ts';
import { syncGroup } from './api/sync-group.ts';
import { txnOffsetCommit } from './api/txn-offset-commit.ts';
import { updateFeatures } from './api/update-features.ts';

/** Every API that is declared, by name. The order is that of the keys. */
export const apis = {
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  txnOffsetCommit,
  describeConfigs,
  alterConfigs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeQuorum,
  updateFeatures,
  describeCluster,
  describeProducers,
  describeTransactions,
  listTransactions,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  getTelemetrySubscriptions,
  pushTelemetry,
  listConfigResources,
  describeTopicPartitions,
} as const satisfies Record<string, AnyApi>;

export type ApiId = keyof typeof apis;

const apisByKey: readonly (AnyApi | undefined)[] = tableByKey(Object.values(apis));

/** Undefined for a key that is not declared here. */
export function apiByKey(key: number): AnyApi | undefined {
  return apisByKey[key];
}

/**
 * The versions that a broker names in its answer to ApiVersions: those that it serves, except for Produce. There Kafka
 * names 0 to 2 as well, although it refuses them: librdkafka does not compress what it sends to a broker that does
 * not name version 0 (KAFKA-18659).
 */
export function advertisedVersions(api: AnyApi): VersionRange {
  return api.key === produce.key ? { min: 0, max: api.versions.max } : api.versions;
}

function tableByKey(all: readonly AnyApi[]): AnyApi[] {
  const table: AnyApi[] = [];
  for (const api of all) table[api.key] = api;
  return table;
}
