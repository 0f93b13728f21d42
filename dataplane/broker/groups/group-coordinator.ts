import { inBackground } from '../../runtime/in-background.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { StaticTopicsView } from './topics-view.ts';
import type { TopicsView } from './topics-view.ts';
import { offsetsTopic } from './coordinator-log.ts';
import type { CoordinatorLog } from './coordinator-log.ts';
import { CoordinatorShard } from './coordinator-shard.ts';
import { GroupError, notCoordinator } from './errors.ts';
import { defaultGroupOptions } from './options.ts';
import type { GroupOptions } from './options.ts';
import { partitionOfGroup } from './partition-of-group.ts';

export interface GroupCoordinatorEnvironment {
  readonly log: CoordinatorLog;
  readonly runtime: Runtime;
  readonly options?: Partial<GroupOptions> | undefined;
  /** Something went wrong that is retried. */
  readonly onProblem: (what: string, error: unknown) => void;
}

/** Topic deletions that are remembered for partitions that are loaded later. */
const maxRememberedDeletions = 10_000;
/** Groups that are gone through without letting anybody else do something. */
const groupsPerTurn = 500;

/** The group coordinator of one broker: a {@link CoordinatorShard} for each partition of `__consumer_offsets` it owns. */
export class GroupCoordinator {
  readonly options: GroupOptions;
  readonly #environment: GroupCoordinatorEnvironment;
  readonly #shards = new Map<number, CoordinatorShard>();
  /**
   * By partition, until it is so: resolves when the appends of all shards that there were before are settled; never rejects.
   * An append that waits in the log for room gets in when this broker owns the partition again by then.
   */
  readonly #earlierAppends = new Map<number, Promise<void>>();
  readonly #stopped = new AbortController();
  /** By name: the ids of topics that were deleted while this broker looked on. */
  readonly #deletedTopics = new Map<string, Set<string>>();
  #view: TopicsView = new StaticTopicsView([]);
  #unsubscribe: Cancel | undefined;

  constructor(environment: GroupCoordinatorEnvironment) {
    this.#environment = environment;
    this.options = { ...defaultGroupOptions, ...environment.options };
  }

  /** Begins to load what this broker owns, and to follow what it gets and loses. */
  start(): void {
    this.#unsubscribe = this.#environment.log.subscribe({
      serving: (partition) => {
        this.#open(partition);
      },
      lost: (partition) => {
        this.#close(partition);
      },
    });
    inBackground(this.#expireAgainAndAgain());
  }

  /** Everybody who waits is told to ask for the coordinator again. */
  stop(): void {
    this.#stopped.abort();
    this.#unsubscribe?.();
    for (const shard of this.#shards.values()) shard.close();
    this.#shards.clear();
  }

  /**
   * The partition of a group, if this broker coordinates it.
   *
   * @throws GroupError INVALID_GROUP_ID; NOT_COORDINATOR; COORDINATOR_NOT_AVAILABLE while `__consumer_offsets` does not exist
   */
  shardOf(groupId: string): CoordinatorShard {
    if (groupId.length > this.options.maxGroupIdLength) {
      throw new GroupError(
        'INVALID_GROUP_ID',
        `the group id has ${groupId.length} characters, at most ${this.options.maxGroupIdLength} are allowed`,
      );
    }
    const partitions = this.#view.topicByName(offsetsTopic)?.partitions;
    if (partitions === undefined) {
      throw new GroupError(
        'COORDINATOR_NOT_AVAILABLE',
        `topic ${offsetsTopic} does not exist yet: ask for the coordinator of group ${groupId}, which creates it`,
      );
    }
    const partition = partitionOfGroup(groupId, partitions);
    const shard = this.#shards.get(partition);
    if (shard === undefined) throw notCoordinator(partition);
    return shard;
  }

  /** Of all groups that this broker coordinates; some may still be loading. */
  get shards(): readonly CoordinatorShard[] {
    return [...this.#shards.values()];
  }

  get view(): TopicsView {
    return this.#view;
  }

  /** Call with every change of topics, partition counts or racks. Topics that are missing since the last one are deleted. */
  topicsChanged(view: TopicsView): void {
    const before = this.#view;
    this.#view = view;
    const deleted = [...before.topics()].filter(({ topicId }) => view.topicById(topicId) === undefined);
    if (deleted.length > 0) this.topicsDeleted(deleted);
  }

  /** What was committed for these topics goes. {@link topicsChanged} calls it for what it notices. */
  topicsDeleted(topics: readonly { readonly name: string; readonly topicId: string }[]): void {
    for (const { name, topicId } of topics) {
      const known = this.#deletedTopics.get(name) ?? new Set();
      this.#deletedTopics.delete(name);
      this.#deletedTopics.set(name, known.add(topicId));
    }
    for (const name of this.#deletedTopics.keys()) {
      if (this.#deletedTopics.size <= maxRememberedDeletions) break;
      this.#deletedTopics.delete(name);
    }
    for (const shard of this.#shards.values()) inBackground(this.#removeDeletedTopics(shard));
  }

  #open(partition: number): void {
    this.#close(partition);
    const { log, runtime, onProblem } = this.#environment;
    const shard = new CoordinatorShard({
      partition,
      log,
      runtime,
      options: this.options,
      topics: () => this.#view,
      onFailed: (error) => {
        onProblem(`partition ${partition} of ${offsetsTopic} is loaded again`, error);
        // Unless the partition was lost, or opened again, meanwhile.
        if (this.#shards.get(partition) === shard) this.#open(partition);
      },
    });
    this.#shards.set(partition, shard);
    inBackground(this.#load(shard, this.#earlierAppends.get(partition)));
  }

  #close(partition: number): void {
    const shard = this.#shards.get(partition);
    if (shard === undefined) return;
    this.#shards.delete(partition);
    shard.close();
    const earlier = this.#earlierAppends.get(partition);
    const settled = Promise.all([earlier, shard.drained()]).then(() => {
      if (this.#earlierAppends.get(partition) === settled) this.#earlierAppends.delete(partition);
    });
    this.#earlierAppends.set(partition, settled);
  }

  async #load(shard: CoordinatorShard, earlierAppends: Promise<void> | undefined): Promise<void> {
    const { runtime, onProblem } = this.#environment;
    try {
      await earlierAppends;
      await shard.load();
    } catch (error) {
      if (shard.phase === 'closed') return;
      onProblem(`partition ${shard.partition} of ${offsetsTopic} cannot be loaded`, error);
      await sleep(runtime, this.options.loadRetryMs, this.#stopped.signal).catch(() => undefined);
      if (this.#shards.get(shard.partition) === shard && !this.#stopped.signal.aborted)
        this.#open(shard.partition);
      return;
    }
    await this.#removeDeletedTopics(shard);
  }

  async #removeDeletedTopics(shard: CoordinatorShard): Promise<void> {
    if (this.#deletedTopics.size === 0) return;
    await this.#forEachGroup(shard, shard.offsets.groupIds(), (groupId) =>
      shard.write<undefined>(groupId, (operation, waiter) => {
        shard.requests.topicsDeleted(operation, groupId, this.#deletedTopics);
        operation.answer(waiter, undefined);
      }),
    );
  }

  async #expireAgainAndAgain(): Promise<void> {
    const { runtime } = this.#environment;
    const { signal } = this.#stopped;
    for (;;) {
      await sleep(runtime, this.options.offsetsRetentionCheckIntervalMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      for (const shard of this.shards) await this.#expire(shard);
    }
  }

  async #expire(shard: CoordinatorShard): Promise<void> {
    const groupIds = Array.from(shard.groups.all(), ({ groupId }) => groupId);
    await this.#forEachGroup(shard, groupIds, (groupId) =>
      shard.write<undefined>(groupId, (operation, waiter) => {
        shard.requests.expire(operation, groupId);
        operation.answer(waiter, undefined);
      }),
    );
  }

  /** Ends early when the shard closes: the owner after it does the same. */
  async #forEachGroup(
    shard: CoordinatorShard,
    groupIds: Iterable<string>,
    work: (groupId: string) => Promise<void>,
  ): Promise<void> {
    let count = 0;
    for (const groupId of groupIds) {
      if (shard.phase !== 'active') return;
      // Refused when the shard closes meanwhile, which is no news here.
      inBackground(work(groupId).catch(() => undefined));
      if (++count % groupsPerTurn === 0)
        await sleep(this.#environment.runtime, 0, this.#stopped.signal).catch(() => undefined);
    }
  }
}
