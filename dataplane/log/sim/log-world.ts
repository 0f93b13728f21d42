import { extendGroups, groupsOf } from '../../cluster/partition-groups.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import type { Cancel } from '../../runtime/runtime.ts';
import { sleep } from '../../runtime/runtime.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import { LogError } from '../errors.ts';
import { batchesOf } from '../flush.ts';
import { retentionLimits } from '../retention.ts';
import { BrokerNode } from './broker-node.ts';
import { Chaos } from './chaos.ts';
import { LogChecker } from './checker.ts';
import { SimulatedConsumer } from './consumer.ts';
import { SimulatedProducer } from './producer.ts';
import { SealWatch } from './seal-watch.ts';
import { drawProfile } from './profile.ts';
import type { SimulationProfile } from './profile.ts';
import type { Simulation } from './simulation.ts';
import type { Invariant } from './violation.ts';
import type { ReadGroup } from './zone-reader.ts';
import { SimulatedZoneReader } from './zone-reader.ts';
import { brokenInvariant, InvariantViolation } from './violation.ts';

export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly storeRequests: number;
  readonly violation: string | undefined;
  /** `undefined` with a violation: the run failed otherwise, which is a fault of the simulator. */
  readonly invariant: Invariant | undefined;
  readonly counts: Readonly<Record<CountName, number>>;
}

export const countNames = [
  'takeovers',
  'handOvers',
  'sessionDeaths',
  'lateLandingsAfterGc',
  'own412s',
  'unknownCasOutcomes',
  'trimRaces',
  'trimsMovedDuringSeals',
  'acknowledged',
  'segments',
  'checkpoints',
  'sweptSlots',
] as const;
export type CountName = (typeof countNames)[number];

/**
 * One simulated cluster: brokers running the production log over a simulated store, clients, a controller that does
 * everything a controller may do at the worst moment, and the checker. All of it follows from the seed.
 */
export class LogWorld implements Simulation {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly profile: SimulationProfile;
  readonly store: SimulatedStore;
  readonly checker: LogChecker;
  readonly nodes: BrokerNode[] = [];
  readonly retired: BrokerNode[] = [];
  readonly producers: SimulatedProducer[] = [];
  readonly topics: { topicId: string; partitions: number }[] = [];
  isOver = false;
  clientLoss: number;
  readonly clientTimeoutMs: number;
  #unknownCas = 0;
  readonly #seals: SealWatch;
  readonly trace: string[] = [];
  readonly #isTracing: boolean;

  constructor(seed: number, isTracing = false) {
    this.seed = seed;
    this.#isTracing = isTracing;
    this.time = new VirtualTime({ seed });
    this.random = new VirtualRandom(seed, 'world');
    this.profile = drawProfile(this.random);
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: this.profile.latencies,
      faults: this.profile.faults,
      onViolation: (violation) => {
        this.time.fail(violation);
      },
    });
    this.checker = new LogChecker(this.time, this.store, {
      checkSequences: !this.profile.expiresProducers,
      clocksCanBeTrusted: this.profile.everyMs.clock === Infinity,
      // One batch is admitted even when it alone exceeds the bound.
      maxUnflushedBytes: Math.max(largestBatchBytes, this.profile.maxUnflushedBytes),
      wallMs: (process) =>
        [...this.nodes, ...this.retired]
          .filter(({ process: { name } }) => name === process)
          .reduce((latest, node) => Math.max(latest, node.process.runtime.wallMs()), 0),
    });
    this.#seals = new SealWatch(this.store);
    this.clientLoss = this.profile.name === 'calm' ? 0 : 0.02;
    this.clientTimeoutMs = this.profile.clientTimeoutMs;
    this.store.onAnswer(({ operation, condition, answer }) => {
      if (
        operation === 'put' &&
        condition !== 'none' &&
        condition !== 'absent' &&
        (answer === 'TIMEOUT' || answer === 'CONNECTION_LOST' || answer === 'SERVER_ERROR')
      )
        this.#unknownCas += 1;
    });
    if (isTracing) {
      this.store.onApply((event) => {
        this.note(
          `store ${event.operation} ${event.key} by ${event.process} ${event.condition === 'none' ? '' : event.condition} → ${event.result}${event.isLate ? ' LATE' : ''}${event.isDuplicate ? ' DUPLICATE' : ''} ${event.id ?? ''}`,
        );
      });
    }
    this.time.onStep(() => {
      for (const node of this.nodes) this.checker.brokerStep(node.log);
    });
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.time.environment.after(delayMs, callback);
  }

  note(what: string): void {
    if (this.#isTracing) this.trace.push(`${this.time.nowMs.toFixed(2)} ${what}`);
  }

  startNode(id: number): BrokerNode {
    const node = new BrokerNode(this.time, this.store, this.profile, id, `zone-${id % 3}`, {
      exited: (gone) => {
        // Whoever runs the processes starts it again, unless there is one of this id.
        this.retire(gone);
        this.after(200, () => {
          if (!this.nodes.some((other) => other.id === id && other.isAlive)) this.startNode(id);
        });
      },
      problem: (from, what, error) => {
        this.note(`broker-${from.id}: ${what}: ${error instanceof Error ? error.message : String(error)}`);
        if (error instanceof LogError && error.code === 'CORRUPT_LOG')
          this.checker.violation('readable log', `broker-${from.id}: ${what}: ${error.message}`);
        else if (!(error instanceof Error) || brokenInvariant(error) !== undefined) this.time.fail(error);
        else if (error instanceof TypeError || error instanceof RangeError || error.name === 'AssertionError')
          this.time.fail(error);
      },
    });
    this.nodes.push(node);
    return node;
  }

  retire(node: BrokerNode): void {
    const at = this.nodes.indexOf(node);
    if (at >= 0) this.nodes.splice(at, 1);
    this.retired.push(node);
  }

  /** Whom a client asks: mostly the node that the newest cluster state names, sometimes any that claims to serve. */
  findLeader(topicId: string, partition: number): BrokerNode | undefined {
    const claims = [...this.nodes].filter(
      (node) => node.isAlive && node.log.log?.served(topicId, partition) !== undefined,
    );
    if (claims.length > 0) return this.random.pick(claims);
    const alive = this.nodes.filter((node) => node.isAlive);
    return alive.length === 0 ? undefined : this.random.pick(alive);
  }

  async run(): Promise<SeedResult> {
    let violation: string | undefined;
    let invariant: Invariant | undefined;
    try {
      await this.#play();
    } catch (error) {
      violation = error instanceof Error ? error.message : String(error);
      invariant = brokenInvariant(error);
      if (this.#isTracing && error instanceof Error)
        this.trace.push(error.cause instanceof Error ? (error.cause.stack ?? '') : (error.stack ?? ''));
    }
    return {
      seed: this.seed,
      steps: this.time.steps,
      storeRequests: this.store.counters.requests,
      violation,
      invariant,
      counts: this.#counts(),
    };
  }

  async #play(): Promise<void> {
    const { profile, random } = this;
    for (let id = 0; id < profile.brokers; id++) this.startNode(id);
    await this.#until(
      'all brokers are registered',
      60_000,
      () =>
        this.checker.cluster?.brokers.size === profile.brokers &&
        this.nodes.every(({ log }) => log.log !== undefined),
    );
    await this.#createTopics();
    await this.#until('all groups are served', 60_000, () => this.#everythingServed());

    for (let id = 0; id < profile.producers; id++) {
      const { topicId, partitions } = random.pick(this.topics);
      // Every partition gets at most one idempotent producer that expects to be alone with its sequence.
      this.producers.push(
        new SimulatedProducer(this, 1_000 + id, topicId, random.below(partitions), random.chance(0.85)),
      );
    }
    for (const producer of this.producers) producer.start();
    for (const { topicId, partitions } of this.topics) {
      for (let partition = 0; partition < partitions; partition += 1)
        if (random.chance(0.6)) new SimulatedConsumer(this, topicId, partition).start();
    }
    new SimulatedZoneReader(this, 'zone-reader', this.#groupsToRead()).start();
    const chaos = new Chaos(this);
    chaos.start();
    await this.time.run({ untilMs: this.time.nowMs + profile.trafficMs });
    await this.#calmDown(chaos);
  }

  #groupsToRead(): readonly ReadGroup[] {
    const topics = [...(this.checker.cluster?.topics.values() ?? [])];
    return topics.flatMap((topic) =>
      groupsOf(topic).map(({ id, firstPartition, count }) => {
        const partitions = Array.from({ length: count }, (_, index) => firstPartition + index);
        return { id, topicId: topic.topicId, partitions };
      }),
    );
  }

  /** Liveness: once the faults have stopped, every group gets an owner, every producer finishes, everything can be read. */
  async #calmDown(chaos: Chaos): Promise<void> {
    chaos.stop();
    this.store.calm();
    this.clientLoss = 0;
    for (let id = 0; id < this.profile.brokers; id++) {
      if (!this.nodes.some((node) => node.id === id && node.isAlive)) this.startNode(id);
    }
    await this.#until('all groups are served again', 200_000, () => this.#everythingServed());
    await this.#until('all brokers are registered again', 200_000, () => this.#everybodyRegistered());
    await this.time.run({ untilMs: this.time.nowMs + 500 });
    chaos.lastFlap();
    await this.time.run({ untilMs: this.time.nowMs + 1_000 });
    await this.#until('all groups are served after a last flap', 200_000, () => this.#everythingServed());
    await this.#until('all producers have finished', 200_000, () => this.producers.every(({ done }) => done));
    await this.#until('all planned leaves have ended', 200_000, () => !chaos.isAnyLeaving);
    await this.#until(
      'all deleted topics are gone',
      200_000,
      () => this.checker.cluster?.deletedTopics.size === 0,
    );
    await this.#until(
      'all brokers serve again',
      200_000,
      () => this.#everybodyRegistered() && this.#everythingServed(),
    );
    await this.#comeToRest();
    this.isOver = true;
    let isReadBack = false;
    const readBack = async (): Promise<void> => {
      for (const { topicId, partitions } of this.topics) {
        for (let partition = 0; partition < partitions; partition++) await this.#readBack(topicId, partition);
      }
      isReadBack = true;
    };
    readBack().catch((error: unknown) => {
      this.time.fail(error);
    });
    await this.#until('everything has been read back', 100_000, () => isReadBack);
  }

  /** When all is flushed no memory of records is held any more, and what retention does not keep is gone. */
  async #comeToRest(): Promise<void> {
    const brokers = this.nodes.filter(({ isAlive }) => isAlive);
    let isAtRest = false;
    const flush = async (): Promise<void> => {
      while (brokers.some(({ log: { budget } }) => budget.usedBytes > 0 || budget.waiting > 0)) {
        for (const { log } of brokers) for (const group of log.log?.groups ?? []) await log.log?.flush(group);
        await sleep(this.time.environment, 20);
      }
      for (const { log } of brokers) await log.retain();
      isAtRest = true;
    };
    flush().catch((error: unknown) => {
      this.time.fail(error);
    });
    await this.#until('nothing is held in memory any more', 100_000, () => isAtRest);
    for (const topic of this.checker.cluster?.topics.values() ?? []) {
      const { retentionBytes } = retentionLimits(topic.configs, this.checker.cluster?.configs ?? {});
      for (let partition = 0; retentionBytes >= 0 && partition < topic.partitions; partition++) {
        const excess = this.checker.segmentsFrom(topic.topicId, partition)?.slice(1) ?? [];
        const left = excess.reduce((sum, ref) => sum + ref.sizeBytes, 0);
        if (excess.length > 0 && left >= retentionBytes)
          throw new InvariantViolation(
            'retention',
            `${topic.topicId}/${partition} has ${left} bytes without its first segment, retention.bytes=${retentionBytes}`,
          );
      }
    }
  }

  async #readBack(topicId: string, partition: number): Promise<void> {
    const history = this.checker.history(topicId, partition);
    let position = this.checker.logStart(topicId, partition);
    for (let failures = 0; position < history.end;) {
      const node = this.nodes.find(
        (candidate) => candidate.isAlive && candidate.log.log?.served(topicId, partition) !== undefined,
      );
      try {
        // The process may be killed meanwhile, and then never answers.
        const unanswered = sleep(this.time.environment, 5_000).then(() => undefined);
        const result = await Promise.race([node?.log.read(topicId, partition, position, 5_000), unanswered]);
        if (result?.sizeBytes === 0)
          throw new InvariantViolation(
            'durability',
            `${history.name}: nothing to read at ${position}, the log ends at ${history.end}`,
          );
        if (result !== undefined)
          position = this.#compare(history.name, topicId, partition, position, result.pieces);
        result?.release();
        if (result !== undefined) continue;
      } catch (error) {
        if (!(error instanceof LogError) || !error.retriable) throw error;
      }
      // A verdict of the last moment may have moved the group once more.
      if (++failures > 1_000)
        throw new InvariantViolation('liveness', `${history.name}: nobody serves it at the end`);
      await sleep(this.time.environment, 100);
    }
  }

  #compare(
    name: string,
    topicId: string,
    partition: number,
    position: number,
    pieces: readonly Uint8Array[],
  ): number {
    const history = this.checker.history(topicId, partition);
    let next = position;
    for (const { baseOffset, crc } of batchesOf(pieces)) {
      const seen = history.at(baseOffset);
      if (seen?.crc !== crc || baseOffset > next)
        throw new InvariantViolation('immutability', `${name}: read back something else at ${next}`);
      next = seen.lastOffset + 1;
    }
    return next;
  }

  #everybodyRegistered(): boolean {
    return this.nodes.every(({ id, log }) => {
      const entry = this.checker.cluster?.brokers.get(id);
      return entry !== undefined && entry.state !== 'dead' && entry.sid === log.sid;
    });
  }

  #everythingServed(): boolean {
    const state = this.checker.cluster;
    if (state === undefined) return false;
    const live = this.nodes.filter(({ isAlive }) => isAlive);
    return this.topics.every(({ topicId, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => partition).every((partition) =>
        live.some(({ log }) => {
          const served = log.log?.served(topicId, partition);
          return (
            served !== undefined &&
            served.group.phase === 'serving' &&
            state.assignments.get(served.group.id)?.broker === log.context.broker.id
          );
        }),
      ),
    );
  }

  async #createTopics(): Promise<void> {
    const layouts: { name: string; groups: readonly (readonly [number, number, number])[] }[] = [
      { name: 'narrow', groups: extendGroups([], { before: 0, after: 8 }, false) },
      // Groups of several partitions need more than 64 partitions by the rule; the log itself takes any layout.
      { name: 'wide', groups: [[0, 12, 4]] },
    ];
    for (const { name, groups } of layouts) {
      const topicId = Buffer.from(this.random.bytes(16)).toString('hex');
      const partitions = groups.reduce((sum, [, count]) => sum + count, 0);
      const configs = this.random.pick(this.profile.retention);
      await this.change((state) => {
        const created = createTopic(state, { name, topicId, partitions, internal: false, configs });
        if (created instanceof ChangeRefused) return created;
        return withLayout(created, name, groups);
      });
      this.topics.push({ topicId, partitions });
    }
  }

  /** A change of the cluster state by some live broker, as a controller would make it. Gives up silently when it cannot. */
  async change(change: (state: ClusterState) => ClusterState | ChangeRefused): Promise<void> {
    const node = this.random.pick(
      this.nodes.filter((candidate) => candidate.isAlive && candidate.log.log?.session.live === true),
    );
    await this.time.drive(() => node.log.cluster.change(change));
  }

  async #until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
    const { reason } = await this.time.run({ until: condition, untilMs: this.time.nowMs + limitMs });
    if (reason !== 'until')
      throw new InvariantViolation('liveness', `after ${limitMs} virtual ms it is still not so that ${what}`);
  }

  #counts(): Record<CountName, number> {
    const counts = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>;
    for (const { log } of [...this.nodes, ...this.retired]) {
      const { counters } = log.context;
      counts.takeovers += counters.takeovers;
      counts.handOvers += counters.handovers;
      counts.sessionDeaths += counters.sessionDeaths;
      counts.trimRaces += counters.trimRaces;
      counts.segments += counters.segmentsWritten;
      counts.checkpoints += counters.checkpoints;
      counts.sweptSlots += counters.slotsSwept;
    }
    counts.trimsMovedDuringSeals = this.#seals.movedTrims;
    counts.lateLandingsAfterGc = this.store.counters.lateLandingsOnDeletedKeys;
    counts.own412s = this.store.counters.ownConditionFailed;
    counts.unknownCasOutcomes = this.#unknownCas;
    for (const history of this.checker.histories) counts.acknowledged += history.ackedEnd;
    return counts;
  }
}

/** Larger than any batch of a simulated producer. */
const largestBatchBytes = 600;

/** The same topic with another cut into groups, every group where the first of the original ones was placed. */
function withLayout(
  state: ClusterState,
  name: string,
  groups: readonly (readonly [number, number, number])[],
): ClusterState {
  const topic = state.topics.get(name);
  if (topic === undefined) return state;
  const count = groups.reduce((sum, [, partitions, size]) => sum + Math.ceil(partitions / size), 0);
  const assignments = new Map(state.assignments);
  for (const [id] of state.assignments) {
    if (id.startsWith(`${topic.topicId}-`) && Number(id.slice(33)) >= count) assignments.delete(id);
  }
  return { ...state, assignments, topics: new Map(state.topics).set(name, { ...topic, groups }) };
}
