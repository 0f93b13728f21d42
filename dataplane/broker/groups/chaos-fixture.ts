import { decodeAssignment, decodeSubscription, encodeAssignment } from '../../protocol/consumer-protocol.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { ConsumerClient } from './consumer/consumer-client-fixture.ts';
import { ClassicClient, nameOf } from './group-fixture.ts';
import type { GroupWorld } from './group-fixture.ts';

/** What clients saw: asked by checkers, told by clients. */
export class ChaosHistory {
  readonly violations: string[] = [];
  /** By group, generation and partition: which member was given it. */
  readonly #classicOwners = new Map<string, string>();
  /** By group and partition: the greatest offset whose commit was acknowledged, and that was ever sent. */
  readonly #acknowledged = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  /** The greatest that was fetched. */
  readonly #fetched = new Map<string, number>();
  commits = 0;
  fetches = 0;
  assignments = 0;

  assigned(groupId: string, generation: number, memberId: string, partition: number): void {
    const key = `${groupId} ${generation} ${partition}`;
    const owner = this.#classicOwners.get(key);
    this.assignments++;
    if (owner !== undefined && owner !== memberId)
      this.violations.push(`${key} is assigned to ${owner} and to ${memberId}`);
    this.#classicOwners.set(key, memberId);
  }

  nextOffset(groupId: string, partition: number): number {
    const key = `${groupId} ${partition}`;
    const offset = (this.#sent.get(key) ?? 0) + 1;
    this.#sent.set(key, offset);
    return offset;
  }

  committed(groupId: string, partition: number, offset: number): void {
    const key = `${groupId} ${partition}`;
    this.commits++;
    this.#acknowledged.set(key, Math.max(offset, this.#acknowledged.get(key) ?? -1));
  }

  /** Call before the fetch; the result checks what it yields. */
  fetching(groupId: string, partition: number): (offset: number) => void {
    const key = `${groupId} ${partition}`;
    const acknowledged = this.#acknowledged.get(key) ?? -1;
    const fetched = this.#fetched.get(key) ?? -1;
    return (offset) => {
      this.fetches++;
      if (offset < acknowledged)
        this.violations.push(`${key}: ${offset} was fetched after ${acknowledged} was acknowledged`);
      if (offset < fetched) this.violations.push(`${key}: ${offset} was fetched after ${fetched} was`);
      this.#fetched.set(key, Math.max(offset, this.#fetched.get(key) ?? -1));
      if (offset > (this.#sent.get(key) ?? -1))
        this.violations.push(`${key}: ${offset} was fetched, nobody sent it`);
    };
  }
}

/** A client that lives until it is stopped: joins, heartbeats, commits, and starts anew when it is told to. */
export interface ChaosClient {
  readonly groupId: string;
  /** Partitions of the topic that it takes for its own. */
  readonly partitions: ReadonlySet<number>;
  run(): Promise<void>;
  /** Leaves, or just stops. */
  stop(politely: boolean): void;
}

export interface ChaosClientOptions {
  readonly world: GroupWorld;
  readonly history: ChaosHistory;
  readonly groupId: string;
  readonly name: string;
  readonly seed: number;
  readonly instanceId?: string | undefined;
}

const partitionCount = 6;

export class ClassicChaosClient implements ChaosClient {
  readonly groupId: string;
  readonly #client: ClassicClient;
  readonly #world: GroupWorld;
  readonly #history: ChaosHistory;
  readonly #random: VirtualRandom;
  #partitions: ReadonlySet<number> = new Set();
  #stopped: 'politely' | 'at once' | undefined;

  constructor({ world, history, groupId, name, seed, instanceId }: ChaosClientOptions) {
    this.groupId = groupId;
    this.#world = world;
    this.#history = history;
    this.#random = new VirtualRandom(seed, name);
    this.#client = new ClassicClient(world, groupId, instanceId === undefined ? {} : { instanceId });
    this.#client.rebalanceTimeoutMs = 15_000;
    this.#client.clientId = name;
  }

  get partitions(): ReadonlySet<number> {
    return this.#partitions;
  }

  stop(politely: boolean): void {
    this.#stopped = politely ? 'politely' : 'at once';
  }

  async run(): Promise<void> {
    const client = this.#client;
    while (this.#stopped === undefined) {
      this.#partitions = new Set();
      client.broker = this.#random.fraction() < 0.1 ? Math.floor(this.#random.fraction() * 2) : undefined;
      const joined = await client.joinTwice();
      const error = nameOf(joined);
      if (error !== 'NONE') {
        if (error === 'UNKNOWN_MEMBER_ID') client.memberId = '';
        if (error === 'FENCED_INSTANCE_ID') return;
        await this.#pause();
        continue;
      }
      const members = joined.members.map(({ memberId }) => memberId);
      if (joined.skipAssignment) members.length = 0;
      const assignments = Object.fromEntries(
        members.map((memberId, i) => [
          memberId,
          encodeAssignment({
            assignedPartitions: [
              {
                topic: 'topic',
                partitions: Array.from({ length: partitionCount }, (_, p) => p).filter(
                  (p) => p % members.length === i,
                ),
              },
            ],
          }),
        ]),
      );
      for (const { metadata } of joined.members) decodeSubscription(metadata);
      if (this.#random.fraction() < 0.2) await this.#pause();
      const synced = await client.sync(assignments);
      if (nameOf(synced) !== 'NONE') {
        if (nameOf(synced) === 'UNKNOWN_MEMBER_ID') client.memberId = '';
        await this.#pause();
        continue;
      }
      const partitions =
        synced.assignment.length === 0
          ? []
          : (decodeAssignment(synced.assignment).assignedPartitions[0]?.partitions ?? []);
      for (const partition of partitions)
        this.#history.assigned(this.groupId, client.generation, client.memberId, partition);
      this.#partitions = new Set(partitions);
      await this.#consume();
    }
    this.#partitions = new Set();
    if (this.#stopped === 'politely') await client.leave();
  }

  /** Until it has to join again. */
  async #consume(): Promise<void> {
    const client = this.#client;
    while (this.#stopped === undefined) {
      await this.#pause();
      for (const partition of this.#partitions) {
        if (this.#random.fraction() < 0.7) continue;
        const offset = this.#history.nextOffset(this.groupId, partition);
        if ((await client.commit('topic', partition, offset)) === 'NONE')
          this.#history.committed(this.groupId, partition, offset);
      }
      const error = await client.heartbeat();
      switch (error) {
        case 'NONE':
        case 'NOT_COORDINATOR':
        case 'COORDINATOR_NOT_AVAILABLE':
        case 'COORDINATOR_LOAD_IN_PROGRESS':
          // It asks who the coordinator is.
          client.broker = undefined;
          break;
        case 'UNKNOWN_MEMBER_ID':
        case 'ILLEGAL_GENERATION':
          client.memberId = '';
          return;
        default:
          return;
      }
    }
  }

  #pause(): Promise<void> {
    return this.#world.wait(200 + this.#random.fraction() * 2_000);
  }
}

export class ConsumerChaosClient implements ChaosClient {
  readonly groupId: string;
  readonly #client: ConsumerClient;
  readonly #world: GroupWorld;
  readonly #history: ChaosHistory;
  readonly #random: VirtualRandom;
  #stopped: 'politely' | 'at once' | undefined;

  constructor({ world, history, groupId, name, seed, instanceId }: ChaosClientOptions) {
    this.groupId = groupId;
    this.#world = world;
    this.#history = history;
    this.#random = new VirtualRandom(seed, name);
    const options = instanceId === undefined ? {} : { instanceId };
    this.#client = new ConsumerClient(world, groupId, name, options);
    this.#client.rebalanceTimeoutMs = 15_000;
  }

  get partitions(): ReadonlySet<number> {
    return this.#stopped === undefined
      ? new Set([...this.#client.owned.values()].flatMap((partitions) => [...partitions]))
      : new Set();
  }

  stop(politely: boolean): void {
    this.#stopped = politely ? 'politely' : 'at once';
  }

  async run(): Promise<void> {
    const client = this.#client;
    while (this.#stopped === undefined) {
      client.broker = this.#random.fraction() < 0.1 ? Math.floor(this.#random.fraction() * 2) : undefined;
      const error = nameOf(await client.heartbeat());
      if (this.#random.fraction() < 0.3) await this.#world.wait(1_000 * this.#random.fraction());
      if (error === 'NONE') client.obey();
      else if (
        error === 'FENCED_MEMBER_EPOCH' ||
        error === 'UNKNOWN_MEMBER_ID' ||
        error === 'GROUP_ID_NOT_FOUND'
      )
        client.abandon();
      else if (error === 'FENCED_INSTANCE_ID' || error === 'UNRELEASED_INSTANCE_ID') client.abandon();
      for (const partition of this.partitions) {
        if (this.#random.fraction() < 0.7) continue;
        const offset = this.#history.nextOffset(this.groupId, partition);
        if ((await client.commit('topic', partition, offset)) === 'NONE')
          this.#history.committed(this.groupId, partition, offset);
      }
      await this.#world.wait(500 + this.#random.fraction() * 2_000);
    }
    if (this.#stopped === 'politely') await client.leave(client.instanceId === null ? -1 : -2);
  }
}
