import { fetch } from '../../protocol/api/fetch.ts';
import { listOffsets } from '../../protocol/api/list-offsets.ts';
import { isRetriableCode } from '../../protocol/error-code.ts';
import { RecordBatchError, batchOverheadBytes, parseBatches } from '../../protocol/record-batch.ts';
import type { BatchHeader } from '../../protocol/record-batch.ts';
import { RecordCursor } from '../../protocol/records.ts';
import { ClientRouter, topicName } from './client-router.ts';
import { NoAnswer } from './simulated-client.ts';
import type { BrokerSimulation } from './broker-simulation.ts';
import { BrokerViolation } from './violation.ts';

const fetchVersion = 12;
const listVersion = 7;

/**
 * Reads partitions from their beginnings, with incremental fetch sessions, and looks at their ends from time to time. With
 * a rack it goes where leaders send it (KIP-392), and back to the leader after any error there, as Kafka's consumer does.
 */
export class SimulatedReader {
  readonly #world: BrokerSimulation;
  readonly #name: string;
  readonly #router: ClientRouter;
  readonly #positions: Map<number, number>;
  readonly #rack: string;
  /** By partition: the broker that the leader wants it read from. */
  readonly #preferred = new Map<number, number>();
  readonly #sessions = new Map<string, { id: number; epoch: number; told: Map<number, number> }>();

  constructor(world: BrokerSimulation, name: string, partitions: readonly number[], rack = '') {
    this.#world = world;
    this.#rack = rack;
    this.#name = name;
    this.#positions = new Map(partitions.map((partition) => [partition, 0]));
    this.#router = new ClientRouter(world.newClient(name), world);
  }

  start(): void {
    this.#world.run(this.#run());
  }

  /** Of all its partitions: nothing is missing that had been acknowledged. */
  get hasReadAll(): boolean {
    for (const [partition, position] of this.#positions)
      if (position < this.#world.history.acknowledgedEnd(partition)) return false;
    return true;
  }

  position(partition: number): number {
    return this.#positions.get(partition) ?? 0;
  }

  async #run(): Promise<void> {
    const { random } = this.#world;
    while (!this.#world.isOver) {
      try {
        await this.#fetchOnce();
        if (random.chance(0.1)) await this.#lookAtEnd(random.pick([...this.#positions.keys()]));
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        for (const partition of this.#positions.keys()) this.#router.forgetLeader(partition);
        this.#preferred.clear();
        await this.#world.sleep(random.between(5, 50));
      }
    }
    this.#router.client.close();
  }

  async #fetchOnce(): Promise<void> {
    const byLeader = new Map<string, number[]>();
    for (const partition of this.#positions.keys()) {
      const leader = await this.#router.leader(partition);
      const preferred = this.#preferred.get(partition);
      const address = (preferred === undefined ? undefined : this.#router.addressOf(preferred)) ?? leader;
      byLeader.set(address, [...(byLeader.get(address) ?? []), partition]);
    }
    for (const [address, partitions] of byLeader) await this.#fetch(address, partitions);
  }

  async #fetch(address: string, partitions: readonly number[]): Promise<void> {
    const session = this.#sessions.get(address) ?? { id: 0, epoch: 0, told: new Map<number, number>() };
    this.#sessions.set(address, session);
    const changed = partitions.filter(
      (partition) => session.told.get(partition) !== this.position(partition),
    );
    const forgotten = [...session.told.keys()].filter((partition) => !partitions.includes(partition));
    const waitMs = 100;
    try {
      const answer = await this.#router.client.request(
        address,
        fetch,
        fetchVersion,
        {
          maxWaitMs: waitMs,
          minBytes: 1,
          maxBytes: this.#world.random.pick([1, 300, 100_000]),
          sessionId: session.id,
          sessionEpoch: session.epoch,
          topics: [
            {
              topic: topicName,
              partitions: changed.map((partition) => ({
                partition,
                fetchOffset: this.position(partition),
                partitionMaxBytes: 100_000,
              })),
            },
          ],
          rackId: this.#rack,
          forgottenTopicsData:
            session.id === 0 || forgotten.length === 0 ? [] : [{ topic: topicName, partitions: forgotten }],
        },
        waitMs,
      );
      if (answer.errorCode !== 0) {
        // The session is unknown: a new one begins.
        this.#sessions.delete(address);
        return;
      }
      session.id = answer.sessionId;
      session.epoch = answer.sessionId === 0 ? 0 : session.epoch + 1;
      for (const partition of forgotten) session.told.delete(partition);
      for (const partition of changed) session.told.set(partition, this.position(partition));
      for (const { partitions: answers } of answer.responses)
        for (const one of answers) {
          if (one.preferredReadReplica >= 0) {
            this.#world.history.redirects += 1;
            this.#preferred.set(one.partitionIndex, one.preferredReadReplica);
          }
          this.#take(one.partitionIndex, one.errorCode, one.records);
        }
    } catch (error) {
      this.#sessions.delete(address);
      throw error;
    }
  }

  #take(partition: number, errorCode: number, records: Uint8Array | null): void {
    if (errorCode !== 0) {
      // Where it was sent it may be too early; the leader decides.
      const isElsewhere = this.#preferred.delete(partition);
      if (!isRetriableCode(errorCode) && !isElsewhere)
        throw new BrokerViolation(
          'valid positions',
          `${this.#name}: partition ${partition} at ${this.position(partition)} got error ${errorCode}`,
        );
      throw new NoAnswer(`error ${errorCode}`);
    }
    let position = this.position(partition);
    let at = 0;
    for (const header of this.#batches(partition, records)) {
      const cursor = new RecordCursor(
        header,
        records?.subarray(at + batchOverheadBytes, at + header.sizeBytes) ?? new Uint8Array(),
      );
      while (cursor.next()) {
        if (cursor.offset < position) continue;
        if (cursor.offset !== position)
          throw new BrokerViolation('dense offsets', `${partition}@${position}: ${cursor.offset} came next`);
        const value = Buffer.from(cursor.value ?? []).toString();
        this.#world.history.seen(partition, cursor.offset, value, 'read');
        if (this.#preferred.has(partition)) this.#world.history.zoneReads += 1;
        position += 1;
      }
      at += header.sizeBytes;
    }
    // A consumer may go on inside a batch: Kafka's clients do after a commit in the middle of one.
    const read = position - this.position(partition);
    const back = read > 1 && this.#world.random.chance(0.2) ? this.#world.random.below(Math.min(read, 3)) : 0;
    this.#positions.set(partition, position - back);
  }

  /** As every client does: looks whether the batches are what was produced. */
  #batches(partition: number, records: Uint8Array | null): readonly BatchHeader[] {
    try {
      return parseBatches(records ?? new Uint8Array(), { verifyCrc: true });
    } catch (error) {
      if (!(error instanceof RecordBatchError)) throw error;
      const what = `${this.#name}: partition ${partition} at ${this.position(partition)}: ${error.message}`;
      throw new BrokerViolation('answers', what);
    }
  }

  async #lookAtEnd(partition: number): Promise<void> {
    const least = this.#world.history.acknowledgedEnd(partition);
    const address = await this.#router.leader(partition);
    const { topics } = await this.#router.client.request(address, listOffsets, listVersion, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: topicName, partitions: [{ partitionIndex: partition, timestamp: -1 }] }],
    });
    const answer = topics[0]?.partitions[0];
    if (answer?.errorCode === 0 && answer.offset < least)
      throw new BrokerViolation(
        'durability',
        `partition ${partition} is said to end at ${answer.offset}, ${least} had been acknowledged before`,
      );
  }
}
