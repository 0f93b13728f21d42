import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { BrokerLog } from '../../log/broker-log.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { SchemaError } from '../../schema/errors.ts';
import { RegistryClient } from '../../schema/registry/memory-registry-fixture.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { RegistrySchemaLookup } from '../../schema/registry/schema-lookup.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { BrokerLogCoordinatorLog } from '../groups/broker-log-coordinator-log.ts';
import { LogRegistry } from './log-registry.ts';
import { RegistryDirectory, schemasTopic } from './registry-directory.ts';
import { tableSubjectCheck } from './table-subjects.ts';

interface Node {
  readonly process: SimulatedProcess;
  readonly log: BrokerLog;
  readonly registry: LogRegistry;
  readonly client: RegistryClient;
}

class World {
  readonly time = new VirtualTime({ seed: 11 });
  readonly #store = new SimulatedStore({ environment: this.time.environment, latencies: localLatencies });

  async start(id: number): Promise<Node> {
    const process = this.time.process(`broker-${id}`);
    const log = new BrokerLog({
      store: this.#store.connect(process, { attemptTimeoutMs: 200 }),
      runtime: process.runtime,
      identity: {
        id,
        zone: 'a',
        address: `b${id}:1`,
        listeners: { PLAINTEXT: `b${id}:9092` },
        podUid: 'pod',
        version: 'test',
      },
      options: { hedgeShare: 0, housekeepingIntervalMs: 1_000 },
      pollMs: 200,
      onProblem: () => undefined,
      onReplaced: () => undefined,
    });
    const registry = new LogRegistry({
      log: new BrokerLogCoordinatorLog(log, schemasTopic),
      directory: new RegistryDirectory({
        cluster: log.cluster,
        random: process.runtime.random,
        brokerId: id,
      }),
      runtime: process.runtime,
      onProblem: () => undefined,
    });
    registry.start();
    await log.start();
    const check = tableSubjectCheck(
      () => log.cluster.current,
      () => Promise.resolve(undefined),
    );
    return { process, log, registry, client: new RegistryClient(registry, check) };
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.time.environment.after(ms, resolve));
  }
}

const int = '"int"';

async function stop(...nodes: readonly Node[]): Promise<void> {
  for (const { registry, log } of nodes) {
    registry.stop();
    await log.stop();
  }
}

test('the first change creates the topic; it outlives crash and hand-over of its owner', async () => {
  const world = new World();
  await world.time.drive(async () => {
    const nodes = [await world.start(1), await world.start(2)];
    const [one, two] = nodes as [Node, Node];
    assert.deepEqual(await one.client.outcome('GET', '/subjects'), []);
    assert.equal(await one.client.outcome('GET', '/schemas/ids/1'), '404 40403');
    assert.equal(one.log.cluster.current?.topics.has(schemasTopic), false);

    // Whichever of them the topic is placed at answers, the other one names it.
    const answers = await Promise.all(
      nodes.map(({ client }) => client.ask('POST', '/subjects/s/versions', { schema: int })),
    );
    const owner = nodes[answers.findIndex(({ status }) => status === 200)];
    const other = owner === one ? two : one;
    assert(owner);
    const refused = await other.client.ask('GET', '/subjects');
    const id = owner === one ? 1 : 2;
    assert.equal(refused.status, 503);
    assert.deepEqual(refused.json, {
      error_code: 50_003,
      message: `the schema registry is served by broker ${id} (b${id}:1): ask the api port of that broker`,
    });
    const topic = owner.log.cluster.current?.topics.get(schemasTopic);
    assert.deepEqual([topic?.internal, topic?.partitions], [true, 1]);

    // A crash that the other one notices.
    owner.process.kill();
    const { sid } = owner.log;
    assert(sid);
    await other.log.cluster.change((state) => setBrokerState(state, { id, sid, to: 'dead' }));
    // A request that comes before the owner is there waits for it.
    assert.deepEqual(await other.client.outcome('GET', '/subjects/s/versions/1'), {
      subject: 's',
      version: 1,
      id: 1,
      schema: int,
    });
    assert.deepEqual(await other.client.register('s', { type: 'fixed', name: 'F', size: 1 }), '409 409');
    assert.deepEqual(await other.client.register('t', 'string'), { id: 2 });

    // And a hand-over to a new one.
    const third = await world.start(3);
    const drained = other.log.drain();
    for (;;) {
      const answer = await third.client.ask('GET', '/schemas/ids/2');
      if (answer.status === 200) break;
      assert.equal(answer.status, 503);
      await world.wait(50);
    }
    await drained;
    assert.deepEqual(await third.client.register('t', 'bytes'), { id: 3 });
    await stop(other, third);
  });
});

test('a topic _schemas that clients made is left alone', async () => {
  const world = new World();
  await world.time.drive(async () => {
    const node = await world.start(1);
    const made = { name: schemasTopic, topicId: 'a'.repeat(32), partitions: 1, internal: false, configs: {} };
    await node.log.cluster.change((state) => createTopic(state, made));
    const { status, json } = await node.client.ask('POST', '/subjects/s/versions', { schema: int });
    assert.equal(status, 500);
    assert.match(JSON.stringify(json), /topic _schemas was created by a client/);
    await stop(node);
  });
});

test('what tables look up: schemas by id, also ones that cannot be tables, and news of new ones', async () => {
  const world = new World();
  await world.time.drive(async () => {
    const node = await world.start(1);
    const { signal } = new AbortController();
    const lookup = new RegistrySchemaLookup(node.registry);
    let news = 0;
    const cancel = lookup.subscribe(() => news++);
    assert.equal(await lookup.byId(1, signal), undefined);
    assert.equal(await lookup.latest('s', signal), undefined);
    const record = { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }] };
    await node.client.register('s', record);
    assert.ok(news > 0);
    const found = await lookup.byId(1, signal);
    assert.deepEqual(found?.record, {
      name: 'R',
      fields: [
        {
          name: 'a',
          value: { kind: 'primitive', type: 'int', logical: undefined },
          nullBranch: undefined,
          hasDefault: false,
        },
      ],
    });
    assert.equal(await lookup.byId(1, signal).then((again) => again?.record), found?.record);
    assert.equal((await lookup.latest('s', signal))?.version, 1);
    await node.client.register('t', { type: 'array', items: 'int' });
    const array = (await lookup.byId(2, signal))?.record;
    assert.ok(array instanceof SchemaError && array.code === 'NOT_BUILT');
    cancel();
    await stop(node);
    await assert.rejects(lookup.latest('s', signal), RegistryError);
  });
});

test('schemas of topics that are tables must be flat records', async () => {
  const world = new World();
  await world.time.drive(async () => {
    const node = await world.start(1);
    const configs = { 'table.topic.enable': 'true' };
    const made = { name: 'orders', topicId: 'b'.repeat(32), partitions: 1, internal: false, configs };
    await node.log.cluster.change((state) => createTopic(state, made));
    const refused = async (schema: unknown): Promise<string> => {
      const { status, json } = await node.client.ask('POST', '/subjects/orders-value/versions', {
        schema: JSON.stringify(schema),
      });
      assert.equal(status, 422);
      return (json as { message: string }).message;
    };
    const record = (...fields: readonly unknown[]): unknown => ({ type: 'record', name: 'R', fields });
    assert.match(
      await refused(record({ name: 'list', type: { type: 'array', items: 'int' } })),
      /^topic orders is a table, and records of this schema cannot be its rows: field list is an array: only flat records/,
    );
    assert.match(await refused('string'), /the schema is of type string/);
    assert.match(
      await refused(record({ name: 'a', type: 'int' }, { name: 'A', type: 'int' })),
      /fields a and A of R/,
    );
    assert.deepEqual(await node.client.register('orders-value', record({ name: 'a', type: 'int' })), {
      id: 1,
    });
    assert.deepEqual(await node.client.register('orders-key', { type: 'array', items: 'int' }), { id: 2 });
    assert.deepEqual(await node.client.register('others-value', { type: 'map', values: 'int' }), { id: 3 });
    await stop(node);
  });
});
