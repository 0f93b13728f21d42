import { brokerOfSid } from '../cluster/ownership.ts';
import type { BrokerLog, LogMemory } from '../log/broker-log.ts';
import type { LogCounters } from '../log/log-context.ts';
import type { ZoneReaders } from '../log/zone/zone-readers.ts';
import type { BrokerState } from '../cluster/cluster-state.ts';
import type { BrokerGauges } from './broker-metrics.ts';
import type { TableService } from '../table/table-service.ts';
import type { TableStatus } from '../table/table-status.ts';
import type { BrokerPeers } from './peers/broker-peers.ts';
import type { Connections } from './net/connections.ts';

/** Where a broker process stands. `replaced`: its id belongs to another process, and this one must exit. */
export type BrokerPhase = 'starting' | 'serving' | 'draining' | 'stopped' | 'replaced';

/** What the status of a broker is read from. */
export interface BrokerParts {
  readonly identity: { readonly id: number; readonly zone: string; readonly version: string };
  readonly phase: BrokerPhase;
  readonly log: BrokerLog;
  readonly connections: Connections;
  readonly tables: Pick<TableService, 'status'>;
  readonly acceptors: readonly { readonly name: string; readonly advertised: string }[];
  /** For people. */
  readonly store: string;
}

/** The page `/status`, and the answer to anybody who asks how a broker is. Values are those of the moment. */
export interface BrokerStatus {
  readonly broker: {
    readonly id: number;
    readonly zone: string;
    readonly version: string;
    readonly phase: BrokerPhase;
    /** Of its session; `null` while it has none. */
    readonly sid: string | null;
  };
  readonly store: string;
  /** Advertised `host:port` by listener name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** As this broker knows it; `null` until it has read `meta/cluster`. */
  readonly cluster: ClusterStatus | null;
  readonly serving: {
    readonly groups: number;
    readonly partitions: number;
    /** Assigned to this broker and not served yet. */
    readonly groupsArriving: number;
    /** Of these, those whose last attempt failed; the log says why. */
    readonly groupsFailing: number;
  };
  readonly connections: { readonly count: number; readonly requestsInFlight: number };
  readonly memory: LogMemory & {
    /** Of requests that are being worked on. */
    readonly requestBytes: number;
  };
  readonly log: Readonly<LogCounters>;
  /** Of every topic with a table of which this broker serves a partition. */
  readonly tables: readonly TableStatus[];
}

export interface ClusterStatus {
  readonly id: string;
  /** Of the object `meta/cluster`: grows with every change. */
  readonly version: number;
  readonly brokers: readonly {
    readonly id: number;
    readonly zone: string;
    readonly state: BrokerState;
    readonly address: string;
  }[];
  /** Internal topics count. */
  readonly topics: number;
  readonly partitions: number;
}

export function brokerStatus({
  identity,
  phase,
  log,
  connections,
  acceptors,
  store,
  tables,
}: BrokerParts): BrokerStatus {
  const groups = log.log?.groups ?? [];
  const arriving = log.log?.arriving ?? { count: 0, failing: 0 };
  const { id, zone, version } = identity;
  return {
    broker: { id, zone, version, phase, sid: log.sid ?? null },
    store,
    listeners: Object.fromEntries(acceptors.map(({ name, advertised }) => [name, advertised])),
    cluster: clusterStatus(log),
    serving: {
      groups: groups.length,
      partitions: groups.reduce((sum, { partitions }) => sum + partitions.size, 0),
      groupsArriving: arriving.count,
      groupsFailing: arriving.failing,
    },
    connections: { count: connections.count, requestsInFlight: connections.requestsInFlight },
    memory: {
      ...log.memory,
      requestBytes: connections.requestMemoryBytes,
    },
    log: log.context.counters,
    tables: tables.status,
  };
}

function clusterStatus({ cluster }: BrokerLog): ClusterStatus | null {
  const { current } = cluster;
  if (current === undefined) return null;
  const { clusterId, version, topics } = current;
  return {
    id: clusterId,
    version,
    brokers: [...current.brokers].map(([id, { zone, state, address }]) => ({ id, zone, state, address })),
    topics: topics.size,
    partitions: [...topics.values()].reduce((sum, { partitions }) => sum + partitions, 0),
  };
}

export function brokerGauges({
  log,
  connections,
  peers,
  zoneReaders,
}: Pick<BrokerParts, 'log' | 'connections'> & {
  readonly peers: BrokerPeers | undefined;
  readonly zoneReaders: Pick<ZoneReaders, 'size'>;
}): BrokerGauges {
  return {
    connections: connections.count,
    requestMemoryBytes: connections.requestMemoryBytes,
    unflushedBytes: log.budget.usedBytes,
    partitionsServed: (log.log?.groups ?? []).reduce((sum, { partitions }) => sum + partitions.size, 0),
    zoneReaders: zoneReaders.size,
    peers: peers?.links() ?? new Map(),
    log: log.context.counters,
  };
}

/** Why the process should be ended and started anew; `undefined`: it need not. */
export function whyUnhealthy({
  phase,
  identity,
}: Pick<BrokerParts, 'phase' | 'identity'>): string | undefined {
  if (phase === 'replaced')
    return `broker id ${identity.id} belongs to another process now: this one must exit`;
  return phase === 'stopped' ? 'the broker has stopped' : undefined;
}

/**
 * Why clients should not be sent here; `undefined`: they may. Groups that are being acquired are no reason: requests for
 * them wait or are repeated by the client. One that could not be acquired is, until an attempt succeeds.
 */
export function whyUnready(parts: Pick<BrokerParts, 'phase' | 'log' | 'identity'>): string | undefined {
  const { phase, log } = parts;
  if (phase === 'starting') return 'the broker is not registered in meta/cluster yet';
  if (phase === 'draining') return 'the broker is handing over what it serves';
  const unhealthy = whyUnhealthy(parts);
  if (unhealthy !== undefined) return unhealthy;
  const session = log.log;
  const state = log.cluster.current;
  if (
    session?.session.live !== true ||
    state === undefined ||
    brokerOfSid(state, session.session.sid) === undefined
  )
    return 'the session of the broker has ended, and the next one is not registered yet';
  const { failing } = session.arriving;
  if (failing > 0)
    return `${failing} partition groups that are assigned to this broker could not be acquired and are tried again; its log says why`;
  return undefined;
}
