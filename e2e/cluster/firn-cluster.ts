import path from 'node:path';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { KafkaClient } from '../../dataplane/client/kafka-client.ts';
import { testFolder } from '../broker/firn-process.ts';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import { ClusterBroker } from './cluster-broker.ts';
import type { BrokerStore } from './cluster-broker.ts';

export interface FirnClusterOptions {
  /** `folder`: all brokers over one directory. `s3`: over versitygw, each through a fault proxy of its own. */
  readonly store: 'folder' | 's3';
  /** One broker each. Default: a, b, c. */
  readonly zones?: readonly string[] | undefined;
  /** For all brokers, behind `firn up URL`. */
  readonly args?: readonly string[] | undefined;
}

const bucket = 'firn';

/** Several brokers over one store, each a `firn up` process in a zone of its own. Ends with this process. */
export class FirnCluster {
  /** In the order of their zones; the first one has id 0, the next 1000, … */
  readonly brokers: readonly ClusterBroker[];
  /** For files of the tests; removed at the end. */
  readonly folder: string;
  readonly #clients: KafkaClient[] = [];
  readonly #stop: () => Promise<void>;

  private constructor(brokers: readonly ClusterBroker[], folder: string, stop: () => Promise<void>) {
    this.brokers = brokers;
    this.folder = folder;
    this.#stop = stop;
  }

  static async start({ store, zones = ['a', 'b', 'c'], args }: FirnClusterOptions): Promise<FirnCluster> {
    const cleanUp: (() => Promise<unknown>)[] = [];
    const stop = async (): Promise<void> => {
      for (const step of cleanUp.toReversed()) await step();
    };
    try {
      const folder = await testFolder();
      cleanUp.push(() => folder.remove());
      const stores = store === 'folder' ? folderStore(folder.path) : await s3Store(cleanUp);
      const brokers: ClusterBroker[] = [];
      // One after the other: zones get their indexes in the order in which they appear.
      for (const zone of zones) {
        const logFile = path.join(folder.path, `${zone}.log`);
        const broker = await ClusterBroker.start({ zone, logFile, store: await stores(), args });
        cleanUp.push(() => broker.end());
        brokers.push(broker);
      }
      return new FirnCluster(brokers, folder.path, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  /** All brokers, for clients: `host:port,…`. */
  get bootstrap(): string {
    return this.brokers.map(({ firn }) => firn.bootstrap).join(',');
  }

  broker(id: number): ClusterBroker {
    const found = this.brokers.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`there is no broker ${id}`);
    return found;
  }

  /** A client of ours that begins with these brokers, in this order; closed when the cluster is stopped. */
  client(...brokers: readonly ClusterBroker[]): KafkaClient {
    const begin = brokers.length === 0 ? this.brokers : brokers;
    const client = new KafkaClient({
      bootstrap: begin.map(({ firn: { host, port } }) => ({ host, port })),
      clientId: 'cluster',
      runtime: realRuntime,
    });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#stop();
  }
}

function folderStore(folder: string): () => Promise<BrokerStore> {
  return () => Promise.resolve({ url: `file:${folder}/data`, env: {}, proxy: undefined });
}

/** Starts the S3 server; each call of what it returns starts a proxy in front of it. */
async function s3Store(cleanUp: (() => Promise<unknown>)[]): Promise<() => Promise<BrokerStore>> {
  const server = await startVersitygw();
  cleanUp.push(() => server.stop());
  await server.createBucket(bucket);
  const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
  return async () => {
    const proxy = await startFaultProxy({ target: server.endpoint });
    cleanUp.push(() => proxy.stop());
    const url = `s3://${bucket}/cluster?endpoint=${encodeURIComponent(proxy.url)}&region=${server.region}`;
    return { url, env, proxy };
  };
}
