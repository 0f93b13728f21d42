import { findCoordinator } from '../../protocol/api/find-coordinator.ts';
import { metadata } from '../../protocol/api/metadata.ts';
import { NoAnswer } from './simulated-client.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { BrokerSimulation } from './broker-simulation.ts';

export const topicName = 'records';

/** Where partitions and groups are, as a client has learnt it: it may be out of date. */
export class ClientRouter {
  readonly client: SimulatedClient;
  readonly #world: BrokerSimulation;
  readonly #leaders = new Map<number, string>();
  readonly #addresses = new Map<number, string>();
  #coordinator: string | undefined;

  constructor(client: SimulatedClient, world: BrokerSimulation) {
    this.client = client;
    this.#world = world;
  }

  /** Rejects with {@link NoAnswer} when nobody is known. */
  async leader(partition: number): Promise<string> {
    if (!this.#leaders.has(partition)) await this.refresh();
    const leader = this.#leaders.get(partition);
    if (leader === undefined) throw new NoAnswer('no leader is known');
    return leader;
  }

  async refresh(): Promise<void> {
    this.#leaders.clear();
    const { brokers, topics } = await this.client.request(this.#world.anyAddress(), metadata, 9, {
      topics: [{ name: topicName }],
      allowAutoTopicCreation: false,
    });
    this.#addresses.clear();
    for (const { nodeId, host, port } of brokers) this.#addresses.set(nodeId, `${host}:${port}`);
    for (const { partitions } of topics) {
      for (const { partitionIndex, leaderId } of partitions) {
        const address = this.#addresses.get(leaderId);
        if (address !== undefined) this.#leaders.set(partitionIndex, address);
      }
    }
  }

  /** Where a broker is that a leader has named; `undefined`: Metadata did not name it. */
  addressOf(brokerId: number): string | undefined {
    return this.#addresses.get(brokerId);
  }

  async coordinator(group: string): Promise<string> {
    if (this.#coordinator !== undefined) return this.#coordinator;
    const { errorCode, host, port } = await this.client.request(
      this.#world.anyAddress(),
      findCoordinator,
      3,
      { key: group, keyType: 0 },
    );
    if (errorCode !== 0) throw new NoAnswer(`no coordinator: error ${errorCode}`);
    return (this.#coordinator = `${host}:${port}`);
  }

  /** Something went wrong there: ask again who it is. */
  forgetLeader(partition: number): void {
    this.#leaders.delete(partition);
  }

  forgetCoordinator(): void {
    this.#coordinator = undefined;
  }
}
