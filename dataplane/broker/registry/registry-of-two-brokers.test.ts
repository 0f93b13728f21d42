import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { leaderOf } from '../../cluster/ownership.ts';
import { groupOf } from '../../cluster/partition-groups.ts';
import { createLogger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics.ts';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { RegistryClient } from '../../schema/registry/memory-registry-fixture.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { Broker } from '../broker.ts';
import { listenTcp } from '../net/tcp-acceptor.ts';
import { tcpDialer } from '../net/tcp-dialer.ts';
import { schemasTopic } from './registry-directory.ts';

interface Member {
  readonly id: number;
  readonly broker: Broker;
  /** Of its api port. */
  readonly client: RegistryClient;
}

async function start(t: TestContext, store: ObjectStore, id: number): Promise<Member> {
  const acceptor = await listenTcp({ name: 'internal', host: '127.0.0.1', port: 0 });
  const broker = new Broker({
    store,
    runtime: realRuntime,
    logger: createLogger({ runtime: realRuntime, level: 'error', write: () => undefined }),
    metrics: new Metrics(),
    identity: { id, zone: 'a', address: acceptor.advertised, podUid: '', version: 'test' },
    acceptors: [],
    internal: { acceptor, dialer: tcpDialer },
    onReplaced: () => undefined,
  });
  t.after(() => broker.stop());
  await broker.start();
  const registry = broker.apiMounts['/registry'];
  assert(registry);
  return { id, broker, client: new RegistryClient(registry.handle) };
}

/** Who has the registry, and who has not. */
async function startTwo(t: TestContext): Promise<{ readonly owner: Member; readonly other: Member }> {
  const store = createMemoryStore({ runtime: realRuntime });
  const members = [await start(t, store, 1), await start(t, store, 2)];
  const [one] = members;
  assert(one);
  assert.deepEqual(await one.client.outcome('PUT', '/config', { compatibility: 'NONE' }), {
    compatibility: 'NONE',
  });
  const state = one.broker.log.cluster.current;
  const topic = state?.topics.get(schemasTopic);
  const group = topic === undefined ? undefined : groupOf(topic, 0);
  const leader = state === undefined || group === undefined ? undefined : leaderOf(state, group.id);
  const owner = members.find(({ id }) => id === leader?.broker);
  const other = members.find((member) => member !== owner);
  assert(owner && other);
  return { owner, other };
}

const fixed = (size: number): unknown => ({ type: 'fixed', name: 'F', size });

test('any broker answers for the registry, as the one does that has it', { timeout: 60_000 }, async (t) => {
  const { owner, other } = await startTwo(t);
  assert.deepEqual(await other.client.register('a/b', fixed(1)), { id: 1 });
  assert.deepEqual(await owner.client.register('a/b', fixed(2)), { id: 2 });
  assert.deepEqual(await other.client.register('c', fixed(2)), { id: 2 });
  const questions: readonly (readonly [method: string, url: string, body?: unknown])[] = [
    ['GET', '/'],
    ['GET', '/subjects'],
    ['GET', '/subjects?subjectPrefix=a%2F'],
    ['GET', '/subjects/a%2Fb/versions/latest'],
    ['GET', '/subjects/a%2Fb/versions/2/schema'],
    ['GET', '/subjects/none/versions'],
    ['GET', '/schemas/ids/2?fetchMaxId=true'],
    ['GET', '/schemas/ids/9'],
    ['GET', '/config'],
    ['GET', '/nothing'],
    ['POST', '/subjects/a%2Fb', { schema: JSON.stringify(fixed(2)) }],
    ['POST', '/compatibility/subjects/c/versions/latest', { schema: '"int"' }],
    ['POST', '/subjects/c/versions', { schema: '{' }],
    ['POST', '/subjects/c/versions', 'no JSON'],
    ['DELETE', '/subjects/none'],
  ];
  for (const [method, url, body] of questions)
    for (const accept of ['application/json', '*/*'])
      assert.deepEqual(
        await other.client.ask(method, url, body, { accept }),
        await owner.client.ask(method, url, body, { accept }),
        `${method} ${url}`,
      );
  assert.deepEqual(await other.client.outcome('DELETE', '/subjects/c'), [1]);
  assert.deepEqual(await owner.client.outcome('GET', '/subjects'), ['a/b']);
});

test(
  'large schemas and lists pass between brokers; what is too large is refused',
  { timeout: 60_000 },
  async (t) => {
    const { owner, other } = await startTwo(t);
    const record = (name: string): unknown => ({
      type: 'record',
      name,
      doc: randomBytes(330_000).toString('base64'),
      fields: [],
    });
    for (const [index, name] of ['A', 'B', 'C'].entries())
      assert.deepEqual(await other.client.register(name, record(name)), { id: index + 1 });
    const all = await owner.client.outcome('GET', '/schemas');
    assert.ok(Array.isArray(all) && all.length === 3);
    assert.deepEqual(await other.client.outcome('GET', '/schemas?offset=1&limit=1'), [all[1]]);
    const { status, json } = await other.client.ask('GET', '/schemas');
    assert.equal(status, 500);
    assert.match(
      (json as { message: string }).message,
      /^the answer has \d+ bytes when it is compressed, .*ask for less at a time \(offset, limit\)/,
    );
    // The connection between the brokers is as it was.
    assert.deepEqual(await other.client.outcome('GET', '/subjects'), ['A', 'B', 'C']);
  },
);

test('who asks while the registry moves waits, and is told of no failure', { timeout: 60_000 }, async (t) => {
  const { owner, other } = await startTwo(t);
  let isOver = false;
  let last = 0;
  const ask = async (): Promise<void> => {
    while (!isOver) {
      const answer = await other.client.register('s', fixed(last + 1));
      last += 1;
      assert.deepEqual(answer, { id: last });
      assert.deepEqual((await other.client.ask('GET', '/subjects/s/versions')).status, 200);
    }
  };
  const asking = ask();
  await owner.broker.drain();
  isOver = true;
  await asking;
  assert.deepEqual(await other.client.register('s', fixed(last + 1)), { id: last + 1 });
});

test('who reads while the owner is gone waits for the next one', { timeout: 60_000 }, async (t) => {
  const { owner, other } = await startTwo(t);
  assert.deepEqual(await other.client.register('s', fixed(1)), { id: 1 });
  await owner.broker.stop();
  assert.deepEqual(await other.client.outcome('GET', '/subjects'), ['s']);
  assert.deepEqual(await other.client.register('s', fixed(2)), { id: 2 });
});
