import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { manifestKey, parseGroupId, sessionKey, slotKey } from '../format/keys.ts';
import { decodeManifest } from '../format/manifest.ts';
import type { Manifest } from '../format/manifest.ts';
import { decodeSessionRecord } from '../format/session-record.ts';
import { ClusterView } from './cluster-view.ts';
import { forEachLimited } from '../../runtime/concurrency.ts';
import { readContainer } from './container-reader.ts';
import { ObjectReader } from './object-reader.ts';
import { ReadOnlyStore } from './read-only-store.ts';
import { readTrim } from './session-listing.ts';
import { surveyBucket } from './survey.ts';
import type { Survey, SurveyedGroup, SurveyedSession } from './survey.ts';
import { readLogEnds } from './log-ends.ts';

/** What a bucket holds, for people and, as JSON, for programs. What could not be read says so in an `error`. */
export interface Overview {
  readonly store: string;
  readonly objects: number;
  readonly bytes: number;
  readonly cluster: ClusterOverview | { readonly error: string } | undefined;
  readonly sessions: readonly SessionOverview[];
  readonly groups: readonly GroupOverview[];
  readonly unknownKeys: Survey['unknown'];
  /** By folder. */
  readonly foreignKeys: Readonly<Record<string, Survey['unknown']>>;
}

export interface ClusterOverview {
  readonly id: string;
  readonly stateVersion: number;
  readonly formatVersion: number;
  readonly placedBy: string;
  readonly zones: readonly string[];
  readonly brokers: readonly {
    readonly id: number;
    readonly state: string;
    readonly zone: string;
    readonly address: string;
    readonly sid: string;
  }[];
  readonly topics: readonly TopicOverview[];
}

export interface TopicOverview {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly groups: number;
  readonly homeZone: string | undefined;
  readonly isDeleted: boolean;
}

export interface SessionOverview {
  readonly sid: string;
  /** `unknown`: `meta/cluster` cannot be read. */
  readonly state: 'live' | 'dead' | 'unknown';
  /** From its birth record. */
  readonly broker: number | undefined;
  readonly zone: string | undefined;
  readonly startedAtMs: number | undefined;
  /** `0-12, 15`. */
  readonly slots: string;
  readonly slotCount: number;
  readonly trim: number | undefined;
  /** The slot of a FENCE or END, and which; looked for from the highest slot down. */
  readonly end: { readonly slot: number; readonly kind: 'fence' | 'end' } | undefined;
  readonly checkpoints: number;
  readonly bytes: number;
  readonly error: string | undefined;
}

export interface GroupOverview {
  readonly group: string;
  readonly topic: string | undefined;
  readonly objects: Readonly<SurveyedGroup>;
  readonly manifest: ManifestOverview | { readonly error: string } | undefined;
}

export interface ManifestOverview {
  readonly version: number;
  readonly state: string;
  readonly epoch: number;
  readonly owner: { readonly broker: number; readonly sid: string } | undefined;
  readonly runs: Manifest['runs'];
  readonly partitionCount: number;
  readonly firstPartition: number;
  /** Only when asked for. */
  readonly partitions: readonly PartitionOverview[] | undefined;
}

export interface PartitionOverview {
  readonly partition: number;
  readonly logStart: number;
  readonly segmentEnd: number;
  /** The end of the log: that of the segments, and on through the WAL. `undefined`: slots could not be read. */
  readonly logEnd: number | undefined;
  readonly segments: number;
  readonly pages: number;
  readonly segmentBytes: number;
}

export interface OverviewOptions {
  /** Where every partition's log starts and ends: reads the slots that are in no segment. */
  readonly partitions?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

const atATime = 32;
/** Slots looked at for a fence, from the highest down: more are never under way at a time. */
const maxSlotsForFence = 64;

/** Reads only. On a live cluster the parts are of different moments, seconds apart. */
export async function overviewOf(store: ObjectStore, options: OverviewOptions = {}): Promise<Overview> {
  const reader = new ObjectReader(new ReadOnlyStore(store), options.signal);
  const survey = await surveyBucket(reader);
  const view = new ClusterView(reader);
  const cluster = await view.refresh();

  const sessions: SessionOverview[] = [];
  await forEachLimited(survey.sessions, atATime, async ([sid, found]) => {
    sessions.push(await sessionOverview(reader, view, sid, found));
  });
  const manifests = new Map<string, Manifest | Error>();
  const ids = new Set([...view.groups.keys(), ...survey.groups.keys()]);
  await forEachLimited(ids, atATime, async (id) => {
    const key = manifestKey(id);
    const found = await reader.read(key, ({ bytes }) => decodeManifest(bytes, key));
    if (found.kind !== 'absent') manifests.set(id, found.kind === 'found' ? found.value : found.error);
  });
  const ends = options.partitions === true ? await readLogEnds(reader, manifests) : undefined;

  return {
    store: store.name,
    objects: survey.objects,
    bytes: survey.bytes,
    cluster:
      cluster.kind === 'found'
        ? clusterOverview(cluster.value)
        : cluster.kind === 'damaged'
          ? { error: cluster.error.message }
          : undefined,
    sessions: sessions.toSorted((a, b) => (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0)),
    groups: [...ids].map((id) => ({
      group: id,
      topic: view.groups.get(id)?.topicName ?? topicName(view.state, id),
      objects: survey.groups.get(id) ?? {
        hasManifest: false,
        pages: 0,
        snapshots: 0,
        segments: 0,
        segmentBytes: 0,
        otherBytes: 0,
      },
      manifest: manifestOverview(manifests.get(id), ends),
    })),
    unknownKeys: survey.unknown,
    foreignKeys: Object.fromEntries(survey.foreign),
  };
}

function topicName(state: ClusterState | undefined, group: string): string | undefined {
  const topicId = parseGroupId(group)?.topicId;
  return topicId === undefined ? undefined : state?.deletedTopics.get(topicId)?.name;
}

function clusterOverview(state: ClusterState): ClusterOverview {
  const topics: TopicOverview[] = [];
  const groupsOfTopic = new Map<string, number>();
  for (const id of state.assignments.keys()) {
    const topicId = id.slice(0, 32);
    groupsOfTopic.set(topicId, (groupsOfTopic.get(topicId) ?? 0) + 1);
  }
  for (const [name, { topicId, partitions, homeZone }] of state.topics) {
    topics.push({
      name,
      topicId,
      partitions,
      groups: groupsOfTopic.get(topicId) ?? 0,
      homeZone,
      isDeleted: false,
    });
  }
  for (const { name, topicId, partitions } of state.deletedTopics.values()) {
    topics.push({
      name,
      topicId,
      partitions,
      groups: groupsOfTopic.get(topicId) ?? 0,
      homeZone: undefined,
      isDeleted: true,
    });
  }
  return {
    id: state.clusterId,
    stateVersion: state.version,
    formatVersion: state.formatVersion,
    placedBy: state.placedBy,
    zones: state.zones,
    brokers: [...state.brokers].map(([id, broker]) => ({
      id,
      state: broker.state,
      zone: broker.zone,
      address: broker.address,
      sid: broker.sid,
    })),
    topics,
  };
}

async function sessionOverview(
  reader: ObjectReader,
  view: ClusterView,
  sid: string,
  found: SurveyedSession,
): Promise<SessionOverview> {
  const key = sessionKey(sid);
  const record = await reader.read(key, ({ bytes }) => decodeSessionRecord(bytes, key));
  const trim = found.hasTrim ? await readTrim(reader, sid) : undefined;
  const isLive = view.isLive(sid);
  const value = record.kind === 'found' ? record.value : undefined;
  return {
    sid,
    state: isLive === undefined ? 'unknown' : isLive ? 'live' : 'dead',
    broker: value?.broker,
    zone: value?.zone,
    startedAtMs: value?.startedAtMs,
    slots: found.slots.toText(),
    slotCount: found.slots.count,
    trim: trim instanceof Error ? undefined : trim,
    end: await findEnd(reader, sid, found),
    checkpoints: found.checkpoints,
    bytes: found.bytes,
    error:
      record.kind === 'damaged' ? record.error.message : trim instanceof Error ? trim.message : undefined,
  };
}

async function findEnd(
  reader: ObjectReader,
  sid: string,
  { slots }: SurveyedSession,
): Promise<SessionOverview['end']> {
  let looked = 0;
  for (const { from, to } of slots.ranges.toReversed()) {
    for (let slot = to - 1; slot >= from; slot--) {
      if (++looked > maxSlotsForFence) return undefined;
      const found = await readContainer(reader, slotKey(sid, slot));
      const kind = found.kind === 'found' ? found.value.header.kind : undefined;
      if (kind === 'fence' || kind === 'end') return { slot, kind };
    }
  }
  return undefined;
}

function manifestOverview(
  manifest: Manifest | Error | undefined,
  ends: ReadonlyMap<string, number | undefined> | undefined,
): GroupOverview['manifest'] {
  if (manifest === undefined) return undefined;
  if (manifest instanceof Error) return { error: manifest.message };
  const { version, state, epoch, owner, runs, partitionCount, firstPartition, topicId } = manifest;
  const partitions = manifest.partitions.map(({ partition, logStart, segmentEnd, segments, pages }) => ({
    partition,
    logStart,
    segmentEnd,
    logEnd: ends?.get(`${topicId}/${partition}`),
    segments: segments.length + pages.reduce((sum, { count }) => sum + count, 0),
    pages: pages.length,
    segmentBytes: [...segments, ...pages].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  }));
  return {
    version,
    state,
    epoch,
    owner: owner === undefined ? undefined : { broker: owner.broker, sid: owner.sid },
    runs,
    partitionCount,
    firstPartition,
    partitions: ends === undefined ? undefined : partitions,
  };
}
