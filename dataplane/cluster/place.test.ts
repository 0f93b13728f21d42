import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assign } from './assign.ts';
import { setBrokerState } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import { clusterOf, hexId, homeZone, made, noCluster, registered, withTopic } from './cluster-fixture.ts';
import type { BrokerState, ClusterState } from './cluster-state.ts';
import { chooseHomeZone } from './home-zone.ts';
import { liveBroker } from './ownership.ts';
import { groupsOf } from './partition-groups.ts';
import { place } from './place.ts';
import { createTopic } from './topic-changes.ts';

function kill(state: ClusterState, id: number): ClusterState {
  const sid = state.brokers.get(id)?.sid ?? '';
  return made(setBrokerState(state, { id, sid, to: 'dead' }));
}

function brokersOf(state: ClusterState, topic: string): number[] {
  const entry = state.topics.get(topic);
  assert(entry);
  return groupsOf(entry).map(({ id }) => state.assignments.get(id)?.broker ?? -1);
}

test('a topic without a home zone is spread over brokers and zones', () => {
  const state = withTopic(clusterOf('a', 'a', 'b', 'c'), 'orders', 1, { partitions: 6 });
  assert.deepEqual(brokersOf(state, 'orders'), [1, 3, 4, 2, 3, 4]);
});

test('many topics of one partition are spread too', () => {
  let state = clusterOf('a', 'b', 'c');
  for (let index = 1; index <= 9; index += 1) state = withTopic(state, `topic-${index}`, index);
  const counts = Map.groupBy(state.assignments.values(), ({ broker }) => broker);
  assert.deepEqual(
    [...counts.values()].map((of) => of.length),
    [3, 3, 3],
  );
});

test('a topic with a home zone stays in one, and zones take turns', () => {
  let state = clusterOf('a', 'a', 'b', 'b');
  state = withTopic(state, 'one', 1, { partitions: 4, configs: homeZone });
  state = withTopic(state, 'two', 2, { partitions: 4, configs: homeZone });
  assert.deepEqual(brokersOf(state, 'one'), [1, 2, 1, 2]);
  assert.deepEqual(brokersOf(state, 'two'), [3, 4, 3, 4]);
  assert.equal(state.topics.get('one')?.homeZone, 'a');
  assert.equal(state.topics.get('two')?.homeZone, 'b');
});

test('the groups of a dead broker stay in its zone', () => {
  let state = withTopic(clusterOf('a', 'a', 'b', 'b'), 'spread', 1, { partitions: 8 });
  state = kill(state, 1);
  assert.deepEqual(brokersOf(state, 'spread'), [2, 3, 2, 4, 2, 3, 2, 4]);
});

test('when a zone is lost, a home-zone topic goes abroad as a whole, to the least loaded zone', () => {
  let state = clusterOf('a', 'a', 'b', 'c');
  state = withTopic(state, 'table', 1, { partitions: 8, configs: homeZone });
  state = withTopic(state, 'ballast', 2, {
    partitions: 4,
    configs: { ...homeZone, 'table.placement.zone': 'b' },
  });
  state = kill(kill(state, 1), 2);
  assert.deepEqual(new Set(brokersOf(state, 'table')), new Set([4]));
  assert.equal(state.topics.get('table')?.homeZone, 'a');
});

test('a topic that is abroad when a broker dies there is not torn apart because its home is back', () => {
  let state = clusterOf('a', 'b', 'b');
  state = withTopic(state, 'table', 1, {
    partitions: 4,
    configs: { ...homeZone, 'table.placement.zone': 'a' },
  });
  state = kill(state, 1);
  assert.deepEqual(new Set(brokersOf(state, 'table')), new Set([2, 3]));
  state = registered(state, 4, 'a', hexId('5', 4));
  state = kill(state, 2);
  assert.deepEqual(new Set(brokersOf(state, 'table')), new Set([3]));
  // Nothing of it is left there: now it goes home.
  state = kill(state, 3);
  assert.deepEqual(new Set(brokersOf(state, 'table')), new Set([4]));
});

test('without a live broker nothing is placed, and the first that comes gets everything', () => {
  let state = withTopic(clusterOf('a'), 'orders', 1, { partitions: 3 });
  state = kill(state, 1);
  assert.deepEqual(place(state), []);
  state = registered(state, 7, 'b', hexId('5', 7));
  assert.deepEqual(brokersOf(state, 'orders'), [7, 7, 7]);
});

test('the zone of a new home-zone topic counts topics that are abroad at home', () => {
  let state = clusterOf('a', 'b');
  state = withTopic(state, 'table', 1, {
    partitions: 3,
    configs: { ...homeZone, 'table.placement.zone': 'b' },
  });
  state = kill(state, 2);
  assert.deepEqual(brokersOf(state, 'table'), [1, 1, 1]);
  state = registered(state, 3, 'b', hexId('5', 3));
  assert.equal(chooseHomeZone(state), 'a');
});

/** Clusters as they come about: brokers register, drain, die and come back while topics are created. */
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('register' as const), id: fc.nat(7) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('dead', 'draining', 'alive'), id: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('topic' as const),
      partitions: fc.integer({ min: 1, max: 150 }),
      isHome: fc.boolean(),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function apply(state: ClusterState, change: Step, number: number): ClusterState {
  switch (change.kind) {
    case 'register':
      return registered(state, change.id, `zone-${change.id % 3}`, hexId('5', number));
    case 'topic': {
      const { partitions, isHome } = change;
      const topic = { name: `topic-${number}`, topicId: hexId('a', number), partitions, internal: false };
      return kept(state, createTopic(state, { ...topic, configs: isHome ? homeZone : {} }));
    }
    case 'dead':
    case 'draining':
    case 'alive': {
      const { id, kind } = change;
      const sid = state.brokers.get(id)?.sid ?? '';
      return kept(state, setBrokerState(state, { id, sid, to: kind satisfies BrokerState }));
    }
  }
}

function kept(before: ClusterState, result: ClusterState | ChangeRefused): ClusterState {
  return result instanceof ChangeRefused ? before : made(result);
}

const history = fc.array(step, { minLength: 1, maxLength: 40 });

function everyState(
  steps: readonly Step[],
  check: (state: ClusterState, before: ClusterState) => void,
): void {
  let state = noCluster;
  for (const [index, change] of steps.entries()) {
    const next = apply(state, change, index + 1);
    check(next, state);
    state = next;
  }
}

function hasAlive(state: ClusterState): boolean {
  return [...state.brokers.values()].some((broker) => broker.state === 'alive');
}

test('every group is with a live broker whenever one is alive, and placing again changes nothing', () => {
  fc.assert(
    fc.property(history, (steps) => {
      everyState(steps, (state) => {
        assert.deepEqual(place(state), []);
        if (!hasAlive(state)) return;
        for (const [group, { broker }] of state.assignments)
          assert(liveBroker(state, broker), `${group} on ${broker}`);
      });
    }),
    { numRuns: 150 },
  );
});

test('whoever keeps a live broker keeps the assignment', () => {
  fc.assert(
    fc.property(history, (steps) => {
      everyState(steps, (state, before) => {
        for (const [group, assignment] of before.assignments) {
          const survives =
            liveBroker(before, assignment.broker)?.sid === liveBroker(state, assignment.broker)?.sid;
          if (survives && liveBroker(state, assignment.broker)) {
            assert.equal(state.assignments.get(group), assignment);
          }
        }
      });
    }),
    { numRuns: 150 },
  );
});

test('a home-zone topic is never torn apart by deaths: it is in one zone, at home or abroad', () => {
  // Without drains: the groups on a draining broker stay until they are moved.
  const steps = history.map((all) => all.filter(({ kind }) => kind !== 'draining'));
  fc.assert(
    fc.property(steps, (some) => {
      everyState(some, (state) => {
        if (!hasAlive(state)) return;
        for (const [name, { homeZone: home }] of state.topics) {
          if (home === undefined) continue;
          const zones = new Set(brokersOf(state, name).map((id) => state.brokers.get(id)?.zone));
          assert.equal(zones.size, 1, `${name} is in ${[...zones].join(', ')}`);
        }
      });
    }),
    { numRuns: 150 },
  );
});

test('a drained broker loses everything by hand-over, and draining again moves nothing', () => {
  fc.assert(
    fc.property(history, fc.nat(7), (steps, id) => {
      everyState(steps, (state) => {
        const moved = assign(state, place(state, new Set([id])));
        assert.deepEqual(place(moved, new Set([id])), []);
        const others = [...state.brokers].some(([other, { state: its }]) => other !== id && its === 'alive');
        if (!others) return;
        for (const [group, { broker, from }] of made(moved).assignments) {
          assert.notEqual(broker, id);
          const before = state.assignments.get(group);
          if (before?.broker === id && liveBroker(state, id)) assert.equal(from?.broker, id);
        }
      });
    }),
    { numRuns: 100 },
  );
});

test('placement depends on what the state says, not on the order in which it says it', () => {
  fc.assert(
    fc.property(history, (steps) => {
      everyState(steps, (state) => {
        const turned = {
          ...state,
          brokers: new Map([...state.brokers].toReversed()),
          topics: new Map([...state.topics].toReversed()),
          assignments: new Map(),
        };
        assert.deepEqual(place(turned), place({ ...state, assignments: new Map() }));
      });
    }),
    { numRuns: 60 },
  );
});
