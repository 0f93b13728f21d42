import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentObject } from '../format/keys.ts';
import { emptyPartitionManifest } from '../format/manifest.ts';
import type { Manifest, PageRef, SegmentRef } from '../format/manifest.ts';
import { emptySetsum } from '../format/setsum.ts';
import { segmentsInOrder } from './segment-order.ts';

const sid = 'a'.repeat(32);

/** References to objects with these sequence numbers, ten offsets each, from `from` on. */
function refs(from: number, ...sequences: readonly number[]): SegmentRef[] {
  return sequences.map((sequence, index) => ({
    object: segmentObject(0, sid, sequence),
    baseOffset: from + index * 10,
    endOffset: from + index * 10 + 10,
    position: 64,
    sizeBytes: 1,
    maxTimestampMs: 0,
    setsum: emptySetsum,
  }));
}

const pages = new Map([
  ['page-1', refs(0, 1, 2)],
  ['page-2', refs(0, 1, 3)],
]);

function pageRef(object: string): PageRef {
  return {
    object,
    baseOffset: 0,
    endOffset: 20,
    count: 2,
    sizeBytes: 2,
    maxTimestampMs: 0,
    setsum: emptySetsum,
  };
}

const manifest: Manifest = {
  version: 1,
  group: `${'b'.repeat(32)}-0`,
  topicId: 'b'.repeat(32),
  firstPartition: 0,
  partitionCount: 3,
  epoch: 0,
  owner: undefined,
  writer: sid,
  assignmentGeneration: 1,
  state: 'released',
  runs: [],
  partitions: [
    { ...emptyPartitionManifest(0), pages: [pageRef('page-1')], segments: refs(20, 4, 4, 5) },
    { ...emptyPartitionManifest(1), pages: [pageRef('page-2')], segments: refs(20, 5) },
    emptyPartitionManifest(2),
  ],
  snapshot: undefined,
};

async function tasks(from: number, readPage = (page: PageRef) => pages.get(page.object)): Promise<unknown[]> {
  const all: unknown[] = [];
  const order = segmentsInOrder(
    manifest,
    () => from,
    (_partition, page) => Promise.resolve(readPage(page)),
  );
  for await (const { object, refs } of order) {
    all.push([
      Number(object.split('-')[2]),
      ...refs.map(({ partition, ref }) => `${partition}@${ref.baseOffset}`),
    ]);
  }
  return all;
}

test('every object comes once with all its references, oldest first', async () => {
  assert.deepEqual(await tasks(0), [
    [1, '0@0', '1@0'],
    [2, '0@10'],
    [3, '1@10'],
    [4, '0@20', '0@30'],
    [5, '0@40', '1@20'],
  ]);
});

test('what ends at or below the asked offset is left out, pages unread', async () => {
  const readPage = (): never => assert.fail('no page is needed');
  assert.deepEqual(await tasks(30, readPage), [
    [4, '0@30'],
    [5, '0@40'],
  ]);
});

test('a page that cannot be read is passed over', async () => {
  const withoutFirst = (page: PageRef): SegmentRef[] | undefined =>
    page.object === 'page-1' ? undefined : pages.get(page.object);
  assert.deepEqual(await tasks(0, withoutFirst), [
    [1, '1@0'],
    [3, '1@10'],
    [4, '0@20', '0@30'],
    [5, '0@40', '1@20'],
  ]);
});
