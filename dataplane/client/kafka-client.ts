import { findCoordinator } from '../protocol/api/find-coordinator.ts';
import { metadata } from '../protocol/api/metadata.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { BrokerConnection } from './broker-connection.ts';
import { ClientError } from './errors.ts';
import { KafkaError, refuseError } from './kafka-error.ts';
import { retrying } from './retry.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface KafkaClientOptions {
  /** At least one; asked in this order until one answers. */
  readonly bootstrap: readonly BrokerAddress[];
  readonly clientId: string;
  readonly runtime: Runtime;
  /** How long a call is tried, all attempts together. Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

export interface ClusterBroker extends BrokerAddress {
  readonly id: number;
  readonly rack: string | null;
}

export interface TopicMetadata {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  /** By partition, ascending. */
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionMetadata {
  readonly partition: number;
  /** `undefined`: nobody leads it now. */
  readonly leader: number | undefined;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
}

export interface ClusterMetadata {
  readonly clusterId: string | null;
  readonly brokers: readonly ClusterBroker[];
  /** By name. */
  readonly topics: readonly TopicMetadata[];
}

const defaultTimeoutMs = 30_000;
/** From this version on FindCoordinator takes several keys. */
const findManyCoordinators = 4;

/**
 * A cluster as a client sees it: connections to its brokers, and who leads what. Connections are made when they are
 * needed, and anew when they have ended. Calls are repeated while that may help.
 */
export class KafkaClient {
  readonly runtime: Runtime;
  readonly timeoutMs: number;
  readonly #options: KafkaClientOptions;
  readonly #connections = new Map<string, Promise<BrokerConnection>>();
  #brokers: readonly ClusterBroker[] = [];
  #isClosed = false;

  constructor(options: KafkaClientOptions) {
    this.#options = options;
    this.runtime = options.runtime;
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  }

  /** Repeats what may succeed another time, for as long as a call may take. */
  retrying<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return retrying(work, { runtime: this.runtime, timeoutMs: this.timeoutMs, signal });
  }

  /** A connection to any broker. */
  async any(): Promise<BrokerConnection> {
    let failure: unknown;
    for (const address of [...this.#options.bootstrap, ...this.#brokers]) {
      try {
        return await this.#connect(address);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  /** A connection to a broker of the last metadata. */
  async broker(id: number): Promise<BrokerConnection> {
    const broker = this.#brokers.find((candidate) => candidate.id === id) ?? (await this.#lookUp(id));
    return await this.#connect(broker);
  }

  /** @param names `undefined`: all topics. Topics that do not exist are missing in the answer, and not created. */
  async metadata(names?: readonly string[]): Promise<ClusterMetadata> {
    const connection = await this.any();
    const response = await connection.request(metadata, {
      topics: names === undefined ? null : names.map((name) => ({ name })),
      allowAutoTopicCreation: false,
    });
    refuseError(response.errorCode, 'metadata could not be read');
    this.#brokers = response.brokers.map(({ nodeId, host, port, rack }) => ({
      id: nodeId,
      host,
      port,
      rack,
    }));
    const topics: TopicMetadata[] = [];
    for (const { errorCode, name, topicId, isInternal, partitions } of response.topics) {
      if (errorCode === kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION.code || name === null) continue;
      refuseError(errorCode, `metadata of topic ${name} could not be read`);
      topics.push({
        name,
        topicId,
        isInternal,
        partitions: partitions
          .map(({ partitionIndex, leaderId, leaderEpoch, replicaNodes }) => ({
            partition: partitionIndex,
            leader: leaderId < 0 ? undefined : leaderId,
            leaderEpoch,
            replicas: replicaNodes,
          }))
          .toSorted((a, b) => a.partition - b.partition),
      });
    }
    topics.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { clusterId: response.clusterId, brokers: this.#brokers, topics };
  }

  /** @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, which is final here */
  async topic(name: string): Promise<TopicMetadata> {
    const [topic] = (await this.metadata([name])).topics;
    if (topic !== undefined) return topic;
    const { code } = kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION;
    throw new KafkaError(code, `there is no topic ${name}`, undefined, false);
  }

  /** A connection to the coordinator of a group. */
  async coordinator(group: string): Promise<BrokerConnection> {
    const connection = await this.any();
    const takesMany = (connection.versionOf(findCoordinator) ?? 0) >= findManyCoordinators;
    const response = await connection.request(
      findCoordinator,
      takesMany ? { keyType: 0, coordinatorKeys: [group] } : { key: group, keyType: 0 },
    );
    const { errorCode, errorMessage, nodeId, host, port } = response.coordinators[0] ?? response;
    refuseError(errorCode, `the coordinator of group ${group} could not be found`, errorMessage);
    if (nodeId < 0)
      throw new KafkaError(kafkaErrors.COORDINATOR_NOT_AVAILABLE.code, `group ${group} has no coordinator`);
    return await this.#connect({ host, port });
  }

  close(): void {
    this.#isClosed = true;
    for (const opening of this.#connections.values()) {
      opening.then(
        (connection) => {
          connection.close();
        },
        () => undefined,
      );
    }
    this.#connections.clear();
  }

  async #lookUp(id: number): Promise<ClusterBroker> {
    const { brokers } = await this.metadata([]);
    const broker = brokers.find((candidate) => candidate.id === id);
    if (broker !== undefined) return broker;
    throw new KafkaError(kafkaErrors.LEADER_NOT_AVAILABLE.code, `broker ${id} is not in the cluster`);
  }

  async #connect({ host, port }: BrokerAddress): Promise<BrokerConnection> {
    if (this.#isClosed) throw new ClientError('CLOSED', 'the client was closed');
    const address = `${host}:${port}`;
    const known = this.#connections.get(address);
    if (known !== undefined) {
      const connection = await known.catch(() => undefined);
      if (connection?.isOpen === true) return connection;
      if (this.#connections.get(address) === known) this.#connections.delete(address);
      return await this.#connect({ host, port });
    }
    const { clientId, runtime, timeoutMs } = this.#options;
    const opening = BrokerConnection.open({ host, port, clientId, runtime, timeoutMs });
    this.#connections.set(address, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#connections.get(address) === opening) this.#connections.delete(address);
      throw error;
    }
  }
}
