import { createHash } from 'node:crypto';
import { ingestTag } from '../iceberg/append.ts';
import { TableStop } from './errors.ts';

/** Which records fill a table: those of one topic, which its id names for ever, of one cluster. */
export interface IngestSource {
  readonly clusterId: string;
  readonly topicId: string;
}

/**
 * How far a topic has been ingested, as the summary of our last snapshot says it (tables.md §7). A partition that
 * `offsets` does not name begins at 0.
 */
export interface IngestState {
  readonly epoch: number;
  /** Grows by one with every commit that has rows; a claim repeats it. */
  readonly commitSeq: number;
  readonly commitId: string;
  readonly source: IngestSource;
  /** By partition: the offset after the last one that is in the table. */
  readonly offsets: ReadonlyMap<number, number>;
}

export const summaryKeys = {
  epoch: 'firn.epoch',
  commitSeq: 'firn.commit-seq',
  commitId: 'firn.commit-id',
  source: 'firn.source',
  /** JSON: {"partition": next offset}. */
  offsets: 'firn.offsets',
  /** Instead of `offsets`, for many partitions: key and SHA-256 (hexadecimal) of an object with that JSON. */
  offsetsObject: 'firn.offsets-object',
  offsetsSha256: 'firn.offsets-sha256',
} as const;

/** Every snapshot's summary is in the metadata file for as long as the snapshot is: more partitions than this go aside. */
export const maxInlinePartitions = 500;

/** The immutable objects that hold long offset vectors. */
export interface OffsetObjects {
  /** Resolves with the key. */
  put(bytes: Uint8Array): Promise<string>;
  get(key: string): Promise<Uint8Array>;
}

export type Summary = Readonly<Record<string, string>>;

export async function encodeIngestState(state: IngestState, objects: OffsetObjects): Promise<Summary> {
  const { clusterId, topicId } = state.source;
  const offsets = JSON.stringify(Object.fromEntries([...state.offsets].sort(([a], [b]) => a - b)));
  return {
    [summaryKeys.epoch]: String(state.epoch),
    [summaryKeys.commitSeq]: String(state.commitSeq),
    [summaryKeys.commitId]: state.commitId,
    [summaryKeys.source]: JSON.stringify({ 'cluster-id': clusterId, 'topic-id': topicId }),
    ...(state.offsets.size <= maxInlinePartitions
      ? { [summaryKeys.offsets]: offsets }
      : await encodeAside(Buffer.from(offsets), objects)),
  };
}

async function encodeAside(bytes: Uint8Array, objects: OffsetObjects): Promise<Summary> {
  return {
    [summaryKeys.offsetsObject]: await objects.put(bytes),
    [summaryKeys.offsetsSha256]: sha256(bytes),
  };
}

/**
 * The summary of a claim: all that the one before says under `firn.*`, also what this release does not know, but the
 * epoch.
 */
export function claimSummary(before: Summary, epoch: number): Summary {
  const ours = Object.entries(before).filter(([key]) => key.startsWith('firn.'));
  return { ...Object.fromEntries(ours), [summaryKeys.epoch]: String(epoch) };
}

/** Keys of a summary that this release does not know and the next commit has to repeat. */
export function unknownKeys(summary: Summary): Summary {
  const known = new Set<string>(Object.values(summaryKeys));
  return Object.fromEntries(
    Object.entries(summary).filter(([key]) => key.startsWith('firn.') && !known.has(key)),
  );
}

/**
 * Without the offsets, which may lie in another object.
 *
 * @throws TableStop BAD_INGEST_STATE
 */
export function decodeIngestHead(summary: Summary): Omit<IngestState, 'offsets'> {
  const source = jsonObject(summary, summaryKeys.source);
  const { 'cluster-id': clusterId, 'topic-id': topicId } = source;
  if (typeof clusterId !== 'string' || typeof topicId !== 'string')
    throw bad(summaryKeys.source, 'it does not name cluster and topic');
  return {
    epoch: count(summary, summaryKeys.epoch),
    commitSeq: count(summary, summaryKeys.commitSeq),
    commitId: text(summary, summaryKeys.commitId),
    source: { clusterId, topicId },
  };
}

/**
 * @throws TableStop BAD_INGEST_STATE: a summary without the keys, or with values that nobody wrote like that
 */
export async function decodeIngestState(summary: Summary, objects: OffsetObjects): Promise<IngestState> {
  const head = decodeIngestHead(summary);
  const location = summary[summaryKeys.offsetsObject];
  if (location === undefined) {
    const offsets = offsetsOf(text(summary, summaryKeys.offsets), summaryKeys.offsets);
    return { ...head, offsets };
  }
  const bytes = await objects.get(location);
  const expected = text(summary, summaryKeys.offsetsSha256);
  if (sha256(bytes) !== expected)
    throw bad(summaryKeys.offsetsObject, `${location} does not have the SHA-256 ${expected}`);
  return { ...head, offsets: offsetsOf(Buffer.from(bytes).toString(), summaryKeys.offsetsObject) };
}

export function isSameSource(a: IngestSource, b: IngestSource): boolean {
  return a.clusterId === b.clusterId && a.topicId === b.topicId;
}

function offsetsOf(json: string, key: string): ReadonlyMap<number, number> {
  const offsets = new Map<number, number>();
  for (const [name, next] of Object.entries(parsed(json, key))) {
    const partition = Number(name);
    if (!isCount(partition) || !isCount(next)) throw bad(key, `${name}: ${String(next)} is no offset`);
    offsets.set(partition, next);
  }
  return offsets;
}

function jsonObject(summary: Summary, key: string): Readonly<Record<string, unknown>> {
  return parsed(text(summary, key), key);
}

function parsed(json: string, key: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw bad(key, 'it is no JSON', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(key, 'it is no JSON object');
  return value as Readonly<Record<string, unknown>>;
}

function text(summary: Summary, key: string): string {
  const value = summary[key];
  if (value === undefined) throw bad(key, 'it is missing');
  return value;
}

function count(summary: Summary, key: string): number {
  const value = text(summary, key);
  const number = /^[0-9]+$/.test(value) ? Number(value) : -1;
  if (!isCount(number)) throw bad(key, `it is ${JSON.stringify(value)}, not a number`);
  return number;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bad(key: string, what: string, cause?: unknown): TableStop {
  return new TableStop(
    'BAD_INGEST_STATE',
    `the summary of the snapshot that tag ${ingestTag} names has no usable ${key}: ${what}; ` +
      'set the tag back to a snapshot that Firn has written',
    cause,
  );
}
