import { createHash } from 'node:crypto';
import { ProbeRecordError } from './errors.ts';
import { probeVersion } from './probe-cases.ts';
import type { CaseReport, ProbeReport } from './probe.ts';

/**
 * What is kept of a probe: the object `probe/<endpoint hash>.json` of a cluster, written by the broker that probed and
 * read by all others, which need not probe the same endpoint again.
 *
 * JSON, UTF-8. Readers refuse a format above their own and ignore fields they do not know:
 * `{"format":1,"probeVersion":1,"store":"s3://b/p (http://…)","endpointHash":"3f…","probedAt":"2026-11-24T05:00:00.000Z",
 * "verdict":"accepted","sentence":"…","racers":32,"cases":[{"name":"racing-creates","verdict":"passed","rounds":30,"detail":""}]}`
 *
 * The record is information that any prober may replace by its own (PUT without condition, last writer wins): it says
 * what a store did in a test, and every probe of the same store says the same.
 */
export interface ProbeRecord {
  readonly probeVersion: number;
  /** `ObjectStore.name` */
  readonly store: string;
  readonly endpointHash: string;
  /** Wall clock of the prober, milliseconds since 1970. Information only. */
  readonly probedAtMs: number;
  readonly verdict: 'accepted' | 'refused';
  readonly sentence: string;
  readonly racers: number;
  readonly cases: readonly Pick<CaseReport, 'name' | 'verdict' | 'rounds' | 'detail'>[];
}

const format = 1;
const caseVerdicts = ['passed', 'warning', 'failed', 'unknown', 'skipped'] as const;

/** Names an endpoint in keys: 16 hex digits of the SHA-256 of the store's name. */
export function endpointHash(storeName: string): string {
  return createHash('sha256').update(storeName).digest('hex').slice(0, 16);
}

/** The record's key, relative to the cluster's prefix. */
export function probeRecordKey(storeName: string): string {
  return `probe/${endpointHash(storeName)}.json`;
}

/** A report as a record; undefined for a store that could not be probed, of which nothing is worth keeping. */
export function recordOf(report: ProbeReport, probedAtMs: number): ProbeRecord | undefined {
  const { store, verdict, sentence, racers, cases } = report;
  if (verdict === 'unprobed') return undefined;
  return {
    probeVersion,
    store,
    endpointHash: endpointHash(store),
    probedAtMs,
    verdict,
    sentence,
    racers,
    cases: cases.map(({ name, verdict, rounds, detail }) => ({ name, verdict, rounds, detail })),
  };
}

/**
 * Why a broker may not serve from `storeName` on the strength of this record, as a sentence; undefined when it may.
 * A record of an older probe, or of another endpoint, asks for a new probe; a refusal stands.
 */
export function recordProblem(record: ProbeRecord, storeName: string): string | undefined {
  if (record.endpointHash !== endpointHash(storeName))
    return `the probe record is that of ${record.store}, not of ${storeName}: probe this endpoint`;
  if (record.probeVersion < probeVersion)
    return `${storeName} was probed by version ${record.probeVersion} of the probe, this is version ${probeVersion}: probe it again`;
  return record.verdict === 'refused' ? record.sentence : undefined;
}

export function encodeProbeRecord(record: ProbeRecord): Uint8Array {
  const { probedAtMs, ...rest } = record;
  const json = { format, ...rest, probedAt: new Date(probedAtMs).toISOString() };
  return Buffer.from(`${JSON.stringify(json, undefined, 2)}\n`);
}

/** @throws {@link ProbeRecordError} when the bytes are not a record of a format this version knows. */
export function decodeProbeRecord(bytes: Uint8Array): ProbeRecord {
  const json = object(parse(bytes), 'the record');
  const written = integer(json, 'format');
  if (written > format)
    throw new ProbeRecordError(
      `the probe record has format ${written}, this version reads ${format}: update Firn`,
    );
  if (written < format) refuse('format', written, `${format}`);
  const probedAt = string(json, 'probedAt');
  const probedAtMs = Date.parse(probedAt);
  if (Number.isNaN(probedAtMs)) refuse('probedAt', probedAt, 'a time in ISO 8601');
  const cases = json['cases'];
  if (!Array.isArray(cases)) refuse('cases', cases, 'an array');
  return {
    probeVersion: integer(json, 'probeVersion'),
    store: string(json, 'store'),
    endpointHash: string(json, 'endpointHash'),
    probedAtMs,
    verdict: oneOf(json, 'verdict', ['accepted', 'refused']),
    sentence: string(json, 'sentence'),
    racers: integer(json, 'racers'),
    cases: cases.map((item: unknown, index) => {
      const entry = object(item, `cases[${index}]`);
      return {
        name: string(entry, 'name'),
        verdict: oneOf(entry, 'verdict', caseVerdicts),
        rounds: integer(entry, 'rounds'),
        detail: string(entry, 'detail'),
      };
    }),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ProbeRecordError('the probe record is not JSON in UTF-8: delete it and probe again', {
      cause: error,
    });
  }
}

function object(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(what, value, 'an object');
  return value as JsonObject;
}

function string(json: JsonObject, field: string): string {
  const value = json[field];
  return typeof value === 'string' ? value : refuse(field, value, 'a string');
}

function integer(json: JsonObject, field: string): number {
  const value = json[field];
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(field, value, 'a non-negative integer');
}

function oneOf<T extends string>(json: JsonObject, field: string, allowed: readonly T[]): T {
  const value = json[field];
  return allowed.find((one) => one === value) ?? refuse(field, value, `one of ${allowed.join(', ')}`);
}

function refuse(field: string, value: unknown, right: string): never {
  const shown = JSON.stringify(value) ?? 'missing';
  throw new ProbeRecordError(
    `in the probe record ${field} is ${shown}, it must be ${right}: delete the record and probe again`,
  );
}
