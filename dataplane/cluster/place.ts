import type { Assignment, ClusterState, GroupLayout } from './cluster-state.ts';
import { groupsOf } from './partition-groups.ts';
import type { PartitionGroup } from './partition-groups.ts';

export interface Placed {
  readonly group: string;
  readonly broker: number;
}

/**
 * Where the groups go that have no broker to be with: those without an assignment (their topic is being created), of a
 * dead broker, or of one in `leave`. Nobody else moves, so `place` of its own outcome is empty. Pure and the same in
 * every process that has the same state.
 *
 *  - Only brokers that are `alive` and not in `leave` get anything; without one the answer is empty.
 *  - A topic with a home zone stays together: its groups go to the home zone if that has such a broker and nothing of the
 *    topic settled elsewhere meanwhile; else to the zone where most of it is; else, all of them, to the least loaded zone.
 *  - Any other group stays in the zone of the broker it loses, if that has another broker.
 *  - Among the brokers that remain the one with the fewest partitions of this topic takes it, then the one whose zone has
 *    the fewest of them, then the one with the fewest partitions in all, then the lowest id.
 *
 * Zone load is partitions per live broker.
 */
export function place(state: ClusterState, leave: ReadonlySet<number> = new Set()): Placed[] {
  const placement = new Placement(state, leave);
  if (placement.candidates.length === 0) return [];
  const pending = placement.settle();
  return pending.flatMap((topic) => placement.placeTopic(topic));
}

/**
 * The zone that a topic whose home is left to us gets: of those with a live broker the one with the fewest partitions per
 * live broker, where a topic counts for its home zone even while it is abroad. `undefined` without a live broker.
 */
export function chooseHomeZone(state: ClusterState): string | undefined {
  const load = new Map<string, number>();
  for (const topic of state.topics.values()) {
    if (topic.homeZone !== undefined) add(load, topic.homeZone, topic.partitions);
    else {
      for (const group of groupsOf(topic)) {
        const zone = state.brokers.get(state.assignments.get(group.id)?.broker ?? -1)?.zone;
        if (zone !== undefined) add(load, zone, group.count);
      }
    }
  }
  const brokers = new Map<string, number>();
  for (const { state: brokerState, zone } of state.brokers.values()) {
    if (brokerState === 'alive') add(brokers, zone, 1);
  }
  return least(
    state.zones.filter((zone) => brokers.has(zone)),
    (zone) => [(load.get(zone) ?? 0) / (brokers.get(zone) ?? 1)],
  );
}

interface PendingTopic {
  readonly name: string;
  readonly homeZone: string | undefined;
  readonly groups: readonly PartitionGroup[];
  /** Partitions of the topic that stay where they are, by broker and by zone. */
  readonly onBroker: Map<number, number>;
  readonly inZone: Map<string, number>;
}

interface Candidate {
  readonly id: number;
  readonly zone: string;
}

class Placement {
  readonly candidates: readonly Candidate[];
  readonly #state: ClusterState;
  readonly #leave: ReadonlySet<number>;
  readonly #zones: readonly string[];
  readonly #brokerLoad = new Map<number, number>();
  readonly #zoneLoad = new Map<string, number>();
  readonly #zoneBrokers = new Map<string, number>();

  constructor(state: ClusterState, leave: ReadonlySet<number>) {
    this.#state = state;
    this.candidates = [...state.brokers]
      .filter(([id, broker]) => broker.state === 'alive' && !leave.has(id))
      .map(([id, { zone }]) => ({ id, zone }))
      .toSorted((a, b) => a.id - b.id);
    for (const { zone } of this.candidates) add(this.#zoneBrokers, zone, 1);
    this.#zones = state.zones.filter((zone) => this.#zoneBrokers.has(zone));
    this.#leave = leave;
  }

  /** Counts what stays where it is and returns what does not, in an order that depends on names only. */
  settle(): PendingTopic[] {
    const pending: PendingTopic[] = [];
    for (const [name, topic] of this.#state.topics)
      this.#settleTopic(name, topic, topic.homeZone, true, pending);
    for (const topic of this.#state.deletedTopics.values()) {
      this.#settleTopic(topic.name, topic, undefined, false, pending);
    }
    return pending.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** @param needsAll whether a group without an assignment is waiting for one (else it is gone for good) */
  #settleTopic(
    name: string,
    layout: GroupLayout,
    homeZone: string | undefined,
    needsAll: boolean,
    pending: PendingTopic[],
  ): void {
    const homeless: PartitionGroup[] = [];
    const onBroker = new Map<number, number>();
    const inZone = new Map<string, number>();
    for (const group of groupsOf(layout)) {
      const assignment = this.#state.assignments.get(group.id);
      if (assignment === undefined ? needsAll : this.#mustMove(assignment)) homeless.push(group);
      else if (assignment !== undefined) this.#count(assignment.broker, group.count, onBroker, inZone);
    }
    if (homeless.length > 0) pending.push({ name, homeZone, groups: homeless, onBroker, inZone });
  }

  placeTopic(topic: PendingTopic): Placed[] {
    const zoneOfAll = topic.homeZone === undefined ? undefined : this.#zoneFor(topic.homeZone, topic.inZone);
    return topic.groups.map((group) => {
      const zone = zoneOfAll ?? this.#zoneLostBy(group);
      const choice = least(
        zone === undefined ? this.candidates : this.candidates.filter((candidate) => candidate.zone === zone),
        ({ id, zone: itsZone }) => [
          topic.onBroker.get(id) ?? 0,
          topic.inZone.get(itsZone) ?? 0,
          this.#brokerLoad.get(id) ?? 0,
        ],
      );
      if (choice === undefined) throw new Error(`no broker for ${group.id}: its zone was chosen without one`);
      this.#count(choice.id, group.count, topic.onBroker, topic.inZone);
      return { group: group.id, broker: choice.id };
    });
  }

  #mustMove({ broker }: Assignment): boolean {
    const entry = this.#state.brokers.get(broker);
    return entry === undefined || entry.state === 'dead' || this.#leave.has(broker);
  }

  #count(
    broker: number,
    partitions: number,
    onBroker: Map<number, number>,
    inZone: Map<string, number>,
  ): void {
    const zone = this.#state.brokers.get(broker)?.zone;
    if (zone === undefined) return;
    add(onBroker, broker, partitions);
    add(this.#brokerLoad, broker, partitions);
    add(this.#zoneLoad, zone, partitions);
    // A zone whose brokers can take nothing does not draw the rest of a topic to it.
    if (this.#zoneBrokers.has(zone)) add(inZone, zone, partitions);
  }

  #zoneFor(homeZone: string, inZone: ReadonlyMap<string, number>): string | undefined {
    if (this.#zoneBrokers.has(homeZone) && (inZone.size === 0 || inZone.has(homeZone))) return homeZone;
    return least(this.#zones, (zone) => [
      -(inZone.get(zone) ?? 0),
      (this.#zoneLoad.get(zone) ?? 0) / (this.#zoneBrokers.get(zone) ?? 1),
    ]);
  }

  /** The zone of the broker that the group is taken from, when somebody there can take it. */
  #zoneLostBy(group: PartitionGroup): string | undefined {
    const loser = this.#state.assignments.get(group.id)?.broker;
    const zone = loser === undefined ? undefined : this.#state.brokers.get(loser)?.zone;
    return zone !== undefined && this.#zoneBrokers.has(zone) ? zone : undefined;
  }
}

function add<K>(sums: Map<K, number>, key: K, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount);
}

/** The first of those whose scores are the smallest, compared one after another. */
function least<T>(choices: readonly T[], scoresOf: (choice: T) => readonly number[]): T | undefined {
  let best: { readonly choice: T; readonly scores: readonly number[] } | undefined;
  for (const choice of choices) {
    const scores = scoresOf(choice);
    if (best === undefined || isLess(scores, best.scores)) best = { choice, scores };
  }
  return best?.choice;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, score] of a.entries()) {
    const other = b[index] ?? 0;
    if (score !== other) return score < other;
  }
  return false;
}
