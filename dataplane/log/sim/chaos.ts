import { markDead, raiseFormatVersion } from '../../cluster/broker-changes.ts';
import type { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import { moveAway, reassign } from '../../cluster/reassign.ts';
import { manifestKey } from '../format/keys.ts';
import { deleteOrphans } from '../orphans.ts';
import { Ambush } from './ambush.ts';
import { AmbushTools } from './ambush-tools.ts';
import type { BrokerNode } from './broker-node.ts';
import { PlannedLeaves } from './planned-leaves.ts';
import type { Simulation } from './simulation.ts';
import { TopicChurn } from './topic-churn.ts';
import type { ChaosKind } from './profile.ts';

/**
 * Everything that processes, clocks, operators and failure detectors may do to the log, at random moments (log.md 2.15):
 * among it wrong verdicts on live brokers, two processes with one id, moves back and forth, and kills between two awaits.
 */
export class Chaos {
  readonly #world: Simulation;
  #isOver = false;
  readonly #ambush: Ambush;
  readonly #cutOff = new Set<string>();
  readonly #leaves: PlannedLeaves;
  readonly #churn: TopicChurn;

  constructor(world: Simulation) {
    this.#world = world;
    const tools = new AmbushTools(world, {
      markDead: (node) => {
        this.#markDead(node);
      },
      inside: (node, work) => {
        this.#inside(node, work);
      },
      isOver: () => this.#isOver,
    });
    this.#ambush = new Ambush(world, tools);
    this.#leaves = new PlannedLeaves(world);
    this.#churn = new TopicChurn(world, tools);
  }

  /** Whether some broker that was told to leave still is about it. */
  get isAnyLeaving(): boolean {
    return this.#leaves.isAnyUnderWay;
  }

  start(): void {
    const { profile, random } = this.#world;
    for (const kind of Object.keys(profile.everyMs) as ChaosKind[]) {
      if (Number.isFinite(profile.everyMs[kind])) this.#repeat(kind, profile.everyMs[kind]);
    }
    this.#ambush.start();
    if (profile.mixedFormats)
      this.#world.after(random.between(0, profile.trafficMs), () => {
        this.#change((state) => raiseFormatVersion(state, state.formatVersion + 1));
      });
  }

  stop(): void {
    this.#isOver = true;
    for (const endpoint of this.#cutOff) this.#world.store.setEndpoint(endpoint, undefined);
    for (const node of this.#world.nodes) {
      node.process.resume();
      node.process.unfreezeWallClock();
    }
  }

  #repeat(kind: ChaosKind, meanMs: number): void {
    this.#world.after(this.#world.random.exponential(meanMs), () => {
      if (this.#isOver) return;
      this.#world.note(`chaos: ${kind}`);
      this.#strike(kind);
      this.#repeat(kind, meanMs);
    });
  }

  #strike(kind: ChaosKind): void {
    const { random } = this.#world;
    const node = this.#anyNode();
    if (node === undefined) return;
    switch (kind) {
      case 'kill':
        this.#kill(node);
        return;
      case 'killAtCrossing':
        node.process.atCrossing(1 + random.below(30), () => {
          this.#kill(node);
        });
        return;
      case 'pause':
        this.#pause(node);
        return;
      case 'markDead':
        this.#markDead(node);
        return;
      case 'reassign':
        this.#reassign(random.pick([1, 1, 3]));
        return;
      case 'flap':
        this.#reassign(2);
        this.#world.after(random.between(0, 60), () => {
          this.#reassign(2);
        });
        return;
      case 'moveAway':
        this.#moveAway(node);
        return;
      case 'impostor':
        // A second process with the same id: the one that registers last wins, the other one has to go.
        this.#world.startNode(node.id);
        return;
      case 'clock':
        this.#clock(node);
        return;
      case 'sweep':
        this.#inside(node, () => node.log.sweep());
        return;
      case 'trim':
        this.#inside(node, () => node.log.log?.housekeeping());
        return;
      case 'deleteRecords':
        this.#deleteRecords(node);
        return;
      case 'leave':
        this.#leaves.leave(node);
        if (random.chance(0.3))
          this.#world.after(random.logBetween(1, 200), () => {
            this.#markDead(node);
          });
        return;
      case 'stall':
        this.#stall(node);
        return;
      case 'retain':
        this.#inside(node, () => node.log.retain());
        return;
      case 'topicTurn':
        this.#churn.turn();
        return;
      case 'topicWrite':
        this.#churn.write();
        return;
      case 'orphans':
        this.#inside(node, () => {
          const [group] = node.log.log?.groups ?? [];
          return group?.exclusive(() => deleteOrphans(group, node.log.context));
        });
        return;
      case 'zoneLoss':
        for (const other of this.#world.nodes.filter(({ zone }) => zone === node.zone)) this.#kill(other);
        return;
      case 'cutOff':
        this.#cut(node);
        return;
      case 'unaware':
        this.#ambush.unaware(node);
        return;
      case 'schedule':
        this.#ambush.schedule();
        return;
    }
  }

  #anyNode(): BrokerNode | undefined {
    const alive = this.#world.nodes.filter(({ isAlive }) => isAlive);
    return alive.length === 0 ? undefined : this.#world.random.pick(alive);
  }

  /** Work of the process itself; whatever it rejects with is the process's business. */
  #inside(node: BrokerNode, work: () => Promise<unknown> | undefined): void {
    node.process.receive(() => {
      Promise.resolve(work()).catch((error: unknown) => {
        this.#world.note(`broker-${node.id}: ${error instanceof Error ? error.message : String(error)}`);
      });
    });
  }

  #kill(node: BrokerNode): void {
    if (!node.isAlive) return;
    const { random } = this.#world;
    this.#world.note(`kill broker-${node.id}`);
    node.process.kill();
    this.#world.retire(node);
    if (random.chance(0.5))
      this.#world.after(random.between(1, 400), () => {
        this.#markDead(node);
      });
    this.#world.after(random.between(5, 900), () => {
      if (!this.#world.nodes.some(({ id, isAlive }) => id === node.id && isAlive))
        this.#world.startNode(node.id);
    });
  }

  #pause(node: BrokerNode): void {
    const { random } = this.#world;
    const pauseMs = random.logBetween(2, 3_000);
    if (random.chance(0.5)) node.process.pause(pauseMs);
    else {
      // Right before or after something leaves or arrives: the worst moments.
      node.process.atCrossing(1 + random.below(20), () => {
        node.process.pause(pauseMs);
      });
    }
    if (random.chance(0.6))
      this.#world.after(random.between(0, pauseMs), () => {
        this.#markDead(node);
      });
  }

  /** A failure detector's verdict, right or wrong. */
  #markDead(node: BrokerNode): void {
    this.#change((state, by) => {
      const entry = state.brokers.get(node.id);
      const judge = state.brokers.get(by.id);
      if (entry === undefined || judge === undefined || by.id === node.id) return state;
      return markDead(state, {
        id: node.id,
        sid: entry.sid,
        by: { id: by.id, sid: judge.sid },
        evidence: 'gone',
      });
    }, node);
  }

  #reassign(groups: number): void {
    const { random } = this.#world;
    const target = this.#anyNode();
    if (target === undefined) return;
    const topics = [...(this.#world.checker.cluster?.topics ?? [])];
    if (topics.length === 0) return;
    const [topicName, topic] = random.pick(topics);
    const chosen = new Set(Array.from({ length: groups }, () => random.pick(groupsOf(topic))));
    const moves = [...chosen].flatMap((group) =>
      Array.from({ length: group.count }, (_, index) => ({
        topic: topicName,
        partition: group.firstPartition + index,
        to: target.id,
      })),
    );
    this.#change((state) => reassign(state, moves));
  }

  /**
   * The last change of all gives a group back to a broker that is just releasing it. Nothing that happens later reminds the
   * broker of it.
   */
  lastFlap(): void {
    const { nodes, random, checker, store } = this.#world;
    const alive = nodes.filter(
      ({ id, isAlive, log }) =>
        isAlive && log.log !== undefined && checker.cluster?.brokers.get(id)?.state === 'alive',
    );
    const owner = alive.find((node) => [...(node.log.log?.groups ?? [])].length > 0);
    const other = alive.find((node) => node !== owner);
    const group = owner === undefined ? undefined : random.pick([...(owner.log.log?.groups ?? [])]);
    const topic = [...(checker.cluster?.topics ?? [])].find(
      ([, { topicId }]) => topicId === group?.manifest.topicId,
    );
    if (owner === undefined || other === undefined || group === undefined || topic === undefined) return;
    const moves = [...group.partitions.keys()].map((partition) => ({ topic: topic[0], partition }));
    this.#world.note(`last flap of ${group.id} at broker-${owner.id}`);
    // What gives it up takes long enough for the second change to overtake it.
    store.intercept(
      { process: owner.process.name, operation: 'put', key: manifestKey(group.id) },
      { kind: 'delay', applyMs: random.between(20, 500) },
    );
    this.#inside(owner, async () => {
      for (const to of [other.id, owner.id]) {
        await owner.log.cluster.change((state) =>
          reassign(
            state,
            moves.map((move) => ({ ...move, to })),
          ),
        );
      }
    });
  }

  #moveAway(node: BrokerNode): void {
    const { sid } = node.log;
    if (sid !== undefined) this.#change((state) => moveAway(state, { id: node.id, sid }));
  }

  #clock(node: BrokerNode): void {
    const { random } = this.#world;
    const what = random.below(4);
    if (what === 0) node.process.jumpWallClock(Math.round(random.between(-2, 2) * 86_400_000));
    else if (what === 1) node.process.freezeWallClock();
    else if (what === 2) node.process.unfreezeWallClock();
    else node.process.setClockRate(random.between(0.9, 1.1));
  }

  /** A client deletes records, often while their group is being flushed, moved or taken over. */
  #deleteRecords(node: BrokerNode): void {
    const { random, checker } = this.#world;
    const groups = node.log.log?.groups ?? [];
    if (groups.length === 0) return;
    const group = random.pick(groups);
    const { topicId, partition, highWatermark } = random.pick([...group.partitions.values()]);
    const offset = random.chance(0.2) ? -1 : random.below(highWatermark + 1);
    const history = checker.history(topicId, partition);
    const meanwhile = random.pick(['nothing', 'flush', 'move', 'death'] as const);
    if (meanwhile === 'flush') this.#inside(node, () => node.log.log?.flush(group));
    if (meanwhile === 'move') this.#reassign(3);
    if (meanwhile === 'death') this.#markDead(node);
    // Upon -1 the broker deletes up to its own high watermark, whatever that will be.
    checker.retention.asks(history, offset === -1 ? Infinity : offset);
    this.#inside(node, async () => {
      const logStart = await node.log.deleteRecords(topicId, partition, offset);
      if (logStart < offset || checker.logStart(topicId, partition) < logStart)
        checker.violation(
          'retention',
          `${history.name}: records up to ${offset} are said to be deleted, the log start to be ${logStart}`,
        );
    });
  }

  /** What a broker writes takes long, or very long, to take effect. */
  #stall(node: BrokerNode): void {
    const { random, store } = this.#world;
    const stalled = store.intercept(
      { process: node.process.name, operation: 'put', times: Infinity },
      { kind: 'delay', applyMs: random.logBetween(30, 1_500) },
    );
    this.#world.after(random.logBetween(50, 1_500), () => {
      stalled.stop();
    });
  }

  #cut(node: BrokerNode): void {
    const { random, store } = this.#world;
    const endpoint = node.process.name;
    store.setEndpoint(endpoint, random.pick(['unreachable', 'black-hole', 'deaf'] as const));
    this.#cutOff.add(endpoint);
    this.#world.after(random.logBetween(20, 1_500), () => {
      store.setEndpoint(endpoint, undefined);
    });
  }

  #change(
    change: (state: ClusterState, by: BrokerNode) => ClusterState | ChangeRefused,
    not?: BrokerNode,
  ): void {
    const candidates = this.#world.nodes.filter(
      (node) => node !== not && node.process.state === 'running' && node.log.log?.session.live === true,
    );
    if (candidates.length === 0) return;
    const by = this.#world.random.pick(candidates);
    this.#inside(by, () => by.log.cluster.change((state) => change(state, by)));
  }
}
