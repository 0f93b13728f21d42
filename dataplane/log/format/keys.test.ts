import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clusterKey } from '../../cluster/cluster-state.ts';
import { keyProblem } from '../../store/keys.ts';
import {
  checkpointKey,
  checkpointPrefix,
  groupId,
  groupPrefix,
  isObjectName,
  manifestKey,
  pageKey,
  pageObject,
  pageObjectKey,
  parseCheckpointKey,
  parseGroupId,
  parseKey,
  parseManifestKey,
  parsePageKey,
  parseSegmentKey,
  parseSegmentObject,
  parseSessionKey,
  parseSlotKey,
  parseSnapshotKey,
  parseTrimKey,
  pidBlockKey,
  segmentKey,
  segmentObject,
  segmentPrefix,
  sessionKey,
  slotKey,
  slotPrefix,
  snapshotKey,
  trimKey,
} from './keys.ts';

const sid = '000102030405060708090a0b0c0d0e0f';
const group = `${'ab'.repeat(16)}-12`;

test('keys as they stand in existing buckets', () => {
  assert.deepEqual(
    [
      sessionKey(sid),
      slotKey(sid, 7),
      checkpointKey(sid, 300),
      trimKey(sid),
      manifestKey(group),
      pageKey(group, 4, 'a1'),
      snapshotKey(group, 'snap-9-00010203-5'),
      segmentKey(group, segmentObject(9, sid, 5)),
      pidBlockKey,
    ],
    [
      'sess/000102030405060708090a0b0c0d0e0f',
      'wal/25/000102030405060708090a0b0c0d0e0f/00000000000000000007',
      'wal/25/000102030405060708090a0b0c0d0e0f/ck-00000000000000000300',
      'wal/25/000102030405060708090a0b0c0d0e0f/trim',
      `pg/87/${group}/manifest`,
      `pg/87/${group}/page-4-a1`,
      `pg/87/${group}/snap-9-00010203-5`,
      `seg/87/${group}/9-00010203-5`,
      'meta/pid-block',
    ],
  );
});

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const natural = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test('every key is parsed back to what it was made of', () => {
  fc.assert(
    fc.property(id, id, natural, natural, (sid, topicId, n, m) => {
      const group = groupId(topicId, m);
      assert.deepEqual(parseGroupId(group), { topicId, groupIndex: m });
      assert.deepEqual(parseSessionKey(sessionKey(sid)), { kind: 'session', sid });
      assert.deepEqual(parseSlotKey(slotKey(sid, n)), { kind: 'slot', sid, slot: n });
      assert.deepEqual(parseCheckpointKey(checkpointKey(sid, n)), { kind: 'checkpoint', sid, slot: n });
      assert.deepEqual(parseTrimKey(trimKey(sid)), { kind: 'trim', sid });
      assert.deepEqual(parseManifestKey(manifestKey(group)), { kind: 'manifest', group });
      const page = pageObject(n, 'nonce');
      assert.deepEqual(parsePageKey(pageKey(group, n, 'nonce')), { kind: 'page', group, object: page });
      assert.equal(pageObjectKey(group, page), pageKey(group, n, 'nonce'));
      const snapshot = `snap-${n}-${m}`;
      assert.deepEqual(parseSnapshotKey(snapshotKey(group, snapshot)), {
        kind: 'snapshot',
        group,
        object: snapshot,
      });
      const segment = segmentObject(n, sid, m);
      assert.deepEqual(parseSegmentKey(segmentKey(group, segment)), {
        kind: 'segment',
        group,
        object: segment,
      });
      assert.deepEqual(parseSegmentObject(segment), { epoch: n, sid8: sid.slice(0, 8), sequence: m });
    }),
  );
});

test('the groups of one topic spread over all prefixes', () => {
  const counts = new Map<string, number>();
  for (let index = 0; index < 25_600; index++) {
    const prefix = manifestKey(groupId('ab'.repeat(16), index)).slice(0, 5);
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  assert.equal(counts.size, 256);
  assert.ok(Math.max(...counts.values()) < 200, `${Math.max(...counts.values())} of 25600 under one prefix`);
});

test('slots sort by number, and prefixes start what belongs to them', () => {
  assert.ok(
    slotKey(sid, 9) < slotKey(sid, 10) && slotKey(sid, 99_999) < slotKey(sid, Number.MAX_SAFE_INTEGER),
  );
  for (const key of [slotKey(sid, 0), checkpointKey(sid, 1), trimKey(sid)]) {
    assert.ok(key.startsWith(slotPrefix(sid)));
  }
  assert.ok(checkpointKey(sid, 1).startsWith(checkpointPrefix(sid)));
  assert.ok(manifestKey(group).startsWith(groupPrefix(group)));
  assert.ok(segmentKey(group, 's').startsWith(segmentPrefix(group)));
});

test('keys are such that every store takes them, and none is a /-prefix of another', () => {
  const longest = groupId('ab'.repeat(16), Number.MAX_SAFE_INTEGER);
  const keys = [
    clusterKey,
    pidBlockKey,
    sessionKey(sid),
    slotKey(sid, 0),
    slotKey(sid, Number.MAX_SAFE_INTEGER),
    checkpointKey(sid, 0),
    trimKey(sid),
    manifestKey(longest),
    pageKey(longest, Number.MAX_SAFE_INTEGER, 'nonce'),
    snapshotKey(longest, 'snap-1'),
    segmentKey(longest, segmentObject(2 ** 31, sid, Number.MAX_SAFE_INTEGER)),
  ];
  for (const key of keys) {
    assert.equal(keyProblem(key), undefined, key);
    assert.ok(parseKey(key) !== undefined, key);
    for (const other of keys) assert.ok(!other.startsWith(`${key}/`), `${key} and ${other}`);
  }
});

test('what is no key of the log is not recognised', () => {
  const strangers = [
    '',
    'meta',
    'meta/cluster/x',
    'meta/clusters',
    'sess/xyz',
    `sess/${sid}/x`,
    slotKey(sid, 7).replace('wal/25', 'wal/26'),
    `${slotKey(sid, 7)}0`,
    slotKey(sid, 7).slice(0, -1),
    slotKey(sid, 7).replace(/\d{20}$/, '99999999999999999999'),
    `${slotPrefix(sid)}Trim`,
    `${slotPrefix(sid)}ck-`,
    manifestKey(group).replace('-12', '-012'),
    `${manifestKey(group)}.bak`,
    `${groupPrefix(group)}page-`,
    `${groupPrefix(group)}snapshot-1`,
    `${segmentPrefix(group)}.hidden`,
    `${segmentPrefix(group)}a/b`,
    'probe/xyz.json',
    'probe/ab12',
  ];
  for (const key of strangers) assert.equal(parseKey(key), undefined, key);
  assert.deepEqual(parseKey('probe/ab12.json'), { kind: 'probe', endpointHash: 'ab12' });
  assert.equal(parseGroupId(`${'ab'.repeat(16)}-99999999999999999999`), undefined);
  for (const object of ['9-0001020-5', '9-00010203', '09-00010203-5', '9-00010203-5-6']) {
    assert.equal(parseSegmentObject(object), undefined, object);
  }
});

test('arbitrary strings are parsed without trouble', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('wal', 'pg', 'seg', 'sess', 'meta', '42', sid, group, 'trim', 'manifest', 'ck-', '7'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      parseKey(pieces.join('/'));
    }),
  );
});

test('ids that are none are a bug of the caller', () => {
  const assertion = { name: 'AssertionError' };
  assert.throws(() => slotKey('../x', 1), assertion);
  assert.throws(() => slotKey(sid, -1), assertion);
  assert.throws(() => slotKey(sid, 2 ** 53), assertion);
  assert.throws(() => manifestKey('x'), assertion);
  assert.throws(() => segmentKey(group, '../../meta/cluster'), assertion);
  assert.throws(() => snapshotKey(group, 'page-1'), assertion);
  assert.ok(
    !isObjectName('segment', 'a/b') && !isObjectName('page', 'snap-1') && isObjectName('page', 'page-1'),
  );
});
