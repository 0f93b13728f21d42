import type { Fleet } from './fleet.ts';
import type { PartitionGroup } from './partition-groups.ts';
import type { PlacementMove } from './placement-move.ts';
import type { TopicGroups } from './topic-groups.ts';

/** Brokers whose load is at most so many times the mean are left alone. */
export const balancedRatio = 1.1;

/** A group that may go to another broker. */
export interface Movable {
  readonly topic: TopicGroups;
  /** In the topic. */
  readonly index: number;
  readonly group: PartitionGroup;
  /** Per second. */
  readonly bytes: number;
  /** Its topic belongs together: it stays in its zone. */
  readonly staysInZone: boolean;
}

/** One kind of load that is evened out. */
export interface BalancedLoad {
  /** By broker of the fleet, in whole numbers, so that sums are exact. */
  readonly loads: Float64Array;
  /** What a group adds to it. Groups that add nothing stay. */
  readonly weightOf: (group: Movable) => number;
  /** Brokers with less than this are not relieved. */
  readonly leastLoad: number;
}

/**
 * Evens out one kind of load between steady brokers, as far as single groups can, and only while the highest is more than
 * {@link balancedRatio} times the mean. Each move takes a group from a broker that has more than that of the mean of all
 * brokers to the one that has the least, or the same within the zone in which the group has to stay. The latter then has
 * less than the former had: so the loads, sorted, become smaller with every move, none rises above the highest there was,
 * and it comes to an end.
 *
 * The most loaded broker that can be relieved comes first. The group is the largest that leaves both brokers on their side
 * of the mean, else the one that brings them closest; of groups about as large one whose topic is spread out as before.
 */
export class Balance {
  readonly #fleet: Fleet;
  readonly #steady: readonly number[];
  readonly #steadyIn: readonly (readonly number[])[];
  readonly #groupsOn: readonly Movable[][];
  readonly #load: BalancedLoad;

  /**
   * @param steady indexes of brokers
   * @param groupsOn by broker. Changed with every move, like the load and the owners of the topics.
   */
  constructor(fleet: Fleet, steady: readonly number[], groupsOn: readonly Movable[][], load: BalancedLoad) {
    this.#fleet = fleet;
    this.#steady = steady;
    this.#steadyIn = fleet.byZone(steady);
    this.#groupsOn = groupsOn;
    this.#load = load;
  }

  run(maxMoves: number): PlacementMove[] {
    const moves: PlacementMove[] = [];
    while (moves.length < maxMoves) {
      const step = this.#next();
      if (step === undefined) break;
      moves.push(this.#take(step));
    }
    return moves;
  }

  #take({ group, from, to }: Step): PlacementMove {
    const { loads, weightOf } = this.#load;
    const { topic, index } = group;
    const onFrom = this.#groupsOn[from];
    onFrom?.splice(onFrom.indexOf(group), 1);
    this.#groupsOn[to]?.push(group);
    topic.owners[index] = to;
    loads[from] = this.#loadOf(from) - weightOf(group);
    loads[to] = this.#loadOf(to) + weightOf(group);
    const { ids } = this.#fleet;
    return {
      topic: topic.name,
      group: group.group.id,
      from: ids[from],
      to: ids[to] ?? -1,
      reason: 'balance',
    };
  }

  #next(): Step | undefined {
    const busiestFirst = this.#steady.toSorted((a, b) => this.#loadOf(b) - this.#loadOf(a) || a - b);
    if (this.#loadOf(busiestFirst[0] ?? -1) <= balancedRatio * this.#mean(this.#steady)) return undefined;
    for (const from of busiestFirst) {
      if (this.#loadOf(from) < this.#load.leastLoad) return undefined;
      const neighbours = this.#steadyIn[this.#fleet.zoneAt(from)] ?? [];
      const step = this.#relieve(from, this.#steady, false) ?? this.#relieve(from, neighbours, true);
      if (step !== undefined) return step;
    }
    return undefined;
  }

  #relieve(from: number, peers: readonly number[], staysInZone: boolean): Step | undefined {
    const mean = this.#mean(peers);
    const fromLoad = this.#loadOf(from);
    if (fromLoad <= balancedRatio * mean) return undefined;
    let to = -1;
    for (const broker of peers)
      if (broker !== from && (to === -1 || this.#loadOf(broker) < this.#loadOf(to))) to = broker;
    if (to === -1) return undefined;
    const group = this.#bestGroup(from, to, mean, staysInZone);
    return group === undefined ? undefined : { group, from, to };
  }

  #bestGroup(from: number, to: number, mean: number, staysInZone: boolean): Movable | undefined {
    const { weightOf } = this.#load;
    const [fromLoad, toLoad] = [this.#loadOf(from), this.#loadOf(to)];
    const largest = Math.min(fromLoad - mean, mean - toLoad);
    /** Of groups that fit, their weight; of those that do not, how far they would leave the brokers apart, negative. */
    const merit = (weight: number): number =>
      weight <= largest ? weight : -Math.max(fromLoad - weight, toLoad + weight);
    const candidates = (this.#groupsOn[from] ?? []).filter((group) => {
      const weight = weightOf(group);
      return group.staysInZone === staysInZone && weight > 0 && toLoad + weight < fromLoad;
    });
    let bestMerit = Number.NEGATIVE_INFINITY;
    for (const group of candidates) bestMerit = Math.max(bestMerit, merit(weightOf(group)));
    const enough = bestMerit > 0 ? bestMerit / 2 : bestMerit;
    let best: { readonly group: Movable; readonly crowding: number } | undefined;
    for (const group of candidates) {
      if (merit(weightOf(group)) < enough) continue;
      const crowding = this.#crowding(group, from, to);
      if (best === undefined || this.#isBetter(group, crowding, best.group, best.crowding))
        best = { group, crowding };
    }
    return best?.group;
  }

  #isBetter(group: Movable, crowding: number, than: Movable, thanCrowding: number): boolean {
    if (crowding !== thanCrowding) return crowding < thanCrowding;
    const weight = this.#load.weightOf(group) - this.#load.weightOf(than);
    if (weight !== 0) return weight > 0;
    return group.group.id < than.group.id;
  }

  /** 0: the topic is spread over brokers and zones as well as before; else less. */
  #crowding({ topic }: Movable, from: number, to: number): number {
    const fromZone = this.#fleet.zoneAt(from);
    const toZone = this.#fleet.zoneAt(to);
    let brokers = 1;
    let zones = 1;
    for (const owner of topic.owners) {
      if (owner === to) brokers += 1;
      else if (owner === from) brokers -= 1;
      const zone = this.#fleet.zoneAt(owner);
      if (zone === toZone) zones += 1;
      else if (zone === fromZone) zones -= 1;
    }
    return (brokers > 0 ? 1 : 0) + (fromZone !== toZone && zones > 0 ? 1 : 0);
  }

  #mean(brokers: readonly number[]): number {
    return brokers.reduce((sum, broker) => sum + this.#loadOf(broker), 0) / brokers.length;
  }

  #loadOf(broker: number): number {
    return this.#load.loads[broker] ?? 0;
  }
}

interface Step {
  readonly group: Movable;
  readonly from: number;
  readonly to: number;
}
