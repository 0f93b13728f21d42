import { alterConfigs } from '../protocol/api/alter-configs.ts';
import { alterPartitionReassignments } from '../protocol/api/alter-partition-reassignments.ts';
import { createPartitions } from '../protocol/api/create-partitions.ts';
import { createTopics } from '../protocol/api/create-topics.ts';
import { deleteTopics } from '../protocol/api/delete-topics.ts';
import { describeCluster } from '../protocol/api/describe-cluster.ts';
import { describeConfigs } from '../protocol/api/describe-configs.ts';
import { describeLogDirs } from '../protocol/api/describe-log-dirs.ts';
import { describeProducers } from '../protocol/api/describe-producers.ts';
import { describeQuorum } from '../protocol/api/describe-quorum.ts';
import { describeTopicPartitions } from '../protocol/api/describe-topic-partitions.ts';
import { electLeaders } from '../protocol/api/elect-leaders.ts';
import { getTelemetrySubscriptions } from '../protocol/api/get-telemetry-subscriptions.ts';
import { incrementalAlterConfigs } from '../protocol/api/incremental-alter-configs.ts';
import { listConfigResources } from '../protocol/api/list-config-resources.ts';
import { listPartitionReassignments } from '../protocol/api/list-partition-reassignments.ts';
import { metadata } from '../protocol/api/metadata.ts';
import { pushTelemetry } from '../protocol/api/push-telemetry.ts';
import { updateFeatures } from '../protocol/api/update-features.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import type { BrokerLog } from '../log/broker-log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ClusterChanges } from './admin/cluster-changes.ts';
import type { WhyNoTable } from './admin/config-changes.ts';
import { TopicCreation } from './admin/topic-creation.ts';
import type { ClientZones } from './client-zone.ts';
import type { ClusterView } from './cluster-view.ts';
import type { BrokerSettings } from './config/broker-configs.ts';
import { alterConfigsHandler } from './handlers/alter-configs.ts';
import { alterPartitionReassignmentsHandler } from './handlers/alter-partition-reassignments.ts';
import { createPartitionsHandler } from './handlers/create-partitions.ts';
import { createTopicsHandler } from './handlers/create-topics.ts';
import { deleteTopicsHandler } from './handlers/delete-topics.ts';
import { describeClusterHandler } from './handlers/describe-cluster.ts';
import { describeConfigsHandler } from './handlers/describe-configs.ts';
import { describeLogDirsHandler } from './handlers/describe-log-dirs.ts';
import { describeProducersHandler } from './handlers/describe-producers.ts';
import { describeQuorumHandler } from './handlers/describe-quorum.ts';
import { describeTopicPartitionsHandler } from './handlers/describe-topic-partitions.ts';
import { electLeadersHandler } from './handlers/elect-leaders.ts';
import { incrementalAlterConfigsHandler } from './handlers/incremental-alter-configs.ts';
import { listConfigResourcesHandler } from './handlers/list-config-resources.ts';
import { listPartitionReassignmentsHandler } from './handlers/list-partition-reassignments.ts';
import { metadataHandler } from './handlers/metadata.ts';
import { getTelemetrySubscriptionsHandler, pushTelemetryHandler } from './handlers/telemetry.ts';
import { updateFeaturesHandler } from './handlers/update-features.ts';
import { PartitionDirectory } from './partition-access.ts';
import type { RequestDispatcher } from './request-dispatcher.ts';

export interface AdminEnvironment {
  readonly brokerId: number;
  readonly log: BrokerLog;
  readonly view: ClusterView;
  readonly clientZones: ClientZones;
  readonly runtime: Runtime;
  readonly settings: BrokerSettings;
  readonly whyNoTable: WhyNoTable;
  /** Resolves when other brokers know a change of the cluster state, as far as they can be told soon. */
  readonly known: (state: ClusterState) => Promise<void>;
}

/** What is asked about topics, configs and the cluster, and changed in them. */
export function serveAdminApis(dispatcher: RequestDispatcher, environment: AdminEnvironment): void {
  const { brokerId, log, view, clientZones, runtime, settings, whyNoTable, known } = environment;
  const { cluster } = log;
  const changes = new ClusterChanges({ cluster, runtime, known });
  const isServed = (topicId: string, partition: number): boolean =>
    log.served(topicId, partition) !== undefined;
  const creation = new TopicCreation({ cluster, changes, runtime, brokerId, isServed });

  dispatcher.serve(metadata, metadataHandler({ cluster, view, runtime, creation, brokerId, clientZones }));
  dispatcher.serve(describeCluster, describeClusterHandler({ view, brokerId, clientZones }));
  dispatcher.serve(describeTopicPartitions, describeTopicPartitionsHandler({ cluster, runtime }));
  dispatcher.serve(createTopics, createTopicsHandler({ cluster, creation, whyNoTable }));
  dispatcher.serve(deleteTopics, deleteTopicsHandler({ view, changes }));
  dispatcher.serve(createPartitions, createPartitionsHandler({ changes }));

  dispatcher.serve(describeConfigs, describeConfigsHandler({ cluster, runtime, settings }));
  dispatcher.serve(alterConfigs, alterConfigsHandler({ changes, whyNoTable }));
  dispatcher.serve(incrementalAlterConfigs, incrementalAlterConfigsHandler({ changes, whyNoTable }));
  dispatcher.serve(listConfigResources, listConfigResourcesHandler({ view }));

  const reassignments = { cluster, runtime, changes };
  dispatcher.serve(alterPartitionReassignments, alterPartitionReassignmentsHandler(reassignments));
  dispatcher.serve(listPartitionReassignments, listPartitionReassignmentsHandler(reassignments));
  dispatcher.serve(electLeaders, electLeadersHandler({ view, changes }));

  dispatcher.serve(describeLogDirs, describeLogDirsHandler({ log, view, store: settings.store }));
  const directory = new PartitionDirectory(log, view);
  dispatcher.serve(describeProducers, describeProducersHandler({ directory }));
  dispatcher.serve(describeQuorum, describeQuorumHandler({ view, runtime, brokerId }));
  dispatcher.serve(updateFeatures, updateFeaturesHandler({ changes }));
  dispatcher.serve(getTelemetrySubscriptions, getTelemetrySubscriptionsHandler({ runtime }));
  dispatcher.serve(pushTelemetry, pushTelemetryHandler());
}
