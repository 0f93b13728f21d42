import { VirtualRandom } from '../../runtime/virtual-random.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { sleep } from '../../runtime/runtime.ts';
import { allFaults, noFaults } from '../../store/simulated/faults.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { markDead } from '../../cluster/broker-changes.ts';
import { placementPolicyConfig } from '../../cluster/home-zone.ts';
import { reassign } from '../../cluster/reassign.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import { createTopics } from '../../protocol/api/create-topics.ts';
import { errorCode } from '../../protocol/error-code.ts';
import { BrokerNode } from './broker-node.ts';
import type { BrokerSimulation } from './broker-simulation.ts';
import { topicName } from './client-router.ts';
import { History } from './history.ts';
import { NoAnswer, SimulatedClient } from './simulated-client.ts';
import { SimulatedCommitter } from './simulated-committer.ts';
import { SimulatedMember } from './simulated-member.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { SimulatedProducer } from './simulated-producer.ts';
import { SimulatedReader } from './simulated-reader.ts';
import { BrokerViolation, brokenInvariant } from './violation.ts';
import type { Invariant } from './violation.ts';

export const countNames = [
  'acknowledged',
  'reads',
  'commits',
  'kills',
  'pauses',
  'moves',
  'replaced',
  'brokenConnections',
  'cuts',
  'redirects',
  'zoneReads',
] as const;
export type CountName = (typeof countNames)[number];

export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  readonly violation: string | undefined;
  /** `undefined` with a violation: the run failed otherwise, which is a fault of the simulator. */
  readonly invariant: Invariant | undefined;
  readonly counts: Readonly<Record<CountName, number>>;
}

const brokers = 3;
/** Of one phase: who goes round in circles is found before the time is up. Whole seeds take 10,000. */
const mostSteps = 60_000;

/**
 * Brokers behind Kafka's protocol, over a simulated store and network, with clients that speak that protocol: producers,
 * readers, members of a group, committers. All of it follows from the seed.
 */
export class BrokerWorld implements BrokerSimulation {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly history = new History();
  readonly partitions = 4;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
  readonly trace: string[] = [];
  readonly isCalm: boolean;
  /** Nothing fails but connections between brokers, for as long as they like: nobody may be taken for dead. */
  readonly isLinksOnly: boolean;
  isEnding = false;
  isOver = false;
  readonly #nodes = new Map<number, BrokerNode>();
  readonly #isTracing: boolean;
  readonly #counts: Record<CountName, number> = {
    acknowledged: 0,
    reads: 0,
    commits: 0,
    kills: 0,
    pauses: 0,
    moves: 0,
    replaced: 0,
    brokenConnections: 0,
    cuts: 0,
    redirects: 0,
    zoneReads: 0,
  };

  constructor(seed: number, isTracing = false) {
    this.seed = seed;
    this.#isTracing = isTracing;
    this.time = new VirtualTime({ seed });
    this.random = new VirtualRandom(seed, 'broker-world');
    // Every fifth seed has no faults: what is wrong there is wrong every day.
    this.isCalm = seed % 5 === 0;
    this.isLinksOnly = seed % 5 === 1;
    this.network = new SimulatedNetwork(this.time.environment, new VirtualRandom(seed, 'network'));
    this.network.breakShare = this.isCalm ? 0 : 0.002;
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: localLatencies,
      faults: this.isCalm || this.isLinksOnly ? noFaults : allFaults,
      onViolation: (violation) => {
        this.time.fail(violation);
      },
    });
  }

  newClient(name: string): SimulatedClient {
    return new SimulatedClient(name, {
      network: this.network,
      world: this.time.environment,
      timeoutMs: 700,
      fail: (error) => {
        this.time.fail(error);
      },
    });
  }

  anyAddress(): string {
    return `broker-${this.random.below(brokers)}:9092`;
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.time.environment, ms);
  }

  run(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.time.fail(error);
    });
  }

  note(what: string): void {
    if (this.#isTracing) this.trace.push(`${this.time.nowMs.toFixed(2)} ${what}`);
  }

  async play(): Promise<SeedResult> {
    let violation: string | undefined;
    let invariant: Invariant | undefined;
    try {
      await this.#play();
    } catch (error) {
      violation = error instanceof Error ? error.message : String(error);
      invariant = brokenInvariant(error);
      if (this.#isTracing && error instanceof Error)
        this.trace.push((error.cause instanceof Error ? error.cause.stack : error.stack) ?? '');
    }
    const { acknowledged, reads, commits, redirects, zoneReads } = this.history;
    const counts = { ...this.#counts, acknowledged, reads, commits, redirects, zoneReads };
    return { seed: this.seed, steps: this.time.steps, violation, invariant, counts };
  }

  async #play(): Promise<void> {
    for (let id = 0; id < brokers; id++) this.#start(id);
    let isCreated = false;
    this.run(
      this.#createTopic().then(() => {
        isCreated = true;
      }),
    );
    await this.#until('the topic is created', 120_000, () => isCreated);
    const producers = Array.from(
      { length: 6 },
      (_, at) => new SimulatedProducer(this, `p${at}`, at % this.partitions, 40),
    );
    for (const producer of producers) producer.start();
    const all = Array.from({ length: this.partitions }, (_, partition) => partition);
    const readers = [
      new SimulatedReader(this, 'r0', all),
      new SimulatedReader(this, 'r1', all.slice(1)),
      // From a broker of their zone, whichever it is.
      ...[0, 1].map((zone) => new SimulatedReader(this, `z${zone}`, all, `zone-${zone}`)),
    ];
    for (const reader of readers) reader.start();
    const members = [0, 1, 2].map((at) => new SimulatedMember(this, 'members', `m${at}`));
    for (const member of members) member.start();
    new SimulatedCommitter(this, 'alone', 0).start();
    new SimulatedCommitter(this, 'lonely', 1).start();
    if (!this.isCalm) this.#chaos();
    await this.time.run({ untilMs: this.time.nowMs + (this.isLinksOnly ? 30_000 : 8_000) });
    await this.#end(producers, readers, members);
  }

  /** Liveness: once the faults have stopped everybody gets on, and everything is there. */
  async #end(
    producers: readonly SimulatedProducer[],
    readers: readonly SimulatedReader[],
    members: readonly SimulatedMember[],
  ): Promise<void> {
    this.isEnding = true;
    this.network.breakShare = 0;
    this.network.links.heal();
    this.store.calm();
    for (let id = 0; id < brokers; id++) {
      const node = this.#nodes.get(id);
      if (node?.isAlive !== true) this.#start(id);
      else node.process.resume();
    }
    await this.#until('all producers are done', 200_000, () => producers.every(({ isDone }) => isDone));
    const isRead = (): boolean => readers.every(({ hasReadAll }) => hasReadAll);
    await this.#until('all readers have reached the end', 200_000, isRead);
    const isShared = (): boolean => {
      const assigned = members.flatMap((member) => member.assigned);
      return assigned.length === this.partitions && new Set(assigned).size === this.partitions;
    };
    await this.#until('the group has shared out all partitions', 200_000, isShared);
    this.isOver = true;
    await this.#readBack();
  }

  /** Everything once more, by a client that knows nothing. */
  async #readBack(): Promise<void> {
    this.isOver = false;
    const reader = new SimulatedReader(
      this,
      'final',
      Array.from({ length: this.partitions }, (_, partition) => partition),
    );
    reader.start();
    await this.#until('everything is read back', 200_000, () =>
      Array.from({ length: this.partitions }, (_, partition) => partition).every(
        (partition) => reader.position(partition) >= this.history.acknowledgedEnd(partition),
      ),
    );
    this.isOver = true;
    for (let partition = 0; partition < this.partitions; partition++) this.history.checkOrder(partition);
  }

  #start(id: number): void {
    const node = new BrokerNode(
      {
        time: this.time,
        store: this.store,
        network: this.network,
        attemptTimeoutMs: 400,
        options: {
          maxLingerMs: 10,
          flushGroupBytes: 4_000,
          flushIntervalMs: 1_500,
          housekeepingIntervalMs: 300,
          checkpointSlots: 16,
          sweepIntervalMs: 2_000,
          retentionCheckIntervalMs: 2_000,
          readConfirmationMs: 300,
          readChunkBytes: 4_096,
          readAheadBytes: 8_192,
          hotCacheBytes: 4_096,
          coldCacheBytes: 6_000,
        },
      },
      id,
      {
        exited: () => {
          this.time.environment.after(200, () => {
            if (this.#nodes.get(id)?.isAlive !== true) this.#start(id);
          });
        },
        logged: ({ id: from }, line) => {
          this.note(`broker-${from}: ${line.trimEnd()}`);
          if (this.isLinksOnly && line.includes('"suspicion: mark-dead"') && line.includes('"applied"'))
            this.time.fail(new BrokerViolation('no needless death', `broker-${from}: ${line.slice(0, 500)}`));
          // A handler that rejects is a bug, whatever the connection does about it.
          if (/"name":"(TypeError|RangeError|AssertionError|ProtocolError)"/.test(line))
            this.time.fail(new BrokerViolation('answers', `broker-${from}: ${line.slice(0, 500)}`));
        },
      },
    );
    this.#nodes.set(id, node);
  }

  #chaos(): void {
    const again = (meanMs: number, act: () => void): void => {
      this.time.environment.after(this.random.between(meanMs / 4, meanMs * 2), () => {
        if (this.isEnding) return;
        act();
        again(meanMs, act);
      });
    };
    again(700, () => {
      this.#move();
    });
    again(800, () => {
      this.#counts.brokenConnections += 1;
      this.network.breakAll(this.#anyNode()?.process);
    });
    again(1_000, () => {
      this.#cutLink();
    });
    if (this.isLinksOnly) return;
    again(1_500, () => {
      this.#kill();
    });
    again(1_500, () => {
      const node = this.#anyNode();
      if (node === undefined) return;
      this.#counts.pauses += 1;
      node.process.pause(this.random.between(20, 2_000));
    });
    again(1_200, () => {
      this.#replaceAbsent();
    });
    again(900, () => {
      const node = this.#anyNode();
      const nth = 1 + this.random.below(30);
      node?.process.atCrossing(nth, () => {
        if (!this.isEnding) this.#kill(node);
      });
    });
  }

  #anyNode(): BrokerNode | undefined {
    const alive = [...this.#nodes.values()].filter(({ isAlive }) => isAlive);
    return alive.length === 0 ? undefined : this.random.pick(alive);
  }

  #kill(node = this.#anyNode()): void {
    if (node === undefined || !node.isAlive) return;
    this.note(`kill broker-${node.id}`);
    this.#counts.kills += 1;
    node.process.kill();
    this.time.environment.after(this.random.between(10, 800), () => {
      if (this.#nodes.get(node.id) === node) this.#start(node.id);
    });
  }

  /** A broker stands still, another one takes its groups over, and it goes on without knowing: a zombie. */
  #replaceAbsent(): void {
    const victim = this.#anyNode();
    const judge = [...this.#nodes.values()].find(
      (node) => node !== victim && node.isAlive && node.process.state === 'running',
    );
    const [victimSid, judgeSid] = [victim?.broker.log.sid, judge?.broker.log.sid];
    if (victim === undefined || judge === undefined || victimSid === undefined || judgeSid === undefined)
      return;
    this.note(`broker-${victim.id} stands still and is declared dead`);
    this.#counts.replaced += 1;
    const awayMs = this.random.between(300, 4_000);
    victim.process.pause(awayMs);
    // Nobody tells it when it goes on, at least for a while.
    if (this.random.chance(0.7)) this.#cutOff(victim.id, awayMs + this.random.between(200, 3_000));
    judge.process.receive(() => {
      const verdict = {
        id: victim.id,
        sid: victimSid,
        by: { id: judge.id, sid: judgeSid },
        evidence: 'gone',
      } as const;
      judge.broker.log.cluster.change((state) => markDead(state, verdict)).catch(() => undefined);
    });
  }

  /** In one direction or both, for a moment or for longer than anybody waits; flapping comes of it too. */
  #cutLink(): void {
    const from = this.random.below(brokers);
    const to = (from + 1 + this.random.below(brokers - 1)) % brokers;
    const isBoth = this.random.chance(0.5);
    this.#counts.cuts += 1;
    this.note(`cut ${from}>${to}${isBoth ? ' and back' : ''}`);
    const forMs = this.random.between(50, this.isLinksOnly ? 40_000 : 4_000);
    this.network.links.cut(`broker-${from}`, `broker-${to}`, forMs);
    if (isBoth) this.network.links.cut(`broker-${to}`, `broker-${from}`, forMs);
  }

  #cutOff(id: number, forMs: number): void {
    for (let other = 0; other < brokers; other++) {
      if (other === id) continue;
      this.network.links.cut(`broker-${id}`, `broker-${other}`, forMs);
      this.network.links.cut(`broker-${other}`, `broker-${id}`, forMs);
    }
  }

  /** A group goes to another broker, as an administrator or the operator would have it. */
  #move(): void {
    const node = this.#anyNode();
    const state = node?.broker.view.state;
    if (node === undefined || state === undefined || node.process.state !== 'running') return;
    const topics = [...state.topics];
    if (topics.length === 0) return;
    const [topic, entry] = this.random.pick(topics);
    const group = this.random.pick(groupsOf(entry));
    const to = this.random.below(brokers);
    const moves = Array.from({ length: group.count }, (_, at) => ({
      topic,
      partition: group.firstPartition + at,
      to,
    }));
    this.note(`move ${topic} ${group.firstPartition} to broker-${to}`);
    this.#counts.moves += 1;
    node.process.receive(() => {
      node.broker.log.cluster.change((current) => reassign(current, moves)).catch(() => undefined);
    });
  }

  async #createTopic(): Promise<void> {
    const client = this.newClient('admin');
    for (;;) {
      try {
        const { topics } = await client.request(this.anyAddress(), createTopics, 6, {
          topics: [
            {
              name: topicName,
              numPartitions: this.partitions,
              replicationFactor: 3,
              assignments: [],
              // In every third seed brokers bring it home again and again.
              configs: this.seed % 3 === 0 ? [{ name: placementPolicyConfig, value: 'HomeZone' }] : [],
            },
          ],
          timeoutMs: 1_000,
        });
        const code = topics[0]?.errorCode;
        if (code === 0 || code === errorCode.TOPIC_ALREADY_EXISTS) break;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.sleep(100);
    }
    client.close();
  }

  async #until(what: string, withinMs: number, holds: () => boolean): Promise<void> {
    const { reason } = await this.time.run({
      untilMs: this.time.nowMs + withinMs,
      until: holds,
      maxSteps: mostSteps,
    });
    if (reason !== 'until')
      throw new BrokerViolation('liveness', `not within ${withinMs} ms, or ${mostSteps} steps: ${what}`);
  }
}
