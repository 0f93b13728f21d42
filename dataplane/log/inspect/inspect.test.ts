import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKey, segmentKey, slotKey } from '../format/keys.ts';
import { richBucket } from './bucket-fixture.ts';
import { flipped, fromTheFuture, putSlot } from './damage-fixture.ts';
import { describeObject } from './object-description.ts';
import { objectText, valueText } from './object-text.ts';
import { overviewOf } from './overview.ts';
import { overviewText } from './overview-text.ts';
import { printable, sizeText, textTable, timeText } from './text-table.ts';

const rich = await richBucket();
const { narrow, wide, large, dead, live, bucket } = rich;

test('the overview tells what the bucket holds', async () => {
  const overview = await overviewOf(bucket.open(), { partitions: true });
  assert(overview.cluster !== undefined && 'id' in overview.cluster);
  assert.deepEqual(
    overview.cluster.topics.map(({ name, partitions, groups }) => [name, partitions, groups]),
    [
      ['narrow', 2, 2],
      ['wide', 4, 2],
      ['large', 1, 1],
    ],
  );
  assert.deepEqual(
    overview.cluster.brokers.map(({ id, state, sid }) => [id, state, sid]),
    [
      [1, 'dead', dead],
      [2, 'alive', live],
    ],
  );
  const sessions = new Map(overview.sessions.map((session) => [session.sid, session]));
  const { state, broker, slots, slotCount, trim, end, checkpoints } = sessions.get(dead) ?? {};
  assert.deepEqual(
    { state, broker, slots, slotCount, trim, end, checkpoints },
    {
      state: 'dead',
      broker: 1,
      slots: '83-94',
      slotCount: 12,
      trim: 83,
      end: { slot: 94, kind: 'fence' },
      checkpoints: 1,
    },
  );
  assert.equal(sessions.get(live)?.state, 'live');
  assert.equal(sessions.get(live)?.end, undefined);
  const ends = overview.groups.flatMap(({ topic, manifest }) =>
    manifest === undefined || 'error' in manifest
      ? []
      : (manifest.partitions ?? []).map(({ partition, logStart, logEnd }) => [
          topic,
          partition,
          logStart,
          logEnd,
        ]),
  );
  assert.deepEqual(ends, [
    ['narrow', 0, 10, 40],
    ['narrow', 1, 0, 40],
    ['wide', 0, 0, 40],
    ['wide', 1, 0, 40],
    ['wide', 2, 0, 40],
    ['wide', 3, 0, 0],
    ['large', 0, 0, 10],
  ]);
  assert.equal(overview.objects, bucket.keys.length);
});

test('the overview as text has a line for everything', async () => {
  const other = bucket.clone();
  other.put('wal/\u001b[31mred', Buffer.from('x'));
  other.put('data/a.parquet', Buffer.from('xyz'));
  const text = overviewText(await overviewOf(other.open()));
  for (const line of [
    /^narrow {2,}2 {2,}2 /m,
    new RegExp(`^${dead} {2}dead {2,}1 .*83-94 \\(12\\) .*fence at 94`, 'm'),
    new RegExp(
      `^${wide}-0 .*owned .* 2 \\(${live.slice(0, 8)}\\) {2}${dead.slice(0, 8)}:83-93 ${live.slice(0, 8)}:0- `,
      'm',
    ),
    /1 unknown keys .*: wal\/\\u001b\[31mred$/m,
    /1 objects of something else below data\/ \(3 B\), for example data\/a.parquet/,
    /brokers may be at work/,
  ]) {
    assert.match(text, line);
  }
  assert(!text.includes('\u001b'));
});

test('the overview of a damaged bucket says what is damaged, and shows the rest', async () => {
  const hurt = bucket.clone();
  for (const key of hurt.keys) {
    const kind = parseKey(key)?.kind;
    if (kind === 'manifest' || kind === 'cluster' || kind === 'session')
      hurt.put(key, flipped(hurt.bytes(key), 99));
  }
  const overview = await overviewOf(hurt.open(), { partitions: true });
  const text = overviewText(overview);
  assert.match(text, /cluster +unreadable: meta\/cluster/);
  assert.match(text, new RegExp(`! ${narrow}-0: pg/.*CRC`));
  assert.match(text, new RegExp(`! ${dead}: sess/.*CRC`));
  assert.match(text, new RegExp(`^${dead} {2}unknown .*83-94`, 'm'));
  const empty = overviewText(await overviewOf(bucket.clone().open()));
  assert.match(empty, /^store/);
});

test('an end that cannot be read is not guessed', async () => {
  const hurt = bucket.clone();
  hurt.put(slotKey(live, 1), Buffer.from('x'));
  const { groups } = await overviewOf(hurt.open(), { partitions: true });
  const ends = groups.flatMap(({ manifest }) =>
    manifest === undefined || 'error' in manifest
      ? []
      : (manifest.partitions ?? []).map(({ logEnd }) => logEnd),
  );
  assert.deepEqual(new Set(ends), new Set([undefined]));
});

test('every object can be described, as text and as JSON', async () => {
  for (const key of bucket.keys) {
    const description = await describeObject(bucket.open(), key);
    assert(description !== undefined, key);
    assert.equal(description.problem, undefined, key);
    assert.notEqual(description.content, undefined, key);
    const text = objectText(description);
    assert.match(text, new RegExp(`^key +${key.replaceAll('/', '.')}\n`));
    assert(!text.includes('[object Object]') && !text.includes('undefined'), text);
    assert.notEqual(JSON.stringify(description), undefined);
  }
});

test('a slot shows its blocks, a fence its note', async () => {
  const slot = await describeObject(bucket.open(), slotKey(live, 10));
  assert(slot !== undefined);
  assert.match(objectText(slot), new RegExp(`${large}-0 +2  8-9 +2 +1 +64 +100085`));
  const fence = await describeObject(bucket.open(), slotKey(dead, 94));
  assert(fence !== undefined);
  assert.match(objectText(fence), /kind +fence\n[^]*note\n[^]*reason +takeover/);
});

test('a note from anybody is shown without touching the terminal', async () => {
  const other = bucket.clone();
  putSlot(other, live, 11, {
    kind: 'fence',
    note: { reason: '\u001b]0;hello\u0007', list: [1, [2, { a: null }]] },
  });
  const fence = await describeObject(other.open(), slotKey(live, 11));
  assert(fence !== undefined);
  const text = objectText(fence);
  assert.match(text, /\\u001b\]0;hello\\u0007/);
  assert(!text.includes('\u001b'));
});

test('a damaged object is described as far as it can be read', async () => {
  const hurt = bucket.clone();
  const segment = hurt.keys.find((key) => key.startsWith('seg/')) ?? '';
  hurt.put(segment, hurt.bytes(segment).subarray(0, 200));
  const cut = await describeObject(hurt.open(), segment);
  assert.match(cut?.problem ?? '', /cut short/);
  assert.match(objectText(cut ?? assert.fail()), /PROBLEM[^]*header\n +formatVersion +1\n +kind +segment/);
  const manifest = hurt.keys.find((key) => key.endsWith('/manifest')) ?? '';
  hurt.put(manifest, fromTheFuture(manifest, hurt.bytes(manifest)));
  assert.match((await describeObject(hurt.open(), manifest))?.problem ?? '', /format version 7/);
  hurt.put(slotKey(live, 3), hurt.bytes(slotKey(live, 4)));
  assert.match(
    (await describeObject(hurt.open(), slotKey(live, 3)))?.problem ?? '',
    /data 4 .* belongs elsewhere/,
  );
  hurt.put(slotKey(live, 2), new Uint8Array(0));
  assert.notEqual((await describeObject(hurt.open(), slotKey(live, 2)))?.problem, undefined);
});

test('what does not exist, is no key, or is not of the log', async () => {
  const other = bucket.clone();
  other.put('data/a.parquet', Buffer.from('PAR1'));
  assert.equal(await describeObject(other.open(), segmentKey(`${narrow}-0`, '9-aaaaaaaa-9')), undefined);
  assert.equal(await describeObject(other.open(), '/no//key/'), undefined);
  const foreign = await describeObject(other.open(), 'data/a.parquet');
  assert.equal(foreign?.kind, 'unknown');
  assert.match(objectText(foreign), /none of the keys of the log/);
});

test('tables, sizes, times and values as text', () => {
  assert.equal(
    textTable(
      ['A', 'B'],
      [
        ['x', 1],
        ['long', 200],
      ],
    ),
    'A       B\nx       1\nlong  200\n',
  );
  assert.deepEqual([0, 1023, 1024, 3.5 * 2 ** 30].map(sizeText), ['0 B', '1023 B', '1.0 KiB', '3.5 GiB']);
  assert.deepEqual([-1, 0, 9e15].map(timeText), ['none', '1970-01-01T00:00:00.000Z', '9000000000000000 ms']);
  assert.equal(printable('a\nb'), String.raw`a\u000ab`);
  assert.equal(
    valueText('x', { a: 1, b: [], c: { d: [{ e: 1 }, { e: 2 }] } }),
    'x\n  a  1\n  b: none\n  c\n    d: 2\n      e\n      1\n      2\n',
  );
});
