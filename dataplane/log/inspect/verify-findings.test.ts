import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeClusterState, encodeClusterState } from '../../cluster/cluster-codec.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../format/checkpoint.ts';
import {
  checkpointKey,
  groupId,
  groupPrefix,
  manifestKey,
  pageObjectKey,
  segmentKey,
  sessionKey,
  slotKey,
  slotPrefix,
  snapshotKey,
  trimKey,
} from '../format/keys.ts';
import { decodeManifest, decodePage, encodeManifest, encodePage } from '../format/manifest.ts';
import { addSetsum, subtractSetsum } from '../format/setsum.ts';
import { decodeSnapshot, encodeSnapshot } from '../format/snapshot.ts';
import type { GroupSnapshot } from '../format/snapshot.ts';
import { encodeTrim } from '../format/trim.ts';
import { richBucket } from './bucket-fixture.ts';
import type { TestBucket } from './bucket-fixture.ts';
import {
  blockOf,
  changeManifest,
  flipped,
  fromTheFuture,
  putSlot,
  readManifest,
  readSlot,
} from './damage-fixture.ts';
import { findingCodes, FindingSink } from './finding.ts';
import type { Finding, FindingCode } from './finding.ts';
import { verifyLog } from './verify.ts';

const rich = await richBucket();
const { narrow, wide, large, dead, live } = rich;
const wideGroup = groupId(wide, 0);
const narrowGroup = groupId(narrow, 1);
const wideManifest = readManifest(rich.bucket, wideGroup);
const wideParts = wideManifest.partitions;
const page = wideParts[0]?.pages[0];
const segment = wideParts[0]?.segments[0];
assert(page !== undefined && segment !== undefined);
const pageKey = pageObjectKey(wideGroup, page.object);
const segmentOfWide = segmentKey(wideGroup, segment.object);
const snapshotOfWide = snapshotKey(wideGroup, wideManifest.snapshot?.object ?? '');

async function verify(store: ObjectStore, deep = false): Promise<Finding[]> {
  const findings: Finding[] = [];
  const onFinding = (finding: Finding): unknown => findings.push(finding);
  await verifyLog(store, { runtime: realRuntime, settleMs: 0, deep, onFinding });
  return findings;
}

function changeCluster(bucket: TestBucket, change: (state: ClusterState) => ClusterState): void {
  const state = change(decodeClusterState(bucket.bytes(clusterKey), clusterKey));
  bucket.put(clusterKey, encodeClusterState({ ...state, version: state.version + 1 }));
}

function changeSnapshot(bucket: TestBucket, change: (snapshot: GroupSnapshot) => GroupSnapshot): void {
  const snapshot = decodeSnapshot(bucket.bytes(snapshotOfWide), snapshotOfWide);
  bucket.put(snapshotOfWide, encodeSnapshot(change(snapshot), 1));
}

function swap(bucket: TestBucket, a: string, b: string): void {
  const bytes = bucket.bytes(a);
  bucket.put(a, bucket.bytes(b));
  bucket.put(b, bytes);
}

interface Case {
  readonly name: string;
  readonly damage: (bucket: TestBucket) => void;
  /** What is found, all of it. */
  readonly finds: readonly (readonly [code: FindingCode, key: string, what?: RegExp])[];
  readonly deep?: boolean;
}

const ofNarrow = { leaderEpoch: 2, baseOffset: 40 };

const cases: readonly Case[] = [
  {
    name: 'the cluster state is missing',
    damage: (bucket) => {
      bucket.delete(clusterKey);
    },
    finds: [['CLUSTER_MISSING', clusterKey]],
  },
  {
    name: 'the cluster state is older than a manifest',
    damage: (bucket) => {
      changeManifest(bucket, narrowGroup, (manifest) => ({ ...manifest, assignmentGeneration: 9 }));
    },
    finds: [['CLUSTER_WENT_BACK', manifestKey(narrowGroup), /assigned 9 times/]],
  },
  {
    name: 'an object is damaged',
    damage: (bucket) => {
      bucket.put(pageKey, flipped(bucket.bytes(pageKey), 300));
    },
    finds: [['UNREADABLE', pageKey, /CRC/]],
  },
  {
    name: 'an object is from the future',
    damage: (bucket) => {
      bucket.put(pageKey, fromTheFuture(pageKey, bucket.bytes(pageKey)));
    },
    finds: [['FUTURE_VERSION', pageKey, /version 7/]],
  },
  {
    name: 'two manifests are swapped',
    damage: (bucket) => {
      swap(bucket, manifestKey(wideGroup), manifestKey(narrowGroup));
    },
    finds: [
      ['WRONG_PLACE', manifestKey(wideGroup)],
      ['WRONG_PLACE', manifestKey(narrowGroup)],
    ],
  },
  {
    name: 'two segments are swapped',
    damage: (bucket) => {
      const [a, b] = wideParts[0]?.segments ?? [];
      swap(bucket, segmentKey(wideGroup, a?.object ?? ''), segmentKey(wideGroup, b?.object ?? ''));
    },
    finds: (wideParts[0]?.segments ?? []).map(
      ({ object }) => ['WRONG_PLACE', segmentKey(wideGroup, object)] as const,
    ),
  },
  {
    name: 'two slots are swapped',
    damage: (bucket) => {
      swap(bucket, slotKey(dead, 85), slotKey(dead, 87));
    },
    finds: [
      ['WRONG_PLACE', slotKey(dead, 85), /data 87/],
      ['WRONG_PLACE', slotKey(dead, 87), /data 85/],
    ],
  },
  {
    name: 'the manifest of a group with segments is missing',
    damage: (bucket) => {
      bucket.delete(manifestKey(narrowGroup));
    },
    finds: [['MANIFEST_MISSING', manifestKey(narrowGroup), /8 segments/]],
  },
  {
    name: 'the manifest of a group with nothing but slots is missing',
    damage: (bucket) => {
      bucket.delete(manifestKey(narrowGroup));
      for (const key of bucket.keys.filter((key) => key.includes(narrowGroup))) bucket.delete(key);
      // As when nobody had come to tell meta/cluster that the group was served.
      changeCluster(bucket, (state) => {
        const { hasManifest: _told, ...untold } = state.assignments.get(narrowGroup) ?? assert.fail();
        return { ...state, assignments: new Map(state.assignments).set(narrowGroup, untold) };
      });
    },
    finds: [['MANIFEST_MISSING', manifestKey(narrowGroup), /wal\/.* holds records/]],
  },
  {
    name: 'nothing is left of a group that has been served',
    damage: (bucket) => {
      for (const key of bucket.keys.filter((key) => key.includes(narrowGroup))) bucket.delete(key);
    },
    finds: [
      ['MANIFEST_MISSING', manifestKey(narrowGroup), /meta\/cluster says that the group has been served/],
    ],
  },
  {
    name: 'the cluster state has another layout of a topic',
    damage: (bucket) => {
      changeCluster(bucket, (state) => {
        const topic = state.topics.get('wide');
        assert(topic !== undefined);
        const assignments = new Map(state.assignments);
        assignments.delete(groupId(wide, 1));
        const topics = new Map(state.topics).set('wide', { ...topic, groups: [[0, 4, 4]] });
        return { ...state, topics, assignments };
      });
    },
    finds: [
      ['MANIFEST_MISPLACED', manifestKey(wideGroup), /2 partitions from 0 on.*4 from 0 on/],
      ['UNKNOWN_GROUP', groupPrefix(groupId(wide, 1))],
    ],
  },
  {
    name: 'a topic is not in the cluster state',
    damage: (bucket) => {
      changeCluster(bucket, (state) => {
        const topics = new Map(state.topics);
        topics.delete('large');
        const assignments = new Map(state.assignments);
        assignments.delete(groupId(large, 0));
        return { ...state, topics, assignments };
      });
    },
    finds: [['UNKNOWN_GROUP', groupPrefix(groupId(large, 0))]],
  },
  {
    name: 'a page is missing',
    damage: (bucket) => {
      bucket.delete(pageKey);
    },
    finds: [['PAGE_MISSING', pageKey, /offsets 0 to 15 of partition 0/]],
  },
  {
    name: 'a page has a segment less',
    damage: (bucket) => {
      bucket.put(pageKey, encodePage(decodePage(bucket.bytes(pageKey), pageKey).slice(1), 1));
    },
    finds: [['PAGE_MISMATCH', pageKey, /segments 3 instead of 4.*setsum/]],
  },
  {
    name: 'a segment that two partitions share is missing',
    damage: (bucket) => {
      bucket.delete(segmentOfWide);
    },
    finds: [
      ['SEGMENT_MISSING', segmentOfWide, /offsets 24 to 27 of partition 0/],
      ['SEGMENT_MISSING', segmentOfWide, /offsets 24 to 27 of partition 1/],
    ],
  },
  {
    name: 'a segment holds other batches than were appended',
    damage: (bucket) => {
      // The sums of two references change such that their sum, which the manifest checks itself, stays.
      changeManifest(bucket, narrowGroup, (manifest) => {
        const [partition] = manifest.partitions;
        const [a, b] = partition?.segments ?? [];
        assert(partition !== undefined && a !== undefined && b !== undefined);
        const changed = [
          { ...a, setsum: addSetsum(a.setsum, '0000000100000001') },
          { ...b, setsum: subtractSetsum(b.setsum, '0000000100000001') },
        ];
        return { ...manifest, partitions: [{ ...partition, segments: changed }] };
      });
    },
    finds: (readManifest(rich.bucket, narrowGroup).partitions[0]?.segments ?? []).map(
      ({ object }) => ['SEGMENT_MISMATCH', segmentKey(narrowGroup, object), /setsum/] as const,
    ),
  },
  {
    name: 'a snapshot is missing',
    damage: (bucket) => {
      bucket.delete(snapshotOfWide);
    },
    finds: [['SNAPSHOT_MISSING', snapshotOfWide]],
  },
  {
    name: 'a snapshot is that of an earlier flush',
    damage: (bucket) => {
      changeSnapshot(bucket, ({ group, partitions }) => ({
        group,
        partitions: partitions.map((partition) => ({ ...partition, endOffset: partition.endOffset - 4 })),
      }));
    },
    finds: [
      ['SNAPSHOT_MISMATCH', snapshotOfWide, /partition 0 stands at offset 28, its segments end at 32/],
      ['SNAPSHOT_MISMATCH', snapshotOfWide, /partition 1/],
    ],
  },
  {
    name: 'a snapshot forgot the last batch of a producer',
    damage: (bucket) => {
      changeSnapshot(bucket, ({ group, partitions: [first, ...others] }) => {
        assert(first !== undefined);
        const producers = first.producers.map((producer) => ({
          ...producer,
          batches: producer.batches.slice(0, -1),
        }));
        return { group, partitions: [{ ...first, producers }, ...others] };
      });
    },
    finds: [['SNAPSHOT_MISMATCH', snapshotOfWide, /producer 7 of partition 0/]],
  },
  {
    name: 'a slot in a closed run is missing',
    damage: (bucket) => {
      bucket.delete(slotKey(dead, 86));
    },
    finds: [narrowGroup, groupId(narrow, 0), wideGroup, groupId(wide, 1), groupId(large, 0)].map(
      (group) => ['SLOT_MISSING', slotKey(dead, 86), new RegExp(`slot 86 .* ${group} `)] as const,
    ),
  },
  {
    name: 'a slot below a checkpoint of a live session is missing',
    damage: (bucket) => {
      const slots = [0, 1, 2, 3, 4, 5].map((slot) => {
        const { footer, indexBytes } = readSlot(bucket, live, slot);
        return { slot, footerHash: footer.footerHash, indexBytes };
      });
      bucket.put(checkpointKey(live, 6), encodeCheckpoint({ sid: live, from: 0, slot: 6, slots }, 1));
      bucket.delete(slotKey(live, 3));
    },
    finds: [['SLOT_MISSING', slotKey(live, 3), /checkpoint at 6 proves/]],
  },
  {
    name: 'a slot of a live session is missing and later ones are there',
    damage: (bucket) => {
      bucket.delete(slotKey(live, 3));
    },
    finds: [['SLOT_GAP', slotKey(live, 3), /7 slots above it/]],
  },
  {
    name: 'the fence at the end of closed runs is missing',
    damage: (bucket) => {
      bucket.delete(slotKey(dead, 94));
    },
    finds: [['FENCE_MISSING', slotKey(dead, 94)]],
  },
  {
    name: 'a slot does not continue the one before',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { previousFooterHash: 'ab'.repeat(16) });
    },
    finds: [['CHAIN_BROKEN', slotKey(live, 11), /does not continue slot 10/]],
  },
  {
    name: 'offsets are left out',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, { ...ofNarrow, baseOffset: 43 })] });
    },
    finds: [['OFFSETS_NOT_DENSE', slotKey(live, 11), /at offset 43, but 40 comes next/]],
  },
  {
    name: 'offsets are given out twice',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, { ...ofNarrow, baseOffset: 38 })] });
    },
    finds: [['OFFSETS_NOT_DENSE', slotKey(live, 11), /at offset 38, but 40 comes next/]],
  },
  {
    name: 'the trim point was moved over needed slots',
    damage: (bucket) => {
      bucket.put(trimKey(dead), encodeTrim(85, 1));
    },
    finds: [
      ['TRIM_TOO_HIGH', trimKey(dead), /slot 83 holds offsets 32 to 33 of partition 0/],
      ['TRIM_TOO_HIGH', trimKey(dead), /slot 84 holds offsets 34 to 35 of partition 0/],
      ['TRIMMED_SLOTS', slotPrefix(dead)],
    ],
  },
  {
    name: 'needed slots were trimmed',
    damage: (bucket) => {
      bucket.put(trimKey(dead), encodeTrim(85, 1));
      bucket.delete(slotKey(dead, 83));
      bucket.delete(slotKey(dead, 84));
    },
    finds: [['TRIM_TOO_HIGH', trimKey(dead), /at offset 36, but 32 comes next/]],
  },
  {
    name: 'a session wrote under another epoch than it had',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, { leaderEpoch: 5, baseOffset: 40 })] });
    },
    finds: [['EPOCH_WRONG', slotKey(live, 11), /leader epoch 5/]],
  },
  {
    name: 'epochs go back',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, { leaderEpoch: 1, baseOffset: 40 })] });
    },
    finds: [
      ['EPOCH_WRONG', slotKey(live, 11), /the session had epoch 2/],
      ['EPOCH_WRONG', slotKey(live, 11), /the one before it 2/],
    ],
  },
  {
    name: 'a producer skips a sequence',
    damage: (bucket) => {
      const producer = { producerId: 8, producerEpoch: 0, baseSequence: 44 };
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, ofNarrow, producer)] });
    },
    finds: [['SEQUENCE_BROKEN', slotKey(live, 11), /sequence 44, but 40 was expected/]],
  },
  {
    name: 'a batch was appended twice',
    damage: (bucket) => {
      const producer = { producerId: 9_999, producerEpoch: 0, baseSequence: 0 };
      putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, ofNarrow, producer)] });
      putSlot(bucket, live, 12, { blocks: [blockOf(narrow, 1, { ...ofNarrow, baseOffset: 41 }, producer)] });
    },
    finds: [['SEQUENCE_BROKEN', slotKey(live, 12), /the same as an earlier one/]],
  },
  {
    name: 'a checkpoint has another slot than the session',
    damage: (bucket) => {
      const key = checkpointKey(dead, 94);
      const checkpoint = decodeCheckpoint(bucket.bytes(key), key);
      const slots = checkpoint.slots.map((slot) =>
        slot.slot === 93 ? { ...slot, footerHash: 'cd'.repeat(16) } : slot,
      );
      bucket.put(key, encodeCheckpoint({ ...checkpoint, slots }, 1));
    },
    finds: [['CHECKPOINT_MISMATCH', checkpointKey(dead, 94), /slot 93/]],
  },
  {
    name: 'a live session was fenced',
    damage: (bucket) => {
      putSlot(bucket, live, 11, { kind: 'fence', note: { reason: 'test' } });
    },
    finds: [['FENCE_IN_LIVE_SESSION', slotKey(live, 11)]],
  },
  {
    name: 'a batch is damaged',
    damage: (bucket) => {
      bucket.put(slotKey(live, 10), flipped(bucket.bytes(slotKey(live, 10)), 8 * 1_000));
    },
    finds: [['RECORDS_DAMAGED', slotKey(live, 10), /CRC/]],
    deep: true,
  },
  {
    name: 'a session has no birth record',
    damage: (bucket) => {
      bucket.delete(sessionKey(live));
    },
    finds: [['NO_SESSION_RECORD', sessionKey(live)]],
  },
  {
    name: 'somebody else writes into the folders of firn, and beside them',
    damage: (bucket) => {
      bucket.put('wal/readme', Buffer.from('x'));
      bucket.put('data/1.parquet', Buffer.from('x'));
    },
    finds: [
      ['UNKNOWN_KEY', 'wal/readme'],
      ['FOREIGN_KEYS', 'data/', /1 objects \(1 bytes\), for example data\/1.parquet/],
    ],
  },
  {
    name: 'a flush was interrupted',
    damage: (bucket) => {
      const key = segmentKey(narrowGroup, `1-${live.slice(0, 8)}-999`);
      bucket.put(key, bucket.bytes(segmentOfWide));
    },
    finds: [['ORPHANS', `seg/5a/${narrowGroup}/`, /1 object /]],
  },
  {
    name: 'slots below the trim point are left',
    damage: (bucket) => {
      putSlot(bucket, dead, 80);
    },
    finds: [['TRIMMED_SLOTS', slotPrefix(dead)]],
  },
  {
    name: 'a fenced session wrote on',
    damage: (bucket) => {
      putSlot(bucket, dead, 96);
    },
    finds: [['SLOTS_ABOVE_FENCE', slotPrefix(dead)]],
  },
];

for (const { name, damage, finds, deep } of cases) {
  test(`found: ${name}`, async () => {
    const bucket = rich.bucket.clone();
    damage(bucket);
    const found = await verify(bucket.open(), deep);
    const rest = [...found];
    for (const [code, key, what] of finds) {
      const at = rest.findIndex(
        (one) => one.code === code && one.key === key && (what?.test(one.what) ?? true),
      );
      assert.notEqual(
        at,
        -1,
        `${code} ${key} ${what?.source ?? ''} in ${JSON.stringify(found, undefined, 1)}`,
      );
      rest.splice(at, 1);
    }
    assert.deepEqual(rest, []);
  });
}

/** A store in which a manifest is replaced each time it is read. */
function restless(bucket: TestBucket, group: string): ObjectStore {
  const store = bucket.open();
  const get = store.get.bind(store);
  let version = 1_000;
  store.get = async (key, options) => {
    const found = await get(key, options);
    if (key !== manifestKey(group) || found.kind !== 'found') return found;
    const manifest = decodeManifest(found.body, key);
    return { ...found, body: encodeManifest({ ...manifest, version: version++ }, 1) };
  };
  return store;
}

test('what rests on a manifest that has been replaced is not reported, however often that happens', async () => {
  const bucket = rich.bucket.clone();
  putSlot(bucket, live, 11, { blocks: [blockOf(narrow, 1, { ...ofNarrow, baseOffset: 43 })] });
  const found = await verify(restless(bucket, narrowGroup));
  assert.deepEqual(
    found.map(({ code, key }) => [code, key]),
    [['MOVING', manifestKey(narrowGroup)]],
  );
});

test('every code that there is can be found', () => {
  const found = new Set<string>(cases.flatMap(({ finds }) => finds.map(([code]) => code)));
  found.add('MOVING'); // By the test above.
  assert.deepEqual([...found].sort(), Object.keys(findingCodes).sort());
});

test('of thousands of findings alike the first are told and all are counted', () => {
  const told: Finding[] = [];
  const sink = new FindingSink((finding) => told.push(finding));
  for (let index = 0; index < 1_000; index++) sink.add('SEGMENT_MISSING', `seg/${index}`, 'gone');
  sink.add('SEGMENT_MISSING', 'seg/0', 'gone');
  assert.equal(told.length, 200);
  assert.deepEqual(sink.counts, { error: 1_000, warning: 0, info: 0 });
  assert.deepEqual([...sink.untold], [['SEGMENT_MISSING', 800]]);
});
