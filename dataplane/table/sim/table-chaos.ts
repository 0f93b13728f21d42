import { markDead } from '../../cluster/broker-changes.ts';
import type { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { reassign } from '../../cluster/reassign.ts';
import type { ForeignEngine } from './foreign-engine.ts';
import type { TableNode } from './table-node.ts';
import type { ChaosKind } from './table-profile.ts';
import type { TableSimulation } from './table-simulation.ts';

/** What happens to processes, partitions and tables at random moments. */
export class TableChaos {
  readonly #world: TableSimulation;
  readonly #engine: ForeignEngine;
  #isOver = false;
  readonly #cutOff = new Set<string>();

  constructor(world: TableSimulation, engine: ForeignEngine) {
    this.#world = world;
    this.#engine = engine;
  }

  start(): void {
    for (const [kind, meanMs] of Object.entries(this.#world.profile.everyMs) as [ChaosKind, number][])
      if (Number.isFinite(meanMs)) this.#repeat(kind, meanMs);
  }

  stop(): void {
    this.#isOver = true;
    for (const endpoint of this.#cutOff) this.#world.store.setEndpoint(endpoint, undefined);
    for (const node of this.#world.nodes) node.process.resume();
    this.#world.registry.failureShare = 0;
  }

  #repeat(kind: ChaosKind, meanMs: number): void {
    const { random, time } = this.#world;
    time.environment.after(random.exponential(meanMs), () => {
      if (this.#isOver) return;
      this.#world.note(`chaos: ${kind}`);
      this.#strike(kind);
      this.#repeat(kind, meanMs);
    });
  }

  #strike(kind: ChaosKind): void {
    const { random, topics } = this.#world;
    const node = this.#anyNode();
    if (node === undefined || topics.length === 0) return;
    const topic = random.pick(topics);
    switch (kind) {
      case 'kill':
        this.#world.kill(node);
        return;
      case 'pause':
        this.#world.count('pauses');
        this.#pause(node, random.logBetween(5, 2_000));
        return;
      case 'markDead':
        this.#markDead(node);
        return;
      case 'move':
        this.#move();
        return;
      case 'unaware':
        this.#unaware(node);
        return;
      case 'compact':
        this.#world.run(this.#engine.compact(topic));
        return;
      case 'expire':
        this.#world.run(this.#engine.expire(topic));
        return;
      case 'addColumn':
        this.#world.run(this.#engine.addColumn(topic));
        return;
      case 'rollBack':
        this.#world.run(this.#engine.harm(topic, 'rolled back'));
        return;
      case 'removeTag':
        this.#world.run(this.#engine.harm(topic, 'tag removed'));
        return;
      case 'drop':
        this.#world.run(this.#engine.harm(topic, 'dropped'));
        return;
      case 'recreate':
        this.#world.run(this.#engine.harm(topic, 'recreated'));
        return;
      case 'deleteRecords':
        this.#deleteRecords();
        return;
      case 'registryOutage':
        this.#world.registry.failureShare = random.pick([0.3, 1]);
        this.#world.time.environment.after(random.logBetween(20, 800), () => {
          this.#world.registry.failureShare = 0;
        });
    }
  }

  #anyNode(): TableNode | undefined {
    const alive = this.#world.nodes.filter(({ isAlive }) => isAlive);
    return alive.length === 0 ? undefined : this.#world.random.pick(alive);
  }

  #pause(node: TableNode, pauseMs: number): void {
    const { random, time } = this.#world;
    if (random.chance(0.5)) node.process.pause(pauseMs);
    else {
      node.process.atCrossing(1 + random.below(30), () => {
        node.process.pause(pauseMs);
      });
    }
    if (random.chance(0.6))
      time.environment.after(random.between(0, pauseMs), () => {
        this.#markDead(node);
      });
  }

  /** Others take over what it owns, while its own coordinators and workers go on. */
  #unaware(node: TableNode): void {
    const { random, store, time } = this.#world;
    this.#world.count('unawares');
    const endpoint = node.process.name;
    store.setEndpoint(endpoint, random.pick(['unreachable', 'black-hole', 'deaf'] as const));
    this.#cutOff.add(endpoint);
    this.#markDead(node);
    time.environment.after(random.logBetween(100, 3_000), () => {
      store.setEndpoint(endpoint, undefined);
    });
  }

  #markDead(node: TableNode): void {
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

  #move(): void {
    const { random, topics } = this.#world;
    const target = this.#anyNode();
    if (target === undefined) return;
    this.#world.count('moves');
    const { name, partitions } = random.pick(topics);
    // Partition 0 takes the coordinator along.
    const partition = random.chance(0.5) ? 0 : random.below(partitions);
    this.#change((state) => reassign(state, [{ topic: name, partition, to: target.id }]));
  }

  #deleteRecords(): void {
    const { random, topics } = this.#world;
    const { topicId, partitions, history } = random.pick(topics);
    const partition = random.below(partitions);
    const node = this.#world.findLeader(topicId, partition);
    const end = history.acknowledgedEnd(partition);
    if (node === undefined || end === 0) return;
    const offset = random.below(end + 1);
    history.deletes(partition, 0, offset);
    node.process.receive(() => {
      node.broker.log.deleteRecords(topicId, partition, offset).catch(() => undefined);
    });
  }

  #change(
    change: (state: ClusterState, by: TableNode) => ClusterState | ChangeRefused,
    not?: TableNode,
  ): void {
    const candidates = this.#world.nodes.filter(
      (node) =>
        node !== not && node.process.state === 'running' && node.broker.log.log?.session.live === true,
    );
    if (candidates.length === 0) return;
    const by = this.#world.random.pick(candidates);
    by.process.receive(() => {
      by.broker.log.cluster.change((state) => change(state, by)).catch(() => undefined);
    });
  }
}
