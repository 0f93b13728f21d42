import type { ClusterState } from './cluster-state.ts';
import { Fleet } from './fleet.ts';
import { takersOf } from './ownership.ts';
import { RuleKeeper } from './placement-rules.ts';
import { topicGroupsOf } from './topic-groups.ts';

export interface Placed {
  readonly group: string;
  readonly broker: number;
}

/**
 * Where the groups go that have no broker to be with: those without an assignment (their topic is being created), of a
 * dead broker, or of one in `leave`. Nobody else moves, so `place` of its own outcome is empty. Pure and the same in
 * every process that has the same state. What else may move is `planPlacement`'s.
 *
 *  - Only brokers that are `alive`, not cordoned and not in `leave` get anything; cordoned ones only when there is no
 *    other. Without any the answer is empty.
 *  - A topic with a home zone stays together: its groups go to the home zone if that has such a broker and nothing of the
 *    topic settled elsewhere meanwhile; else to the zone where most of its groups are; else, all of them, to the least
 *    loaded zone.
 *  - Any other group stays in the zone of the broker it loses, if that has another broker.
 *  - Among the brokers that remain the one with the fewest partitions of this topic takes it, then the one whose zone has
 *    the fewest of them, then the one with the fewest partitions in all, then the lowest id.
 *
 * Zone load is partitions per broker that groups can go to.
 */
export function place(state: ClusterState, leave: ReadonlySet<number> = new Set()): Placed[] {
  const fleet = new Fleet(state, takersOf(state, leave));
  const rules = { leave: new Map(Array.from(leave, (id) => [id, 'draining'] as const)) };
  const keeper = new RuleKeeper(state, fleet, rules);
  return keeper.apply(topicGroupsOf(state, fleet)).map(({ group, to }) => ({ group, broker: to }));
}
