import assert from 'node:assert/strict';
import { clusterKey } from '../../cluster/cluster-state.ts';

/**
 * Where everything lies in the bucket, relative to the store's root. `hh` is two hexadecimal digits of a hash of the
 * segment after it: it spreads the load over the store's partitions, and nothing depends on its order.
 *
 * ```
 * meta/cluster                             the cluster's state, see dataplane/cluster         compare-and-swap
 * meta/pid-block                           next free producer id                             compare-and-swap
 * probe/<endpoint hash>.json               conformance of the store, see dataplane/store/probe
 * sess/<sid>                               birth record of a session         put-if-absent
 * wal/<hh>/<sid>/<slot, 20 digits>         WAL slot                          put-if-absent, immutable
 * wal/<hh>/<sid>/ck-<slot, 20 digits>      checkpoint of the slots below     put-if-absent, immutable
 * wal/<hh>/<sid>/trim                      no partition needs slots below    compare-and-swap by the session's owner
 * pg/<hh>/<group>/manifest                 the root of a partition group     compare-and-swap
 * pg/<hh>/<group>/page-<n>-<nonce>         older segment references          immutable
 * pg/<hh>/<group>/snap-<epoch>-…           producer state                    immutable
 * seg/<hh>/<group>/<epoch>-<sid8>-<seq>    segment                           immutable
 * ```
 *
 * A reference to a page, snapshot or segment (`object`) is the last segment of its key.
 *
 * No key is a `/`-prefix of another. Keys are built from ids this process made or validated: a bad one is a bug here
 * (assertion). The parse functions take any string and answer `undefined` for what is not such a key.
 */
export const pidBlockKey = 'meta/pid-block';

export const sessionsPrefix = 'sess/';
export const walPrefix = 'wal/';
export const groupsPrefix = 'pg/';
export const segmentsPrefix = 'seg/';

/** A session id or topic id: 16 bytes in hexadecimal. */
const id = /^[0-9a-f]{32}$/;
const group = /^[0-9a-f]{32}-(?:0|[1-9][0-9]*)$/;
const segmentName = /^[0-9a-z]+(?:-[0-9a-z]+)*$/;
const pageName = /^page(?:-[0-9a-z]+)+$/;
const snapshotName = /^snap(?:-[0-9a-z]+)+$/;

export function isId(value: string): boolean {
  return id.test(value);
}

/** Whether a reference's object name makes a key; for decoders. */
export function isObjectName(kind: 'page' | 'snapshot' | 'segment', name: string): boolean {
  const pattern = { page: pageName, snapshot: snapshotName, segment: segmentName }[kind];
  return name.length <= 200 && pattern.test(name);
}

export function isGroupId(value: string): boolean {
  return group.test(value);
}

export function groupId(topicId: string, groupIndex: number): string {
  return checked(`${topicId}-${groupIndex}`, group);
}

export function parseGroupId(value: string): { topicId: string; groupIndex: number } | undefined {
  if (!group.test(value)) return undefined;
  const groupIndex = Number(value.slice(33));
  return Number.isSafeInteger(groupIndex) ? { topicId: value.slice(0, 32), groupIndex } : undefined;
}

export function sessionKey(sid: string): string {
  return `${sessionsPrefix}${checked(sid, id)}`;
}

/** Starts the keys of a session's slots, checkpoints and trim object. */
export function slotPrefix(sid: string): string {
  return `${walPrefix}${spread(sid)}/${checked(sid, id)}/`;
}

export function slotKey(sid: string, slot: number): string {
  return slotPrefix(sid) + slotDigits(slot);
}

/** The checkpoint of slots below `slot`. */
export function checkpointKey(sid: string, slot: number): string {
  return checkpointPrefix(sid) + slotDigits(slot);
}

export function checkpointPrefix(sid: string): string {
  return `${slotPrefix(sid)}ck-`;
}

export function trimKey(sid: string): string {
  return `${slotPrefix(sid)}trim`;
}

export function groupPrefix(groupName: string): string {
  return `${groupsPrefix}${spread(groupName)}/${checked(groupName, group)}/`;
}

export function manifestKey(groupName: string): string {
  return `${groupPrefix(groupName)}manifest`;
}

/** `PageRef.object` of the `n`th page; the nonce tells it from another writer's. */
export function pageObject(n: number, nonce: string): string {
  return checked(`page-${decimal(n)}-${nonce}`, pageName);
}

export function pageKey(groupName: string, n: number, nonce: string): string {
  return pageObjectKey(groupName, pageObject(n, nonce));
}

/** @param object `PageRef.object` */
export function pageObjectKey(groupName: string, object: string): string {
  return groupPrefix(groupName) + checked(object, pageName);
}

/** @param object `Manifest.snapshot.object`: `snap-` and whatever makes it unique in its group */
export function snapshotKey(groupName: string, object: string): string {
  return groupPrefix(groupName) + checked(object, snapshotName);
}

/** What a SegmentRef calls its object: no two sessions of one epoch, and no two uploads of one session, share it. */
export function segmentObject(epoch: number, sid: string, sequence: number): string {
  return `${decimal(epoch)}-${checked(sid, id).slice(0, 8)}-${decimal(sequence)}`;
}

export function parseSegmentObject(
  object: string,
): { epoch: number; sid8: string; sequence: number } | undefined {
  const match = /^(0|[1-9][0-9]{0,15})-([0-9a-f]{8})-(0|[1-9][0-9]{0,15})$/.exec(object);
  const [, epoch, sid8, sequence] = match ?? [];
  if (epoch === undefined || sid8 === undefined || sequence === undefined) return undefined;
  return { epoch: Number(epoch), sid8, sequence: Number(sequence) };
}

export function segmentPrefix(groupName: string): string {
  return `${segmentsPrefix}${spread(groupName)}/${checked(groupName, group)}/`;
}

/** @param object `SegmentRef.object` */
export function segmentKey(groupName: string, object: string): string {
  return segmentPrefix(groupName) + checked(object, segmentName);
}

/** What a key names. */
export type ParsedKey =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'pid-block' }
  | { readonly kind: 'probe'; readonly endpointHash: string }
  | { readonly kind: 'session'; readonly sid: string }
  | { readonly kind: 'slot'; readonly sid: string; readonly slot: number }
  | { readonly kind: 'checkpoint'; readonly sid: string; readonly slot: number }
  | { readonly kind: 'trim'; readonly sid: string }
  | { readonly kind: 'manifest'; readonly group: string }
  | { readonly kind: 'page'; readonly group: string; readonly object: string }
  | { readonly kind: 'snapshot'; readonly group: string; readonly object: string }
  | { readonly kind: 'segment'; readonly group: string; readonly object: string };

/** What the key names, or `undefined` when the log has no such key: never delete what this does not recognise. */
export function parseKey(key: string): ParsedKey | undefined {
  const segments = key.split('/');
  const [top, second = '', third = '', last = ''] = segments;
  if (segments.length === 2) return parseShortKey(key, second);
  if (segments.length !== 4 || second !== spread(third)) return undefined;
  if (top === 'wal' && id.test(third)) return parseWalName(third, last);
  if (!group.test(third)) return undefined;
  if (top === 'pg') return parseGroupName(third, last);
  if (top === 'seg' && segmentName.test(last)) return { kind: 'segment', group: third, object: last };
  return undefined;
}

export function parseSlotKey(key: string): { sid: string; slot: number } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'slot' ? parsed : undefined;
}

export function parseCheckpointKey(key: string): { sid: string; slot: number } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'checkpoint' ? parsed : undefined;
}

export function parseTrimKey(key: string): { sid: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'trim' ? parsed : undefined;
}

export function parseSessionKey(key: string): { sid: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'session' ? parsed : undefined;
}

export function parseManifestKey(key: string): { group: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'manifest' ? parsed : undefined;
}

export function parsePageKey(key: string): { group: string; object: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'page' ? parsed : undefined;
}

export function parseSnapshotKey(key: string): { group: string; object: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'snapshot' ? parsed : undefined;
}

export function parseSegmentKey(key: string): { group: string; object: string } | undefined {
  const parsed = parseKey(key);
  return parsed?.kind === 'segment' ? parsed : undefined;
}

function parseShortKey(key: string, name: string): ParsedKey | undefined {
  if (key === clusterKey) return { kind: 'cluster' };
  if (key === pidBlockKey) return { kind: 'pid-block' };
  if (key.startsWith(sessionsPrefix)) return id.test(name) ? { kind: 'session', sid: name } : undefined;
  const [, endpointHash] = /^probe\/([0-9a-f]+)\.json$/.exec(key) ?? [];
  return endpointHash === undefined ? undefined : { kind: 'probe', endpointHash };
}

function parseWalName(sid: string, name: string): ParsedKey | undefined {
  if (name === 'trim') return { kind: 'trim', sid };
  const isCheckpoint = name.startsWith('ck-');
  const digits = isCheckpoint ? name.slice(3) : name;
  if (!/^[0-9]{20}$/.test(digits)) return undefined;
  const slot = Number(digits);
  if (!Number.isSafeInteger(slot)) return undefined;
  return { kind: isCheckpoint ? 'checkpoint' : 'slot', sid, slot };
}

function parseGroupName(groupName: string, name: string): ParsedKey | undefined {
  if (name === 'manifest') return { kind: 'manifest', group: groupName };
  if (pageName.test(name)) return { kind: 'page', group: groupName, object: name };
  if (snapshotName.test(name)) return { kind: 'snapshot', group: groupName, object: name };
  return undefined;
}

function slotDigits(slot: number): string {
  return decimal(slot).padStart(20, '0');
}

function decimal(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is not a number below 2^53`);
  return String(value);
}

function checked(value: string, pattern: RegExp): string {
  assert(pattern.test(value), `${JSON.stringify(value)} does not match ${pattern}`);
  return value;
}

/** Two hexadecimal digits of the FNV-1a hash of a name. */
function spread(name: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return ((hash ^ (hash >>> 16)) & 0xff).toString(16).padStart(2, '0');
}
