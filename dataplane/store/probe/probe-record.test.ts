import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ProbeRecordError } from './errors.ts';
import { probeCases, probeVersion } from './probe-cases.ts';
import {
  decodeProbeRecord,
  encodeProbeRecord,
  endpointHash,
  probeRecordKey,
  recordOf,
  recordProblem,
} from './probe-record.ts';
import type { ProbeRecord } from './probe-record.ts';
import type { ProbeReport } from './probe.ts';

const store = 's3://bucket/prefix (http://127.0.0.1:9000)';

const record: ProbeRecord = {
  probeVersion: 1,
  store,
  endpointHash: endpointHash(store),
  probedAtMs: Date.UTC(2026, 10, 24, 5),
  verdict: 'refused',
  sentence: 'It is refused.',
  racers: 32,
  cases: [{ name: 'racing-creates', verdict: 'failed', rounds: 3, detail: '2 of 32 writers won' }],
};

/** What brokers of this format have written: must stay readable. */
const bytes = `{
  "format": 1,
  "probeVersion": 1,
  "store": "s3://bucket/prefix (http://127.0.0.1:9000)",
  "endpointHash": "52514812f6ca4a7b",
  "verdict": "refused",
  "sentence": "It is refused.",
  "racers": 32,
  "cases": [
    {
      "name": "racing-creates",
      "verdict": "failed",
      "rounds": 3,
      "detail": "2 of 32 writers won"
    }
  ],
  "probedAt": "2026-11-24T05:00:00.000Z"
}
`;

test('a record is written as these bytes and read back from them', () => {
  assert.equal(Buffer.from(encodeProbeRecord(record)).toString(), bytes);
  assert.deepEqual(decodeProbeRecord(Buffer.from(bytes)), record);
  assert.equal(probeRecordKey(store), `probe/${record.endpointHash}.json`);
});

test('fields that a later version adds are ignored', () => {
  const more = bytes.replace('"format": 1,', '"format": 1, "region": "eu-1",');
  assert.deepEqual(decodeProbeRecord(Buffer.from(more)), record);
});

test('any record survives encoding', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.string(),
      fc.nat(),
      fc.integer({ min: 0, max: 4e12 }),
      (sentence, detail, n, at) => {
        const any: ProbeRecord = {
          ...record,
          sentence,
          probedAtMs: at,
          racers: n,
          cases: [{ name: 'x', verdict: 'passed', rounds: n, detail }],
        };
        assert.deepEqual(decodeProbeRecord(encodeProbeRecord(any)), any);
      },
    ),
  );
});

test('foreign, damaged and future bytes are refused with what to do', () => {
  for (const [text, message] of [
    ['', /not JSON in UTF-8: delete it and probe again/],
    ['\u0000', /not JSON/],
    [bytes.slice(0, -20), /not JSON/],
    ['[]', /the record is \[\], it must be an object/],
    ['{}', /format is missing, it must be a non-negative integer/],
    [bytes.replace('"format": 1', '"format": 2'), /has format 2, this version reads 1: update Firn/],
    [bytes.replace('"format": 1', '"format": 0'), /format is 0/],
    [bytes.replace('"refused"', '"maybe"'), /verdict is "maybe", it must be one of accepted, refused/],
    [bytes.replace('"failed"', '"broken"'), /verdict is "broken"/],
    [bytes.replace('2026-11-24T05', 'yesterday'), /probedAt is "yesterday/],
    [bytes.replace('"rounds": 3', '"rounds": -3'), /rounds is -3/],
    [bytes.replace('"cases": [', '"cases": 1, "other": ['), /cases is 1, it must be an array/],
  ] as const) {
    assert.throws(
      () => decodeProbeRecord(Buffer.from(text)),
      (error) => error instanceof ProbeRecordError && message.test(error.message),
      `${text} against ${message}`,
    );
  }
  assert.throws(() => decodeProbeRecord(Uint8Array.of(0xff, 0xfe)), ProbeRecordError);
});

test('a record lets brokers serve only if it accepts this endpoint with this probe', () => {
  const accepted: ProbeRecord = { ...record, probeVersion, verdict: 'accepted' };
  assert.equal(recordProblem(accepted, store), undefined);
  assert.match(recordProblem(accepted, 's3://other') ?? '', /not of s3:\/\/other: probe this endpoint/);
  assert.match(recordProblem({ ...accepted, probeVersion: probeVersion - 1 }, store) ?? '', /probe it again/);
  assert.equal(recordProblem({ ...record, probeVersion }, store), 'It is refused.');
});

test('a report becomes a record, unless the store could not be probed', () => {
  const report: ProbeReport = {
    store,
    endpoints: [store],
    verdict: 'accepted',
    sentence: 'Fine.',
    racers: 32,
    cases: [{ name: 'a', description: 'b', verdict: 'passed', rounds: 30, durationMs: 12.5, detail: '' }],
    durationMs: 100,
    leftovers: undefined,
  };
  assert.deepEqual(recordOf(report, 7), {
    probeVersion,
    store,
    endpointHash: endpointHash(store),
    probedAtMs: 7,
    verdict: 'accepted',
    sentence: 'Fine.',
    racers: 32,
    cases: [{ name: 'a', verdict: 'passed', rounds: 30, detail: '' }],
  });
  assert.equal(recordOf({ ...report, verdict: 'unprobed' }, 7), undefined);
});

test('cases have unique names', () => {
  assert.equal(new Set(probeCases.map(({ name }) => name)).size, probeCases.length);
});
