import { manifestKey, parseSlotKey, slotKey, trimKey } from '../format/keys.ts';
import type { Interception } from '../../store/simulated/interception.ts';
import type { AmbushTools, NamedGroup } from './ambush-tools.ts';
import type { BrokerNode } from './broker-node.ts';
import type { Simulation } from './simulation.ts';

/**
 * The CAS by which a session acquires a group is under way, with a run from the next slot on, when the session is
 * declared dead; it goes on writing slots, and others sweep them. Then the CAS lands after all, over slots that are gone
 * (log.md 2.6, decision 4.1): only a fence behind all swept slots keeps records of that run out of the log.
 */
export class LateAcquisition {
  readonly #world: Simulation;
  readonly #tools: AmbushTools;
  readonly #node: BrokerNode;
  readonly #sid: string;
  readonly #wanted: NamedGroup;
  readonly #interceptions: Interception[] = [];

  constructor(world: Simulation, tools: AmbushTools, node: BrokerNode, sid: string, wanted: NamedGroup) {
    this.#world = world;
    this.#tools = tools;
    this.#node = node;
    this.#sid = sid;
    this.#wanted = wanted;
  }

  async play(): Promise<void> {
    const hasHole = this.#world.random.chance(0.5);
    const how = hasHole ? 'late, above a hole' : 'late';
    this.#world.note(`ambush: broker-${this.#node.id} acquires ${this.#wanted.group.id} ${how}`);
    try {
      await (hasHole ? this.#aboveHole() : this.#afterReleases());
    } finally {
      for (const interception of this.#interceptions) this.#tools.letGo(interception);
    }
  }

  /**
   * The session has written slots above the run's start and given away all the groups that have records in them. Nobody
   * has a reason to fence it, then, but who sweeps.
   */
  async #afterReleases(): Promise<void> {
    const { store } = this.#world;
    const tools = this.#tools;
    const node = this.#node;
    const acquiring = await this.#acquiring();
    if (acquiring === undefined) return;
    // Its own trim would say that nobody needs these slots any more.
    this.#loseWrites(trimKey(this.#sid));
    const session = node.log.log?.session;
    const slot = session?.nextSlot ?? 0;
    this.#appendToServed();
    if (!(await tools.until(200, () => (session?.durableEnd ?? 0) > slot))) return;
    const other = tools.candidates().find((candidate) => candidate !== node);
    if (other === undefined) return;
    tools.reassign(node, this.#served(), other);
    if (!(await tools.until(800, () => node.log.log?.groups.length === 0))) return;
    await this.#declaredDead();
    await tools.until(1_500, () => {
      if (this.#world.random.chance(0.1)) tools.sweepElsewhere(node);
      return store.peek(slotKey(this.#sid, slot)) === undefined;
    });
    await this.#land(acquiring);
  }

  /**
   * A slot below the run's start never arrives, and the fence lands there. Nothing above it can be acknowledged, but
   * records of the run would be readable until a sweep that has listed its first slots takes those away.
   */
  async #aboveHole(): Promise<void> {
    const { store } = this.#world;
    const tools = this.#tools;
    const node = this.#node;
    const session = node.log.log?.session;
    const hole = session?.nextSlot ?? 0;
    this.#loseWrites(slotKey(this.#sid, hole));
    this.#appendToServed();
    if (!(await tools.until(200, () => (session?.nextSlot ?? 0) > hole))) return;
    const acquiring = await this.#acquiring();
    if (acquiring === undefined) return;
    const slot = session?.nextSlot ?? 0;
    this.#appendToServed();
    if (!(await tools.until(200, () => store.peek(slotKey(this.#sid, slot)) !== undefined))) return;
    const isManifest = ({ key }: { readonly key: string }): boolean =>
      key.endsWith('/manifest') && key !== manifestKey(this.#wanted.group.id);
    // It must not learn from its other groups that it has been fenced.
    this.#interceptions.push(
      tools.intercept(
        { process: node.process.name, where: (request) => this.#isSame() && isManifest(request) },
        { kind: 'request-lost' },
      ),
    );
    await this.#declaredDead();
    const deletions = tools.intercept(
      {
        operation: 'delete',
        where: ({ key, process }) => process !== node.process.name && this.#isOurs(key),
      },
      { kind: 'hold' },
    );
    this.#interceptions.push(deletions);
    await tools.until(900, () => {
      if (this.#world.random.chance(0.1)) tools.sweepElsewhere(node);
      return deletions.held.length > 0;
    });
    await this.#land(acquiring);
  }

  /** Has the session acquire the group, and holds its CAS; `undefined`: it does not come to that. */
  async #acquiring(): Promise<Interception | undefined> {
    const tools = this.#tools;
    const acquiring = tools.intercept(
      {
        process: this.#node.process.name,
        operation: 'put',
        key: manifestKey(this.#wanted.group.id),
        where: ({ id }) => id?.startsWith(`${this.#sid}/`) === true,
      },
      { kind: 'hold' },
    );
    this.#interceptions.push(acquiring);
    tools.reassign(this.#node, [this.#wanted], this.#node);
    return (await tools.until(600, () => acquiring.held.length > 0)) ? acquiring : undefined;
  }

  /** The cluster declares the session dead, which does not hear of it, and nobody gets ahead of its CAS. */
  async #declaredDead(): Promise<void> {
    const { checker } = this.#world;
    const tools = this.#tools;
    const node = this.#node;
    this.#interceptions.push(tools.blind(node));
    this.#interceptions.push(
      tools.intercept(
        {
          operation: 'put',
          key: manifestKey(this.#wanted.group.id),
          where: ({ process }) => process !== node.process.name,
        },
        { kind: 'request-lost' },
      ),
    );
    tools.markDead(node);
    await tools.until(200, () => checker.cluster?.brokers.get(node.id)?.state === 'dead');
  }

  /** The CAS takes effect, and a client appends to the group before anybody takes it over. */
  async #land(acquiring: Interception): Promise<void> {
    const { checker, random } = this.#world;
    const tools = this.#tools;
    const node = this.#node;
    const { topicId, group } = this.#wanted;
    const partition = group.firstPartition + random.below(group.count);
    this.#interceptions.push(
      tools.intercept(
        {
          operation: 'get',
          key: manifestKey(group.id),
          where: ({ process }) => process !== node.process.name,
        },
        { kind: 'request-lost' },
      ),
    );
    tools.letGo(acquiring);
    if (!(await tools.until(700, () => node.log.log?.served(topicId, partition) !== undefined))) return;
    const { end } = checker.history(topicId, partition);
    let isAcked = false;
    tools.appendTo(node, topicId, partition, () => {
      isAcked = true;
    });
    await tools.until(200, () => isAcked || checker.history(topicId, partition).end > end);
    await tools.until(50, () => isAcked || !this.#isSame());
  }

  #appendToServed(): void {
    const groups = this.#node.log.log?.groups ?? [];
    if (groups.length === 0) return;
    const partitions = [...this.#world.random.pick(groups).partitions.values()];
    const { topicId, partition } = this.#world.random.pick(partitions);
    this.#tools.appendTo(this.#node, topicId, partition);
  }

  #served(): readonly NamedGroup[] {
    const served = new Set(this.#node.log.log?.groups.map(({ id }) => id));
    return this.#tools.groups().filter(({ group }) => served.has(group.id));
  }

  #loseWrites(key: string): void {
    const process = this.#node.process.name;
    this.#interceptions.push(
      this.#tools.intercept({ process, operation: 'put', key }, { kind: 'request-lost' }),
    );
  }

  #isSame(): boolean {
    return this.#node.isAlive && this.#node.log.sid === this.#sid;
  }

  #isOurs(key: string): boolean {
    return parseSlotKey(key)?.sid === this.#sid;
  }
}
