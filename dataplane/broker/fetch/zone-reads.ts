import type { ClusterState } from '../../cluster/cluster-state.ts';
import { leaderOf } from '../../cluster/ownership.ts';
import { groupOf } from '../../cluster/partition-groups.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import { replicasOf } from '../../cluster/replicas.ts';
import type { ZoneReaders } from '../../log/zone/zone-readers.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClientZones } from '../client-zone.ts';
import type { ClusterView, NamedTopic } from '../cluster-view.ts';
import { refused } from '../partition-access.ts';
import type { PartitionRefusal } from '../partition-access.ts';
import type { RequestContext } from '../request-context.ts';
import type { FetchPartition } from './fetch-session.ts';
import { ZoneSource } from './fetch-source.ts';
import type { FetchSource } from './fetch-source.ts';
import { Redirects } from './redirects.ts';

/** The first version whose clients know of preferred read replicas (KIP-392). */
const firstVersion = 11;

export interface ZoneReadsEnvironment {
  readonly brokerId: number;
  /** Of this broker. */
  readonly zone: string;
  readonly view: ClusterView;
  readonly clients: ClientZones;
  readonly readers: ZoneReaders;
  readonly refreshCluster: () => Promise<unknown>;
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
}

/**
 * Consumers read from a broker of their own zone (KIP-392): the owner of a partition sends those of other zones to the
 * replica that reads it there, and a broker that is named as a replica serves them as followers of Kafka do.
 */
export class ZoneReads {
  readonly #environment: ZoneReadsEnvironment;
  readonly #redirects: Redirects;

  constructor(environment: ZoneReadsEnvironment) {
    this.#environment = environment;
    this.#redirects = new Redirects(environment.runtime);
  }

  /** What holds for one request. `undefined`: partitions are read from their owners only. */
  for(context: RequestContext, rackId: string): ZoneFetch | undefined {
    if (context.apiVersion < firstVersion) return undefined;
    return new ZoneFetch(this.#environment, this.#redirects, context, rackId);
  }
}

export class ZoneFetch {
  readonly #environment: ZoneReadsEnvironment;
  readonly #redirects: Redirects;
  readonly #context: RequestContext;
  /** Of the client; `undefined`: nobody knows. */
  readonly #zone: string | undefined;

  constructor(
    environment: ZoneReadsEnvironment,
    redirects: Redirects,
    context: RequestContext,
    rackId: string,
  ) {
    this.#environment = environment;
    this.#redirects = redirects;
    this.#context = context;
    this.#zone = environment.clients.of(context, rackId);
  }

  /**
   * The broker that the consumer reads the partition from instead of from us, who own it. Only what it can find there: a
   * position that is out of range is the owner's to judge.
   */
  preferredReplica(topic: NamedTopic, partition: FetchPartition, source: FetchSource): number | undefined {
    const zone = this.#zone;
    const { brokerId, zone: ownZone, view } = this.#environment;
    const { state } = view;
    if (zone === undefined || zone === ownZone || state === undefined) return undefined;
    const group = groupOf(topic.topic, partition.partition);
    if (group === undefined) return undefined;
    const { fetchOffset } = partition;
    if (!(fetchOffset >= source.logStart && fetchOffset <= source.highWatermark)) return undefined;
    const id = replicasOf(state).inZone(topic.topic, group, zone);
    if (id === undefined || id === brokerId) return undefined;
    const { connection } = this.#context;
    if (state.brokers.get(id)?.listeners[connection.listener] === undefined) return undefined;
    return this.#redirects.take(connection, partition.key) ? id : undefined;
  }

  /**
   * A partition that we do not own, for consumers of our zone. Others have come because they do not know yet that it has
   * another owner. Leader epochs count as with the owner.
   */
  source(topic: NamedTopic, partition: FetchPartition): FetchSource | PartitionRefusal {
    const { zone, view, readers, refreshCluster } = this.#environment;
    const { state } = view;
    const { partition: index, currentLeaderEpoch } = partition;
    const leader = view.leader(topic.topic, index);
    const group = this.#zone === zone ? groupOf(topic.topic, index) : undefined;
    if (state === undefined || group === undefined || !this.#isNamed(state, topic, group))
      return refused('NOT_LEADER_OR_FOLLOWER', leader);
    const epoch = readers.reader(group.id)?.epoch ?? -1;
    if (currentLeaderEpoch >= 0 && currentLeaderEpoch < epoch) return refused('FENCED_LEADER_EPOCH', leader);
    if (currentLeaderEpoch > Math.max(epoch, view.generation(topic.topic, index) ?? 0)) {
      inBackground(refreshCluster().catch(() => undefined));
      return refused('UNKNOWN_LEADER_EPOCH');
    }
    return new ZoneSource(readers.partition(topic.topic.topicId, group, index));
  }

  /** As a replica that is not the leader. Who is going to lead it in a moment says so by itself. */
  #isNamed(state: ClusterState, topic: NamedTopic, group: PartitionGroup): boolean {
    const { brokerId } = this.#environment;
    return (
      leaderOf(state, group.id)?.broker !== brokerId &&
      replicasOf(state).of(topic.topic, group).inSync.includes(brokerId)
    );
  }
}
