import type { ClusterState } from './cluster-state.ts';
import { BrokerChoice } from './broker-choice.ts';
import type { Fleet } from './fleet.ts';
import { placementPolicyConfig } from './home-zone.ts';
import { handingOver, liveBroker } from './ownership.ts';
import type { MoveReason, PlacementMove } from './placement-move.ts';
import { byTopicName } from './topic-groups.ts';
import type { TopicGroups } from './topic-groups.ts';

/** What must not stay as it is, besides groups without a live broker. */
export interface PlacementRules {
  /** Ids of brokers that lose what they have; never of those that groups can go to. */
  readonly leave: ReadonlyMap<number, MoveReason>;
  /** Absent: topics are left abroad, or torn, as they are. */
  readonly homes?: HomeRules | undefined;
}

export interface HomeRules {
  /** Ids of brokers that are trusted to stay: a topic goes home when one of them is there. */
  readonly steady: ReadonlySet<number>;
  /** By topic id: home zones other than those that the state says. */
  readonly changed: ReadonlyMap<string, string>;
  /** Whether it is left to somebody else to bring the topic home. */
  readonly isWithheld: (topic: TopicGroups) => boolean;
}

/**
 * Moves the groups that break a rule and no others, in an order and to brokers that depend on what the state says and not
 * on how it is written. Nothing moves while there is no broker that groups can go to.
 *
 *  - A group without a live broker, or whose broker is in `leave`, goes elsewhere.
 *  - A topic with a home zone is in one zone: at home when a steady broker is there; while there are only others, as it is;
 *    when there are none, where most of its groups are, and of equal zones in the least loaded one.
 *  - With home rules, a group that is being handed over stays until that is over.
 *
 * `fleet` counts nobody's groups before, and all afterwards; `owners` of the topics are what the moves come to.
 */
export class RuleKeeper {
  readonly #state: ClusterState;
  readonly #fleet: Fleet;
  readonly #rules: PlacementRules;
  /** By zone. */
  readonly #steadyIn: readonly (readonly number[])[];

  constructor(state: ClusterState, fleet: Fleet, rules: PlacementRules) {
    this.#state = state;
    this.#fleet = fleet;
    this.#rules = rules;
    const steady = rules.homes?.steady;
    this.#steadyIn = fleet.byZone(fleet.takers.filter((broker) => steady?.has(fleet.ids[broker] ?? -1)));
  }

  apply(topics: readonly TopicGroups[]): PlacementMove[] {
    const pending: PendingTopic[] = [];
    for (const topic of topics) {
      const leaving = this.#settle(topic);
      if (leaving !== undefined) pending.push({ topic, leaving });
    }
    if (this.#fleet.takers.length === 0) return [];
    const choice = new BrokerChoice(this.#fleet);
    return pending
      .toSorted((a, b) => byTopicName(a.topic, b.topic))
      .flatMap(({ topic, leaving }) => this.#place(topic, leaving, choice));
  }

  /** Counts what stays; `undefined` when that is all, and the topic is in one zone. */
  #settle(topic: TopicGroups): Leaving | undefined {
    const { groups, owners, bytes } = topic;
    const fleet = this.#fleet;
    const home = this.#homeOf(topic);
    let leaving: Leaving | undefined;
    let zone = -1;
    let isTorn = false;
    for (const [index, group] of groups.entries()) {
      const reason = this.#reasonToLeave(topic, index, home);
      if (reason !== undefined) (leaving ??= [])[index] = reason;
      else {
        const owner = owners[index] ?? -1;
        fleet.count(owner, group.count, bytes[index] ?? 0);
        isTorn ||= zone !== -1 && zone !== fleet.zoneAt(owner);
        zone = fleet.zoneAt(owner);
      }
    }
    return leaving ?? (isTorn && this.#gathers(home) ? [] : undefined);
  }

  #reasonToLeave(topic: TopicGroups, index: number, home: number): MoveReason | undefined {
    const assignment = topic.assignments[index];
    // Groups of a deleted topic that are gone for good have none.
    if (assignment === undefined) return topic.topic === undefined ? undefined : 'homeless';
    if (liveBroker(this.#state, assignment.broker) === undefined) return 'homeless';
    const { homes, leave } = this.#rules;
    if (homes !== undefined && handingOver(this.#state, assignment) !== undefined) return undefined;
    const left = leave.get(assignment.broker);
    if (left !== undefined || homes === undefined || home === -1) return left;
    const isAway = this.#fleet.zoneAt(topic.owners[index] ?? -1) !== home;
    if (!isAway || !this.#isSteady(home)) return undefined;
    if (topic.topic?.configs[placementPolicyConfig] === 'Pinned') return 'pinned';
    return homes.isWithheld(topic) ? undefined : 'home';
  }

  #place(topic: TopicGroups, leaving: Leaving, choice: BrokerChoice): PlacementMove[] {
    const { groups, owners, assignments, bytes, name } = topic;
    const fleet = this.#fleet;
    choice.begin(topic, leaving);
    const home = this.#homeOf(topic);
    const zone = home === -1 ? -1 : this.#zoneFor(home, choice);
    if (this.#gathers(home)) {
      for (const [index, group] of groups.entries()) {
        const owner = owners[index] ?? -1;
        const assignment = assignments[index];
        if (leaving[index] !== undefined || fleet.zoneAt(owner) === zone || assignment === undefined)
          continue;
        if (handingOver(this.#state, assignment) !== undefined) continue;
        leaving[index] = 'together';
        fleet.count(owner, -group.count, -(bytes[index] ?? 0));
        choice.count(owner, -group.count);
      }
    }
    const moves: PlacementMove[] = [];
    for (const [index, group] of groups.entries()) {
      const reason = leaving[index];
      if (reason === undefined) continue;
      const to = choice.best(this.#choices(zone, reason, owners[index] ?? -1));
      fleet.count(to, group.count, bytes[index] ?? 0);
      choice.count(to, group.count);
      owners[index] = to;
      moves.push({
        topic: name,
        group: group.id,
        from: assignments[index]?.broker,
        to: fleet.ids[to] ?? -1,
        reason,
      });
    }
    return moves;
  }

  /** Brokers that a group may go to: of the zone that its topic has to be in, else of the zone that it is in. */
  #choices(zone: number, reason: MoveReason, owner: number): readonly number[] {
    const fleet = this.#fleet;
    if (reason === 'home' || reason === 'pinned') return this.#steadyIn[zone] ?? [];
    if (zone !== -1) return fleet.takersIn[zone] ?? [];
    const lostBy = fleet.zoneAt(owner);
    return fleet.hasTaker(lostBy) ? (fleet.takersIn[lostBy] ?? []) : fleet.takers;
  }

  /** Where the groups of a topic with this home go that have to go somewhere. */
  #zoneFor(home: number, choice: BrokerChoice): number {
    const fleet = this.#fleet;
    if (this.#isSteady(home)) return home;
    if (fleet.hasTaker(home) && (choice.isNowhere || choice.groupsIn(home) > 0)) return home;
    let best = -1;
    for (let zone = 0; zone < fleet.zones.length; zone += 1) {
      if (!fleet.hasTaker(zone)) continue;
      const more = best === -1 ? 1 : choice.groupsIn(zone) - choice.groupsIn(best);
      if (more > 0 || (more === 0 && fleet.isZoneLessLoaded(zone, best))) best = zone;
    }
    return best;
  }

  #homeOf({ topicId, topic }: TopicGroups): number {
    const zone = this.#rules.homes?.changed.get(topicId) ?? topic?.homeZone;
    return zone === undefined ? -1 : this.#fleet.zoneNamed(zone);
  }

  #isSteady(zone: number): boolean {
    return (this.#steadyIn[zone]?.length ?? 0) > 0;
  }

  /** Whether a topic with this home has to be in one zone abroad. */
  #gathers(home: number): boolean {
    return this.#rules.homes !== undefined && home !== -1 && !this.#fleet.hasTaker(home);
  }
}

/** By index of the group: why it has to go to another broker. */
type Leaving = (MoveReason | undefined)[];

interface PendingTopic {
  readonly topic: TopicGroups;
  readonly leaving: Leaving;
}
