import { offsetCommit } from '../../protocol/api/offset-commit.ts';
import { offsetFetch } from '../../protocol/api/offset-fetch.ts';
import { isRetriableCode } from '../../protocol/error-code.ts';
import { ClientRouter, topicName } from './client-router.ts';
import { NoAnswer } from './simulated-client.ts';
import type { BrokerSimulation } from './broker-simulation.ts';
import { BrokerViolation } from './violation.ts';

/** Commits ascending offsets without being a member of its group, and asks for them, by turns and with other clients. */
export class SimulatedCommitter {
  readonly #world: BrokerSimulation;
  readonly #group: string;
  readonly #partition: number;
  readonly #router: ClientRouter;
  readonly #asker: ClientRouter;
  #offset = 0;

  constructor(world: BrokerSimulation, group: string, partition: number) {
    this.#world = world;
    this.#group = group;
    this.#partition = partition;
    this.#router = new ClientRouter(world.newClient(`${group}-commits`), world);
    this.#asker = new ClientRouter(world.newClient(`${group}-asks`), world);
  }

  start(): void {
    this.#world.run(this.#loop(this.#router, () => this.#commit()));
    this.#world.run(this.#loop(this.#asker, () => this.#ask()));
  }

  async #loop(router: ClientRouter, step: () => Promise<void>): Promise<void> {
    while (!this.#world.isOver) {
      try {
        await step();
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        // Some stay with a coordinator that does not answer: when it wakes up it must not answer from before its sleep.
        if (router === this.#router || this.#world.random.chance(0.3)) router.forgetCoordinator();
      }
      // Now and then long enough to ask a coordinator that has been replaced meanwhile.
      const { random } = this.#world;
      await this.#world.sleep(random.between(5, random.chance(0.2) ? 4_000 : 80));
    }
    router.client.close();
  }

  async #commit(): Promise<void> {
    const offset = ++this.#offset;
    const address = await this.#router.coordinator(this.#group);
    const { topics } = await this.#router.client.request(address, offsetCommit, 7, {
      groupId: this.#group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        {
          name: topicName,
          partitions: [{ partitionIndex: this.#partition, committedOffset: offset, committedMetadata: '' }],
        },
      ],
    });
    const code = topics[0]?.partitions[0]?.errorCode ?? -1;
    if (code === 0) this.#world.history.committed(this.#group, this.#partition, offset);
    else this.#refused('commit', code);
  }

  async #ask(): Promise<void> {
    const expected = this.#world.history.committedOffset(this.#group, this.#partition);
    const address = await this.#asker.coordinator(this.#group);
    const { errorCode, topics } = await this.#asker.client.request(address, offsetFetch, 5, {
      groupId: this.#group,
      topics: [{ name: topicName, partitionIndexes: [this.#partition] }],
    });
    const answer = topics[0]?.partitions[0];
    const code = errorCode === 0 ? (answer?.errorCode ?? -1) : errorCode;
    if (code === 0)
      this.#world.history.fetchedOffset(
        this.#group,
        this.#partition,
        answer?.committedOffset ?? -1,
        expected,
      );
    else this.#refused('offset fetch', code);
  }

  #refused(what: string, code: number): never {
    if (!isRetriableCode(code))
      throw new BrokerViolation('answers', `${this.#group}: ${what} failed for good with error ${code}`);
    throw new NoAnswer(`error ${code}`);
  }
}
