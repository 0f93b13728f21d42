import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeDocument, encodeDocument } from './document.ts';
import { LogFormatError } from './errors.ts';
import {
  decodeManifest,
  decodePage,
  emptyPartitionManifest,
  encodeManifest,
  encodePage,
  type EpochStart,
  type Manifest,
  type PageRef,
  type PartitionManifest,
  type Run,
  type SegmentRef,
} from './manifest.ts';
import { addSetsum, batchSetsum, emptySetsum } from './setsum.ts';

const where = 'pg/00/some-group/manifest';
const topicId = 'ab'.repeat(16);
const sids = ['11', '22', '33'].map((digits) => digits.repeat(16));
const [oldSid = '', deadSid = '', ownSid = ''] = sids;

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const setsum = fc.tuple(uint32, uint32).map(([crc, size]) => batchSetsum(crc, 0, size));
const timestamp = fc.integer({ min: -1, max: 2_000_000_000_000 });

const partitionManifest = (partition: number): fc.Arbitrary<PartitionManifest> =>
  fc
    .record({
      start: fc.nat(1000),
      skipped: fc.nat(10),
      refs: fc.array(
        fc.record({
          offsets: fc.integer({ min: 11, max: 2 ** 40 }),
          sizeBytes: fc.nat(),
          maxTimestampMs: timestamp,
          setsum,
          position: fc.nat(),
        }),
        { maxLength: 6 },
      ),
      paged: fc.nat(3),
      pruned: setsum,
      timeMs: fc.nat(),
      maxTimestampMs: timestamp,
    })
    .map(({ start, skipped, refs, paged, pruned, timeMs, maxTimestampMs }) => {
      let next = start;
      const pages: PageRef[] = [];
      const segments: SegmentRef[] = [];
      let appended = pruned;
      for (const [index, { offsets, position, ...ref }] of refs.entries()) {
        const range = { baseOffset: next, endOffset: next + offsets };
        next += offsets;
        appended = addSetsum(appended, ref.setsum);
        if (index < paged) pages.push({ object: `page-${index}-x`, ...range, count: 3, ...ref });
        else segments.push({ object: `1-${oldSid.slice(0, 8)}-${index}`, ...range, position, ...ref });
      }
      return {
        ...emptyPartitionManifest(partition),
        logStart: start + skipped,
        segmentEnd: refs.length === 0 ? start : next,
        lastStableOffset: start,
        timeMs,
        maxTimestampMs,
        segments,
        pages,
        epochs: [
          { epoch: 0, startOffset: 0 },
          { epoch: 4, startOffset: next },
        ],
        appended,
        pruned,
      };
    });

const manifest: fc.Arbitrary<Manifest> = fc
  .record({ firstPartition: fc.nat(100), partitions: fc.integer({ min: 1, max: 4 }) })
  .chain(({ firstPartition, partitions }) =>
    fc.record({
      version: fc.nat(),
      group: fc.constant(`${topicId}-3`),
      topicId: fc.constant(topicId),
      firstPartition: fc.constant(firstPartition),
      partitionCount: fc.constant(partitions),
      epoch: fc.constant(9),
      owner: fc.option(
        fc.record({ sid: fc.constant(ownSid), broker: fc.nat(), zone: fc.string({ maxLength: 20 }) }),
        {
          nil: undefined,
        },
      ),
      writer: fc.constantFrom(...sids),
      assignmentGeneration: fc.nat(),
      state: fc.constant('owned' as const),
      runs: fc.constantFrom<Run[]>(
        [],
        [{ sid: deadSid, epoch: 7, from: 3, to: 9, flushedTo: 5 }],
        [
          { sid: oldSid, epoch: 2, from: 0, to: 0, flushedTo: 0 },
          { sid: deadSid, epoch: 7, from: 3, to: 9, flushedTo: 9 },
        ],
      ),
      partitions: fc.tuple(
        ...Array.from({ length: partitions }, (_, index) => partitionManifest(firstPartition + index)),
      ),
      snapshot: fc.option(fc.constant({ object: 'snap-9-33333333-1' }), { nil: undefined }),
    }),
  )
  .map((manifest): Manifest => {
    if (manifest.owner === undefined) return { ...manifest, state: 'released' };
    const open: Run = { sid: ownSid, epoch: 9, from: 12, to: undefined, flushedTo: 12 };
    return { ...manifest, runs: [...manifest.runs, open] };
  });

test('what is encoded is decoded, in both format versions', () => {
  fc.assert(
    fc.property(manifest, fc.constantFrom(1, 2), (value, formatVersion) => {
      // fast-check's records have no prototype.
      assert.deepEqual(decodeManifest(encodeManifest(value, formatVersion), where), structuredClone(value));
    }),
  );
});

test('a page comes back, in both format versions', () => {
  const segments: SegmentRef[] = [
    {
      object: '3-11111111-7',
      baseOffset: 0,
      endOffset: 9,
      position: 64,
      sizeBytes: 100,
      maxTimestampMs: -1,
      setsum: '00000000000000ff',
    },
    {
      object: '4-11111111-8',
      baseOffset: 9,
      endOffset: 2 ** 50,
      position: 0,
      sizeBytes: 2 ** 40,
      maxTimestampMs: 5,
      setsum: 'ff00000000000000',
    },
  ];
  for (const formatVersion of [1, 2]) {
    assert.deepEqual(decodePage(encodePage(segments, formatVersion), where), segments);
  }
  assert.throws(() => decodePage(encodeManifest(sample, 1), where), LogFormatError);
});

/** What the root holds at most before older references move to pages (`manifestSegments`). */
const maxRootSegments = 1024;

const run: Run = { sid: ownSid, epoch: 3, from: 0, to: undefined, flushedTo: 0 };
const sample: Manifest = {
  version: 5,
  group: `${topicId}-0`,
  topicId,
  firstPartition: 0,
  partitionCount: 1,
  epoch: 3,
  owner: { sid: ownSid, broker: 1, zone: 'a' },
  writer: ownSid,
  assignmentGeneration: 2,
  state: 'owned',
  runs: [run],
  partitions: [{ ...emptyPartitionManifest(0), epochs: [{ epoch: 3, startOffset: 0 }] }],
  snapshot: undefined,
};

test('the stored form', () => {
  assert.deepEqual(decodeDocument('manifest', encodeManifest(sample, 1), where), {
    formatVersion: 1,
    value: {
      v: 5,
      group: `${topicId}-0`,
      topic: topicId,
      first: 0,
      epoch: 3,
      owner: [ownSid, 1, 'a'],
      writer: ownSid,
      assignGen: 2,
      state: 'owned',
      runs: [[ownSid, 3, 0, null, 0]],
      parts: [[0, 0, 0, 0, -1, [], [], [[3, 0]], emptySetsum, emptySetsum]],
      snap: null,
    },
  });
});

test('what a newer version added is passed over', () => {
  const { value } = decodeDocument('manifest', encodeManifest(sample, 1), where);
  const newer = encodeDocument('manifest', 2, {
    ...(value as object),
    color: 'red',
    owner: [ownSid, 1, 'a', 'x'],
  });
  assert.deepEqual(decodeManifest(newer, where), sample);
});

test('a full root stays small', () => {
  let appended = emptySetsum;
  const segments = Array.from({ length: maxRootSegments }, (_, index): SegmentRef => {
    const sum = batchSetsum(index * 7919, index * 60_000, 64_000_000);
    appended = addSetsum(appended, sum);
    return {
      object: `3-${ownSid.slice(0, 8)}-${index + 1000}`,
      baseOffset: index * 60_000,
      endOffset: (index + 1) * 60_000,
      position: 64,
      sizeBytes: 64_000_000 + index,
      maxTimestampMs: 1_700_000_000_000 + index * 60_000,
      setsum: sum,
    };
  });
  const segmentEnd = maxRootSegments * 60_000;
  const partition = { ...emptyPartitionManifest(0), segmentEnd, segments, appended };
  const bytes = encodeManifest({ ...sample, partitions: [partition] }, 1);
  assert.ok(bytes.length < 40_000, `${bytes.length} bytes`);
  assert.equal(decodeManifest(bytes, where).partitions[0]?.segments.length, maxRootSegments);
});

test('a field of the wrong kind is named by its path', () => {
  const { value } = decodeDocument('manifest', encodeManifest(sample, 1), where);
  const fields = value as Record<string, unknown>;
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ v: '5' }, /: v: expected an integer from 0 to 2\^53 - 1, got "5" in this manifest/],
    [{ epoch: 2 ** 31 }, /epoch: expected an integer from 0 to 2147483647/],
    [{ owner: ['x', 1, 'a'] }, /owner.sid: expected a session id, got "x"/],
    [{ state: 'lost' }, /state: expected one of owned, released, deleted, got "lost"/],
    [{ runs: [[ownSid, 3, 0, -1, 0]] }, /runs.0.to: expected an integer from 0/],
    [{ runs: undefined }, /runs: expected an array, got nothing/],
    [{ parts: [['x']] }, /parts.0.logStart: expected an integer from 0 to 2\^53 - 1, got "x"/],
    [
      { parts: [[0, 0, 0, 0, -1, [['../x', 0, 1, 0, 0, 0, emptySetsum]]]] },
      /parts.0.segments.0.object: expected the name of a segment/,
    ],
    [{ snap: 'page-1' }, /snap: expected the name of a snapshot/],
    [{ parts: [] }, /contradicts itself: it has 0 partitions/],
    [{ owner: null }, /contradicts itself: its state is owned and it has no owner/],
  ];
  for (const [change, message] of cases) {
    const bytes = encodeDocument('manifest', 1, { ...fields, ...change });
    assert.throws(
      () => decodeManifest(bytes, where),
      (error: unknown) => {
        assert.ok(error instanceof LogFormatError);
        assert.equal(error.code, 'INVALID');
        assert.equal(error.where, where);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('a manifest that contradicts itself is never written', () => {
  const epochs: EpochStart[] = [{ epoch: 4, startOffset: 0 }];
  const wrong: Manifest = { ...sample, partitions: [{ ...emptyPartitionManifest(0), epochs }] };
  assert.throws(() => encodeManifest(wrong, 1), { name: 'AssertionError' });
});

test('a manifest that nobody could read is never written', () => {
  const unreadable: Partial<Manifest>[] = [
    { version: Number.NaN },
    { version: 2 ** 53 },
    { assignmentGeneration: 0.5 },
    { snapshot: { object: 'a/b' } },
    { writer: 'me' },
    { owner: { sid: ownSid, broker: 1, zone: 'z'.repeat(2000) } },
  ];
  for (const change of unreadable) {
    assert.throws(() => encodeManifest({ ...sample, ...change }, 1), {
      name: 'AssertionError',
      message: /a manifest that nobody could read/,
    });
  }
});
