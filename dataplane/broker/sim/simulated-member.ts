import { heartbeat } from '../../protocol/api/heartbeat.ts';
import { joinGroup } from '../../protocol/api/join-group.ts';
import { leaveGroup } from '../../protocol/api/leave-group.ts';
import { offsetCommit } from '../../protocol/api/offset-commit.ts';
import { offsetFetch } from '../../protocol/api/offset-fetch.ts';
import { syncGroup } from '../../protocol/api/sync-group.ts';
import { decodeAssignment, encodeAssignment, encodeSubscription } from '../../protocol/consumer-protocol.ts';
import { errorCode, isRetriableCode } from '../../protocol/error-code.ts';
import { ClientRouter, topicName } from './client-router.ts';
import { NoAnswer } from './simulated-client.ts';
import type { BrokerSimulation } from './broker-simulation.ts';
import { BrokerViolation } from './violation.ts';

/** The member has to join again. */
class Rejoin extends Error {
  override readonly name = 'Rejoin';
}

/**
 * A member of a classic group: joins, shares the partitions out when it leads, commits ascending offsets for those it
 * has, and leaves and comes back now and then.
 */
export class SimulatedMember {
  readonly #world: BrokerSimulation;
  readonly #group: string;
  readonly #name: string;
  readonly #router: ClientRouter;
  #memberId = '';
  #generation = -1;
  #assigned: readonly number[] = [];
  readonly #offsets = new Map<number, number>();

  constructor(world: BrokerSimulation, group: string, name: string) {
    this.#world = world;
    this.#group = group;
    this.#name = name;
    this.#router = new ClientRouter(world.newClient(name), world);
  }

  /** What it was told to have, while it believes that it has it. */
  get assigned(): readonly number[] {
    return this.#assigned;
  }

  start(): void {
    this.#world.run(this.#run());
  }

  async #run(): Promise<void> {
    const { random } = this.#world;
    while (!this.#world.isOver) {
      try {
        await this.#join();
        while (!this.#world.isOver) {
          await this.#work();
          if (!this.#world.isEnding && random.chance(0.02)) await this.#leave();
          await this.#world.sleep(random.between(20, 150));
        }
      } catch (error) {
        if (error instanceof NoAnswer) this.#router.forgetCoordinator();
        else if (!(error instanceof Rejoin)) throw error;
        await this.#world.sleep(random.between(5, 50));
      }
    }
    this.#router.client.close();
  }

  async #join(): Promise<void> {
    this.#assigned = [];
    const address = await this.#router.coordinator(this.#group);
    const joined = await this.#router.client.request(
      address,
      joinGroup,
      7,
      {
        groupId: this.#group,
        sessionTimeoutMs: 6_000,
        rebalanceTimeoutMs: 2_000,
        memberId: this.#memberId,
        protocolType: 'consumer',
        protocols: [
          { name: 'range', metadata: encodeSubscription({ topics: [topicName], userData: null }, 0) },
        ],
      },
      10_000,
    );
    if (joined.errorCode === errorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId;
      throw new Rejoin();
    }
    this.#expect('join', joined.errorCode);
    this.#memberId = joined.memberId;
    const assignments =
      joined.leader === joined.memberId ? this.#shareOut(joined.members.map(({ memberId }) => memberId)) : [];
    const synced = await this.#router.client.request(
      address,
      syncGroup,
      5,
      {
        groupId: this.#group,
        generationId: joined.generationId,
        memberId: this.#memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments,
      },
      10_000,
    );
    this.#expect('sync', synced.errorCode);
    const { assignedPartitions } = decodeAssignment(synced.assignment);
    const partitions = assignedPartitions.flatMap(({ partitions }) => partitions);
    this.#world.history.assigned(this.#group, joined.generationId, this.#memberId, partitions);
    this.#generation = joined.generationId;
    this.#assigned = partitions;
    this.#offsets.clear();
    this.#world.note(`${this.#name} has ${partitions.join(', ')} in generation ${joined.generationId}`);
  }

  #shareOut(members: readonly string[]): { memberId: string; assignment: Uint8Array }[] {
    return members.map((memberId, index) => {
      const partitions = Array.from({ length: this.#world.partitions }, (_, partition) => partition).filter(
        (partition) => partition % members.length === index,
      );
      const assignedPartitions = partitions.length === 0 ? [] : [{ topic: topicName, partitions }];
      return { memberId, assignment: encodeAssignment({ assignedPartitions, userData: null }, 0) };
    });
  }

  async #work(): Promise<void> {
    const address = await this.#router.coordinator(this.#group);
    const identity = { groupId: this.#group, memberId: this.#memberId };
    const beat = await this.#router.client.request(address, heartbeat, 3, {
      ...identity,
      generationId: this.#generation,
    });
    this.#expect('heartbeat', beat.errorCode);
    if (this.#world.random.chance(0.1)) await this.#commitLate(address);
    for (const partition of this.#assigned) {
      if (!this.#offsets.has(partition)) await this.#position(address, partition);
    }
    if (this.#assigned.length === 0) return;
    const offsets = this.#assigned.map((partition) => ({
      partition,
      offset: (this.#offsets.get(partition) ?? 0) + 1,
    }));
    const committed = await this.#router.client.request(address, offsetCommit, 7, {
      ...identity,
      generationIdOrMemberEpoch: this.#generation,
      topics: [
        {
          name: topicName,
          partitions: offsets.map(({ partition, offset }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedMetadata: '',
          })),
        },
      ],
    });
    for (const { partitionIndex, errorCode: code } of committed.topics[0]?.partitions ?? []) {
      this.#expect('commit', code);
      const offset = offsets.find(({ partition }) => partition === partitionIndex)?.offset ?? 0;
      this.#offsets.set(partitionIndex, offset);
      this.#world.history.committed(this.#group, partitionIndex, offset);
    }
  }

  /** A commit of the generation before, as one that was delayed on its way: nobody may take it any more. */
  async #commitLate(address: string): Promise<void> {
    const partition = this.#world.random.below(this.#world.partitions);
    const { topics } = await this.#router.client.request(address, offsetCommit, 7, {
      groupId: this.#group,
      memberId: this.#memberId,
      generationIdOrMemberEpoch: this.#generation - 1,
      topics: [
        {
          name: topicName,
          partitions: [{ partitionIndex: partition, committedOffset: 0, committedMetadata: '' }],
        },
      ],
    });
    if (topics[0]?.partitions[0]?.errorCode === 0)
      throw new BrokerViolation(
        'committed offsets',
        `${this.#name}: a commit of generation ${this.#generation - 1} was taken in generation ${this.#generation}`,
      );
  }

  async #position(address: string, partition: number): Promise<void> {
    const expected = this.#world.history.committedOffset(this.#group, partition);
    const { errorCode: code, topics } = await this.#router.client.request(address, offsetFetch, 5, {
      groupId: this.#group,
      topics: [{ name: topicName, partitionIndexes: [partition] }],
    });
    this.#expect('offset fetch', code);
    const answer = topics[0]?.partitions[0];
    this.#expect('offset fetch', answer?.errorCode ?? -1);
    const offset = answer?.committedOffset ?? -1;
    this.#world.history.fetchedOffset(this.#group, partition, offset, expected);
    this.#offsets.set(partition, Math.max(0, offset));
  }

  async #leave(): Promise<void> {
    const address = await this.#router.coordinator(this.#group);
    this.#assigned = [];
    await this.#router.client.request(address, leaveGroup, 3, {
      groupId: this.#group,
      members: [{ memberId: this.#memberId }],
    });
    this.#memberId = '';
    await this.#world.sleep(this.#world.random.between(50, 500));
    throw new Rejoin();
  }

  #expect(what: string, code: number): void {
    if (code === 0) return;
    if (code === errorCode.UNKNOWN_MEMBER_ID) this.#memberId = '';
    if (rejoins.has(code)) throw new Rejoin();
    if (!isRetriableCode(code))
      throw new BrokerViolation('answers', `${this.#name}: ${what} failed for good with error ${code}`);
    throw new NoAnswer(`error ${code}`);
  }
}

const rejoins = new Set<number>([
  errorCode.UNKNOWN_MEMBER_ID,
  errorCode.ILLEGAL_GENERATION,
  errorCode.REBALANCE_IN_PROGRESS,
]);
