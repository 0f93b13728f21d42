import { parseKey } from '../format/keys.ts';
import type { ParsedKey } from '../format/keys.ts';
import type { ObjectReader } from './object-reader.ts';
import { SlotRanges } from '../slot-ranges.ts';

export interface SurveyedSession {
  hasRecord: boolean;
  hasTrim: boolean;
  readonly slots: SlotRanges;
  checkpoints: number;
  /** Of slots, checkpoints and trim. */
  bytes: number;
}

export interface SurveyedGroup {
  hasManifest: boolean;
  pages: number;
  snapshots: number;
  segments: number;
  segmentBytes: number;
  /** Of manifest, pages and snapshots. */
  otherBytes: number;
}

/** Keys outside the log, or in its folders but none of its own. */
export interface SurveyedKeys {
  count: number;
  bytes: number;
  /** The first few. */
  readonly examples: string[];
}

/** What lies in a bucket, by one LIST of all of it. Takes memory per session and per group, not per object. */
export interface Survey {
  objects: number;
  bytes: number;
  readonly sessions: ReadonlyMap<string, SurveyedSession>;
  readonly groups: ReadonlyMap<string, SurveyedGroup>;
  /** Objects that stand once: `meta/cluster`, `meta/pid-block`, `probe/…`. */
  readonly singles: readonly string[];
  /** In the log's own folders (`wal/`, `pg/`, `seg/`, `sess/`, `meta/`, `probe/`), and none of its keys. */
  readonly unknown: SurveyedKeys;
  /** Elsewhere, by the first segment of their keys. At most {@link maxForeignFolders} are told apart. */
  readonly foreign: ReadonlyMap<string, SurveyedKeys>;
}

const ownFolders = new Set(['wal', 'pg', 'seg', 'sess', 'meta', 'probe']);
const maxExamples = 20;
const maxForeignFolders = 100;

export async function surveyBucket(reader: ObjectReader): Promise<Survey> {
  const sessions = new Map<string, SurveyedSession>();
  const groups = new Map<string, SurveyedGroup>();
  const foreign = new Map<string, SurveyedKeys>();
  const unknown = noKeys();
  const singles: string[] = [];
  let objects = 0;
  let bytes = 0;
  for await (const { key, sizeBytes } of reader.list('')) {
    objects += 1;
    bytes += sizeBytes;
    const place = parseKey(key);
    if (place === undefined) addForeign(key, sizeBytes, unknown, foreign);
    else if ('sid' in place) addToSession(sessions, place, sizeBytes);
    else if ('group' in place) addToGroup(groups, place, sizeBytes);
    else singles.push(key);
  }
  return { objects, bytes, sessions, groups, singles, unknown, foreign };
}

function addToSession(
  sessions: Map<string, SurveyedSession>,
  place: Extract<ParsedKey, { sid: string }>,
  sizeBytes: number,
): void {
  let session = sessions.get(place.sid);
  if (session === undefined) {
    session = { hasRecord: false, hasTrim: false, slots: new SlotRanges(), checkpoints: 0, bytes: 0 };
    sessions.set(place.sid, session);
  }
  if (place.kind === 'session') {
    session.hasRecord = true;
    return;
  }
  session.bytes += sizeBytes;
  if (place.kind === 'slot') session.slots.add(place.slot);
  else if (place.kind === 'checkpoint') session.checkpoints += 1;
  else session.hasTrim = true;
}

function addToGroup(
  groups: Map<string, SurveyedGroup>,
  place: Extract<ParsedKey, { group: string }>,
  sizeBytes: number,
): void {
  let group = groups.get(place.group);
  if (group === undefined) {
    group = { hasManifest: false, pages: 0, snapshots: 0, segments: 0, segmentBytes: 0, otherBytes: 0 };
    groups.set(place.group, group);
  }
  if (place.kind === 'segment') {
    group.segments += 1;
    group.segmentBytes += sizeBytes;
    return;
  }
  group.otherBytes += sizeBytes;
  if (place.kind === 'manifest') group.hasManifest = true;
  else if (place.kind === 'page') group.pages += 1;
  else group.snapshots += 1;
}

function addForeign(
  key: string,
  sizeBytes: number,
  unknown: SurveyedKeys,
  foreign: Map<string, SurveyedKeys>,
): void {
  const slash = key.indexOf('/');
  const folder = slash < 0 ? key : key.slice(0, slash);
  let keys = unknown;
  if (!ownFolders.has(folder)) {
    const name = slash < 0 ? '(no folder)' : `${folder}/`;
    const known =
      foreign.get(name) ?? (foreign.size < maxForeignFolders ? undefined : foreign.get('(others)'));
    keys = known ?? noKeys();
    if (known === undefined) foreign.set(foreign.size < maxForeignFolders ? name : '(others)', keys);
  }
  keys.count += 1;
  keys.bytes += sizeBytes;
  if (keys.examples.length < maxExamples) keys.examples.push(key);
}

function noKeys(): SurveyedKeys {
  return { count: 0, bytes: 0, examples: [] };
}
