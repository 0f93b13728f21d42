import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { readBatchHeader } from '../protocol/record-batch.ts';
import { clusterKey } from '../cluster/cluster-state.ts';
import { LogError } from './errors.ts';
import { FutureVersionError } from './format/errors.ts';
import {
  checkpointKey,
  groupId,
  manifestKey,
  pageObjectKey,
  segmentKey,
  slotKey,
  snapshotKey,
  trimKey,
} from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import type { Manifest } from './format/manifest.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { TestBroker } from './inspect/bucket-fixture.ts';
import { flipped, fromTheFuture } from './inspect/damage-fixture.ts';
import type { LogOptions } from './options.ts';

/**
 * Hostile bytes met by brokers: what is damaged is not served and is named, everything else goes on, and nobody runs in
 * circles. Broker 1 wrote two topics and died; objects of topic `hurt` are damaged before broker 2 takes over.
 */
interface Scene {
  readonly cluster: TestCluster;
  readonly one: TestBroker;
  readonly hurt: string;
  readonly well: string;
  readonly hurtGroup: string;
  readonly deadSid: string;
}

async function scene(options: Partial<LogOptions> = {}): Promise<Scene> {
  const cluster = new TestCluster(3);
  const one = await cluster.start(1, options);
  const hurt = await cluster.createTopic(one, 'hurt', 1);
  const well = await cluster.createTopic(one, 'well', 1);
  for (let round = 0; round < 12; round++) {
    await cluster.append(one, well, 0, 1);
    await cluster.append(one, hurt, 0, 1);
    await one.flush();
  }
  await one.housekeeping();
  await cluster.append(one, well, 0, 2);
  await cluster.append(one, hurt, 0, 4);
  await one.housekeeping();
  return { cluster, one, hurt, well, hurtGroup: groupId(hurt, 0), deadSid: one.sid };
}

function manifestOf({ cluster }: Scene, group: string): Manifest {
  const key = manifestKey(group);
  const object = cluster.store.peek(key);
  assert(object !== undefined);
  return decodeManifest(object.bytes, key);
}

/** Broker 2 comes, gets a topic of its own, and then all of broker 1, which is gone. */
async function takeOver(
  { cluster, one, deadSid }: Scene,
  options: Partial<LogOptions> = {},
): Promise<{ two: TestBroker; own: string }> {
  const two = await cluster.start(2, options);
  const own = await cluster.createTopic(two, 'own', 1);
  await cluster.append(two, own, 0, 1);
  one.kill();
  await cluster.markDead(one, deadSid, two);
  return { two, own };
}

/** Offsets of all batches of a partition, as its owner serves them, with their CRCs. */
async function readAll(
  broker: TestBroker,
  topicId: string,
  from = 0,
): Promise<[offset: number, crc: number][]> {
  const batches: [number, number][] = [];
  for (let next = from; ;) {
    const { pieces, highWatermark } = await broker.call(() => broker.log.read(topicId, 0, next, 1_000_000));
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) {
        const { baseOffset, crc, lastOffsetDelta, sizeBytes } = readBatchHeader(piece, at);
        batches.push([baseOffset, crc]);
        next = baseOffset + lastOffsetDelta + 1;
        at += sizeBytes;
      }
    }
    if (next >= highWatermark || pieces.length === 0) return batches;
  }
}

const damages: Readonly<Record<string, (key: string, bytes: Uint8Array) => Uint8Array>> = {
  'a bit of which changed': (_key, bytes) => flipped(bytes, bytes.length * 8 - 70),
  'that was cut short': (_key, bytes) => bytes.subarray(0, bytes.length - 5),
  'that was emptied': () => new Uint8Array(0),
  'that somebody else wrote': () => Buffer.from('PAR1 not written by firn '.repeat(20)),
  'from the future': (key, bytes) => fromTheFuture(key, bytes),
};

interface Blocked {
  readonly key: (scene: Scene) => string;
  /** Topics that cannot be served without the object, and the others. */
  readonly unserved: readonly ('hurt' | 'well')[];
  readonly options?: Partial<LogOptions>;
}

/** Objects without which groups cannot be taken over. */
const blocking: Readonly<Record<string, Blocked>> = {
  manifest: { key: ({ hurtGroup }) => manifestKey(hurtGroup), unserved: ['hurt'] },
  snapshot: {
    key: (scene) => snapshotKey(scene.hurtGroup, manifestOf(scene, scene.hurtGroup).snapshot?.object ?? ''),
    unserved: ['hurt'],
  },
  // Whose records the slot held cannot be known any more.
  slot: {
    key: ({ deadSid }) => slotKey(deadSid, 27),
    unserved: ['hurt', 'well'],
    options: { checkpointSlots: 1_000 },
  },
  trim: { key: ({ deadSid }) => trimKey(deadSid), unserved: ['hurt', 'well'] },
};

for (const [kind, { key: keyOf, unserved, options }] of Object.entries(blocking)) {
  describe(`a ${kind}`, () => {
    for (const [how, damage] of Object.entries(damages)) {
      test(`${how} is named; what needs it is not served, the rest is; all is well when the bytes come back`, async () => {
        const world = await scene(options);
        const { cluster } = world;
        const expected = {
          hurt: await readAll(world.one, world.hurt),
          well: await readAll(world.one, world.well),
        };
        const key = keyOf(world);
        const original = cluster.bytes(key);
        await cluster.overwrite(key, damage(key, original));
        const { two, own } = await takeOver(world);
        const served = (['hurt', 'well'] as const).filter((name) => !unserved.includes(name));
        for (const name of served)
          await cluster.until(() => two.log.log?.served(world[name], 0) !== undefined);
        const begunMs = cluster.time.nowMs;
        await cluster.pass(60_000);
        for (const topic of [own, ...served.map((name) => world[name])])
          await cluster.append(two, topic, 0, 1);
        for (const name of served)
          assert.deepEqual((await readAll(two, world[name])).slice(0, -1), expected[name]);
        for (const name of unserved) await assert.rejects(readAll(two, world[name]), isNotLeader);

        assert(cluster.problems.length >= 2 * unserved.length, 'it is tried again');
        for (const { what, error } of cluster.problems) {
          assert(
            unserved.some((name) => what.includes(world[name])),
            what,
          );
          assert(error instanceof Error && error.message.includes(key), String(error));
        }
        // Every 50 ms at first, every 1.6 s in the end: no busy loop.
        const limit = 90 * unserved.length;
        assert(
          cluster.problems.length <= limit,
          `${cluster.problems.length} in ${cluster.time.nowMs - begunMs} ms`,
        );
        assert.equal(two.log.context.counters.sessionDeaths, 0);

        await cluster.overwrite(key, original);
        for (const name of unserved) {
          await cluster.until(() => two.log.log?.served(world[name], 0) !== undefined);
          assert.deepEqual(await readAll(two, world[name]), expected[name]);
          await cluster.append(two, world[name], 0, 1);
        }
      });
    }
  });
}

for (const [how, damage] of Object.entries(damages)) {
  test(`a checkpoint ${how} only costs the reads it would have saved`, async () => {
    const world = await scene();
    const { cluster, hurt, deadSid } = world;
    const expected = await readAll(world.one, hurt);
    const key = checkpointKey(deadSid, 30);
    await cluster.overwrite(key, damage(key, cluster.bytes(key)));
    const { two } = await takeOver(world);
    await cluster.until(() => two.log.log?.served(hurt, 0) !== undefined);
    assert.deepEqual(await readAll(two, hurt), expected);
    assert.deepEqual(cluster.problems, []);
  });

  test(`a slot ${how}, above the end of its session's log, does not keep anybody from taking over`, async () => {
    const world = await scene({ checkpointSlots: 1_000 });
    const { cluster, hurt, deadSid } = world;
    const expected = await readAll(world.one, hurt);
    const key = slotKey(deadSid, 31);
    await cluster.overwrite(key, damage(key, cluster.bytes(slotKey(deadSid, 29))));
    const { two } = await takeOver(world);
    await cluster.until(() => two.log.log?.served(hurt, 0) !== undefined);
    assert.deepEqual(await readAll(two, hurt), expected);
  });

  for (const kind of ['segment', 'page'] as const) {
    test(`a ${kind} ${how} fails reads of its records by name, and nothing else`, async () => {
      const world = await scene();
      const { cluster, hurt, well, hurtGroup } = world;
      const expected = { hurt: await readAll(world.one, hurt), well: await readAll(world.one, well) };
      const [partition] = manifestOf(world, hurtGroup).partitions;
      const segment = partition?.segments[0];
      const page = partition?.pages[0];
      assert(segment !== undefined && page !== undefined);
      const key =
        kind === 'segment' ? segmentKey(hurtGroup, segment.object) : pageObjectKey(hurtGroup, page.object);
      const { baseOffset, endOffset } = kind === 'segment' ? segment : page;
      await cluster.overwrite(key, damage(key, cluster.bytes(key)));
      const { two } = await takeOver(world);
      for (const topic of [hurt, well])
        await cluster.until(() => two.log.log?.served(topic, 0) !== undefined);
      for (const offset of [baseOffset, endOffset - 1]) {
        await assert.rejects(
          two.call(() => two.log.read(hurt, 0, offset, 1_000)),
          (error) => isDamageOf(key, error),
        );
      }
      assert.deepEqual(
        await readAll(two, hurt, endOffset),
        expected.hurt.filter(([offset]) => offset >= endOffset),
      );
      assert.deepEqual(await readAll(two, well), expected.well);
      await cluster.append(two, hurt, 0, 1);
      assert.equal(two.log.context.counters.sessionDeaths, 0);
    });
  }
}

test('a damaged record in the WAL keeps its group from being flushed: it takes no more, the others do', async () => {
  const world = await scene();
  const { cluster, one, hurt, well, hurtGroup, deadSid } = world;
  const expected = { hurt: await readAll(one, hurt), well: await readAll(one, well) };
  const key = slotKey(deadSid, 27);
  const original = cluster.bytes(key);
  await cluster.overwrite(key, flipped(original, 8 * 200)); // In the body, which a takeover does not read.
  const limits = {
    maxUnflushedBytes: 20_000,
    housekeepingIntervalMs: 1_000,
    flushIntervalMs: 2_000,
    flushGroupBytes: 5_000,
  };
  const { two, own } = await takeOver(world, limits);
  await cluster.append(two, hurt, 0, 1);
  await cluster.until(() => cluster.problems.length > 0);

  // Many times the room that there is for all.
  for (let round = 0; round < 100; round++) {
    await assert.rejects(cluster.append(two, hurt, 0, 1), (error) => isDamageOf(key, error));
    await cluster.append(two, own, 0, 1, 1_000);
  }
  await assert.rejects(
    two.call(() => two.log.read(hurt, 0, 26, 1)),
    (error) => isDamageOf(key, error),
  );
  assert.deepEqual(await readAll(two, well), expected.well);
  for (const { what, error } of cluster.problems) {
    assert.equal(what, `group ${hurtGroup} could not be flushed`);
    assert(isDamageOf(key, error), String(error));
  }
  assert.equal(two.log.context.counters.sessionDeaths, 0);

  await cluster.overwrite(key, original);
  const begun = cluster.problems.length;
  await cluster.pass(10_000);
  assert(cluster.problems.length <= begun + 1);
  assert.deepEqual((await readAll(two, hurt)).slice(0, expected.hurt.length), expected.hurt);
  await two.call(() => two.log.append(hurt, 0, buildBatch({ records: [{ value: 'welcome again' }] })));
});

for (const [how, damage] of Object.entries(damages)) {
  test(`a manifest ${how} under its owner: the session ends once, its other groups are served again`, async () => {
    const world = await scene({ housekeepingIntervalMs: 1_000, flushIntervalMs: 2_000 });
    const { cluster, one, hurt, well, hurtGroup } = world;
    const expected = { hurt: await readAll(one, hurt), well: await readAll(one, well) };
    const key = manifestKey(hurtGroup);
    const original = cluster.bytes(key);
    await cluster.overwrite(key, damage(key, original));
    await cluster.until(() => one.log.context.counters.sessionDeaths > 0);
    await cluster.until(() => one.log.log?.served(well, 0) !== undefined);
    await cluster.pass(60_000);
    assert.equal(one.log.context.counters.sessionDeaths, 1);
    assert.deepEqual(await readAll(one, well), expected.well);
    await cluster.append(one, well, 0, 1);
    await assert.rejects(readAll(one, hurt), isNotLeader);
    const named = cluster.problems.filter(
      ({ error }) => error instanceof Error && allMessages(error).includes(key),
    );
    assert(named.length >= 2 && named.length <= 90, `${named.length} of ${cluster.problems.length}`);

    await cluster.overwrite(key, original);
    await cluster.until(() => one.log.log?.served(hurt, 0) !== undefined);
    assert.deepEqual(await readAll(one, hurt), expected.hurt);
  });
}

function allMessages(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${allMessages(error.cause)}` : error.message;
}

test('the cluster state damaged: brokers go on with what they know, and say which object it is', async () => {
  const world = await scene();
  const { cluster, one, well } = world;
  const original = cluster.bytes(clusterKey);
  await cluster.overwrite(clusterKey, flipped(original, 100));
  const begunMs = cluster.time.nowMs;
  await cluster.pass(30_000);
  await cluster.append(one, well, 0, 1);
  assert(cluster.problems.length > 0);
  for (const { error } of cluster.problems) assert.match(String(error), /meta\/cluster/);
  // It is polled every 50 ms here.
  assert(
    cluster.problems.length <= (cluster.time.nowMs - begunMs) / 40,
    `${cluster.problems.length} problems`,
  );
  assert.equal(one.log.context.counters.sessionDeaths, 0);
  await cluster.overwrite(clusterKey, original);
});

function isNotLeader(error: unknown): boolean {
  return error instanceof LogError && error.code === 'NOT_LEADER_OR_FOLLOWER';
}

/** The owner tells damage from what is merely newer than itself. */
function isDamageOf(key: string, error: unknown): boolean {
  if (!(error instanceof LogError) || !error.message.includes(key)) return false;
  if (error.code !== 'UNSUPPORTED_FORMAT') return error.code === 'CORRUPT_LOG';
  assert.ok(error.cause instanceof FutureVersionError);
  assert.equal(error.cause.where, key);
  assert.ok(error.cause.foundVersion > error.cause.supportedVersions.newest);
  return true;
}
