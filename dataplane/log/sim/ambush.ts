import { clusterKey } from '../../cluster/cluster-state.ts';
import type { AnswerEvent, RequestEvent } from '../../store/simulated/observation.ts';
import { parseManifestKey, parseSlotKey, parseTrimKey } from '../format/keys.ts';
import type { BrokerNode } from './broker-node.ts';
import { askEnd } from './consumer.ts';
import type { Simulation } from './simulation.ts';

/** What an ambush needs of the rest of the chaos. */
export interface AmbushTools {
  readonly markDead: (node: BrokerNode) => void;
  readonly inside: (node: BrokerNode, work: () => Promise<unknown> | undefined) => void;
  readonly isOver: () => boolean;
}

/**
 * Situations that chance rarely brings about, and in which single rules of the protocol are all that protects the log:
 * a broker that is dead for all others, does not know it and goes on writing, trimming, answering and acquiring; and
 * brokers that sleep between two steps of which the second relies on the first.
 */
export class Ambush {
  readonly #world: Simulation;
  readonly #tools: AmbushTools;

  constructor(world: Simulation, tools: AmbushTools) {
    this.#world = world;
    this.#tools = tools;
  }

  start(): void {
    const { store, profile } = this.#world;
    if (profile.ambushShare === 0) return;
    store.onRequest((event) => {
      this.#requested(event);
    });
    store.onAnswer((event) => {
      this.#answered(event);
    });
  }

  /**
   * Declares a live broker dead and keeps it from reading `meta/cluster` for a while. Often the answers to its slots are
   * lost too, or some slots themselves, so that it lives on without reaching the fence; others flush and sweep meanwhile.
   */
  unaware(node: BrokerNode): void {
    const { random, store } = this.#world;
    const untilMs = random.logBetween(150, 2_500);
    this.#blind(node, untilMs);
    const { sid } = node.log;
    const slots = random.pick([
      'fine',
      'answer-lost',
      'answer-lost',
      'request-lost',
      'request-lost',
    ] as const);
    if (slots !== 'fine') {
      const skip = random.below(3);
      const where = ({ key }: RequestEvent): boolean => parseSlotKey(key)?.sid === sid;
      const lost = store.intercept(
        { process: node.process.name, operation: 'put', where, skip, times: random.pick([1, 2, 1_000]) },
        { kind: slots },
      );
      this.#world.after(untilMs * random.between(0.5, 1.2), () => {
        lost.stop();
      });
    }
    this.#world.after(random.between(0, 60), () => {
      this.#tools.markDead(node);
    });
    for (let count = 1 + random.below(4); count > 0; count--) this.#sweepSoon(node, untilMs);
    for (let count = 0; count < 15; count++) {
      this.#world.after(random.between(0.1, 1) * untilMs, () => {
        this.#ask(node);
      });
    }
    for (let count = random.below(3); count > 0; count--) {
      this.#world.after(random.between(0, untilMs), () => {
        if (!this.#tools.isOver()) this.#tools.inside(node, () => node.log.log?.housekeeping());
      });
    }
  }

  /** A client with old metadata asks the broker for the end of one of its partitions. */
  #ask(node: BrokerNode): void {
    const groups = node.isAlive && !this.#tools.isOver() ? [...(node.log.log?.groups ?? [])] : [];
    if (groups.length === 0) return;
    const { random } = this.#world;
    const { topicId, partition } = random.pick([...random.pick(groups).partitions.values()]);
    askEnd(this.#world, node, topicId, partition);
  }

  #blind(node: BrokerNode, forMs: number): void {
    const blind = this.#world.store.intercept(
      { process: node.process.name, operation: 'get', key: clusterKey, times: Infinity },
      { kind: 'request-lost' },
    );
    this.#world.after(forMs, () => {
      blind.stop();
    });
  }

  /** Somebody else than `node` flushes what it has taken over, and sweeps. */
  #sweepSoon(node: BrokerNode, withinMs: number): void {
    const { random } = this.#world;
    this.#world.after(random.between(0, withinMs), () => {
      const others = this.#world.nodes.filter((other) => other !== node && other.isAlive);
      if (others.length === 0 || this.#tools.isOver()) return;
      const sweeper = random.pick(others);
      this.#tools.inside(sweeper, async () => {
        await sweeper.log.log?.housekeeping();
        await sweeper.log.sweep();
      });
    });
  }

  #requested(event: RequestEvent): void {
    if (event.operation !== 'put' || this.#tools.isOver()) return;
    const group = parseManifestKey(event.key)?.group;
    const node = this.#nodeOf(event);
    const { random, profile, store, checker } = this.#world;
    if (group === undefined || node?.log.sid === undefined) return;
    const { sid } = node.log;
    // A session is about to acquire a group: others take it for dead while its request is under way.
    if (checker.ownerOf(group) === sid || event.id?.startsWith(`${sid}/`) !== true) return;
    if (!random.chance(profile.ambushShare)) return;
    this.#world.note(`ambush: broker-${node.id} acquires ${group}`);
    const applyMs = random.logBetween(10, 600);
    store.intercept({ process: event.process, operation: 'put', key: event.key }, { kind: 'delay', applyMs });
    this.#blind(node, applyMs + random.logBetween(50, 1_500));
    this.#world.after(random.between(0, applyMs), () => {
      this.#tools.markDead(node);
    });
    for (let count = 0; count < 3; count++) this.#sweepSoon(node, applyMs * 1.2);
    if (random.chance(0.5)) this.#tools.inside(node, () => node.log.log?.housekeeping());
  }

  #answered(event: AnswerEvent): void {
    if (event.operation !== 'get' || event.answer !== 'found' || this.#tools.isOver()) return;
    const sid = event.key.endsWith('/trim') ? parseTrimKey(event.key)?.sid : undefined;
    const { random, profile } = this.#world;
    if (sid === undefined || !random.chance(profile.ambushShare * 5)) return;
    const taker = this.#nodeOf(event);
    const owner = this.#world.nodes.find((node) => node.log.sid === sid && node.isAlive);
    if (taker === undefined || owner === undefined || taker === owner) return;
    // A taker sleeps after it has read the trim of a session that still trims.
    this.#world.note(`ambush: broker-${taker.id} has read the trim of broker-${owner.id}`);
    const pauseMs = random.logBetween(5, 300);
    taker.process.pause(pauseMs);
    for (let count = 0; count < 3; count++) {
      this.#world.after(random.between(0, pauseMs), () => {
        if (!this.#tools.isOver()) this.#trimNow(owner);
      });
    }
  }

  /** Flushes the group that holds the trim back, and no other, so that the trim moves to a slot that others need. */
  #trimNow(owner: BrokerNode): void {
    this.#tools.inside(owner, async () => {
      const { log } = owner.log;
      if (log === undefined) return;
      const needed = log.neededSlot();
      const oldest = [...log.groups].find((group) => group.firstUnflushedSlot() === needed);
      if (oldest !== undefined) await log.flush(oldest);
      await log.trimmer.advance(log.neededSlot());
    });
  }

  #nodeOf(event: RequestEvent): BrokerNode | undefined {
    return this.#world.nodes.find((node) => node.isAlive && node.process.name === event.process);
  }
}
