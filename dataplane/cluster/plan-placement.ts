import { assign } from './assign.ts';
import type { ClusterState, TopicEntry } from './cluster-state.ts';
import { evenOut } from './even-out.ts';
import { Fleet } from './fleet.ts';
import type { GroupLoads } from './group-loads.ts';
import { placementPolicyConfig } from './home-zone.ts';
import { takersOf } from './ownership.ts';
import { moveReasons } from './placement-move.ts';
import type { MoveReason, PlacementMove } from './placement-move.ts';
import { RuleKeeper } from './placement-rules.ts';
import { byTopicName, topicGroupsOf } from './topic-groups.ts';
import type { TopicGroups } from './topic-groups.ts';

/** What a plan is made of, besides the state. */
export interface PlacementView {
  /** Ids of brokers that have been ready for long enough to be given what others serve well. */
  readonly steady: ReadonlySet<number>;
  /** Zones that have had no broker for so long that nobody expects them back. */
  readonly lostZones?: ReadonlySet<string> | undefined;
  readonly loads?: GroupLoads | undefined;
  /** What is somebody else's to do, by topic id for the way home. Default: nothing. */
  readonly isWithheld?:
    { readonly balance: boolean; readonly home: (topicId: string) => boolean } | undefined;
  /** How many groups may be moved, those without a live broker not counted. Default: any number. */
  readonly maxMoves?: number | undefined;
}

export interface PlacementPlan {
  /** Topics that get another home zone, because theirs is lost. */
  readonly homes: readonly HomeChange[];
  /** In the order of their urgency. */
  readonly moves: readonly PlacementMove[];
}

export interface HomeChange {
  readonly topic: string;
  readonly from: string;
  readonly to: string;
}

/**
 * What is to move, and why (design, operator.md "Placement"): first what breaks a rule (see `RuleKeeper`), then, while
 * brokers that are steady differ by too much, what evens them out (see `Balance`): by bytes per second, then by partitions,
 * for which only groups that are idle move. Pure: the same state and view give the same plan, in whatever order they name
 * things; a plan of what an unbounded plan comes to is empty.
 *
 * Evening out never touches a group that is being handed over, one of a deleted topic, or one that is where somebody wanted
 * it by a reassignment or an assignment by hand.
 */
export function planPlacement(state: ClusterState, view: PlacementView): PlacementPlan {
  const { maxMoves = Number.POSITIVE_INFINITY, isWithheld } = view;
  const takers = takersOf(state);
  const fleet = new Fleet(state, takers);
  const topics = topicGroupsOf(state, fleet, view.loads);
  const homes = homeChanges(state, topics, fleet, view.lostZones ?? new Set());
  const rules = {
    leave: leavers(state, takers),
    homes: {
      steady: view.steady,
      changed: new Map(homes.map(({ topic, to }) => [state.topics.get(topic)?.topicId ?? '', to])),
      isWithheld: ({ topicId }: TopicGroups) => isWithheld?.home(topicId) ?? false,
    },
  };
  const byRule = new RuleKeeper(state, fleet, rules).apply(topics);
  const homeless = byRule.filter(({ reason }) => reason === 'homeless');
  const others = byRule
    .filter(({ reason }) => reason !== 'homeless')
    .toSorted((a, b) => urgency.indexOf(a.reason) - urgency.indexOf(b.reason));
  const left = maxMoves - others.length;
  const even =
    left <= 0 || isWithheld?.balance === true ? [] : evenOut(state, topics, fleet, view.steady, left);
  return { homes, moves: merged([...homeless, ...others.slice(0, Math.max(0, maxMoves)), ...even]) };
}

/** A group that a rule moves, and evening out moves on, moves once, for the first reason. */
function merged(moves: readonly PlacementMove[]): PlacementMove[] {
  const byGroup = new Map<string, PlacementMove>();
  for (const move of moves) {
    const first = byGroup.get(move.group);
    if (first?.from === move.to) byGroup.delete(move.group);
    else byGroup.set(move.group, first === undefined ? move : { ...first, to: move.to });
  }
  return [...byGroup.values()];
}

/** The state after a plan that was made of it. */
export function applyPlan(state: ClusterState, { homes, moves }: PlacementPlan): ClusterState {
  if (homes.length === 0) return assign(state, placedBy(moves));
  const topics = new Map<string, TopicEntry>(state.topics);
  for (const { topic: name, to } of homes) {
    const topic = topics.get(name);
    if (topic !== undefined) topics.set(name, { ...topic, homeZone: to });
  }
  return assign({ ...state, topics }, placedBy(moves));
}

function placedBy(moves: readonly PlacementMove[]): { readonly group: string; readonly broker: number }[] {
  return moves.map(({ group, to }) => ({ group, broker: to }));
}

const urgency = Object.keys(moveReasons) as readonly MoveReason[];

/** Brokers that lose what they have. */
function leavers(state: ClusterState, takers: ReadonlySet<number>): Map<number, MoveReason> {
  const leave = new Map<number, MoveReason>();
  for (const [id, broker] of state.brokers) {
    if (broker.state === 'dead' || takers.has(id)) continue;
    leave.set(id, broker.state === 'draining' ? 'draining' : 'cordoned');
  }
  return leave;
}

/**
 * A topic whose home zone is lost is at home from now on where most of it went. One that is pinned waits for its zone,
 * however long it takes.
 */
function homeChanges(
  state: ClusterState,
  topics: readonly TopicGroups[],
  fleet: Fleet,
  lostZones: ReadonlySet<string>,
): HomeChange[] {
  const live = new Set(
    [...state.brokers.values()].flatMap((broker) => (broker.state === 'dead' ? [] : broker.zone)),
  );
  const lost = new Set([...lostZones].filter((zone) => !live.has(zone)));
  if (lost.size === 0) return [];
  return topics.toSorted(byTopicName).flatMap(({ name, topic, owners }) => {
    const from = topic?.homeZone;
    if (from === undefined || !lost.has(from) || topic?.configs[placementPolicyConfig] === 'Pinned')
      return [];
    const groupsIn = new Map<number, number>();
    for (const owner of owners) {
      const zone = fleet.zoneAt(owner);
      if (fleet.hasTaker(zone)) groupsIn.set(zone, (groupsIn.get(zone) ?? 0) + 1);
    }
    const [most] = [...groupsIn].toSorted(([a, inA], [b, inB]) => inB - inA || a - b);
    const to = most === undefined ? undefined : fleet.zones[most[0]];
    return to === undefined ? [] : [{ topic: name, from, to }];
  });
}
