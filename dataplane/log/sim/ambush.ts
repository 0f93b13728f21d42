import type { AnswerEvent, RequestEvent } from '../../store/simulated/observation.ts';
import { parseManifestKey, parseSlotKey, parseTrimKey } from '../format/keys.ts';
import type { AmbushTools, NamedGroup } from './ambush-tools.ts';
import type { BrokerNode } from './broker-node.ts';
import { askEnd } from './consumer.ts';
import { deafOwner } from './deaf-owner.ts';
import { LateAcquisition } from './late-acquisition.ts';
import { lostRelease } from './lost-release.ts';
import type { Simulation } from './simulation.ts';

/**
 * Situations that chance rarely brings about, and in which single rules of the protocol are all that protects the log:
 * a broker that is dead for all others, does not know it and goes on writing, trimming, answering and acquiring; and
 * brokers that sleep between two steps of which the second relies on the first.
 */
export class Ambush {
  readonly #world: Simulation;
  readonly #tools: AmbushTools;
  #isScheduled = false;

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
        if (!this.#tools.isOver) this.#tools.inside(node, () => node.log.log?.housekeeping());
      });
    }
  }

  /** One schedule at a time: they declare brokers dead, and each needs others alive. */
  schedule(): void {
    if (this.#isScheduled || this.#world.profile.ambushShare === 0) return;
    const tools = this.#tools;
    const candidates = tools.candidates().filter((node) => (node.log.log?.groups.length ?? 0) > 0);
    if (candidates.length < 2) return;
    const { random, time } = this.#world;
    const node = random.pick(candidates);
    const { sid } = node.log;
    if (sid === undefined) return;
    const foreign = tools.groups().filter(({ group }) => {
      const owner = this.#world.checker.ownerOf(group.id);
      return candidates.some((other) => other !== node && other.log.sid === owner);
    });
    this.#isScheduled = true;
    const play = this.#pickSchedule(node, sid, foreign);
    play.then(
      () => {
        this.#isScheduled = false;
      },
      (error: unknown) => {
        time.fail(error);
      },
    );
  }

  #pickSchedule(node: BrokerNode, sid: string, foreign: readonly NamedGroup[]): Promise<void> {
    const { random } = this.#world;
    const tools = this.#tools;
    const which = random.pick(['deaf', 'deaf', 'late', 'late', 'released'] as const);
    if (which === 'late' && foreign.length > 0)
      return new LateAcquisition(this.#world, tools, node, sid, random.pick(foreign)).play();
    const owned = tools.groups().filter(({ group }) => this.#world.checker.ownerOf(group.id) === sid);
    if (which === 'released' && owned.length > 0)
      return lostRelease(this.#world, tools, node, random.pick(owned));
    return deafOwner(this.#world, tools, node);
  }

  /** A client with old metadata asks the broker for the end of one of its partitions. */
  #ask(node: BrokerNode): void {
    const groups = node.isAlive && !this.#tools.isOver ? [...(node.log.log?.groups ?? [])] : [];
    if (groups.length === 0) return;
    const { random } = this.#world;
    const { topicId, partition } = random.pick([...random.pick(groups).partitions.values()]);
    askEnd(this.#world, node, topicId, partition);
  }

  #blind(node: BrokerNode, forMs: number): void {
    const blind = this.#tools.blind(node);
    this.#world.after(forMs, () => {
      blind.stop();
    });
  }

  #sweepSoon(node: BrokerNode, withinMs: number): void {
    this.#world.after(this.#world.random.between(0, withinMs), () => {
      this.#tools.sweepElsewhere(node);
    });
  }

  #requested(event: RequestEvent): void {
    if (event.operation !== 'put' || this.#tools.isOver) return;
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
    if (event.operation !== 'get' || event.answer !== 'found' || this.#tools.isOver) return;
    const sid = event.key.endsWith('/trim') ? parseTrimKey(event.key)?.sid : undefined;
    const { random, profile } = this.#world;
    if (sid === undefined || !random.chance(profile.ambushShare * 9)) return;
    const taker = this.#nodeOf(event);
    const owner = this.#world.nodes.find((node) => node.log.sid === sid && node.isAlive);
    if (taker === undefined || owner === undefined || taker === owner) return;
    // A taker sleeps after it has read the trim of a session that still trims.
    this.#world.note(`ambush: broker-${taker.id} has read the trim of broker-${owner.id}`);
    const pauseMs = random.logBetween(20, 500);
    taker.process.pause(pauseMs);
    this.#blind(owner, pauseMs);
    const flushes = random.pick(['all', 'oldest'] as const);
    for (let count = 0; count < 3; count++) {
      this.#world.after(random.between(0, pauseMs), () => {
        this.#trimNow(owner, flushes);
      });
    }
  }

  /** Flushes the group that holds the trim back and no other, so that the trim moves to a slot that others need; or all. */
  #trimNow(owner: BrokerNode, flushes: 'all' | 'oldest'): void {
    this.#tools.inside(owner, async () => {
      const { log } = owner.log;
      if (log === undefined) return;
      const needed = log.neededSlot();
      const due = [...log.groups].filter(
        (group) => flushes === 'all' || group.firstUnflushedSlot() === needed,
      );
      await Promise.all((flushes === 'all' ? due : due.slice(0, 1)).map((group) => log.flush(group)));
      await log.trimmer.advance(log.neededSlot());
    });
  }

  #nodeOf(event: RequestEvent): BrokerNode | undefined {
    return this.#world.nodes.find((node) => node.isAlive && node.process.name === event.process);
  }
}
