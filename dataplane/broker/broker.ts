import type { BrokerLogEnvironment } from '../log/broker-log.ts';
import { BrokerLog } from '../log/broker-log.ts';
import type { LogError } from '../log/errors.ts';
import { ProducerIdBlocks } from '../log/producer-id-blocks.ts';
import { deleteRecords } from '../protocol/api/delete-records.ts';
import { fetch } from '../protocol/api/fetch.ts';
import { initProducerId } from '../protocol/api/init-producer-id.ts';
import { listOffsets } from '../protocol/api/list-offsets.ts';
import { offsetForLeaderEpoch } from '../protocol/api/offset-for-leader-epoch.ts';
import { produce } from '../protocol/api/produce.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { ClusterView } from './cluster-view.ts';
import { FetchSessions } from './fetch/fetch-session.ts';
import { deleteRecordsHandler } from './handlers/delete-records.ts';
import { fetchHandler } from './handlers/fetch.ts';
import { initProducerIdHandler } from './handlers/init-producer-id.ts';
import { listOffsetsHandler } from './handlers/list-offsets.ts';
import { offsetForLeaderEpochHandler } from './handlers/offset-for-leader-epoch.ts';
import { produceHandler } from './handlers/produce.ts';
import type { Acceptor } from './net/acceptor.ts';
import { Connections, defaultConnectionsOptions } from './net/connections.ts';
import type { ConnectionsOptions } from './net/connections.ts';
import { PartitionDirectory } from './partition-access.ts';
import { RequestDispatcher } from './request-dispatcher.ts';

export interface BrokerEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly identity: BrokerIdentity;
  /** Where clients come from; listening already, so that their addresses are known. */
  readonly acceptors: readonly Acceptor[];
  readonly options?: BrokerOptions | undefined;
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

export interface BrokerOptions {
  readonly log?: BrokerLogEnvironment['options'];
  readonly connections?: Partial<ConnectionsOptions> | undefined;
  /** Kafka's `fetch.max.bytes`. */
  readonly fetchMaxBytes?: number | undefined;
  readonly pollMs?: number | undefined;
}

const defaultFetchMaxBytes = 55 * 1024 * 1024;

/**
 * One broker: the log behind Kafka's protocol. It is composed here and nowhere else, from parts that know neither sockets
 * nor clocks; the same broker runs in a process and in the simulator.
 */
export class Broker {
  readonly log: BrokerLog;
  readonly connections: Connections;
  readonly dispatcher: RequestDispatcher;
  readonly view: ClusterView;
  readonly #environment: BrokerEnvironment;
  readonly #stopped = new AbortController();

  constructor(environment: BrokerEnvironment) {
    this.#environment = environment;
    const { store, runtime, logger, identity, options = {} } = environment;
    this.log = new BrokerLog({
      store,
      runtime,
      identity: {
        ...identity,
        listeners: Object.fromEntries(
          environment.acceptors.map(({ name, advertised }) => [name, advertised]),
        ),
      },
      options: options.log,
      pollMs: options.pollMs,
      onProblem: (what, error) => {
        logger.warn('the log met a problem and tries again', { what, error });
      },
      onReplaced: environment.onReplaced,
    });
    this.view = new ClusterView(this.log.cluster);
    this.dispatcher = this.#serveApis(options);
    this.connections = new Connections({
      runtime,
      processor: this.dispatcher,
      options: { ...defaultConnectionsOptions, ...options.connections },
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
          logger.warn('a connection was refused', { peer, why });
        },
      },
    });
  }

  /** Registers, and serves. Resolves when clients are being answered. */
  async start(): Promise<void> {
    await this.log.start();
    for (const acceptor of this.#environment.acceptors) this.connections.serve(acceptor);
  }

  /** Hands over what it serves, then stops. */
  async drain(): Promise<void> {
    await this.log.drain();
    await this.stop();
  }

  /** Ends at once. What was acknowledged is in the store. */
  async stop(): Promise<void> {
    const reason = new Error('the broker is shutting down');
    this.#stopped.abort(reason);
    await Promise.all(this.#environment.acceptors.map((acceptor) => acceptor.close()));
    this.connections.close(reason);
    await this.log.stop();
  }

  #serveApis(options: BrokerOptions): RequestDispatcher {
    const { store, runtime } = this.#environment;
    const { log, view } = this;
    const directory = new PartitionDirectory(log, view);
    const producerIds = new ProducerIdBlocks({
      store,
      runtime,
      formatVersion: log.context.formatVersion,
      signal: this.#stopped.signal,
    });
    const dispatcher = new RequestDispatcher({
      features: () => ({ supported: [], finalized: [], epoch: view.state?.version ?? -1 }),
    });
    // Clients before KIP-896 take the whole range of versions from the first one on: Kafka says 0 here too.
    dispatcher.serve(produce, produceHandler({ log, directory, runtime }), { advertisedFrom: 0 });
    dispatcher.serve(
      fetch,
      fetchHandler({
        log,
        directory,
        runtime,
        sessions: new FetchSessions(runtime.random, { maxSessions: 1_000, maxPartitions: 1_000_000 }),
        options: { maxBytes: options.fetchMaxBytes ?? defaultFetchMaxBytes },
      }),
      { serial: true },
    );
    dispatcher.serve(listOffsets, listOffsetsHandler({ log, directory }));
    dispatcher.serve(offsetForLeaderEpoch, offsetForLeaderEpochHandler({ log, directory }));
    dispatcher.serve(deleteRecords, deleteRecordsHandler({ log, directory, runtime }));
    dispatcher.serve(
      initProducerId,
      initProducerIdHandler({ nextProducerId: () => producerIds.nextProducerId() }),
    );
    return dispatcher;
  }
}
