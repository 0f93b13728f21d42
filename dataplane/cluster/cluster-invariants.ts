import type { Assignment, ClusterState, GroupLayout, Suspicion } from './cluster-state.ts';
import { liveBroker } from './ownership.ts';
import { groupCountOf, groupId, layoutProblem } from './partition-groups.ts';

/**
 * Where a state contradicts itself, as one sentence; `undefined` when it does not. Holds for every state that is written
 * and that is read, so the code in between may rely on it. A new format version must keep it for as long as readers of the
 * version before may meet it.
 */
export function stateProblem(state: ClusterState): string | undefined {
  return brokersProblem(state) ?? topicsProblem(state) ?? suspicionsProblem(state) ?? appliedProblem(state);
}

function brokersProblem(state: ClusterState): string | undefined {
  const zones = new Set(state.zones);
  if (zones.size !== state.zones.length) return `zones names one twice: ${state.zones.join(', ')}`;
  const sids = new Set<string>();
  for (const [id, { sid, zone }] of state.brokers) {
    if (sids.has(sid)) return `broker ${id} has session ${sid}, as another broker has`;
    sids.add(sid);
    if (!zones.has(zone)) return `broker ${id} is in zone ${zone}, which zones does not name`;
  }
  return undefined;
}

function topicsProblem(state: ClusterState): string | undefined {
  const zones = new Set(state.zones);
  const topicIds = new Set<string>();
  let assigned = 0;
  const layoutsProblem = (what: string, layout: GroupLayout, mustHaveAll: boolean): string | undefined => {
    const problem = layoutProblem(layout);
    if (problem !== undefined) return `${what}: ${problem}`;
    if (topicIds.has(layout.topicId)) return `${what} has topic id ${layout.topicId}, as another topic has`;
    topicIds.add(layout.topicId);
    const before = assigned;
    for (let index = groupCountOf(layout) - 1; index >= 0; index -= 1) {
      const assignment = state.assignments.get(groupId(layout.topicId, index));
      const wrong =
        assignment === undefined ? mustHaveAll && 'has no assignment' : assignmentProblem(state, assignment);
      if (wrong) return `partition group ${groupId(layout.topicId, index)} of ${what} ${wrong}`;
      if (assignment !== undefined) assigned += 1;
    }
    return assigned === before ? `${what} has no assignment left` : undefined;
  };
  for (const [name, topic] of state.topics) {
    const problem = layoutsProblem(`topic ${name}`, topic, true);
    if (problem !== undefined) return problem;
    if (topic.homeZone !== undefined && !zones.has(topic.homeZone)) {
      return `topic ${name} has home zone ${topic.homeZone}, which zones does not name`;
    }
    for (const [index, brokers] of topic.replicas ?? []) {
      if (index >= groupCountOf(topic)) return `topic ${name} has replicas of group ${index}, which it lacks`;
      if (brokers.length === 0 || new Set(brokers).size < brokers.length)
        return `group ${index} of topic ${name} has the replicas ${JSON.stringify(brokers)}`;
    }
  }
  for (const [topicId, topic] of state.deletedTopics) {
    if (topicId !== topic.topicId) return `deleted topic ${topicId} is ${topic.topicId} inside`;
    const problem = layoutsProblem(`deleted topic ${topic.name}`, topic, false);
    if (problem !== undefined) return problem;
  }
  return assigned === state.assignments.size
    ? undefined
    : `${state.assignments.size - assigned} assignments belong to no topic`;
}

function assignmentProblem(
  state: ClusterState,
  { broker, generation, from }: Assignment,
): string | undefined {
  if (!Number.isSafeInteger(generation) || generation < 1) return `has generation ${generation}`;
  if (!state.brokers.has(broker)) return `is assigned to broker ${broker}, which does not exist`;
  if (from === undefined) return undefined;
  if (from.broker === broker) return `is handed over by broker ${broker} to itself`;
  return liveBroker(state, from.broker)?.sid === from.sid
    ? undefined
    : `is handed over by session ${from.sid} of broker ${from.broker}, which is dead`;
}

function suspicionsProblem(state: ClusterState): string | undefined {
  for (const [id, suspicion] of state.suspicions) {
    if (liveBroker(state, id)?.sid !== suspicion.sid) {
      return `broker ${id} is suspected as session ${suspicion.sid}, which is dead`;
    }
    const problem = accusationsProblem(state, id, suspicion);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function accusationsProblem(state: ClusterState, accused: number, suspicion: Suspicion): string | undefined {
  const { accusations, refutations } = suspicion;
  if (accusations.length === 0 && refutations === 0) return `broker ${accused} is suspected by nobody`;
  const accusers = new Set<number>();
  for (const { by, bySid } of accusations) {
    if (by === accused) return `broker ${accused} accuses itself`;
    if (accusers.has(by)) return `broker ${by} accuses broker ${accused} twice`;
    accusers.add(by);
    if (liveBroker(state, by)?.sid !== bySid)
      return `broker ${accused} is accused by session ${bySid}, which is dead`;
  }
  return undefined;
}

function appliedProblem(state: ClusterState): string | undefined {
  const named = new Set([...state.brokers.values()].map(({ sid }) => sid));
  for (const sid of state.applied.keys()) {
    if (!named.has(sid)) return `applied keeps session ${sid}, which no broker has`;
  }
  return undefined;
}
