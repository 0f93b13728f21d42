import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sleep } from '../../runtime/runtime.ts';
import { manifestKey, slotPrefix, trimKey } from '../format/keys.ts';
import { isLogError } from '../read/group-reader-fixture.ts';
import { ZoneFixture, ownerSid } from './zone-fixture.ts';
import type { ZoneConsumer } from './zone-fixture.ts';

const oneRecord = [
  { partition: 0, batches: [1] },
  { partition: 1, batches: [1] },
];

async function pass(world: ZoneFixture, ms: number): Promise<void> {
  await world.time.run({ untilMs: world.time.nowMs + ms });
}

async function does<T>(world: ZoneFixture, work: () => Promise<T>): Promise<T> {
  return await world.time.drive(work, 'wait');
}

async function opened(...args: ConstructorParameters<typeof ZoneFixture>): Promise<ZoneFixture> {
  const world = new ZoneFixture(...args);
  await does(world, () => world.acquire(1));
  return world;
}

function assertAtEnd(world: ZoneFixture, consumers: readonly ZoneConsumer[]): void {
  for (const { index, position } of consumers) assert.equal(position, world.log.end(index));
}

test('ten consumers of a zone cost one GET for each slot, and none while nothing comes', async () => {
  const world = await opened({ isTold: true });
  const consumers = Array.from({ length: 10 }, (_, at) => world.consumer(at % 2));
  await pass(world, 100);
  world.log.store.forget();
  const slots = 60;
  for (let slot = 0; slot < slots; slot++) {
    await does(world, () => world.append(oneRecord));
    await pass(world, 40);
  }
  assertAtEnd(world, consumers);
  assert.equal(world.log.store.count(slotPrefix(ownerSid(1))), slots);
  assert.equal(world.log.store.gets.length, slots, 'nothing else was read');
  world.log.store.forget();
  await pass(world, 9_000);
  assert.equal(world.log.store.gets.length, 0);
});

test('an end that a trim shows, which is newer than the manifest, is no end', async () => {
  const world = await opened({ isTold: true });
  await does(world, () => world.append(oneRecord));
  await does(world, () => world.log.flush());
  // Out of a segment: no trim has been read by this manifest.
  const { release } = await does(world, () => world.partition().read(0, 1));
  release();
  for (let slot = 0; slot < 3; slot++) await does(world, () => world.append(oneRecord));
  await does(world, () => world.log.flush());
  await does(world, () => world.log.trim());
  const consumer = world.consumer(0, 1);
  await pass(world, 500);
  assertAtEnd(world, [consumer]);
});

test('consumers that begin behind cost one GET for each slot too, give or take the first', async () => {
  const world = await opened({ isTold: true });
  for (let slot = 0; slot < 60; slot++) await does(world, () => world.append(oneRecord));
  world.log.store.forget();
  const consumers = Array.from({ length: 10 }, (_, at) => world.consumer(at % 2));
  await pass(world, 1_000);
  assertAtEnd(world, consumers);
  const gets = world.log.store.count(slotPrefix(ownerSid(1)));
  assert(gets <= 60 + 20, `${gets} GETs of 60 slots`);
});

test('segments are read once for all consumers', async () => {
  const world = await opened({ isTold: true });
  for (let slot = 0; slot < 20; slot++)
    await does(world, () => world.append([{ partition: 0, batches: [3], valueBytes: 1_000 }]));
  await does(world, () => world.log.flush());
  world.log.store.forget();
  const consumers = Array.from({ length: 10 }, () => world.consumer(0));
  await pass(world, 1_000);
  assertAtEnd(world, consumers);
  const ranges = world.log.store.gets
    .filter(({ key }) => key.startsWith('seg/'))
    .map(({ key, range }) => `${key} ${JSON.stringify(range)}`);
  assert.equal(new Set(ranges).size, ranges.length);
});

test('where a broker cannot be asked, its next slot is looked for, the less often the less comes', async () => {
  const world = await opened();
  const consumers = [0, 1, 0, 1].map((index) => world.consumer(index));
  await pass(world, 100);
  for (let slot = 0; slot < 40; slot++) {
    await does(world, () => world.append(oneRecord));
    await pass(world, 250);
  }
  await pass(world, 1_000);
  assertAtEnd(world, consumers);
  world.log.store.forget();
  for (let slot = 0; slot < 40; slot++) {
    await does(world, () => world.append(oneRecord));
    await pass(world, 250);
  }
  const busy = world.log.store.gets.length;
  assert(busy >= 40 && busy <= 130, `${busy} GETs of 40 slots`);
  await pass(world, 10_000);
  world.log.store.forget();
  await pass(world, 60_000);
  const idle = world.log.store.gets.length;
  assert(idle >= 55 && idle <= 70, `${idle} GETs in a minute without records`);
});

test('a group that nobody reads any more costs nothing', async () => {
  const world = await opened();
  const consumer = world.consumer();
  await does(world, () => world.append(oneRecord));
  await pass(world, 2_000);
  assert.deepEqual([world.readers.size, world.readers.sessions], [1, 1]);
  consumer.isStopped = true;
  await pass(world, 45_000);
  assert.deepEqual([world.readers.size, world.readers.sessions], [0, 0]);
  world.log.store.forget();
  await pass(world, 600_000);
  assert.equal(world.log.store.gets.length, 0);
  assert.equal(world.time.pendingEvents, 0);
});

test('a consumer that waits for long keeps its group', async () => {
  const world = await opened();
  const partition = world.partition();
  await does(world, () => partition.read(0, 1));
  let wasTold = 0;
  partition.onChange(() => wasTold++);
  await pass(world, 200_000);
  assert.equal(world.readers.size, 1);
  await does(world, () => world.append(oneRecord));
  await pass(world, 2_000);
  assert.equal(wasTold, 1);
  assert.equal(partition.highWatermark, 1);
});

test('of too many groups the one goes that was asked for least recently', async () => {
  const world = await opened({ options: { maxGroups: 2 } });
  const partition = (index: number): unknown =>
    world.readers.partition(world.log.topicId, { ...world.group, id: `${world.log.topicId}-${index}` }, 0);
  partition(1);
  partition(2);
  partition(1);
  partition(3);
  assert.equal(world.readers.size, 2);
  assert.notEqual(world.readers.reader(`${world.log.topicId}-1`), undefined);
  assert.equal(world.readers.reader(`${world.log.topicId}-2`), undefined);
  world.readers.stop();
  assert.equal(world.readers.size, 0);
});

test('a takeover that nobody tells of is met at the fence, and the log goes on in the next session', async () => {
  for (const isTold of [true, false]) {
    const world = await opened({ isTold });
    const consumers = [world.consumer(0), world.consumer(1)];
    await does(world, () => world.append(oneRecord));
    await pass(world, 1_000);
    assertAtEnd(world, consumers);
    const fence = await does(world, () => world.log.fence(ownerSid(1)));
    // A broker that is cut off from the store tells nothing new for as long as it is asked to wait.
    await pass(world, 12_000);
    await does(world, () => world.log.acquire(ownerSid(2), fence));
    await does(world, () => world.append(oneRecord));
    await pass(world, 3_000);
    assertAtEnd(world, consumers);
    // What the old owner writes above the fence is not part of the log.
    await does(world, () => world.log.writeSlot(ownerSid(1), [world.log.strayBlock(0, world.log.end(0), 0)]));
    await pass(world, 12_000);
    await does(world, () => world.append(oneRecord));
    await pass(world, 3_000);
    assertAtEnd(world, consumers);
    assert.deepEqual(world.problems, []);
  }
});

test('a hand-over from a session that goes on is met by what meta/cluster says', async () => {
  for (const isTold of [true, false]) {
    const world = await opened({ isTold });
    const consumer = world.consumer(0);
    await does(world, () => world.append(oneRecord));
    await pass(world, 1_000);
    world.assign(2, 2);
    await pass(world, 500);
    await does(world, () => world.append(oneRecord));
    await pass(world, 1_500);
    assertAtEnd(world, [consumer]);
    await does(world, () => world.log.release());
    await pass(world, 100);
    await does(world, () => world.acquire(2));
    await does(world, () => world.append(oneRecord));
    await pass(world, 3_000);
    assertAtEnd(world, [consumer]);
    world.log.store.forget();
    await pass(world, 5_000);
    assert.equal(
      world.log.store.count(manifestKey(world.log.group)),
      0,
      'the manifest is known to be up to date',
    );
  }
});

test('a group that was away and is back in the session it came from is read in the order it was written', async () => {
  for (const isTold of [true, false]) {
    const world = await opened({ isTold });
    const consumer = world.consumer(0);
    await does(world, () => world.append(oneRecord));
    await pass(world, 1_000);
    // Nothing of this is known here until the end.
    await does(world, () => world.log.release());
    await does(world, () => world.log.acquire(ownerSid(2)));
    await does(world, () => world.append(oneRecord));
    await does(world, () => world.log.release());
    await does(world, () => world.log.acquire(ownerSid(1)));
    await pass(world, 1_000);
    await does(world, () => world.append(oneRecord));
    await pass(world, 3_000);
    assertAtEnd(world, [consumer]);
  }
});

test('slots that are trimmed before they were looked at are found in segments', async () => {
  const world = await opened({ options: { pollMinMs: 5_000, pollMaxMs: 5_000, trimCheckMs: 10_000 } });
  const consumer = world.consumer(0);
  await pass(world, 5_500);
  for (let round = 0; round < 3; round++) {
    for (let slot = 0; slot < 5; slot++) await does(world, () => world.append(oneRecord));
    await does(world, () => world.log.flush());
    await does(world, () => world.log.trim());
  }
  await pass(world, 25_000);
  assertAtEnd(world, [consumer]);
  assert(world.log.store.count(trimKey(ownerSid(1))) > 0);
});

test('what is above the end is looked for at once, and then not there', async () => {
  const world = await opened({ options: { pollMinMs: 2_000, pollMaxMs: 60_000 } });
  const partition = world.partition();
  await does(world, () => partition.read(0, 1));
  await pass(world, 20_000);
  await does(world, () => world.append(oneRecord));
  assert.equal(partition.highWatermark, 0);
  partition.hurry();
  await pass(world, 10);
  assert.equal(partition.highWatermark, 1);
  world.log.store.forget();
  for (let time = 0; time < 100; time++) {
    partition.hurry();
    await pass(world, 10);
  }
  assert(world.log.store.gets.length <= 2, `${world.log.store.gets.length} GETs in a second`);
  const above = await does(world, () => partition.read(5, 1));
  assert.deepEqual([above.sizeBytes, above.highWatermark], [0, 1]);
});

test('below the log start is out of range, and a deleted topic is unknown', async () => {
  const world = await opened({ isTold: true });
  for (let slot = 0; slot < 4; slot++) await does(world, () => world.append(oneRecord));
  await does(world, () => world.log.flush());
  await does(world, () => world.log.moveLogStart(0, 2));
  const partition = world.partition();
  await assert.rejects(
    does(world, () => partition.read(1, 1)),
    isLogError('OFFSET_OUT_OF_RANGE'),
  );
  const found = await does(world, () => partition.read(2, 1));
  assert.deepEqual([found.logStartOffset, found.highWatermark], [2, 4]);
  found.release();
  await does(world, () => world.log.deleteTopic());
  world.assign(1, 9);
  await pass(world, 3_000);
  assert.equal(world.readers.reader(world.log.group)?.isIdle ?? true, false);
  await assert.rejects(
    does(world, () => world.partition().read(4, 1)),
    isLogError('UNKNOWN_TOPIC_OR_PARTITION'),
  );
});

test('a store that fails for a while is tried again', async () => {
  const world = await opened({ isTold: true });
  const consumer = world.consumer(0);
  await pass(world, 100);
  world.log.store.onGet = () => Promise.reject(new Error('the store is away'));
  await does(world, () => world.append(oneRecord));
  await pass(world, 5_000);
  assert(world.problems.length > 0);
  world.log.store.onGet = undefined;
  await pass(world, 3_000);
  assertAtEnd(world, [consumer]);
});

type Step =
  | 'append'
  | 'idle'
  | 'flush'
  | 'trim'
  | 'sweep'
  | 'takeover'
  | 'handover'
  | 'back'
  | 'zombie'
  | 'tell'
  | 'join'
  | 'pause';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>('append') },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Step>(
      'idle',
      'flush',
      'trim',
      'sweep',
      'takeover',
      'handover',
      'back',
      'zombie',
      'tell',
      'join',
      'pause',
    ),
  },
);

/** One step of owners that do everything right, and of what the reading broker is told of them. */
async function take(
  world: ZoneFixture,
  consumers: ZoneConsumer[],
  what: Step,
  random: number,
): Promise<void> {
  const { log } = world;
  const owners = [1, 2, 3, 4];
  const owner = owners.find((broker) => ownerSid(broker) === log.owner) ?? 1;
  const others = owners.filter((broker) => broker !== owner);
  const other = others[random % others.length] ?? 1;
  switch (what) {
    case 'append':
      await does(world, () => world.append([{ partition: random % 2, batches: [1 + (random % 3), 1] }]));
      return;
    case 'idle':
      await does(world, () => world.append([]));
      return;
    case 'flush':
      await does(world, () => log.flush());
      return;
    case 'trim':
      await does(world, async () => {
        await log.trim();
      });
      return;
    case 'sweep':
      await does(world, () => log.sweep());
      return;
    case 'takeover':
      await does(world, () =>
        log.acquire(`${random}`.padStart(31, 'e').padStart(32, String(world.log.manifest.epoch % 10))),
      );
      return;
    case 'handover':
      world.assign(other, log.manifest.assignmentGeneration + 1);
      await does(world, () => log.release());
      await pass(world, random % 700);
      await does(world, () => log.acquire(ownerSid(other)));
      return;
    case 'back':
      // It leaves and comes back before anybody here hears of it.
      await does(world, () => log.release());
      await does(world, () => log.acquire(ownerSid(other)));
      await does(world, () => world.append([{ partition: 0, batches: [1] }]));
      await does(world, () => log.release());
      await does(world, () => log.acquire(ownerSid(owner)));
      return;
    case 'zombie':
      for (const sid of owners.map(ownerSid)) {
        if (sid === log.owner) continue;
        await does(world, () => log.writeSlot(sid, [log.strayBlock(0, log.end(0), log.manifest.epoch)]));
        return;
      }
      return;
    case 'tell':
      world.assign(owner, log.manifest.assignmentGeneration);
      return;
    case 'join':
      consumers.push(world.consumer(random % 2));
      return;
    case 'pause':
      await pass(world, random);
  }
}

test('consumers get every record once and in order, whatever becomes of the owner, and reach the end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(step, fc.nat({ max: 3_000 })), { maxLength: 40 }),
      fc.boolean(),
      fc.constantFrom(4_000, 10_000_000),
      fc.nat({ max: 1_000 }),
      async (steps, isTold, coldCacheBytes, seed) => {
        const world = await opened({ isTold, coldCacheBytes, seed });
        // Requests take their time on the way there, and back.
        world.log.store.onGet = async (_get, answer) => {
          const { environment, random } = world.time;
          if (seed % 2 === 0) await sleep(environment, random.between(0, 400));
          const answered = await answer();
          if (seed % 3 === 0) await sleep(environment, random.between(0, 400));
          return answered;
        };
        const consumers = [world.consumer(0)];
        for (const [what, random] of steps) await take(world, consumers, what, random);
        await take(world, consumers, 'tell', 0);
        await pass(world, 20_000);
        assertAtEnd(world, consumers);
        for (const consumer of consumers) consumer.isStopped = true;
        await pass(world, 60_000);
        assert.equal(world.time.pendingEvents, 0);
        assert.deepEqual(world.problems, []);
      },
    ),
    { numRuns: 150 },
  );
});
