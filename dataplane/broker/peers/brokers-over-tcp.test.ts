import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import { hexId } from '../../cluster/cluster-fixture.ts';
import { reassign } from '../../cluster/reassign.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { createLogger } from '../../runtime/logger.ts';
import { Metrics } from '../../runtime/metrics.ts';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { Broker } from '../broker.ts';
import { listenTcp } from '../net/tcp-acceptor.ts';
import { tcpDialer } from '../net/tcp-dialer.ts';

/** Polls come too late for anything here: what happens soon was told. */
const pollMs = 600_000;
const topicId = hexId('a', 1);
const groupId = `${topicId}-0`;

interface Member {
  readonly broker: Broker;
  readonly lines: readonly string[];
}

class Cluster {
  readonly #t: TestContext;
  readonly store: ObjectStore = createMemoryStore({ runtime: realRuntime });

  constructor(t: TestContext) {
    this.#t = t;
  }

  async start(id: number): Promise<Member> {
    const acceptor = await listenTcp({ name: 'internal', host: '127.0.0.1', port: 0 });
    const lines: string[] = [];
    const broker = new Broker({
      store: this.store,
      runtime: realRuntime,
      logger: createLogger({ runtime: realRuntime, level: 'info', write: (line) => lines.push(line) }),
      metrics: new Metrics(),
      identity: { id, zone: 'a', address: acceptor.advertised, podUid: '', version: 'test' },
      acceptors: [],
      internal: { acceptor, dialer: tcpDialer },
      options: { pollMs, log: { retryBackoffMs: 60_000 } },
      onReplaced: () => undefined,
    });
    this.#t.after(() => broker.stop());
    await broker.start();
    return { broker, lines };
  }
}

/** Generous: it is waited for, never relied on. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const startMs = realRuntime.monotonicMs();
  while (!(await holds())) {
    if (realRuntime.monotonicMs() - startMs > 30_000) assert.fail(`waited in vain: ${what}`);
    await new Promise<void>((resolve) => realRuntime.after(5, resolve));
  }
}

async function linked(...members: readonly Member[]): Promise<void> {
  await until('everybody is connected to everybody', () =>
    members.every(({ broker }) => {
      const states = [...(broker.peers?.links().values() ?? [])];
      return states.length === members.length - 1 && states.every(({ state }) => state === 'up');
    }),
  );
}

async function topicAt({ broker }: Member, owner: number): Promise<void> {
  const made = await broker.log.cluster.change((state) =>
    createTopic(state, {
      name: 't',
      topicId,
      partitions: 1,
      internal: false,
      configs: {},
      assignments: new Map([[0, [owner]]]),
    }),
  );
  assert.notEqual(made.kind, 'refused');
}

const serves = ({ broker }: Member): boolean => broker.log.log?.served(topicId, 0) !== undefined;

function append({ broker }: Member, text: string): Promise<unknown> {
  return broker.log.append(topicId, 0, buildBatch({ records: [{ value: Buffer.from(text) }] }));
}

async function scraped({ broker }: Member, line: RegExp): Promise<boolean> {
  return line.test((await broker.adminPages.metrics()).text);
}

describe('brokers over TCP', { timeout: 120_000 }, () => {
  it('connect as soon as they are there, and tell each other of changes', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    await linked(one, two);
    await topicAt(one, 2);
    await until('broker 2 knows of the topic without a poll', () => serves(two));
    assert.ok(await scraped(one, /^firn_peer_connections\{broker="2",state="up"\} 1$/m));
  });

  it('take over from one that is gone', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    await linked(one, two);
    await topicAt(one, 2);
    await until('broker 2 serves', () => serves(two));
    await append(two, 'before');
    // Says nothing to anybody; its address refuses connections from now on.
    await two.broker.stop();
    await until('broker 1 has taken over', () => serves(one));
    assert.equal(one.broker.log.cluster.current?.brokers.get(2)?.state, 'dead');
    assert.equal(await one.broker.log.endOffset(topicId, 0), 1);
    await append(one, 'after');
    assert.ok(one.lines.some((line) => line.includes('"suspicion: mark-dead"')));
    assert.deepEqual([...(one.broker.peers?.links() ?? [])], []);
  });

  it('hand a group over by telling its next owner', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    const three = await cluster.start(3);
    await linked(one, two, three);
    await topicAt(one, 1);
    await until('broker 1 serves', () => serves(one));
    await append(one, 'before');
    const moved = await three.broker.log.cluster.change((state) =>
      reassign(state, [{ topic: 't', partition: 0, to: 2 }]),
    );
    assert.ok(!(moved instanceof ChangeRefused));
    await until('broker 2 serves', () => serves(two));
    assert.ok(!serves(one));
    assert.equal(await two.broker.log.endOffset(topicId, 0), 1);
    await until('broker 2 was told', () =>
      scraped(two, /^firn_peer_requests_total\{side="served",method="released",outcome="answered"\} 1$/m),
    );
  });

  it('leave without a suspicion when they drain', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    await linked(one, two);
    await topicAt(one, 2);
    await until('broker 2 serves', () => serves(two));
    await two.broker.drain();
    await until('broker 1 serves', () => serves(one));
    assert.deepEqual(
      one.lines.filter((line) => line.includes('suspicion')),
      [],
    );
  });

  it('know the loads of each other', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    await linked(one, two);
    await topicAt(one, 2);
    await until('broker 2 serves', () => serves(two));
    await until('broker 1 has heard of it', async () => {
      await append(two, 'x'.repeat(10_000));
      const loads = await one.broker.peers?.loads();
      return (loads?.bytes.get(groupId) ?? 0) > 1_000;
    });
  });

  it('wait for slots of each other', async (t) => {
    const cluster = new Cluster(t);
    const one = await cluster.start(1);
    const two = await cluster.start(2);
    await linked(one, two);
    await topicAt(one, 2);
    await until('broker 2 serves', () => serves(two));
    const sid = two.broker.log.sid ?? '';
    assert.equal(await one.broker.peers?.durable(2, sid, -1, 50), -1);
    const waiting = one.broker.peers?.durable(2, sid, -1, 30_000);
    await append(two, 'x');
    assert.equal(await waiting, 0);
    assert.equal(await one.broker.peers?.durable(2, sid, -1, 30_000), 0);
    assert.equal(await one.broker.peers?.durable(2, hexId('5', 9), -1, 30_000), undefined);
    assert.equal(await one.broker.peers?.durable(7, sid, -1, 30_000), undefined);
    const stop = new AbortController();
    const abandoned = one.broker.peers?.durable(2, sid, 5, 30_000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(async () => await abandoned, /enough/);
  });
});
