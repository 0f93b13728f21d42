import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { StoreError } from '../../store/errors.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { encodeProbeRecord } from '../../store/probe/probe-record.ts';
import {
  checkpointKey,
  groupId,
  manifestKey,
  pidBlockKey,
  segmentKey,
  sessionKey,
  slotKey,
  snapshotKey,
  trimKey,
} from '../format/keys.ts';
import { encodePidBlock } from '../format/pid-block.ts';
import { richBucket, TestBucket } from './bucket-fixture.ts';
import { flipped, fromTheFuture, readManifest } from './damage-fixture.ts';
import type { Finding } from './finding.ts';
import { ReadOnlyStore } from './read-only-store.ts';
import { verifyLog } from './verify.ts';
import type { VerifySummary } from './verify.ts';

const rich = await richBucket();

interface Verified {
  readonly findings: readonly Finding[];
  readonly summary: VerifySummary;
}

async function verify(store: ObjectStore | TestBucket, deep = false): Promise<Verified> {
  const findings: Finding[] = [];
  const summary = await verifyLog(store instanceof TestBucket ? store.open() : store, {
    runtime: realRuntime,
    settleMs: 0,
    deep,
    onFinding: (finding) => findings.push(finding),
  });
  return { findings, summary };
}

/** With an object of every kind there is. */
function fullBucket(): TestBucket {
  const bucket = rich.bucket.clone();
  bucket.put(pidBlockKey, encodePidBlock({ next: 1000, writer: '0'.repeat(32) }, 1));
  const record = {
    probeVersion: 1,
    store: 'memory:',
    endpointHash: 'abcd',
    probedAtMs: 1,
    verdict: 'accepted',
    sentence: 'fine',
    racers: 2,
    cases: [],
  } as const;
  bucket.put('probe/abcd.json', encodeProbeRecord(record));
  return bucket;
}

const group = groupId(rich.wide, 0);
const manifest = readManifest(rich.bucket, group);
const [partition] = manifest.partitions;
const page = partition?.pages[0]?.object ?? '';
const segment = partition?.segments[0]?.object ?? '';
const snapshot = manifest.snapshot?.object ?? '';

/** One object of each kind, all of them needed. */
const objects = {
  cluster: 'meta/cluster',
  'pid-block': pidBlockKey,
  probe: 'probe/abcd.json',
  session: sessionKey(rich.live),
  slot: slotKey(rich.dead, 85),
  fence: slotKey(rich.dead, 94),
  checkpoint: checkpointKey(rich.dead, 94),
  trim: trimKey(rich.dead),
  manifest: manifestKey(group),
  page: `pg/17/${group}/${page}`,
  snapshot: snapshotKey(group, snapshot),
  segment: segmentKey(group, segment),
};

function assertNames({ findings }: Verified, key: string, how: string): void {
  const named = findings.filter((finding) => finding.severity === 'error' && finding.key === key);
  assert(named.length > 0, `${how} ${key}: ${JSON.stringify(findings)}`);
}

test('a bucket in order has no findings', async () => {
  for (const deep of [false, true]) {
    const { findings, summary } = await verify(fullBucket(), deep);
    assert.deepEqual(summary.totals, { error: 0, warning: 0, info: 0 }, JSON.stringify(findings));
    const { groups, sessions, segments, slots, batches, records, recordBytes } = summary.counters;
    assert.deepEqual(
      { groups, sessions, segments, slots },
      { groups: 5, sessions: 2, segments: 31, slots: 23 },
    );
    assert.equal(records, 2 * batches); // As the fixture appends them.
    assert.equal(recordBytes > 500_000, deep);
  }
});

test('an empty bucket is in order', async () => {
  const { findings, summary } = await verify(new TestBucket());
  assert.deepEqual(findings, []);
  assert.equal(summary.clusterId, undefined);
});

for (const [kind, key] of Object.entries(objects)) {
  test(`a ${kind} that was changed, cut, replaced or written by the future is named`, async () => {
    const whole = fullBucket();
    const bytes = whole.bytes(key);
    const damaged = new Map<string, Uint8Array>([
      ['empty', new Uint8Array(0)],
      ['one byte of', bytes.subarray(0, 1)],
      ['half of', bytes.subarray(0, bytes.length >> 1)],
      ['all but one byte of', bytes.subarray(0, -1)],
      ['one byte more than', Buffer.concat([bytes, Buffer.from('x')])],
      [
        'foreign',
        Buffer.from(
          'PAR1 something that firn never wrote, and that is long enough to hold a header '.repeat(4),
        ),
      ],
      ['zeroed', new Uint8Array(bytes.length)],
      ['from the future', fromTheFuture(key, bytes)],
    ]);
    // JSON for people, without a checksum: not every changed bit can be noticed in a probe record.
    const bits = kind === 'probe' ? [3] : [3, 77, (bytes.length * 8) >> 1, bytes.length * 8 - 9];
    for (const bit of bits) damaged.set(`bit ${bit} changed in`, flipped(bytes, bit));
    if (kind === 'probe') damaged.delete('one byte more than');
    if (kind === 'probe') damaged.delete('all but one byte of');
    for (const [how, damage] of damaged) {
      const bucket = whole.clone();
      bucket.put(key, damage);
      assertNames(await verify(bucket, true), key, how);
    }
  });
}

test('what the future wrote is not called damaged', async () => {
  const { cluster: _cluster, probe: _probe, ...withCode } = objects; // Their codecs have one error for all.
  for (const key of Object.values(withCode)) {
    const bucket = fullBucket();
    bucket.put(key, fromTheFuture(key, bucket.bytes(key)));
    const { findings } = await verify(bucket);
    assert.equal(findings.find((finding) => finding.key === key)?.code, 'FUTURE_VERSION', key);
  }
});

test('only --deep reads the record bytes of large objects', async () => {
  const large = groupId(rich.large, 0);
  const object = readManifest(rich.bucket, large).partitions[0]?.segments[0]?.object ?? '';
  for (const [key, offsets] of [
    [segmentKey(large, object), /between offset 0 .* and offset 5/],
    [slotKey(rich.live, 10), /between offset 8 .* and offset 9/],
  ] as const) {
    const bucket = rich.bucket.clone();
    bucket.put(key, flipped(bucket.bytes(key), 8 * 5_000));
    assert.deepEqual((await verify(bucket)).summary.totals.error, 0);
    const { findings } = await verify(bucket, true);
    const found = findings.filter(({ severity }) => severity === 'error');
    assert.deepEqual(
      found.map((finding) => [finding.code, finding.key]),
      [['RECORDS_DAMAGED', key]],
    );
    assert.match(found[0]?.what ?? '', offsets);
    const header = rich.bucket.clone();
    header.put(key, flipped(header.bytes(key), 100));
    assertNames(await verify(header, true), key, 'header changed');
  }
});

test('whatever bytes stand under whatever keys, verify ends, and names what is damaged', async () => {
  const whole = fullBucket();
  const needed = Object.values(objects).filter((key) => key !== objects.probe);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          key: fc.constantFrom(...needed),
          other: fc.constantFrom(...whole.keys),
          how: fc.constantFrom('flip', 'cut', 'random', 'other'),
          at: fc.nat(),
          bytes: fc.uint8Array({ maxLength: 300 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      fc.boolean(),
      async (damages, deep) => {
        const bucket = whole.clone();
        for (const { key, other, how, at, bytes } of damages) {
          const before = bucket.bytes(key);
          const size = Math.max(1, before.length);
          if (how === 'flip') bucket.put(key, flipped(before, at % (size * 8)));
          else if (how === 'cut') bucket.put(key, before.subarray(0, at % size));
          else bucket.put(key, how === 'random' ? bytes : whole.bytes(other));
        }
        const verified = await verify(bucket, deep);
        const changed = new Set(damages.map(({ key }) => key));
        for (const key of changed) {
          if (Buffer.compare(bucket.bytes(key), whole.bytes(key)) === 0) continue;
          // Without the cluster state, the trim or the manifest what hangs on it cannot be judged: it is enough that one is named.
          const named = verified.findings.some(
            (finding) => finding.severity === 'error' && changed.has(finding.key),
          );
          assert(named, `${key}: ${JSON.stringify(verified.findings)}`);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('nothing is ever written, whatever is found', async () => {
  const broken = rich.bucket.clone();
  broken.delete(objects.segment);
  broken.put(objects.trim, new Uint8Array(3));
  const before = new Map(broken.keys.map((key) => [key, broken.objects.byKey.get(key)?.info.etag]));
  await verify(broken, true);
  assert.deepEqual(
    new Map(broken.keys.map((key) => [key, broken.objects.byKey.get(key)?.info.etag])),
    before,
  );
});

test('the read-only store refuses to put and to delete, and reads', async () => {
  const bucket = rich.bucket.clone();
  const store = new ReadOnlyStore(bucket.open());
  const refused = (error: unknown): boolean =>
    error instanceof StoreError && error.code === 'INVALID_REQUEST' && error.landed === 'no';
  await assert.rejects(store.put('x'), refused);
  await assert.rejects(store.delete('meta/cluster'), refused);
  await assert.rejects(store.deleteMany(), refused);
  assert.deepEqual(bucket.keys, rich.bucket.keys);
  assert.equal((await store.get('meta/cluster')).kind, 'found');
  assert.notEqual(await store.head('meta/cluster'), undefined);
  assert.equal((await store.list('meta/')).objects.length, 1);
});

test('at most 32 requests are under way at a time, and many are', async () => {
  const store = rich.bucket.open();
  const get = store.get.bind(store);
  let underWay = 0;
  let peak = 0;
  store.get = async (key, options) => {
    peak = Math.max(peak, ++underWay);
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    underWay -= 1;
    return get(key, options);
  };
  await verify(store, true);
  assert(peak <= 32 && peak > 16, `${peak}`);
});

test('a store that cannot be read ends the verification with its error', async () => {
  const store = rich.bucket.open();
  await store.close();
  await assert.rejects(verify(store), (error) => error instanceof StoreError && error.code === 'CLOSED');
});

test('an abort ends the verification', async () => {
  const reason = new Error('enough');
  const aborted = AbortSignal.abort(reason);
  const options = { runtime: realRuntime, signal: aborted, onFinding: () => undefined };
  await assert.rejects(verifyLog(rich.bucket.open(), options), reason);
});
