import assert from 'node:assert/strict';
import { placeHomeless } from './assign.ts';
import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, Configs, DeletedTopic, TopicEntry } from './cluster-state.ts';
import { homeZoneOf, placementPolicyConfig, placementZoneConfig } from './home-zone.ts';
import { extendGroups, groupsOf, maxPartitionsOfTopic, parseGroupId } from './partition-groups.ts';
import { ownerProblem, replicasOfGroup, replicasProblem, withReplicas } from './requested-replicas.ts';
import type { RequestedReplicas } from './requested-replicas.ts';

export interface NewTopic {
  readonly name: string;
  /** Freshly minted, never used before. */
  readonly topicId: string;
  readonly partitions: number;
  readonly internal: boolean;
  /** `table.placement.*` among them decide the home zone; the other ones are somebody else's to judge. */
  readonly configs: Configs;
  /** How many replicas Metadata names, 1 to 32767. Default: one in every zone. */
  readonly replicationFactor?: number | undefined;
  /** Who owns the partitions, all of them. Default: `place()` decides. */
  readonly assignments?: RequestedReplicas | undefined;
}

/** Creates a topic and gives every partition group an owner. */
export function createTopic(state: ClusterState, topic: NewTopic): ClusterState | ChangeRefused {
  const declared = declareTopic(state, topic);
  return declared instanceof ChangeRefused ? declared : placeHomeless(declared);
}

/**
 * The first half of {@link createTopic}: groups get owners only as far as `assignments` says. No state to be written:
 * `placeHomeless` has to follow, once for many topics.
 */
export function declareTopic(state: ClusterState, topic: NewTopic): ClusterState | ChangeRefused {
  const { name, topicId, partitions, internal, configs, replicationFactor, assignments } = topic;
  if (!isTopicName(name)) {
    return new ChangeRefused(
      'INVALID_TOPIC_NAME',
      `${JSON.stringify(name)} is no topic name: 1 to 249 of the characters a-z A-Z 0-9 . _ - are, other than "." and ".."`,
    );
  }
  if (state.topics.has(name)) return new ChangeRefused('TOPIC_EXISTS', `topic ${name} already exists`);
  const tooMany = partitionsProblem(name, 0, partitions);
  if (tooMany !== undefined) return tooMany;
  assert(!hasTopicId(state, topicId), `topic id ${topicId} is in use already: mint a new one for ${name}`);
  const homeless = homelessProblem(state, `topic ${name} cannot be created`);
  if (homeless !== undefined) return homeless;
  const homeZone = homeZoneOf(state, name, configs, undefined);
  if (homeZone instanceof ChangeRefused) return homeZone;

  const entry: TopicEntry = {
    topicId,
    partitions,
    groups: extendGroups([], { before: 0, after: partitions }, internal),
    internal,
    configs,
    ...(homeZone === undefined ? {} : { homeZone }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  };
  return placeAs(withTopic(state, name, entry), name, entry, assignments);
}

export interface MorePartitions {
  readonly topic: string;
  /** How many partitions the topic has afterwards. */
  readonly total: number;
  /** Who owns the new partitions, all of them. Default: `place()` decides. */
  readonly assignments?: RequestedReplicas | undefined;
}

export function addPartitions(
  state: ClusterState,
  { topic: name, total, assignments }: MorePartitions,
): ClusterState | ChangeRefused {
  const topic = state.topics.get(name);
  if (topic === undefined) return unknownTopic(name);
  const problem =
    partitionsProblem(name, topic.partitions, total) ??
    homelessProblem(state, `topic ${name} cannot get more partitions`);
  if (problem !== undefined) return problem;
  const groups = extendGroups(topic.groups, { before: topic.partitions, after: total }, topic.internal);
  const extended = { ...topic, partitions: total, groups };
  const placed = placeAs(withTopic(state, name, extended), name, extended, assignments);
  return placed instanceof ChangeRefused ? placed : placeHomeless(placed);
}

/** Gives the groups that have no owner yet the one that was asked for, if one was. */
function placeAs(
  state: ClusterState,
  name: string,
  topic: TopicEntry,
  asked: RequestedReplicas | undefined,
): ClusterState | ChangeRefused {
  if (asked === undefined) return state;
  const assignments = new Map(state.assignments);
  const lists = new Map<number, readonly number[]>();
  for (const group of groupsOf(topic)) {
    if (assignments.has(group.id)) continue;
    const replicas = replicasOfGroup(name, group, asked);
    if (replicas instanceof ChangeRefused) return replicas;
    const problem =
      replicasProblem(state, name, group.firstPartition, replicas) ??
      ownerProblem(state, { name, ...topic }, group, replicas[0] ?? -1);
    if (problem !== undefined) return problem;
    assignments.set(group.id, { broker: replicas[0] ?? -1, generation: 1 });
    lists.set(group.index, replicas);
  }
  return withTopic({ ...state, assignments }, name, withReplicas(topic, lists));
}

/**
 * The name is free at once. The groups keep their assignments: their owners mark the manifests deleted, empty the
 * prefixes and report each with {@link forgetGroups}.
 */
export function deleteTopic(state: ClusterState, name: string): ClusterState | ChangeRefused {
  const topic = state.topics.get(name);
  if (topic === undefined) return unknownTopic(name);
  const topics = new Map(state.topics);
  topics.delete(name);
  const { topicId, partitions, groups, extra } = topic;
  const deleted: DeletedTopic = {
    name,
    topicId,
    partitions,
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
  return { ...state, topics, deletedTopics: new Map(state.deletedTopics).set(topicId, deleted) };
}

/**
 * The prefixes of these groups of deleted topics are empty: nobody has to look after them any more. A topic is forgotten
 * with its last group. Groups that are forgotten already change nothing.
 */
export function forgetGroups(state: ClusterState, groups: readonly string[]): ClusterState | ChangeRefused {
  const assignments = new Map(state.assignments);
  const touched = new Set<string>();
  for (const group of groups) {
    if (!assignments.has(group)) continue;
    const topicId = parseGroupId(group)?.topicId;
    if (topicId === undefined || !state.deletedTopics.has(topicId)) {
      return new ChangeRefused(
        'TOPIC_EXISTS',
        `partition group ${group} cannot be forgotten: its topic is not deleted`,
      );
    }
    assignments.delete(group);
    touched.add(topicId);
  }
  if (touched.size === 0) return state;
  const deletedTopics = new Map(state.deletedTopics);
  for (const topicId of touched) {
    const topic = deletedTopics.get(topicId);
    if (topic !== undefined && !groupsOf(topic).some(({ id }) => assignments.has(id)))
      deletedTopics.delete(topicId);
  }
  return { ...state, assignments, deletedTopics };
}

/** Like {@link forgetGroups} for all groups of the topic that are left. */
export function forgetTopic(state: ClusterState, topicId: string): ClusterState | ChangeRefused {
  const topic = state.deletedTopics.get(topicId);
  return topic === undefined
    ? state
    : forgetGroups(
        state,
        groupsOf(topic).map(({ id }) => id),
      );
}

/**
 * Sets and removes configs of a topic. A change of `table.placement.*` may change its home zone; its groups then go there
 * by hand-over, which is for whoever moves groups. Other changes leave the home zone alone: it may be another one than the
 * configs name, because that one is lost.
 */
export function setTopicConfigs(
  state: ClusterState,
  change: { readonly topic: string; readonly set: Configs; readonly remove: readonly string[] },
): ClusterState | ChangeRefused {
  const topic = state.topics.get(change.topic);
  if (topic === undefined) return unknownTopic(change.topic);
  const configs = changedConfigs(topic.configs, change);
  if (configs === undefined) return state;
  const isPlacement = [placementPolicyConfig, placementZoneConfig].some(
    (name) => configs[name] !== topic.configs[name],
  );
  if (!isPlacement) return withTopic(state, change.topic, { ...topic, configs });
  const homeZone = homeZoneOf(state, change.topic, configs, topic.homeZone);
  if (homeZone instanceof ChangeRefused) return homeZone;
  const { homeZone: _before, ...kept } = topic;
  return withTopic(state, change.topic, {
    ...kept,
    configs,
    ...(homeZone === undefined ? {} : { homeZone }),
  });
}

/** `undefined` when nothing changes. What is both set and removed is set. */
export function changedConfigs(
  configs: Configs,
  { set, remove }: { readonly set: Configs; readonly remove: readonly string[] },
): Configs | undefined {
  const next = new Map(Object.entries(configs));
  for (const name of remove) next.delete(name);
  for (const [name, value] of Object.entries(set)) next.set(name, value);
  const same =
    next.size === Object.keys(configs).length && [...next].every(([name, value]) => configs[name] === value);
  return same ? undefined : Object.fromEntries(next);
}

export function unknownTopic(name: string): ChangeRefused {
  return new ChangeRefused('UNKNOWN_TOPIC', `there is no topic ${JSON.stringify(name)}`);
}

export function unknownPartition(name: string, topic: TopicEntry, partition: number): ChangeRefused {
  return new ChangeRefused(
    'INVALID_PARTITIONS',
    `topic ${name} has no partition ${partition}, only 0 to ${topic.partitions - 1}`,
  );
}

export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

function withTopic(state: ClusterState, name: string, topic: TopicEntry): ClusterState {
  return { ...state, topics: new Map(state.topics).set(name, topic) };
}

function hasTopicId(state: ClusterState, topicId: string): boolean {
  return state.deletedTopics.has(topicId) || state.assignments.has(`${topicId}-0`);
}

function partitionsProblem(name: string, before: number, after: number): ChangeRefused | undefined {
  if (Number.isInteger(after) && after > before && after <= maxPartitionsOfTopic) return undefined;
  return new ChangeRefused(
    'INVALID_PARTITIONS',
    `topic ${name} cannot have ${after} partitions: it must be a whole number from ${before + 1} to ${maxPartitionsOfTopic}`,
  );
}

function homelessProblem(state: ClusterState, what: string): ChangeRefused | undefined {
  if ([...state.brokers.values()].some((broker) => broker.state === 'alive')) return undefined;
  return new ChangeRefused(
    'NO_LIVE_BROKER',
    `${what}: no broker is alive to own its partitions (${state.brokers.size} are draining or dead); start one and try again`,
  );
}
