import { placeHomeless } from '../../cluster/assign.ts';
import type { ClusterClient } from '../../cluster/cluster-client.ts';
import { clusterConfigOf } from '../../cluster/config/cluster-configs.ts';
import { mintHexId } from '../../cluster/new-cluster.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import type { TopicEntry } from '../../cluster/cluster-state.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ToldError } from '../log-error-codes.ts';
import type { ChangeTerms, ClusterChanges } from './cluster-changes.ts';
import { told } from './refusal-codes.ts';
import { declareRequestedTopic } from './requested-topic.ts';
import type { RequestedTopic } from './requested-topic.ts';

/** How long a request for metadata waits for a topic that is created for it. Clients ask again. */
const autoCreateTimeoutMs = 5_000;
/** How long a creation waits for the groups of this broker. They are there in tens of ms, or something holds them up. */
const servingTimeoutMs = 2_000;
const servingLookMs = 5;

/** Creates topics for clients. */
export class TopicCreation {
  readonly #cluster: ClusterClient;
  readonly #changes: ClusterChanges;
  readonly #runtime: Runtime;
  readonly #brokerId: number;
  readonly #isServed: (topicId: string, partition: number) => boolean;
  /** By name, of those that are being created because somebody asked for their metadata. */
  readonly #underWay = new Map<string, Promise<ToldError | undefined>>();

  constructor(environment: {
    readonly cluster: ClusterClient;
    readonly changes: ClusterChanges;
    readonly runtime: Runtime;
    readonly brokerId: number;
    /** Whether this broker answers for a partition. */
    readonly isServed: (topicId: string, partition: number) => boolean;
  }) {
    this.#cluster = environment.cluster;
    this.#changes = environment.changes;
    this.#runtime = environment.runtime;
    this.#brokerId = environment.brokerId;
    this.#isServed = environment.isServed;
  }

  /** A topic id that is never used before or after, and that no tool takes for an option (`-…` in base 64). */
  mintTopicId(): string {
    for (;;) {
      const id = mintHexId(this.#runtime.random);
      if (!Buffer.from(id, 'hex').toString('base64url').startsWith('-')) return id;
    }
  }

  /**
   * What is wrong, or `undefined`, for every topic. Resolves when this broker knows the topics and, if that comes about
   * soon, serves those of their partitions that are its own.
   */
  async create(
    topics: readonly RequestedTopic[],
    terms: ChangeTerms,
  ): Promise<readonly (ToldError | undefined)[]> {
    const untilMs = this.#runtime.monotonicMs() + Math.min(terms.timeoutMs, servingTimeoutMs);
    const outcomes = await this.#changes.each(topics, declareRequestedTopic, terms, placeHomeless);
    if (terms.validateOnly === true) return outcomes;
    const created = topics.filter((_, index) => outcomes[index] === undefined);
    await this.#untilServed(
      created.map(({ name }) => name),
      untilMs,
    );
    return outcomes;
  }

  /**
   * Creates a topic because a client asks for its metadata, if clients may have that. `undefined`: it is there, or was a
   * moment ago.
   */
  async createOnDemand(name: string): Promise<ToldError | undefined> {
    const configs = this.#cluster.current?.configs ?? {};
    if (!clusterConfigOf(configs)['auto.create.topics.enable'])
      return told('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${name}`);
    let underWay = this.#underWay.get(name);
    if (underWay === undefined) {
      underWay = this.#createDefault(name).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, underWay);
    }
    const failure = await underWay;
    return failure?.code === kafkaErrors.TOPIC_ALREADY_EXISTS.code ? undefined : failure;
  }

  async #createDefault(name: string): Promise<ToldError | undefined> {
    const topic = { name, topicId: this.mintTopicId(), configs: {} };
    const [outcome] = await this.create([topic], { timeoutMs: autoCreateTimeoutMs });
    return outcome;
  }

  /** So that the first request for a new topic meets an owner, as far as that is this broker. */
  async #untilServed(names: readonly string[], untilMs: number): Promise<void> {
    const waiting = new Map<string, readonly number[]>();
    for (const name of names) {
      const topic = this.#cluster.current?.topics.get(name);
      if (topic !== undefined) waiting.set(topic.topicId, this.#ownPartitions(topic));
    }
    for (;;) {
      for (const [topicId, partitions] of waiting) {
        if (partitions.every((partition) => this.#isServed(topicId, partition))) waiting.delete(topicId);
      }
      if (waiting.size === 0 || this.#runtime.monotonicMs() >= untilMs) return;
      await sleep(this.#runtime, servingLookMs);
    }
  }

  /** The first partition of each group that is this broker's. */
  #ownPartitions(topic: TopicEntry): readonly number[] {
    const assignments = this.#cluster.current?.assignments;
    return groupsOf(topic)
      .filter(({ id }) => assignments?.get(id)?.broker === this.#brokerId)
      .map(({ firstPartition }) => firstPartition);
  }
}
