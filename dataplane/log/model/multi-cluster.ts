import { at, replaced } from './model.ts';
import type { Step } from './model.ts';
import type { Cluster } from './multi-cluster-content.ts';
import { changed, copyOf, idleRole, kill, nobody } from './multi-state.ts';
import type { Rules, State } from './multi-state.ts';

/** All partitions assigned to broker 0; the first session of each broker is registered. */
export function initialCluster({ bounds }: Rules): Cluster {
  return {
    entries: Array.from({ length: bounds.brokers }, (_, sid) => ({
      sid: sid < bounds.sessions ? sid : nobody,
      dead: false,
    })),
    assignments: Array.from({ length: bounds.partitions }, () => ({
      broker: 0,
      generation: 1,
      from: nobody,
    })),
  };
}

/** The rule of the cluster state: a sid is dead when no entry names it, or the entry that does says so. */
export function isDead(cluster: Cluster, sid: number): boolean {
  return !cluster.entries.some((entry) => entry.sid === sid && !entry.dead);
}

/** A change of `meta/cluster` by somebody, and what sessions learn from reading it. */
export function* clusterSteps(rules: Rules, state: State): Iterable<Step<State>> {
  const { cluster } = state;
  if (cluster === null) return;
  const { bounds } = rules;
  const step = (action: string, cluster: Cluster): Step<State> => {
    const next = copyOf(state);
    next.cluster = cluster;
    return [action, next];
  };
  for (const [broker, { sid, dead }] of cluster.entries.entries()) {
    const successor = sid + bounds.brokers;
    const mayDie = deathsIn(cluster) < bounds.deaths;
    if (successor < bounds.sessions && (dead || mayDie)) {
      yield step(`register s${successor} as b${broker}`, withEntry(cluster, broker, successor, false));
    }
    if (!dead && mayDie) {
      yield step(`declareDead b${broker} s${sid}`, withDeath(cluster, broker));
    }
  }
  for (const q of cluster.assignments.keys()) {
    for (let broker = 0; broker < bounds.brokers; broker++) {
      const moved = reassigned(cluster, q, broker);
      if (moved !== undefined && at(moved.assignments, q).generation <= bounds.maxgen) {
        yield step(`reassign p${q} to b${broker}`, moved);
      }
    }
  }
  yield* learningSteps(rules, state, cluster);
}

function* learningSteps({ broken }: Rules, state: State, cluster: Cluster): Iterable<Step<State>> {
  for (const [i, session] of state.sessions.entries()) {
    if (session.dead) continue;
    const broker = cluster.entries.findIndex(({ sid }) => sid === i);
    if (isDead(cluster, i)) {
      if (wasRegistered(cluster, i))
        yield [`learnDeath s${i}`, changed(state, i, (_, next) => kill(next, i))];
      continue;
    }
    for (const q of session.roles.keys()) {
      const { broker: assigned, generation, from } = at(cluster.assignments, q);
      if (at(session.roles, q).phase !== 'idle' || assigned !== broker) continue;
      const next = changed(state, i, (session) => {
        session.roles[q] = { ...idleRole, phase: 'told', order: generation };
        if (broken.has('sealOnHandover') || broken.has('sealByMode')) at(session.roles, q).orderFrom = from;
        if (broken.has('judgeByOldView')) session.oldView = cluster;
      });
      yield [`readOrder s${i} p${q} generation${generation}`, next];
    }
  }
}

/** Sids of a broker are registered in ascending order, so those before the last are dead. */
function deathsIn({ entries }: Cluster): number {
  return entries.reduce(
    (count, { sid, dead }) => count + Math.max(0, Math.floor(sid / entries.length)) + (dead ? 1 : 0),
    0,
  );
}

function wasRegistered({ entries }: Cluster, sid: number): boolean {
  return sid <= at(entries, sid % entries.length).sid;
}

/** The entry of `broker` names `sid` from now on; hand-overs from the sid that this kills become takeovers. */
function withEntry(cluster: Cluster, broker: number, sid: number, dead: boolean): Cluster {
  const old = at(cluster.entries, broker).sid;
  return {
    entries: replaced(cluster.entries, broker, { sid, dead }),
    assignments: cluster.assignments.map((a) => (a.from === old ? { ...a, from: nobody } : a)),
  };
}

/** `broker` is dead; what was assigned to it goes to a survivor. */
function withDeath(cluster: Cluster, broker: number): Cluster {
  const next = withEntry(cluster, broker, at(cluster.entries, broker).sid, true);
  const survivor = next.entries.findIndex(({ sid, dead }) => sid !== nobody && !dead);
  if (survivor < 0) return next;
  const assignments = next.assignments.map((a) =>
    a.broker === broker ? { broker: survivor, generation: a.generation + 1, from: nobody } : a,
  );
  return { ...next, assignments };
}

/** Undefined if `broker` has it already or is not alive. */
function reassigned(cluster: Cluster, partition: number, broker: number): Cluster | undefined {
  const before = at(cluster.assignments, partition);
  const target = at(cluster.entries, broker);
  if (before.broker === broker || target.dead || target.sid === nobody) return undefined;
  const { sid, dead } = at(cluster.entries, before.broker);
  const after = { broker, generation: before.generation + 1, from: dead ? nobody : sid };
  return { ...cluster, assignments: replaced(cluster.assignments, partition, after) };
}

export function clusterKey(cluster: Cluster | null): string {
  if (cluster === null) return '';
  let key = '';
  for (const { sid, dead } of cluster.entries) key += `${sid}${dead ? 'x' : ''}/`;
  for (const { broker, generation, from } of cluster.assignments) key += `${broker}.${generation}.${from}/`;
  return key;
}
