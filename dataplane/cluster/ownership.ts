import type { Assignment, BrokerEntry, ClusterState } from './cluster-state.ts';

/** The sid of a broker id's present session and whether it lives, as far as `state` knows. */
export function liveBroker(state: ClusterState, id: number): BrokerEntry | undefined {
  const entry = state.brokers.get(id);
  return entry === undefined || entry.state === 'dead' ? undefined : entry;
}

/** Whether a broker may be given groups. */
export function isReady({ state, cordoned }: Pick<BrokerEntry, 'state' | 'cordoned'>): boolean {
  return state === 'alive' && cordoned !== true;
}

/**
 * Ids of the brokers that groups can go to: those that are ready; cordoned ones only when nobody else is alive, since
 * groups that nobody owns cannot be written.
 *
 * @param leave ids of brokers that are not asked in any case
 */
export function takersOf(state: ClusterState, leave: ReadonlySet<number> = new Set()): Set<number> {
  const alive = [...state.brokers].filter(([id, broker]) => broker.state === 'alive' && !leave.has(id));
  const ready = alive.filter(([, broker]) => isReady(broker));
  return new Set((ready.length > 0 ? ready : alive).map(([id]) => id));
}

export function brokerOfSid(
  state: ClusterState,
  sid: string,
): { readonly id: number; readonly entry: BrokerEntry } | undefined {
  for (const [id, entry] of state.brokers) if (entry.sid === sid) return { id, entry };
  return undefined;
}

/**
 * The dead-sid rule: a session is dead when no entry of `brokers` names it, or the one that does says `dead`. Once dead
 * it stays dead, so a stale state errs only on one side: it may take a session for alive that has died since, and for
 * dead only one that was not born yet. The latter cannot own a group under a generation that the stale state knows,
 * because registering gives every group of the broker a new generation.
 */
export function isDeadSid(state: ClusterState, sid: string): boolean {
  const named = brokerOfSid(state, sid);
  return named === undefined || named.entry.state === 'dead';
}

/**
 * How the assigned broker comes by the group (log.md 2.5, P1): `handover` while the session that serves it lives.
 * This is what was ordered. What may be *sealed* is decided by the manifest alone: only the open run of a session that
 * {@link isDeadSid} — after several quick reassignments the owner may be another live broker than `from`.
 */
export function assignmentMode(state: ClusterState, assignment: Assignment): 'handover' | 'takeover' {
  return handingOver(state, assignment) === undefined ? 'takeover' : 'handover';
}

/** Who answers for the group as far as clients are told; `undefined` while its broker is dead. */
export function leaderOf(
  state: ClusterState,
  group: string,
): { readonly broker: number; readonly sid: string; readonly entry: BrokerEntry } | undefined {
  const assignment = state.assignments.get(group);
  if (assignment === undefined) return undefined;
  const old = handingOver(state, assignment);
  const broker = old?.broker ?? assignment.broker;
  const entry = liveBroker(state, broker);
  return entry === undefined ? undefined : { broker, sid: entry.sid, entry };
}

/** `from`, when that session still lives. */
export function handingOver(
  state: ClusterState,
  { from }: Assignment,
): { readonly broker: number; readonly sid: string } | undefined {
  if (from === undefined) return undefined;
  return liveBroker(state, from.broker)?.sid === from.sid ? from : undefined;
}

/** The assignments of a broker, each with its group id. */
export function* assignmentsOf(state: ClusterState, broker: number): Generator<[group: string, Assignment]> {
  for (const [group, assignment] of state.assignments)
    if (assignment.broker === broker) yield [group, assignment];
}
