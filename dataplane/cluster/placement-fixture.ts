import assert from 'node:assert/strict';
import { hexId, noCluster } from './cluster-fixture.ts';
import { stateProblem } from './cluster-invariants.ts';
import type { Assignment, BrokerEntry, ClusterState, TopicEntry } from './cluster-state.ts';
import type { GroupLoads } from './group-loads.ts';
import { liveBroker } from './ownership.ts';
import { extendGroups, groupsOf } from './partition-groups.ts';
import type { PlacementView } from './plan-placement.ts';

/** For tests: clusters in any condition, also such as no history of a healthy one leads to. */

export interface BrokerSpec {
  /** Of the zones a, b, c. */
  readonly zone: number;
  readonly state: BrokerEntry['state'];
  readonly isCordoned: boolean;
  readonly isSteady: boolean;
  /** Whether it has told what its groups take. Default: it has. */
  readonly isSilent?: boolean;
}

export interface TopicSpec {
  readonly policy: 'Spread' | 'HomeZone' | 'Pinned';
  readonly home: number;
  readonly groups: readonly GroupSpec[];
  readonly isDeleted: boolean;
}

export interface GroupSpec {
  /** Index of the owner among the brokers, modulo their number. */
  readonly owner: number;
  /** Per second. */
  readonly bytes: number;
  /** Handed over by the next broker. */
  readonly isMoving: boolean;
}

export interface ClusterSpec {
  readonly brokers: readonly BrokerSpec[];
  readonly topics: readonly TopicSpec[];
}

export interface PlacementCase {
  readonly state: ClusterState;
  readonly view: PlacementView & {
    readonly steady: ReadonlySet<number>;
    readonly loads: GroupLoads;
  };
}

export const zoneNames = ['a', 'b', 'c'] as const;

/** Brokers have the ids 1, 2, …; topics are called `topic-1`, `topic-2`, …, each of their groups is one partition. */
export function placementCase({ brokers, topics }: ClusterSpec): PlacementCase {
  const entries = new Map(brokers.map((broker, index) => [index + 1, entryOf(broker, index + 1)]));
  const shown = new Map<string, TopicEntry>();
  const deletedTopics = new Map<
    string,
    ClusterState['deletedTopics'] extends ReadonlyMap<string, infer D> ? D : never
  >();
  const assignments = new Map<string, Assignment>();
  const bytes = new Map<string, number>();
  const base: ClusterState = { ...noCluster, zones: zoneNames, brokers: entries };
  for (const [index, { policy, home, groups, isDeleted }] of topics.entries()) {
    const number = index + 1;
    const partitions = groups.length;
    const layout = {
      topicId: hexId('a', number),
      partitions,
      groups: extendGroups([], { before: 0, after: partitions }, true),
    };
    for (const { id, index: at } of groupsOf(layout)) {
      const group = groups[at];
      assert(group !== undefined);
      const owner = (group.owner % brokers.length) + 1;
      const from = (owner % brokers.length) + 1;
      const server = group.isMoving && from !== owner ? liveBroker(base, from) : undefined;
      const assignment = { broker: owner, generation: 1 };
      assignments.set(
        id,
        server === undefined ? assignment : { ...assignment, from: { broker: from, sid: server.sid } },
      );
      if (brokers[owner - 1]?.isSilent !== true && group.bytes > 0) bytes.set(id, group.bytes);
    }
    const name = `topic-${number}`;
    if (isDeleted) deletedTopics.set(layout.topicId, { name, ...layout });
    else {
      const homeZone = zoneNames[home];
      shown.set(name, {
        ...layout,
        internal: true,
        configs: policy === 'Spread' ? {} : { 'table.placement.policy': policy },
        ...(policy === 'Spread' || homeZone === undefined ? {} : { homeZone }),
      });
    }
  }
  const state = { ...base, topics: shown, deletedTopics, assignments };
  assert.equal(stateProblem(state), undefined);
  const steady = new Set(
    brokers.flatMap(({ state: its, isCordoned, isSteady }, index) =>
      its === 'alive' && !isCordoned && isSteady ? [index + 1] : [],
    ),
  );
  const told = new Set(brokers.flatMap(({ isSilent }, index) => (isSilent === true ? [] : [index + 1])));
  return { state, view: { steady, loads: { bytes, brokers: told } } };
}

function entryOf({ zone, state, isCordoned }: BrokerSpec, id: number): BrokerEntry {
  return {
    sid: hexId('5', id),
    address: `10.0.0.${id}:9093`,
    listeners: {},
    zone: zoneNames[zone] ?? 'a',
    state,
    ...(isCordoned ? { cordoned: true } : {}),
    supportedFormat: { min: 1, max: 1 },
  };
}

/** The same, written in another order. */
export function turned(state: ClusterState): ClusterState {
  const { brokers, topics, deletedTopics, assignments } = state;
  return {
    ...state,
    brokers: new Map([...brokers].toReversed()),
    topics: new Map([...topics].toReversed()),
    deletedTopics: new Map([...deletedTopics].toReversed()),
    assignments: new Map([...assignments].toReversed()),
  };
}

/** All hand-overs are over. */
export function settled(state: ClusterState): ClusterState {
  const assignments = new Map(
    Array.from(state.assignments, ([group, { from: _over, ...assignment }]) => [group, assignment] as const),
  );
  return { ...state, assignments };
}
