import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evenOut, leastBytesPerSecond } from './even-out.ts';
import { balancedRatio } from './balance.ts';
import type { Assignment, ClusterState, TopicEntry } from './cluster-state.ts';
import { Fleet } from './fleet.ts';
import { handingOver, liveBroker, takersOf } from './ownership.ts';
import { groupsOf } from './partition-groups.ts';
import { placementCase, settled, turned } from './placement-fixture.ts';
import type { BrokerSpec, ClusterSpec, PlacementCase } from './placement-fixture.ts';
import type { PlacementMove } from './placement-move.ts';
import { applyPlan, planPlacement } from './plan-placement.ts';
import type { PlacementView } from './plan-placement.ts';
import { topicGroupsOf } from './topic-groups.ts';

const anyBroker: fc.Arbitrary<BrokerSpec> = fc.record({
  zone: fc.nat(2),
  state: fc.oneof(
    { weight: 6, arbitrary: fc.constant('alive' as const) },
    { weight: 1, arbitrary: fc.constantFrom('draining' as const, 'dead' as const) },
  ),
  isCordoned: fc.oneof(
    { weight: 6, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  isSteady: fc.oneof(
    { weight: 5, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  isSilent: fc.nat(4).map((die) => die === 0),
});

interface Bounds {
  readonly brokers: number;
  readonly topics: number;
  readonly groups: number;
  /** Whether groups are being handed over. Default: some are. */
  readonly isStill?: boolean;
}

function anyCluster({ brokers, topics, groups, isStill = false }: Bounds): fc.Arbitrary<ClusterSpec> {
  const group = fc.record({
    owner: fc.nat(brokers - 1),
    // Nothing, or so much that no group is idle beside the others.
    bytes: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }).map((load) => load * 1_000_000) },
      { weight: 2, arbitrary: fc.constant(0) },
    ),
    isMoving: isStill ? fc.constant(false) : fc.nat(9).map((die) => die === 0),
  });
  const topic = fc.record({
    policy: fc.constantFrom('Spread' as const, 'HomeZone' as const, 'Pinned' as const),
    home: fc.nat(2),
    groups: fc.array(group, { minLength: 1, maxLength: groups }),
    isDeleted: fc.nat(9).map((die) => die === 0),
  });
  return fc.record({
    brokers: fc.array(anyBroker, { minLength: 1, maxLength: brokers }),
    topics: fc.array(topic, { minLength: 1, maxLength: topics }),
  });
}

const some = anyCluster({ brokers: 8, topics: 8, groups: 12 });
/** Nothing is under way, and nobody is silent: of a group that goes to a silent broker nothing is known any more. */
const still = anyCluster({ brokers: 8, topics: 8, groups: 12, isStill: true }).map(({ brokers, topics }) => ({
  brokers: brokers.map((broker) => ({ ...broker, isSilent: false })),
  topics,
}));

function check(
  clusters: fc.Arbitrary<ClusterSpec>,
  holds: (it: PlacementCase, after: ClusterState, moves: readonly PlacementMove[]) => void,
  numRuns = 400,
): void {
  fc.assert(
    fc.property(clusters, (spec) => {
      const it = placementCase(spec);
      const plan = planPlacement(it.state, it.view);
      holds(it, applyPlan(it.state, plan), plan.moves);
    }),
    { numRuns },
  );
}

function isUnderWay(state: ClusterState, assignment: Assignment | undefined): boolean {
  return (
    assignment !== undefined &&
    liveBroker(state, assignment.broker) !== undefined &&
    handingOver(state, assignment) !== undefined
  );
}

function zonesOf(state: ClusterState, brokers: Iterable<number>): Set<string> {
  return new Set(Array.from(brokers, (id) => state.brokers.get(id)?.zone ?? ''));
}

/** Of the groups that may move. */
function ownersOf(before: ClusterState, after: ClusterState, topic: TopicEntry): number[] {
  return groupsOf(topic)
    .filter(({ id }) => !isUnderWay(before, before.assignments.get(id)))
    .map(({ id }) => after.assignments.get(id)?.broker ?? -1);
}

test('every group is on a broker that may have it, if there is any', () => {
  check(some, ({ state }, after) => {
    const takers = takersOf(state);
    if (takers.size === 0) {
      assert.equal(after, state);
      return;
    }
    for (const [group, { broker }] of after.assignments)
      if (!isUnderWay(state, state.assignments.get(group)))
        assert(takers.has(broker), `${group} on ${broker}`);
  });
});

test('a hand-over that is under way is left alone', () => {
  check(some, ({ state }, after) => {
    for (const [group, assignment] of state.assignments)
      if (isUnderWay(state, assignment)) assert.equal(after.assignments.get(group), assignment);
  });
});

test('all groups of a topic with a home zone are in one zone, the coordinator with them', () => {
  check(some, ({ state, view }, after) => {
    const steadyZones = zonesOf(state, view.steady);
    const takers = zonesOf(state, takersOf(state));
    for (const topic of state.topics.values()) {
      const { homeZone } = topic;
      if (homeZone === undefined || takers.size === 0) continue;
      const zones = zonesOf(after, ownersOf(state, after, topic));
      if (steadyZones.has(homeZone))
        assert.deepEqual(
          [...zones].filter((zone) => zone !== homeZone),
          [],
        );
      // While its home has only brokers that have just come, a topic waits.
      else if (!takers.has(homeZone)) assert(zones.size <= 1, [...zones].join());
    }
  });
});

test('whoever breaks no rule stays, but for evening out', () => {
  check(some, ({ state, view }, after, moves) => {
    const takers = takersOf(state);
    const takerZones = zonesOf(state, takers);
    const steadyZones = zonesOf(state, view.steady);
    const topicOf = new Map(
      [...state.topics.values()].flatMap((topic) => groupsOf(topic).map(({ id }) => [id, topic] as const)),
    );
    for (const { group, from, reason } of moves) {
      if (reason === 'balance') continue;
      const owner = state.brokers.get(from ?? -1);
      const homeZone = topicOf.get(group)?.homeZone;
      const broken = {
        homeless: owner?.state === 'dead',
        draining: owner?.state === 'draining',
        cordoned: owner?.state === 'alive' && owner.cordoned === true && !takers.has(from ?? -1),
        pinned: homeZone !== undefined && steadyZones.has(homeZone) && owner?.zone !== homeZone,
        home: homeZone !== undefined && steadyZones.has(homeZone) && owner?.zone !== homeZone,
        together: homeZone !== undefined && !takerZones.has(homeZone),
      };
      assert(broken[reason], `${group} moves from ${from}: ${reason}`);
    }
    const moved = new Set(moves.map(({ group }) => group));
    for (const [group, assignment] of state.assignments)
      if (!moved.has(group)) assert.equal(after.assignments.get(group), assignment);
  });
});

test('a plan of what a plan comes to is empty', () => {
  check(still, ({ view }, after) => {
    assert.deepEqual(planPlacement(after, view), { homes: [], moves: [] });
    assert.deepEqual(planPlacement(settled(after), view), { homes: [], moves: [] });
  });
});

test('plans that are bounded come to an end too, and never make more moves than they may', () => {
  check(
    still,
    ({ state, view }) => {
      let now = state;
      for (let rounds = 0; ; rounds += 1) {
        assert(rounds < 200, 'it never comes to an end');
        const plan = planPlacement(now, { ...view, maxMoves: 3 });
        assert(plan.moves.filter(({ reason }) => reason !== 'homeless').length <= 3);
        if (plan.moves.length === 0) break;
        now = settled(applyPlan(now, plan));
      }
      assert.deepEqual(planPlacement(now, view).moves, []);
    },
    150,
  );
});

test('the same plan in whatever order the state names things', () => {
  check(some, ({ state, view: { steady, loads } }, _after, moves) => {
    const view = {
      steady: new Set([...steady].toReversed()),
      loads: { bytes: new Map([...loads.bytes].toReversed()), brokers: loads.brokers },
    };
    assert.deepEqual(planPlacement(turned(state), view).moves, moves);
  });
});

test('the rules move as few groups as can be: compared with all there is to choose from', () => {
  const few = anyCluster({ brokers: 4, topics: 3, groups: 3, isStill: true }).filter(
    ({ topics }) => topics.reduce((sum, { groups }) => sum + groups.length, 0) <= 6,
  );
  check(
    few,
    ({ state, view }) => {
      const { moves } = planPlacement(state, { ...view, isWithheld: { balance: true, home: () => false } });
      assert.equal(moves.length, fewestMoves(state, view));
    },
    250,
  );
});

/** Tries every broker for every group of a topic; topics do not bind each other. */
function fewestMoves(state: ClusterState, { steady }: PlacementView): number {
  const takers = takersOf(state);
  if (takers.size === 0) return 0;
  const steadyZones = zonesOf(state, steady);
  const takerZones = zonesOf(state, takers);
  const isAllowed = (owners: readonly number[], homeZone: string | undefined): boolean => {
    if (!owners.every((id) => takers.has(id))) return false;
    if (homeZone === undefined) return true;
    const zones = zonesOf(state, owners);
    if (steadyZones.has(homeZone)) return zones.size === 1 && zones.has(homeZone);
    return takerZones.has(homeZone) || zones.size === 1;
  };
  const layouts = [
    ...Array.from(state.topics.values(), (topic) => ({ topic, homeZone: topic.homeZone })),
    ...Array.from(state.deletedTopics.values(), (topic) => ({ topic, homeZone: undefined })),
  ];
  let sum = 0;
  for (const { topic, homeZone } of layouts) {
    const now = groupsOf(topic).map(({ id }) => state.assignments.get(id)?.broker ?? -1);
    let fewest = Number.POSITIVE_INFINITY;
    for (const owners of choices([...state.brokers.keys()], now.length)) {
      const moves = owners.filter((id, index) => id !== now[index]).length;
      if (moves < fewest && isAllowed(owners, homeZone)) fewest = moves;
    }
    sum += fewest;
  }
  return sum;
}

function* choices(brokers: readonly number[], length: number): Generator<number[]> {
  if (length === 0) yield [];
  else for (const rest of choices(brokers, length - 1)) for (const id of brokers) yield [...rest, id];
}

/** All brokers ready, all loads known, and every topic with a home zone in it. */
function whereItBelongs({ brokers, topics }: ClusterSpec): ClusterSpec {
  const zoneOf = (owner: number): number => brokers[owner % brokers.length]?.zone ?? 0;
  return {
    brokers: brokers.map((broker) => ({ ...broker, state: 'alive', isCordoned: false, isSilent: false })),
    topics: topics.map((topic) => {
      const home = zoneOf(topic.groups[0]?.owner ?? 0);
      const there = [...brokers.keys()].filter((index) => zoneOf(index) === home);
      const at = (owner: number): number =>
        topic.policy === 'Spread' ? owner : (there[owner % there.length] ?? 0);
      const groups = topic.groups.map((group) => ({
        ...group,
        owner: at(group.owner),
      }));
      return { ...topic, home, groups };
    }),
  };
}

/** What steady brokers have, by id. */
function loadsOf(
  state: ClusterState,
  steady: ReadonlySet<number>,
  weightOf: (group: string) => number,
): Map<number, number> {
  const loads = new Map(Array.from(steady, (id) => [id, 0]));
  for (const [group, { broker }] of state.assignments)
    if (loads.has(broker)) loads.set(broker, (loads.get(broker) ?? 0) + weightOf(group));
  return loads;
}

function ratioOf(loads: readonly number[]): number {
  const sum = loads.reduce((total, load) => total + load, 0);
  return sum === 0 ? 1 : (Math.max(...loads) * loads.length) / sum;
}

function descending(loads: ReadonlyMap<number, number>): number[] {
  return [...loads.values()].toSorted((a, b) => b - a);
}

test('evening out goes on only while the highest load exceeds the mean by a tenth, and each move lowers the highest loads', () => {
  let byBytes = 0;
  let byPartitions = 0;
  let withinZone = 0;
  check(
    still.map(whereItBelongs),
    ({ state, view }, _after, moves) => {
      if (moves.some(({ reason }) => reason !== 'balance')) return;
      let now = state;
      const bytesOf = (group: string): number => view.loads.bytes.get(group) ?? 0;
      const fleet = new Fleet(state, takersOf(state));
      const topics = topicGroupsOf(state, fleet, view.loads);
      // As they are found: in a plan a group that moves on moves once.
      const steps = evenOut(state, topics, fleet, view.steady, Number.POSITIVE_INFINITY);
      for (const move of steps) {
        const weightOf = bytesOf(move.group) > 0 ? bytesOf : () => 1;
        const before = loadsOf(now, view.steady, weightOf);
        const zone = now.brokers.get(move.to)?.zone;
        const topic = now.topics.get(move.topic);
        const peers = [...before].filter(
          ([id]) => topic?.homeZone === undefined || now.brokers.get(id)?.zone === zone,
        );
        const load = before.get(move.from ?? -1) ?? 0;
        assert(ratioOf([...before.values()]) > balancedRatio);
        const mean = peers.reduce((sum, [, its]) => sum + its, 0) / peers.length;
        assert(load > balancedRatio * mean, `${load} of ${mean}`);
        if (weightOf === bytesOf) assert(load >= leastBytesPerSecond);
        now = applyPlan(now, { homes: [], moves: [move] });
        const after = loadsOf(now, view.steady, weightOf);
        assert((after.get(move.to) ?? 0) < load);
        const [higher, lower] = [descending(before), descending(after)];
        const first = higher.findIndex((its, index) => its !== lower[index]);
        assert((lower[first] ?? 0) < (higher[first] ?? 0), `${lower.join()} after ${higher.join()}`);
        if (weightOf === bytesOf) byBytes += 1;
        else byPartitions += 1;
        if (topic?.homeZone !== undefined) withinZone += 1;
      }
    },
    600,
  );
  assert(byBytes > 200 && byPartitions > 100 && withinZone > 50, [byBytes, byPartitions, withinZone].join());
});

test('a broker that joins equal ones gets its share, with few moves', () => {
  const equal = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    perBroker: fc.integer({ min: 1, max: 40 }),
    bytes: fc.constantFrom(0, 3_000_000),
    zones: fc.integer({ min: 1, max: 3 }),
    policy: fc.constantFrom('Spread' as const, 'HomeZone' as const),
    joins: fc.nat(2),
  });
  fc.assert(
    fc.property(equal, ({ count, perBroker, bytes, zones, policy, joins }) => {
      const broker = (zone: number) =>
        ({ zone: zone % zones, state: 'alive', isCordoned: false, isSteady: true }) as const;
      const brokers = [...Array.from({ length: count }, (_, index) => broker(index)), broker(joins)];
      // With a home zone: one topic for each broker, all of which it has.
      const topics = Array.from({ length: policy === 'Spread' ? perBroker : count }, (_, topic) => ({
        policy,
        home: topic % zones,
        isDeleted: false,
        groups: Array.from({ length: policy === 'Spread' ? count : perBroker }, (_, group) => ({
          owner: policy === 'Spread' ? group : topic,
          bytes,
          isMoving: false,
        })),
      }));
      const { state, view } = placementCase({ brokers: brokers.slice(0, -1), topics });
      assert.deepEqual(planPlacement(state, view).moves, []);
      const joined = placementCase({ brokers, topics: [] });
      const grown = { ...state, brokers: joined.state.brokers };
      const { moves } = planPlacement(grown, { ...view, steady: joined.view.steady });
      const groups = count * perBroker;
      assert(moves.length <= Math.ceil((1.1 * groups) / (count + 1)), `${moves.length} of ${groups} moves`);
      const from = new Set(moves.map(({ to }) => to));
      assert(from.size === 0 || (from.size === 1 && from.has(count + 1)), 'only the new one gets any');
      if (policy === 'Spread' && perBroker >= 20) {
        const loads = loadsOf(applyPlan(grown, { homes: [], moves }), joined.view.steady, () => 1);
        assert(ratioOf([...loads.values()]) <= balancedRatio, descending(loads).join());
      }
    }),
    { numRuns: 300 },
  );
});
