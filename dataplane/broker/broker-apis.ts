import type { ClusterState } from '../cluster/cluster-state.ts';
import type { BrokerLog } from '../log/broker-log.ts';
import type { ZoneReaders } from '../log/zone/zone-readers.ts';
import { ProducerIdBlocks } from '../log/producer-id-blocks.ts';
import { consumerGroupDescribe } from '../protocol/api/consumer-group-describe.ts';
import { consumerGroupHeartbeat } from '../protocol/api/consumer-group-heartbeat.ts';
import { deleteGroups } from '../protocol/api/delete-groups.ts';
import { deleteRecords } from '../protocol/api/delete-records.ts';
import { describeGroups } from '../protocol/api/describe-groups.ts';
import { fetch } from '../protocol/api/fetch.ts';
import { findCoordinator } from '../protocol/api/find-coordinator.ts';
import { heartbeat } from '../protocol/api/heartbeat.ts';
import { initProducerId } from '../protocol/api/init-producer-id.ts';
import { joinGroup } from '../protocol/api/join-group.ts';
import { leaveGroup } from '../protocol/api/leave-group.ts';
import { listGroups } from '../protocol/api/list-groups.ts';
import { listOffsets } from '../protocol/api/list-offsets.ts';
import { offsetCommit } from '../protocol/api/offset-commit.ts';
import { offsetDelete } from '../protocol/api/offset-delete.ts';
import { offsetFetch } from '../protocol/api/offset-fetch.ts';
import { offsetForLeaderEpoch } from '../protocol/api/offset-for-leader-epoch.ts';
import { produce } from '../protocol/api/produce.ts';
import { syncGroup } from '../protocol/api/sync-group.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { BrokerMetrics } from './broker-metrics.ts';
import type { WhyNoTable } from './admin/config-changes.ts';
import { serveAdminApis } from './admin-apis.ts';
import type { BrokerSettings } from './config/broker-configs.ts';
import type { ClusterView } from './cluster-view.ts';
import { featuresOf } from './features.ts';
import { FetchSessions } from './fetch/fetch-session.ts';
import { ZoneReads } from './fetch/zone-reads.ts';
import type { ClientZones } from './client-zone.ts';
import type { ZoneBytes } from './zone-bytes.ts';
import type { GroupCoordinator } from './groups/group-coordinator.ts';
import { ClusterCoordinatorDirectory } from './groups/cluster-coordinator-directory.ts';
import { groupHandlers } from './groups/handlers.ts';
import { deleteRecordsHandler } from './handlers/delete-records.ts';
import { fetchHandler } from './handlers/fetch.ts';
import { initProducerIdHandler } from './handlers/init-producer-id.ts';
import { listOffsetsHandler } from './handlers/list-offsets.ts';
import { offsetForLeaderEpochHandler } from './handlers/offset-for-leader-epoch.ts';
import { produceHandler } from './handlers/produce.ts';
import { PartitionDirectory } from './partition-access.ts';
import { RequestDispatcher } from './request-dispatcher.ts';

export interface ApiEnvironment {
  readonly brokerId: number;
  readonly log: BrokerLog;
  readonly view: ClusterView;
  readonly groups: GroupCoordinator;
  readonly zoneReaders: ZoneReaders;
  readonly clientZones: ClientZones;
  readonly zoneBytes: ZoneBytes;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly settings: BrokerSettings;
  readonly metrics: BrokerMetrics;
  readonly whyNoTable: WhyNoTable;
  /** Resolves when other brokers know a change of the cluster state, as far as they can be told soon. */
  readonly known: (state: ClusterState) => Promise<void>;
  readonly onProblem: (what: string, error: unknown) => void;
  /** The broker stops. */
  readonly signal: AbortSignal;
}

/** Every API the broker serves, with its handler. What is not here is not advertised. */
export function serveApis(environment: ApiEnvironment): RequestDispatcher {
  const { brokerId, view, runtime, metrics } = environment;
  const dispatcher = new RequestDispatcher({
    runtime,
    features: () => featuresOf(view.state, brokerId),
    onAnswered: (trace) => {
      metrics.answered(trace);
    },
  });
  serveRecords(dispatcher, environment);
  serveGroups(dispatcher, environment);
  serveAdminApis(dispatcher, environment);
  return dispatcher;
}

function serveRecords(dispatcher: RequestDispatcher, environment: ApiEnvironment): void {
  const { brokerId, log, view, store, runtime, settings, signal } = environment;
  const { zoneReaders, clientZones, zoneBytes } = environment;
  const directory = new PartitionDirectory(log, view);
  // Clients before KIP-896 take the whole range of versions from the first one on: Kafka says 0 here too.
  dispatcher.serve(produce, produceHandler({ log, directory, runtime, clientZones, zoneBytes }), {
    advertisedFrom: 0,
  });
  const sessions = new FetchSessions(runtime.random, { maxSessions: 1_000, maxPartitions: 1_000_000 });
  const zoneReads = new ZoneReads({
    brokerId,
    zone: settings.zone,
    view,
    clients: clientZones,
    readers: zoneReaders,
    refreshCluster: () => log.cluster.refresh(),
    runtime,
  });
  const options = { maxBytes: settings.fetchMaxBytes };
  const fetches = fetchHandler({
    log,
    directory,
    runtime,
    sessions,
    zoneReads,
    clientZones,
    zoneBytes,
    options,
  });
  dispatcher.serve(fetch, fetches, { serial: true });
  dispatcher.serve(listOffsets, listOffsetsHandler({ log, directory }));
  dispatcher.serve(offsetForLeaderEpoch, offsetForLeaderEpochHandler({ log, directory }));
  dispatcher.serve(deleteRecords, deleteRecordsHandler({ log, directory, runtime }));
  const producerIds = new ProducerIdBlocks({
    store,
    runtime,
    formatVersion: log.context.formatVersion,
    signal,
  });
  const nextProducerId = (): Promise<number> => producerIds.nextProducerId();
  dispatcher.serve(initProducerId, initProducerIdHandler({ nextProducerId }));
}

function serveGroups(dispatcher: RequestDispatcher, environment: ApiEnvironment): void {
  const { log, runtime, settings, groups, onProblem } = environment;
  const directory = new ClusterCoordinatorDirectory({
    cluster: log.cluster,
    runtime,
    partitions: settings.offsetsTopicPartitions,
  });
  const handlers = groupHandlers({ coordinator: groups, directory, onProblem });
  dispatcher.serve(findCoordinator, handlers.findCoordinator);
  dispatcher.serve(joinGroup, handlers.joinGroup);
  dispatcher.serve(syncGroup, handlers.syncGroup);
  dispatcher.serve(heartbeat, handlers.heartbeat);
  dispatcher.serve(leaveGroup, handlers.leaveGroup);
  dispatcher.serve(consumerGroupHeartbeat, handlers.consumerGroupHeartbeat);
  dispatcher.serve(consumerGroupDescribe, handlers.consumerGroupDescribe);
  dispatcher.serve(offsetCommit, handlers.offsetCommit);
  dispatcher.serve(offsetFetch, handlers.offsetFetch);
  dispatcher.serve(offsetDelete, handlers.offsetDelete);
  dispatcher.serve(describeGroups, handlers.describeGroups);
  dispatcher.serve(listGroups, handlers.listGroups);
  dispatcher.serve(deleteGroups, handlers.deleteGroups);
}
