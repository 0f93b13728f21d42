import { createTopic } from '../../dataplane/cluster/topic-changes.ts';
import { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { Metrics } from '../../dataplane/runtime/metrics.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { createMemoryStore } from '../../dataplane/store/memory.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { Broker } from '../../dataplane/broker/broker.ts';
import type { BrokerOptions } from '../../dataplane/broker/broker-options.ts';
import { listenTcp } from '../../dataplane/broker/net/tcp-acceptor.ts';

/** A broker on a loopback port, over memory unless a store is given, with our own client. Tests only. */
export class BrokerFixture {
  readonly broker: Broker;
  readonly port: number;
  readonly store: ObjectStore;
  readonly #connections: BrokerConnection[] = [];

  private constructor(broker: Broker, port: number, store: ObjectStore) {
    this.broker = broker;
    this.store = store;
    this.port = port;
  }

  static async start(
    given: { readonly store?: ObjectStore; readonly id?: number; readonly options?: BrokerOptions } = {},
  ): Promise<BrokerFixture> {
    const acceptor = await listenTcp({ name: 'PLAINTEXT', host: '127.0.0.1', port: 0 });
    const { store = createMemoryStore({ runtime: realRuntime }), id = 0, options } = given;
    const broker = new Broker({
      store,
      runtime: realRuntime,
      logger: silentLogger,
      metrics: new Metrics(),
      identity: { id, zone: 'a', address: acceptor.advertised, podUid: `pod-${id}`, version: 'test' },
      acceptors: [acceptor],
      options: { ...options, log: { maxLingerMs: 2, ...options?.log } },
      onReplaced: (error) => {
        throw error;
      },
    });
    await broker.start();
    return new BrokerFixture(broker, acceptor.port, store);
  }

  /** A connection of its own. */
  async connect(): Promise<BrokerConnection> {
    const connection = await BrokerConnection.open({
      host: '127.0.0.1',
      port: this.port,
      clientId: 'fixture',
      runtime: realRuntime,
    });
    this.#connections.push(connection);
    return connection;
  }

  /** Creates a topic and waits until all of it is served here. */
  async createTopic(
    name: string,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const topicId = Buffer.from(realRuntime.random.bytes(16)).toString('hex');
    const { log } = this.broker;
    const outcome = await log.cluster.change((state) =>
      createTopic(state, { name, topicId, partitions, internal: false, configs }),
    );
    if (outcome.kind === 'refused') throw new Error(outcome.refused.message);
    await this.serving(topicId, partitions);
    return topicId;
  }

  /** Resolves when partitions 0 to `partitions` - 1 are served here. */
  async serving(topicId: string, partitions: number): Promise<void> {
    const { log } = this.broker;
    for (let partition = 0; partition < partitions; partition++) {
      while (log.served(topicId, partition) === undefined)
        await new Promise((resolve) => realRuntime.after(2, () => resolve(undefined)));
    }
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.broker.stop();
  }
}
