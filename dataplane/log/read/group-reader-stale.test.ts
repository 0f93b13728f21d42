import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestKey } from '../format/keys.ts';
import { isLogError, readAll, readerOf } from './group-reader-fixture.ts';
import { LogFixture, sidOf } from './log-fixture.ts';

const [a, b] = [sidOf('a'), sidOf('b')];

test('a stale manifest after a flush and a trim: no record is skipped', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3, 3] }]);
  for (const isPrimed of [false, true]) {
    const reader = readerOf(fixture);
    // Not primed: it knows the manifest, but has not looked at the WAL yet.
    if (isPrimed) await reader.read(0, 0, 1);
    else await reader.refresh();
    await fixture.append([{ partition: 0, batches: [4] }]);
    await fixture.flush();
    await fixture.trim();
    await fixture.append([{ partition: 0, batches: [2] }]);
    assert.equal(await readAll(fixture, reader, 0, 3), fixture.end(0));
    await fixture.append([{ partition: 0, batches: [1] }]);
  }
});

test('a stale manifest after a takeover: what lies behind the fence is never delivered', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3] }]);
  const reader = readerOf(fixture);
  await reader.refresh();
  const fence = await fixture.acquire(b);
  assert.equal(fence, 1);
  // The old owner's slot, sent before it was fenced, lands behind the fence, at the offset that the new owner gives next.
  const { slot } = await fixture.writeSlot(a, [fixture.strayBlock(0, fixture.end(0), 0)]);
  assert.equal(slot, 2);
  await fixture.append([{ partition: 0, batches: [2] }]);
  assert.equal(await readAll(fixture, reader, 0), fixture.end(0));
});

test('a stale manifest after the old session was swept', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3] }]);
  await fixture.append([{ partition: 0, batches: [3] }]);
  const reader = readerOf(fixture);
  assert.equal((await reader.read(0, 0, 1)).nextOffset, 3);
  await fixture.acquire(b);
  await fixture.flush();
  await fixture.sweep();
  await fixture.append([{ partition: 0, batches: [2] }]);
  // The slot it would look at next is gone, and the fence lies behind it: it may take that for the end for a while.
  reader.clock.nowMs += 5000;
  assert.equal(await readAll(fixture, reader, 0, 3), fixture.end(0));
});

test('a stale manifest after the group moved away and came back to the same session', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3] }]);
  const reader = readerOf(fixture);
  assert.equal((await reader.read(0, 0, 1000)).nextOffset, 3);
  await fixture.release();
  await fixture.acquire(b);
  for (const records of [0, 4]) {
    if (records > 0) await fixture.append([{ partition: 0, batches: [records] }]);
    await fixture.release();
    await fixture.acquire(a);
    await fixture.append([{ partition: 0, batches: [2] }]);
    assert.equal(await readAll(fixture, reader, 0, 3), fixture.end(0));
    await fixture.release();
    await fixture.acquire(b);
  }
});

test('a session that takes back a group it had before: positions in its first run do not count in its second', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3] }]);
  const reader = readerOf(fixture);
  assert.equal(await readAll(fixture, reader, 0), 3);
  await fixture.release();
  await fixture.acquire(b);
  await fixture.append([{ partition: 0, batches: [4] }]);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [2] }]);
  reader.clock.nowMs += 5000;
  assert.equal(await readAll(fixture, reader, 0, 3), fixture.end(0));
});

test('a session that takes back a group before it has written a slot: what was written in between is read', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  const reader = readerOf(fixture);
  assert.equal((await reader.read(0, 0, 1000)).nextOffset, 0);
  await fixture.release();
  await fixture.acquire(b);
  await fixture.append([{ partition: 0, batches: [4] }]);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [2] }]);
  reader.clock.nowMs += 5000;
  assert.equal(await readAll(fixture, reader, 0), 6);
});

test('a stale manifest after retention: below the log start is out of range, the rest is read', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  for (let flush = 0; flush < 3; flush++) {
    await fixture.append([{ partition: 0, batches: [5] }]);
    await fixture.flush();
  }
  const reader = readerOf(fixture);
  assert.equal(await reader.logStart(0), 0);
  await fixture.moveLogStart(0, 7);
  await assert.rejects(reader.read(0, 2, 100), isLogError('OFFSET_OUT_OF_RANGE'));
  assert.equal(await reader.logStart(0), 7);
  assert.equal(await readAll(fixture, reader, 0, 7), fixture.end(0));
});

test('a stale manifest after pages were written', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  for (let flush = 0; flush < 6; flush++) {
    await fixture.append([{ partition: 0, batches: [5] }]);
    await fixture.flush();
    if (flush === 3) await fixture.spill(0, 1);
  }
  const reader = readerOf(fixture);
  await reader.refresh();
  await fixture.spill(0, 1);
  assert.equal(await readAll(fixture, reader, 0), fixture.end(0));
});

test('a deleted topic, and one that never was, are unknown', async () => {
  const fixture = new LogFixture(1);
  await assert.rejects(
    readerOf(fixture).read(0, 0, 100),
    isLogError('UNKNOWN_TOPIC_OR_PARTITION', manifestKey(fixture.group)),
  );
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [5] }]);
  const reader = readerOf(fixture);
  await reader.refresh();
  await assert.rejects(reader.read(3, 0, 100), isLogError('UNKNOWN_TOPIC_OR_PARTITION'));
  await fixture.deleteTopic();
  await fixture.sweep();
  await assert.rejects(reader.refresh(), isLogError('UNKNOWN_TOPIC_OR_PARTITION'));
});

test('an idle group is followed although its session trims slots that never concerned it', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  const reader = readerOf(fixture);
  assert.equal((await reader.read(0, 0, 100)).endSeen, true);
  for (let slot = 0; slot < 5; slot++) await fixture.append([]);
  // The manifest stays as it is: nothing of this group was in those slots.
  await fixture.trim();
  await fixture.append([{ partition: 0, batches: [3] }]);
  reader.clock.nowMs += 5000;
  assert.equal(await readAll(fixture, reader, 0), 3);
});
