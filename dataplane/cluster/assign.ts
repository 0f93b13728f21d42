import type { Assignment, ClusterState } from './cluster-state.ts';
import { liveBroker } from './ownership.ts';
import { place } from './place.ts';
import type { Placed } from './place.ts';

/**
 * Carries out `place()`: every placed group gets its new broker under the next generation. The mode follows from the
 * owner before: `handover` from one whose session lives, else `takeover`.
 */
export function assign(state: ClusterState, placed: readonly Placed[]): ClusterState {
  if (placed.length === 0) return state;
  const assignments = new Map(state.assignments);
  for (const { group, broker } of placed) {
    assignments.set(group, reassigned(state, assignments.get(group), broker));
  }
  return { ...state, assignments };
}

/** Gives every group that has no live broker one, as far as there are any. */
export function placeHomeless(state: ClusterState): ClusterState {
  return assign(state, place(state));
}

/**
 * The assignment after `before` that names `broker`. While a hand-over is under way its old owner still serves, so it
 * stays `from`, unless the group goes back to it.
 */
function reassigned(state: ClusterState, before: Assignment | undefined, broker: number): Assignment {
  if (before === undefined) return { broker, generation: 1 };
  const { from: _served, ...kept } = before;
  const next = { ...kept, broker, generation: before.generation + 1 };
  const server = before.from ?? ownerNow(state, before.broker);
  return server === undefined || server.broker === broker || !lives(state, server)
    ? next
    : { ...next, from: server };
}

function ownerNow(state: ClusterState, broker: number): Assignment['from'] {
  const entry = liveBroker(state, broker);
  return entry === undefined ? undefined : { broker, sid: entry.sid };
}

function lives(
  state: ClusterState,
  { broker, sid }: { readonly broker: number; readonly sid: string },
): boolean {
  return liveBroker(state, broker)?.sid === sid;
}
