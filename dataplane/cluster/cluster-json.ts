import type {
  Accusation,
  Assignment,
  BrokerEntry,
  ClusterState,
  DeletedTopic,
  GroupLayout,
  GroupRange,
  Suspicion,
  TopicEntry,
} from './cluster-state.ts';
import { Fields, integerOf, ShapeProblem, textOf } from './json-fields.ts';
import { groupCountOf, groupId, maxPartitionsOfTopic } from './partition-groups.ts';

/**
 * The JSON of the cluster state. Maps are lists whose elements name their key, and the assignments of a topic's groups
 * stand with the topic, by index: 100,000 of them stay small.
 *
 *   { version, clusterId, formatVersion, zones: [name…],
 *     brokers: [{id, sid, address, listeners, zone, state, cordoned?: true, supportedFormat: [min, max]}…],
 *     topics: [{name, topicId, partitions, groups: [[firstPartition, count, groupSize]…], internal, configs, homeZone?,
 *               replicationFactor?, replicas?: {groupIndex: [broker…]},
 *               assignments: [[broker, generation] | [broker, generation, hasManifest: 1] |
 *                             [broker, generation, fromBroker | null, fromSid | null, hasManifest: 0 | 1]…]}…],
 *     deletedTopics: [{name, topicId, partitions, groups, assignments: [[…] | null…]}…],
 *     suspicions: [{id, sid, refutations, accusations: [{by, bySid, nonce, atMs}…]}…],
 *     placedBy, configs, applied: {sid: seq} }
 *
 * Objects may have more fields and assignments more elements: those are kept and written back.
 */
export function encodeClusterJson(state: ClusterState): Record<string, unknown> {
  return {
    ...state.extra,
    version: state.version,
    clusterId: state.clusterId,
    formatVersion: state.formatVersion,
    zones: state.zones,
    brokers: Array.from(state.brokers, ([id, broker]) => ({
      ...broker.extra,
      id,
      sid: broker.sid,
      address: broker.address,
      listeners: broker.listeners,
      zone: broker.zone,
      state: broker.state,
      cordoned: broker.cordoned,
      supportedFormat: [broker.supportedFormat.min, broker.supportedFormat.max],
    })),
    topics: Array.from(state.topics, ([name, topic]) => ({
      ...topic.extra,
      name,
      topicId: topic.topicId,
      partitions: topic.partitions,
      groups: topic.groups,
      internal: topic.internal,
      configs: topic.configs,
      homeZone: topic.homeZone,
      replicationFactor: topic.replicationFactor,
      replicas: topic.replicas === undefined ? undefined : Object.fromEntries(topic.replicas),
      assignments: encodeAssignments(topic, state.assignments),
    })),
    deletedTopics: Array.from(state.deletedTopics.values(), (topic) => ({
      ...topic.extra,
      name: topic.name,
      topicId: topic.topicId,
      partitions: topic.partitions,
      groups: topic.groups,
      assignments: encodeAssignments(topic, state.assignments),
    })),
    suspicions: Array.from(state.suspicions, ([id, suspicion]) => ({
      ...suspicion.extra,
      id,
      sid: suspicion.sid,
      refutations: suspicion.refutations,
      accusations: suspicion.accusations.map(({ extra, by, bySid, nonce, atMs }) => ({
        ...extra,
        by,
        bySid,
        nonce,
        atMs,
      })),
    })),
    placedBy: state.placedBy,
    configs: state.configs,
    applied: Object.fromEntries(state.applied),
  };
}

/** @throws ShapeProblem naming the field */
export function decodeClusterJson(json: unknown): ClusterState {
  const fields = new Fields(json);
  const assignments = new Map<string, Assignment>();
  return {
    version: fields.integer('version', 1),
    clusterId: fields.text('clusterId', clusterIdPattern),
    formatVersion: fields.integer('formatVersion', 1, 0xffff),
    zones: fields.list('zones', (zone) => textOf(zone, '', namePattern)),
    brokers: byKey('brokers', fields.list('brokers', decodeBroker)),
    topics: byKey(
      'topics',
      fields.list('topics', (topic) => decodeTopic(topic, assignments)),
    ),
    deletedTopics: byKey(
      'deletedTopics',
      fields.list('deletedTopics', (topic) => decodeDeletedTopic(topic, assignments)),
    ),
    assignments,
    suspicions: byKey('suspicions', fields.list('suspicions', decodeSuspicion)),
    placedBy: fields.oneOf('placedBy', ['brokers', 'operator']),
    configs: fields.texts('configs'),
    applied: fields.nested('applied', decodeApplied),
    ...fields.rest(),
  };
}

export const hex32 = /^[0-9a-f]{32}$/;
export const clusterIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
/** Of zones and topics: anything printable, within a bound. */
export const namePattern = /^\P{Cc}{1,255}$/u;
export const addressPattern = /^[^\s\p{Cc}]{1,300}$/u;
export const maxBrokerId = 0x7fffffff;
export const maxReplicationFactor = 0x7fff;

function decodeBroker(json: unknown): [number, BrokerEntry] {
  const fields = new Fields(json);
  const id = fields.integer('id', 0, maxBrokerId);
  const [min = 0, max = 0, ...more] = fields.list('supportedFormat', (bound) =>
    integerOf(bound, '', 1, 0xffff),
  );
  if (min > max || min < 1 || more.length > 0) {
    throw new ShapeProblem(
      'supportedFormat',
      `${JSON.stringify([min, max, ...more])} is no range of versions`,
    );
  }
  const isCordoned = fields.optionalFlag('cordoned') ?? false;
  const entry: BrokerEntry = {
    sid: fields.text('sid', hex32),
    address: fields.text('address', addressPattern),
    listeners: fields.texts('listeners'),
    zone: fields.text('zone', namePattern),
    state: fields.oneOf('state', ['alive', 'draining', 'dead']),
    ...(isCordoned ? { cordoned: true } : {}),
    supportedFormat: { min, max },
    ...fields.rest(),
  };
  return [id, entry];
}

function decodeTopic(json: unknown, assignments: Map<string, Assignment>): [string, TopicEntry] {
  const fields = new Fields(json);
  const topicName = fields.text('name', namePattern);
  const layout = decodeLayout(fields);
  decodeAssignments(fields, layout, assignments);
  const homeZone = fields.optionalText('homeZone', namePattern);
  const replicationFactor = fields.optionalInteger('replicationFactor', 1, maxReplicationFactor);
  const replicas = fields.optionalNested('replicas', decodeReplicas);
  const topic: TopicEntry = {
    ...layout,
    internal: fields.flag('internal'),
    configs: fields.texts('configs'),
    ...(homeZone === undefined ? {} : { homeZone }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
    ...(replicas === undefined ? {} : { replicas }),
    ...fields.rest(),
  };
  return [topicName, topic];
}

function decodeReplicas(json: unknown): Map<number, readonly number[]> {
  const fields = new Fields(json);
  return new Map(
    Object.keys(json as Readonly<Record<string, unknown>>).map((index) => [
      integerOf(Number(index), index, 0, maxPartitionsOfTopic),
      fields.list(index, (id) => integerOf(id, '', 0, maxBrokerId)),
    ]),
  );
}

function decodeDeletedTopic(json: unknown, assignments: Map<string, Assignment>): [string, DeletedTopic] {
  const fields = new Fields(json);
  const layout = decodeLayout(fields);
  decodeAssignments(fields, layout, assignments);
  return [layout.topicId, { name: fields.text('name', namePattern), ...layout, ...fields.rest() }];
}

function decodeLayout(fields: Fields): GroupLayout {
  return {
    topicId: fields.text('topicId', hex32),
    partitions: fields.integer('partitions', 1, maxPartitionsOfTopic),
    groups: fields.list('groups', decodeRange),
  };
}

function decodeRange(json: unknown): GroupRange {
  if (!Array.isArray(json) || json.length !== 3) {
    throw new ShapeProblem('', `${JSON.stringify(json)} is not [firstPartition, count, groupSize]`);
  }
  const parts: readonly unknown[] = json;
  const first = integerOf(parts[0], '[0]', 0, maxPartitionsOfTopic);
  const count = integerOf(parts[1], '[1]', 1, maxPartitionsOfTopic);
  return [first, count, integerOf(parts[2], '[2]', 1, maxPartitionsOfTopic)];
}

function encodeAssignments(
  layout: GroupLayout,
  assignments: ReadonlyMap<string, Assignment>,
): readonly (readonly unknown[] | null)[] {
  return Array.from({ length: groupCountOf(layout) }, (_, index) => {
    const assignment = assignments.get(groupId(layout.topicId, index));
    if (assignment === undefined) return null;
    const { broker, generation, from, hasManifest, extra } = assignment;
    if (from === undefined && extra === undefined)
      return hasManifest === true ? [broker, generation, 1] : [broker, generation];
    const known = [broker, generation, from?.broker ?? null, from?.sid ?? null, hasManifest === true ? 1 : 0];
    return [...known, ...(extra ?? [])];
  });
}

function decodeAssignments(fields: Fields, layout: GroupLayout, into: Map<string, Assignment>): void {
  const expected = groupCountOf(layout);
  let index = 0;
  const decoded = fields.list('assignments', (json) => {
    if (json !== null) into.set(groupId(layout.topicId, index), decodeAssignment(json));
    index += 1;
  });
  if (decoded.length !== expected) {
    throw new ShapeProblem(
      'assignments',
      `there are ${decoded.length}, one for each of ${expected} groups is expected`,
    );
  }
}

function decodeAssignment(json: unknown): Assignment {
  if (!Array.isArray(json)) throw new ShapeProblem('', `${JSON.stringify(json)} is no list`);
  const parts: readonly unknown[] = json;
  const broker = integerOf(parts[0], '[0]', 0, maxBrokerId);
  const generation = integerOf(parts[1], '[1]', 1);
  if (parts.length === 2) return { broker, generation };
  const at = parts.length === 3 ? 2 : 4;
  const hasManifest = parts.length !== 4 && integerOf(parts[at], `[${at}]`, 0, 1) === 1;
  const rest = {
    ...(hasManifest ? { hasManifest } : {}),
    ...(parts.length > 5 ? { extra: parts.slice(5) } : {}),
  };
  if (parts.length === 3 || (parts[2] === null && parts[3] === null)) return { broker, generation, ...rest };
  const from = { broker: integerOf(parts[2], '[2]', 0, maxBrokerId), sid: textOf(parts[3], '[3]', hex32) };
  return { broker, generation, from, ...rest };
}

function decodeSuspicion(json: unknown): [number, Suspicion] {
  const fields = new Fields(json);
  const id = fields.integer('id', 0, maxBrokerId);
  const suspicion: Suspicion = {
    sid: fields.text('sid', hex32),
    refutations: fields.integer('refutations', 0),
    accusations: fields.list('accusations', decodeAccusation),
    ...fields.rest(),
  };
  return [id, suspicion];
}

function decodeAccusation(json: unknown): Accusation {
  const fields = new Fields(json);
  return {
    by: fields.integer('by', 0, maxBrokerId),
    bySid: fields.text('bySid', hex32),
    nonce: fields.text('nonce', hex32),
    atMs: fields.integer('atMs', Number.MIN_SAFE_INTEGER),
    ...fields.rest(),
  };
}

function decodeApplied(json: unknown): Map<string, number> {
  const fields = new Fields(json);
  return new Map(
    Object.keys(json as Readonly<Record<string, unknown>>).map((sid) => [
      textOf(sid, sid, hex32),
      fields.integer(sid, 1),
    ]),
  );
}

function byKey<K, V>(field: string, entries: readonly (readonly [K, V])[]): Map<K, V> {
  const map = new Map(entries);
  if (map.size === entries.length) return map;
  const seen = new Set<K>();
  const twice = entries.find(([key]) => seen.size === seen.add(key).size);
  throw new ShapeProblem(field, `${String(twice?.[0])} stands there twice`);
}
