import { assign } from '../../dataplane/cluster/assign.ts';
import type { BrokerEntry, ClusterState, TopicEntry } from '../../dataplane/cluster/cluster-state.ts';
import { emptyCluster } from '../../dataplane/cluster/new-cluster.ts';
import { extendGroups, groupsOf } from '../../dataplane/cluster/partition-groups.ts';
import { place } from '../../dataplane/cluster/place.ts';
import { applyPlan, planPlacement } from '../../dataplane/cluster/plan-placement.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';

/**
 * Deciding where 100,000 partitions go among 300 brokers in three zones: once all at a time, as when a bucket is opened
 * anew, and what a broker computes every few seconds.
 */

const partitionCount = 100_000;
const brokerCount = 300;
const zones = ['a', 'b', 'c'];
const random = new VirtualRandom(1, 'placement');

/** How partitions are cut up into topics: the fewest groups that the layout makes of them, the usual, and the most. */
export const shapes = {
  'one topic': 1,
  '1,000 topics': 1_000,
  '100,000 topics': 100_000,
} as const;

export type Shape = keyof typeof shapes;

/** The slowest decision of each kind. */
export function placementTimes(shape: Shape, quick: boolean): Record<string, number> {
  const created = clusterWith(shapes[shape]);
  const placed = assign(created, place(created));
  const bytes = new Map(Array.from(placed.assignments.keys(), (group) => [group, random.below(200_000)]));
  const brokers = new Set(placed.brokers.keys());
  const view = { steady: brokers, loads: { bytes, brokers } };
  const evened = applyPlan(placed, planPlacement(placed, view));
  const work: Readonly<Record<string, () => number>> = {
    placeAllMs: () => place(created).length,
    takeoverOfZoneMs: () => place(withState(placed, 'dead', (_, zone) => zone === 'a')).length,
    nothingToDoMs: () => planPlacement(evened, view).moves.length,
    balanceMs: () => planPlacement(placed, { ...view, maxMoves: 10 }).moves.length,
    zoneComesHomeMs: () => planPlacement(abroad(placed), view).moves.length,
    cordonZoneMs: () => planPlacement(cordoned(placed, 'b'), view).moves.length,
  };
  const times: Record<string, number> = {};
  for (const [name, run] of Object.entries(work)) {
    const turns = Array.from({ length: quick ? 3 : 7 }, () => timed(run));
    times[name] = turns.toSorted((a, b) => a - b)[Math.floor(turns.length / 2)] ?? 0;
  }
  return { ...times, worstMs: Math.max(...Object.values(times)), groups: placed.assignments.size };
}

/** Milliseconds of processor time of this thread: what else the machine does does not count. */
function timed(run: () => number): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

function clusterWith(topicCount: number): ClusterState {
  const brokers = new Map<number, BrokerEntry>();
  for (let id = 0; id < brokerCount; id += 1) {
    brokers.set(id, {
      sid: hex(id),
      address: `10.0.0.${id}:9093`,
      listeners: {},
      zone: zones[id % zones.length] ?? '',
      state: 'alive',
      supportedFormat: { min: 1, max: 1 },
    });
  }
  const topics = new Map<string, TopicEntry>();
  const partitions = partitionCount / topicCount;
  for (let index = 0; index < topicCount; index += 1) {
    const isHome = index % 2 === 0;
    topics.set(`topic-${index}`, {
      topicId: hex(index),
      partitions,
      groups: extendGroups([], { before: 0, after: partitions }, false),
      internal: false,
      configs: isHome ? { 'table.placement.policy': 'HomeZone' } : {},
      ...(isHome ? { homeZone: zones[(index / 2) % zones.length] ?? '' } : {}),
    });
  }
  return { ...emptyCluster(random), zones, brokers, topics };
}

function withState(
  state: ClusterState,
  to: BrokerEntry['state'],
  which: (id: number, zone: string) => boolean,
): ClusterState {
  const brokers = new Map(
    Array.from(state.brokers, ([id, broker]) => [
      id,
      which(id, broker.zone) ? { ...broker, state: to } : broker,
    ]),
  );
  return { ...state, brokers };
}

function cordoned(state: ClusterState, zone: string): ClusterState {
  const brokers = new Map(
    Array.from(state.brokers, ([id, broker]) => [
      id,
      broker.zone === zone ? { ...broker, cordoned: true as const } : broker,
    ]),
  );
  return { ...state, brokers };
}

/** Every topic with a home zone is on brokers of another one. */
function abroad(state: ClusterState): ClusterState {
  const assignments = new Map(state.assignments);
  for (const topic of state.topics.values()) {
    if (topic.homeZone === undefined) continue;
    for (const { id } of groupsOf(topic)) {
      const assignment = assignments.get(id);
      if (assignment !== undefined)
        assignments.set(id, { ...assignment, broker: (assignment.broker + 1) % brokerCount });
    }
  }
  return { ...state, assignments };
}

function hex(number: number): string {
  return number.toString(16).padStart(32, '0');
}
