import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { RegistryClient } from '../../schema/registry/memory-registry-fixture.ts';
import { SimulatedLog, SimulatedLogStore } from '../groups/coordinator-log-fixture.ts';
import type { SimulatedLogFaults } from '../groups/coordinator-log-fixture.ts';
import { LogRegistry } from './log-registry.ts';
import type { RegistryPlace } from './registry-directory.ts';

const subjects = ['a', 'b', 'c'];
const order = { type: 'record', name: 'Order', fields: [] };

/** Registries of several brokers over one simulated log. The directory is ahead of what brokers are told, or behind it. */
class World {
  readonly time: VirtualTime;
  readonly store = new SimulatedLogStore();
  readonly faults: SimulatedLogFaults = { latencyMs: () => 5, append: () => 'durable' };
  readonly brokers: readonly { readonly log: SimulatedLog; readonly client: RegistryClient }[];

  constructor(seed: number) {
    this.time = new VirtualTime({ seed });
    this.brokers = [0, 1, 2].map((index) => this.#broker(index));
    this.move(0);
  }

  #broker(index: number): { readonly log: SimulatedLog; readonly client: RegistryClient } {
    const runtime = this.time.environment;
    const log = new SimulatedLog(this.store, runtime, this.faults);
    const place = (): RegistryPlace =>
      this.store.ownerOf(0) === log
        ? { kind: 'here' }
        : { kind: 'other', brokerId: 1, broker: `not ${index}` };
    const registry = new LogRegistry({
      log,
      directory: {
        get place() {
          return place();
        },
        refresh: () => Promise.resolve(),
        create: () => Promise.resolve(),
      },
      runtime,
      onProblem: () => undefined,
      options: { ownershipTimeoutMs: 300, loadRetryMs: 20 },
    });
    registry.start();
    return { log, client: new RegistryClient(registry) };
  }

  /** The one before does not know until it is told. */
  move(to: number): void {
    const log = this.brokers[to]?.log;
    this.store.assign(0, log);
    log?.tellServing(0);
  }

  /** The owner loses it and gets it back, so many times. */
  flap(times: number): void {
    const owner = this.store.ownerOf(0);
    for (let time = 0; time < times; time++) {
      owner?.tellLost(0);
      owner?.tellServing(0);
    }
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.time.environment.after(ms, resolve));
  }
}

interface Seen {
  acknowledged: number;
  refused: number;
  reads: number;
}

async function play(seed: number): Promise<Seen> {
  const world = new World(seed);
  const { random } = world.time;
  const seen: Seen = { acknowledged: 0, refused: 0, reads: 0 };
  const textOf = new Map<number, string>();
  /** By subject: the highest version that somebody was told of. */
  const told = new Map<string, number>();
  let calm = true;
  world.faults.latencyMs = () => (calm ? 5 : random.between(1, 30));
  world.faults.append = () => {
    if (calm || random.fraction() < 0.85) return 'durable';
    return random.pick(['lost', 'unknown', 'refused'] as const);
  };
  const client = (): RegistryClient => random.pick(world.brokers).client;

  const note = (id: number, text: string): void => {
    assert.equal(textOf.get(id) ?? text, text, `id ${id} stands for two schemas`);
    textOf.set(id, text);
  };
  const read = async (subject: string, at: RegistryClient): Promise<boolean> => {
    const before = told.get(subject) ?? 0;
    const answer = await at.ask('GET', `/subjects/${subject}/versions/latest`);
    if (answer.status === 503) return false;
    seen.reads++;
    if (answer.status === 404) {
      assert.equal(before, 0, `${subject} has no version any more`);
      return true;
    }
    const { version, id, schema } = answer.json as { version: number; id: number; schema: string };
    assert.ok(version >= before, `${subject}: version ${version} was read after ${before} was known`);
    told.set(subject, Math.max(version, told.get(subject) ?? 0));
    note(id, schema);
    return true;
  };
  const readMaxId = async (at: RegistryClient): Promise<void> => {
    const before = Math.max(0, ...textOf.keys());
    const answer = await at.ask('GET', '/schemas/ids/1?fetchMaxId=true');
    if (answer.status !== 200) return;
    seen.reads++;
    const { maxId } = answer.json as { maxId: number };
    assert.ok(maxId >= before, `the largest id is ${maxId} after ${before} was told`);
  };
  const register = async (subject: string, at: RegistryClient): Promise<void> => {
    const size = random.between(0, 40);
    const schema = { type: 'fixed', name: `F${Math.floor(size)}`, size: Math.floor(size) };
    const answer = await at.ask('POST', `/subjects/${subject}/versions`, { schema: JSON.stringify(schema) });
    if (answer.status === 503) {
      seen.refused++;
      return;
    }
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    seen.acknowledged++;
    const { id } = answer.json as { id: number };
    note(id, JSON.stringify(schema));
  };
  const worker = async (): Promise<void> => {
    for (let step = 0; step < 40; step++) {
      const subject = random.pick(subjects);
      const what = random.pick(['register', 'register', 'read', 'readMaxId'] as const);
      if (what === 'register') await register(subject, client());
      else if (what === 'read') await read(subject, client());
      else await readMaxId(client());
      await world.wait(random.between(0, 20));
    }
  };
  const mover = async (): Promise<void> => {
    for (let move = 0; move < 12; move++) {
      await world.wait(random.between(20, 200));
      if (random.fraction() < 0.3) world.flap(Math.ceil(random.between(0, 3)));
      const before = world.store.ownerOf(0);
      world.move(Math.floor(random.between(0, 3)));
      if (before === world.store.ownerOf(0)) continue;
      await world.wait(random.between(0, 400));
      if (before !== world.store.ownerOf(0)) before?.tellLost(0);
    }
  };
  await world.time.drive(async () => {
    // Any schema may follow any other one.
    const config = await world.brokers[0]?.client.outcome('PUT', '/config', { compatibility: 'NONE' });
    assert.deepEqual(config, { compatibility: 'NONE' });
    calm = false;
    await Promise.all([worker(), worker(), worker(), mover()]);
    calm = true;
    await world.wait(1_000);
    const owner = world.brokers.find(({ log }) => log === world.store.ownerOf(0));
    assert(owner);
    for (const subject of subjects) assert.ok(await read(subject, owner.client));
    for (const [id, text] of textOf)
      assert.deepEqual(await owner.client.outcome('GET', `/schemas/ids/${id}`), { schema: text });
  });
  return seen;
}

test('owners that come and go, appends that fail: what was told stays, an id stands for one schema', async () => {
  const total: Seen = { acknowledged: 0, refused: 0, reads: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    const seen = await play(seed);
    total.acknowledged += seen.acknowledged;
    total.refused += seen.refused;
    total.reads += seen.reads;
  }
  assert.ok(total.acknowledged > 200 && total.refused > 200 && total.reads > 200, JSON.stringify(total));
});

test('an id is not given twice when the owner loses the registry, and gets it back, while it appends', async () => {
  for (const times of [1, 2, 3]) {
    const world = new World(1);
    await world.time.drive(async () => {
      const client = world.brokers[0]?.client;
      assert(client);
      const schema = (name: string): unknown => ({ type: 'fixed', name, size: 1 });
      assert.deepEqual(await client.register('a', schema('A')), { id: 1 });
      world.faults.latencyMs = () => 200;
      const late = client.register('b', schema('B'));
      await world.wait(1);
      world.faults.latencyMs = () => 1;
      world.flap(times);
      const next = client.register('c', schema('C'));
      await Promise.all([late, next]);
      assert.deepEqual(await client.outcome('GET', '/schemas/ids/2'), {
        schema: JSON.stringify(schema('B')),
      });
      assert.deepEqual(await client.register('c', schema('C')), { id: 3 });
    });
  }
});

test('what the log would not take in one piece is refused, or written in several; the registry goes on', async () => {
  const world = new World(1);
  await world.time.drive(async () => {
    const [broker] = world.brokers;
    assert(broker);
    const { log, client } = broker;
    const fixed = (size: number): unknown => ({ type: 'fixed', name: 'F', size });
    assert.deepEqual(await client.outcome('PUT', '/config', { compatibility: 'NONE' }), {
      compatibility: 'NONE',
    });
    for (let version = 1; version <= 40; version++)
      assert.deepEqual(await client.register('many', fixed(version)), { id: version });

    log.maxBatchBytes = 1_000;
    // Few characters, many bytes: each is six in JSON.
    const large = { ...order, doc: '\ud800'.repeat(200) };
    const { status, json } = await client.ask('POST', '/subjects/large/versions', {
      schema: JSON.stringify(large),
    });
    assert.equal(status, 422);
    assert.deepEqual((json as { error_code: number }).error_code, 42_201);
    assert.match(
      (json as { message: string }).message,
      /^the schema of version 1 of subject large has \d+ bytes as a record of the log, at most 1000 are possible/,
    );
    // Nothing was read again, which takes longer than this.
    assert.deepEqual(await client.register('small', order), { id: 41 });

    const versions = Array.from({ length: 40 }, (_, index) => index + 1);
    const before = world.store.batchesOf(0).length;
    assert.deepEqual(await client.outcome('DELETE', '/subjects/many'), versions);
    assert.deepEqual(await client.outcome('DELETE', '/subjects/many?permanent=true'), versions);
    assert.ok(world.store.batchesOf(0).length - before > 2);
    assert.deepEqual(await client.outcome('GET', '/subjects?deleted=true'), ['small']);
    world.flap(1);
    assert.deepEqual(await client.outcome('GET', '/subjects?deleted=true'), ['small']);
  });
});

test('who loses the registry between two batches of a change appends no more of it', async () => {
  const world = new World(1);
  await world.time.drive(async () => {
    const [first, second] = world.brokers;
    assert(first && second);
    await first.client.outcome('PUT', '/config', { compatibility: 'NONE' });
    for (let version = 1; version <= 40; version++)
      await first.client.register('many', { type: 'fixed', name: 'F', size: version });
    await first.client.outcome('DELETE', '/subjects/many');
    first.log.maxBatchBytes = 1_000;
    const batches = world.store.batchesOf(0).length;
    world.faults.append = () => {
      // The first batch is durable, and the owner is told at the same moment that it has been replaced, and that it is back.
      if (world.store.batchesOf(0).length === batches) queueMicrotask(() => world.flap(1));
      return 'durable';
    };
    assert.equal(await first.client.outcome('DELETE', '/subjects/many?permanent=true'), '503 50004');
    assert.equal(world.store.batchesOf(0).length, batches + 1);
    const left = await first.client.outcome('GET', '/subjects/many/versions?deleted=true');
    assert.ok(Array.isArray(left) && left.length > 0 && left.length < 40);
    // Deleting again deletes the rest.
    assert.deepEqual(await first.client.outcome('DELETE', '/subjects/many?permanent=true'), left);
    assert.deepEqual(await first.client.outcome('GET', '/subjects?deleted=true'), []);
  });
});
