import { noLoads } from '../cluster/group-loads.ts';
import { PlacementWork } from '../cluster/placement-work.ts';
import { BrokerLog } from '../log/broker-log.ts';
import type { LogError } from '../log/errors.ts';
import { ZoneReaders } from '../log/zone/zone-readers.ts';
import { inBackground } from '../runtime/in-background.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { CrashPoints } from '../table/crash-points.ts';
import { BrokerMetrics } from './broker-metrics.ts';
import { brokerGauges, brokerStatus, whyUnhealthy, whyUnready } from './broker-status.ts';
import type { BrokerPhase, BrokerStatus } from './broker-status.ts';
import { serveApis } from './broker-apis.ts';
import { brokerSettings } from './broker-options.ts';
import type { BrokerOptions } from './broker-options.ts';
import { ClientZones } from './client-zone.ts';
import { ClusterView } from './cluster-view.ts';
import { BrokerLogCoordinatorLog } from './groups/broker-log-coordinator-log.ts';
import { topicsViewOf } from './groups/cluster-coordinator-directory.ts';
import { GroupCoordinator } from './groups/group-coordinator.ts';
import type { AdminPages } from './http/admin-pages.ts';
import type { ApiMounts } from './http/api-mount.ts';
import type { Acceptor } from './net/acceptor.ts';
import { Connections } from './net/connections.ts';
import { reportPlan } from './placement-report.ts';
import { BrokerPeers } from './peers/broker-peers.ts';
import type { InternalNetwork } from './peers/internal-network.ts';
import { ClusterSchemaLookup } from './registry/cluster-schema-lookup.ts';
import { LogRegistry } from './registry/log-registry.ts';
import { RegistryDirectory, schemasTopic } from './registry/registry-directory.ts';
import type { RequestDispatcher } from './request-dispatcher.ts';
import { BrokerTables } from './tables/broker-tables.ts';
import { ZoneBytes } from './zone-bytes.ts';

export interface BrokerEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly identity: BrokerIdentity;
  /** Where clients come from; listening already, so that their addresses are known. */
  readonly acceptors: readonly Acceptor[];
  /** How it reaches other brokers, and they it. Without it a broker is alone: it takes nobody for dead. */
  readonly internal?: InternalNetwork | undefined;
  readonly options?: BrokerOptions | undefined;
  /** Tests only: see `dataplane/table/crash-points.ts`. */
  readonly crashPoint?: CrashPoints | undefined;
  /** This process must exit: its broker id belongs to another process now. */
  readonly onReplaced: (error: LogError) => void;
}

export interface BrokerIdentity {
  /** Zone index × 1000 + ordinal. */
  readonly id: number;
  readonly zone: string;
  /** `host:port` of the process itself, for other brokers. */
  readonly address: string;
  readonly podUid: string;
  readonly version: string;
}

/**
 * One broker: the log behind Kafka's protocol. It is composed here and nowhere else, from parts that know neither sockets
 * nor clocks; the same broker runs in a process and in the simulator.
 */
export class Broker {
  readonly log: BrokerLog;
  readonly connections: Connections;
  readonly dispatcher: RequestDispatcher;
  readonly view: ClusterView;
  readonly groups: GroupCoordinator;
  readonly registry: LogRegistry;
  readonly tables: BrokerTables;
  readonly zoneReaders: ZoneReaders;
  readonly peers: BrokerPeers | undefined;
  readonly placement: PlacementWork;
  readonly #environment: BrokerEnvironment;
  readonly #metrics: BrokerMetrics;
  readonly #stopped = new AbortController();
  #phase: BrokerPhase = 'starting';

  constructor(environment: BrokerEnvironment) {
    this.#environment = environment;
    const { store, runtime, logger, identity, options = {} } = environment;
    const listeners = Object.fromEntries(
      environment.acceptors.map(({ name, advertised }) => [name, advertised]),
    );
    const settings = brokerSettings(
      { id: identity.id, zone: identity.zone, listeners, store: store.name },
      options,
      store.isLocal === true,
    );
    this.log = new BrokerLog({
      store,
      runtime,
      identity: { ...identity, listeners },
      options: settings.log,
      pollMs: options.pollMs,
      retentionHold: (topicId, partition) => this.tables.retentionHold(topicId, partition),
      onClusterChanged: (state) => {
        this.peers?.changed(state);
      },
      onReleased: (group, generation) => {
        this.peers?.released(group, generation);
      },
      onProblem: (what, error) => {
        logger.warn('the log met a problem and tries again', { what, error });
      },
      onReplaced: (error) => {
        this.#phase = 'replaced';
        environment.onReplaced(error);
      },
    });
    this.view = new ClusterView(this.log.cluster);
    const onProblem = (what: string, error: unknown): void => {
      logger.warn('a problem was met and is tried again', { what, error });
    };
    this.zoneReaders = new ZoneReaders({
      store,
      runtime,
      cold: this.log.cold,
      cluster: this.log.cluster,
      durable: (broker, sid, slot, waitMs, signal) =>
        this.peers?.durable(broker, sid, slot, waitMs, signal) ?? Promise.resolve(undefined),
      onProblem,
    });
    this.groups = new GroupCoordinator({
      log: new BrokerLogCoordinatorLog(this.log),
      runtime,
      options: settings.groups,
      onProblem,
    });
    const directory = new RegistryDirectory({
      cluster: this.log.cluster,
      random: runtime.random,
      brokerId: identity.id,
    });
    this.registry = new LogRegistry({
      log: new BrokerLogCoordinatorLog(this.log, schemasTopic),
      directory,
      runtime,
      onProblem,
    });
    this.#metrics = new BrokerMetrics(environment.metrics);
    if (environment.internal !== undefined) {
      this.peers = new BrokerPeers({
        internal: environment.internal,
        log: this.log,
        runtime,
        brokerId: identity.id,
        workers: () => this.tables.service.workers,
        registry: () => this.registry,
        registryHandler: () => this.tables.registryHandler,
        metrics: this.#metrics,
        logger,
      });
    }
    this.placement = new PlacementWork({
      client: this.log.cluster,
      runtime,
      id: identity.id,
      loads: async () => (await this.peers?.loads()) ?? noLoads,
      ...options.placement,
      onPlan: (plan) => {
        reportPlan(plan, logger, (reason, groups) => {
          this.#metrics.placementMoved(reason, groups);
        });
      },
      onProblem,
    });
    this.tables = new BrokerTables({
      log: this.log,
      registry: this.registry,
      directory,
      askRegistry: this.peers?.askRegistry,
      schemas: new ClusterSchemaLookup({
        registry: this.registry,
        directory,
        remote: this.peers?.schemas,
      }),
      store,
      runtime,
      onProblem,
      version: identity.version,
      peers: (id) => this.peers?.workersOf(id),
      crashPoint: environment.crashPoint,
      signal: this.#stopped.signal,
    });
    this.dispatcher = serveApis({
      brokerId: identity.id,
      log: this.log,
      view: this.view,
      groups: this.groups,
      zoneReaders: this.zoneReaders,
      clientZones: new ClientZones(this.view),
      zoneBytes: new ZoneBytes(environment.metrics, identity.zone),
      store,
      runtime,
      settings,
      metrics: this.#metrics,
      whyNoTable: this.tables.whyNoTable,
      known: async (state) => {
        await this.peers?.known(state);
      },
      onProblem,
      signal: this.#stopped.signal,
    });
    this.connections = new Connections({
      runtime,
      processor: this.dispatcher,
      options: settings.connections,
      events: {
        opened: () => undefined,
        closed: ({ info }, error) => {
          if (error !== undefined)
            logger.info('a connection was closed', {
              peer: info.remoteAddress,
              listener: info.listener,
              error,
            });
        },
        refused: (peer, why) => {
          this.#metrics.connectionRefused();
          logger.warn('a connection was refused', { peer, why });
        },
      },
    });
  }

  /** What the admin port tells of this broker. */
  get adminPages(): AdminPages {
    return {
      metrics: () => this.#metrics.expose(brokerGauges(this), this.tables.service),
      unhealthy: () => whyUnhealthy({ phase: this.#phase, identity: this.#environment.identity }),
      unready: () => whyUnready({ phase: this.#phase, log: this.log, identity: this.#environment.identity }),
      status: () => this.status,
    };
  }

  /** What the api port serves, by prefix. */
  get apiMounts(): ApiMounts {
    return this.tables.apiMounts;
  }

  get status(): BrokerStatus {
    const { identity, acceptors, store } = this.#environment;
    const { log, connections, tables } = this;
    return brokerStatus({
      identity,
      acceptors,
      store: store.name,
      log,
      connections,
      tables: tables.service,
      phase: this.#phase,
    });
  }

  /** Registers, and serves. Resolves when clients are being answered. */
  async start(): Promise<void> {
    this.groups.start();
    this.registry.start();
    this.tables.service.start();
    this.peers?.start();
    this.log.cluster.subscribe((state) => {
      this.groups.topicsChanged(topicsViewOf(state));
    });
    await this.log.start();
    if (this.#phase !== 'starting') return;
    for (const acceptor of this.#environment.acceptors) this.connections.serve(acceptor);
    this.#phase = 'serving';
    inBackground(this.placement.run());
  }

  /** Hands over what it serves, then stops. */
  async drain(): Promise<void> {
    this.#phase = 'draining';
    await this.log.drain();
    await this.stop();
  }

  /** Ends at once. What was acknowledged is in the store. */
  async stop(): Promise<void> {
    const reason = new Error('the broker is shutting down');
    if (this.#phase !== 'replaced') this.#phase = 'stopped';
    this.#stopped.abort(reason);
    await Promise.all(this.#environment.acceptors.map((acceptor) => acceptor.close()));
    this.connections.close(reason);
    this.zoneReaders.stop();
    this.groups.stop();
    this.registry.stop();
    await this.placement.stop();
    await this.tables.service.stop();
    await this.peers?.stop();
    await this.log.stop();
  }
}
