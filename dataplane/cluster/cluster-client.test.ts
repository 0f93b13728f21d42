import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { StoreError } from '../store/errors.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import type { ScriptedFault } from '../store/simulated/interception.ts';
import { mintSid, registerBroker, setBrokerState } from './broker-changes.ts';
import { ClusterClient } from './cluster-client.ts';
import type { ChangeOutcome } from './change-batch.ts';
import { hexId, registrationOf, topicOf } from './cluster-fixture.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { ClusterError } from './errors.ts';
import { createTopic, deleteTopic } from './topic-changes.ts';

const sid = (id: number): string => hexId('5', id);

function world(seed = 1) {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const failures: Error[] = [];
  const client = (id: number, session = sid(id)) => {
    const process = time.process(`broker-${id}`);
    return new ClusterClient({
      store: server.connect(process),
      runtime: process.runtime,
      sid: session,
      onPollFailure: (error) => failures.push(error),
    });
  };
  const joined = async (id: number, session = sid(id)): Promise<ClusterClient> => {
    const one = client(id, session);
    assertApplied(await one.change((state) => registerBroker(state, registrationOf(id, 'a', session))));
    return one;
  };
  const fate = (...faults: readonly ScriptedFault[]): void => {
    for (const fault of faults) server.intercept({ operation: 'put', key: clusterKey }, fault);
  };
  /** For what goes on beside a test: it has to go well. */
  const meanwhile = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => {
      time.fail(error);
    });
  };
  return { time, server, failures, client, joined, fate, meanwhile };
}

function assertApplied(outcome: ChangeOutcome): ClusterState {
  assert(outcome.kind === 'applied', outcome.kind === 'refused' ? outcome.refused.message : outcome.kind);
  return outcome.state;
}

const create = (name: string, number: number) => (state: ClusterState) =>
  createTopic(state, topicOf(name, number));

test('the first change creates the object, and the others see it', async () => {
  const { time, client, joined } = world();
  await time.drive(async () => {
    const one = client(1);
    assert.equal(await one.refresh(), undefined);
    const first = assertApplied(
      await one.change((state) => registerBroker(state, registrationOf(1, 'a', sid(1)))),
    );
    assert.equal(first.version, 1);
    assert.match(first.clusterId, /^[\w-]{22}$/);
    const two = await joined(2);
    assert.equal(two.current?.clusterId, first.clusterId);
    assert.equal(two.current?.version, 2);
    assert.equal((await one.refresh())?.version, 2);
    assert.deepEqual(
      [...(one.current?.applied ?? [])],
      [
        [sid(1), 1],
        [sid(2), 1],
      ],
    );
  });
});

const lostAnswers: Readonly<Record<string, readonly ScriptedFault[]>> = {
  'the answer is lost': [{ kind: 'answer-lost' }],
  'the write lands after it was repeated': [{ kind: 'late-landing', landsAfterMs: 20_000 }],
  'the network doubles the request': [{ kind: 'duplicate', afterMs: 1, answer: 'second' }],
  'the store answers 500 although it wrote': [{ kind: 'error', code: 'SERVER_ERROR', hasEffect: true }],
};

for (const [what, faults] of Object.entries(lostAnswers)) {
  test(`a topic that was created does not "exist already" when ${what}`, async () => {
    const { time, joined, fate } = world();
    await time.drive(async () => {
      const one = await joined(1);
      const two = await joined(2);
      fate(...faults);
      const creating = one.change(create('orders', 1));
      const other = two.change(create('other', 2));
      assert.equal((await creating).kind, 'applied');
      assert.equal((await other).kind, 'applied');
      assert.equal((await two.change(create('orders', 3))).kind, 'refused');
    });
    await time.untilIdle();
  });
}

test('a lost answer is resolved although others have changed the state since', async () => {
  const { time, joined, fate, meanwhile } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const two = await joined(2);
    await one.refresh();
    fate({ kind: 'answer-lost', seenAs: 'TIMEOUT' });
    const creating = one.change(create('orders', 1));
    time.environment.after(500, () => {
      meanwhile(
        two.change(create('more', 2)).then(() => two.change((state) => deleteTopic(state, 'orders'))),
      );
    });
    const state = assertApplied(await creating);
    // The change was made, and undone by somebody else: it must not be made again.
    assert.deepEqual([...state.topics.keys()], ['more']);
  });
});

test('a refusal, and that nothing has to change, rest on what was read after the call', async () => {
  const { time, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const two = await joined(2);
    await one.change(create('orders', 1));
    await one.refresh();
    assertApplied(await two.change((state) => deleteTopic(state, 'orders')));
    // Here `one` still believes that the topic exists.
    assert(one.current?.topics.has('orders'));
    assertApplied(await one.change(create('orders', 2)));
    assertApplied(await two.change((state) => deleteTopic(state, 'orders')));
    const ensure = (state: ClusterState) => (state.topics.has('orders') ? state : create('orders', 3)(state));
    assert.equal((await one.change(ensure)).kind, 'applied');
    assert.equal((await one.change(ensure)).kind, 'unchanged');
  });
});

test('changes of one process are made in the order of the calls, all that wait with one write', async () => {
  const { time, server, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const before = server.counters.put;
    const names = Array.from({ length: 20 }, (_, index) => `topic-${index}`);
    const outcomes = await Promise.all(names.map((name, index) => one.change(create(name, index + 1))));
    assert(outcomes.every(({ kind }) => kind === 'applied'));
    assert.deepEqual([...(one.current?.topics.keys() ?? [])], names);
    assert.equal(server.counters.put - before, 1);
  });
});

test('a change that is refused, or throws, leaves those beside it alone', async () => {
  const { time, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const bug = new Error('a bug');
    const [first, second, third, fourth] = await Promise.allSettled([
      one.change(create('orders', 1)),
      one.change(create('orders', 2)),
      one.change(() => {
        throw bug;
      }),
      one.change(create('more', 3)),
    ]);
    assert(first.status === 'fulfilled' && first.value.kind === 'applied');
    assert(second.status === 'fulfilled' && second.value.kind === 'refused');
    assert(third.status === 'rejected' && third.reason === bug);
    assert(fourth.status === 'fulfilled' && fourth.value.kind === 'applied');
    assert.deepEqual([...(one.current?.topics.keys() ?? [])], ['orders', 'more']);
  });
});

test('an urgent change goes before those that wait, and does not wait for their turn', async () => {
  const { time, server, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    server.intercept({ operation: 'put' }, { kind: 'delay', applyMs: 300, answerMs: 100 });
    assertApplied(await one.change(create('slow', 1)));
    const beganMs = time.nowMs;
    const ordinary = one.change(create('ordinary', 2));
    await pass(time, 50);
    assert(!one.current?.topics.has('ordinary'), 'after a slow write others get their turn');
    assertApplied(await one.change(create('urgent', 3), { urgent: true }));
    assertApplied(await ordinary);
    assert(time.nowMs - beganMs < 100, `${time.nowMs - beganMs} ms`);
    assert.deepEqual([...(one.current?.topics.keys() ?? [])], ['slow', 'urgent', 'ordinary']);
  });
});

test('the number of waiting changes is bounded, and those nobody waits for any more are not made', async () => {
  const { time, server, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    server.setEndpoint('broker-1', 'black-hole');
    const first = one.change(create('first', 1));
    await pass(time, 1);
    const stop = new AbortController();
    const waiting = Array.from({ length: 1024 }, (_, index) =>
      one.change(create(`topic-${index}`, 10 + index), { signal: stop.signal }),
    );
    await assert.rejects(
      one.change(create('more', 2)),
      (error) => error instanceof ClusterError && error.code === 'BUSY' && error.retriable,
    );
    stop.abort(new Error('enough'));
    const outcomes = await Promise.allSettled(waiting);
    assert(outcomes.every(({ status }) => status === 'rejected'));
    server.setEndpoint('broker-1', undefined);
    assertApplied(await first);
    await pass(time, 5_000);
    assert.deepEqual([...(one.current?.topics.keys() ?? [])], ['first']);
  });
});

test('an abandoned change that lands late does not confuse the next one', async () => {
  const { time, joined, fate } = world();
  await time.drive(async () => {
    const one = await joined(1);
    fate({ kind: 'late-landing', landsAfterMs: 30, seenAs: 'TIMEOUT' });
    const stop = new AbortController();
    const abandoned = one.change(create('abandoned', 1), { signal: stop.signal });
    time.environment.after(10, () => {
      stop.abort(new Error('no patience'));
    });
    await assert.rejects(abandoned, /no patience/);
    fate({ kind: 'delay', applyMs: 100 });
    const state = assertApplied(await one.change(create('next', 2)));
    assert.deepEqual([...state.topics.keys()], ['abandoned', 'next']);
  });
});

test('a session that died can still learn what became of its last change, and goes on under a new one', async () => {
  const { time, joined, fate, meanwhile } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const two = await joined(2);
    await one.refresh();
    fate({ kind: 'answer-lost', seenAs: 'TIMEOUT' });
    const creating = one.change(create('orders', 1));
    time.environment.after(500, () => {
      meanwhile(two.change((state) => setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' })));
    });
    assertApplied(await creating);
    const refused = await one.change(create('more', 2));
    assert(refused.kind === 'refused' && refused.refused.reason === 'SESSION_DEAD');
    const mint = (state: ClusterState) => mintSid(state, { id: 1, deadSid: sid(1), newSid: sid(11) });
    const minted = assertApplied(await one.change(mint, { newSession: sid(11) }));
    assert.equal(one.sid, sid(11));
    assert.deepEqual(new Set(minted.applied.keys()), new Set([sid(2), sid(11)]));
    assertApplied(await one.change(create('more', 2)));
  });
});

test('a mint whose outcome was not waited for is repeated with the same session', async () => {
  const { time, joined, fate } = world();
  await time.drive(async () => {
    const one = await joined(1);
    assertApplied(await one.change((state) => setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' })));
    const mint = (signal?: AbortSignal) =>
      one.change((state) => mintSid(state, { id: 1, deadSid: sid(1), newSid: sid(11) }), {
        newSession: sid(11),
        signal,
      });
    fate({ kind: 'answer-lost', seenAs: 'TIMEOUT' });
    const stop = new AbortController();
    time.environment.after(10, () => {
      stop.abort();
    });
    await assert.rejects(mint(stop.signal));
    assert.equal((await mint()).kind, 'unchanged');
    assertApplied(await one.change(create('orders', 1)));
  });
});

test('a refused mint leaves the session, and the changes that wait with it, as they were', async () => {
  const { time, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const minting = one.change((state) => mintSid(state, { id: 1, deadSid: sid(1), newSid: sid(11) }), {
      newSession: sid(11),
    });
    const creating = one.change(create('orders', 1));
    const mint = await minting;
    assert(mint.kind === 'refused' && mint.refused.reason === 'SESSION_ALIVE');
    assertApplied(await creating);
    assert.equal(one.sid, sid(1));
  });
});

test('a process whose id was taken can change nothing any more', async () => {
  const { time, joined } = world();
  await time.drive(async () => {
    const old = await joined(1);
    const young = await joined(1, sid(11));
    const outcome = await old.change(create('orders', 1));
    assert(outcome.kind === 'refused' && outcome.refused.reason === 'SESSION_REPLACED');
    assertApplied(await young.change(create('orders', 1)));
    assert.deepEqual([...(young.current?.applied.keys() ?? [])], [sid(11)]);
  });
});

test('when the id is taken before a lost answer was resolved, the outcome is said to be unknown', async () => {
  const { time, joined, fate, meanwhile } = world();
  await time.drive(async () => {
    const old = await joined(1);
    fate({ kind: 'answer-lost', seenAs: 'TIMEOUT' });
    const creating = old.change(create('orders', 1));
    creating.catch(() => undefined);
    time.environment.after(500, () => {
      meanwhile(joined(2).then(() => joined(1, sid(11))));
    });
    await assert.rejects(
      creating,
      (error) =>
        error instanceof ClusterError && error.code === 'OUTCOME_UNKNOWN' && /broker 1/.test(error.message),
    );
    assert((await old.refresh())?.topics.has('orders'));
  });
});

test('a registration that loses the race against one of another broker is simply made anew', async () => {
  const { time, joined } = world();
  await time.drive(async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5].map((id) => joined(id)));
    const state = await clients[0]?.refresh();
    assert.deepEqual(new Set(state?.brokers.keys()), new Set([1, 2, 3, 4, 5]));
    assert.equal(state?.version, 5);
  });
});

test('polling sees the changes of others in time, in order, and asks for nothing that has not changed', async () => {
  const { time, server, joined, client } = world();
  await time.drive(async () => {
    const two = await joined(2);
    const one = client(1);
    const seen: [number, number | undefined][] = [];
    one.subscribe((state, before) => seen.push([state.version, before?.version]));
    const running = one.run();
    await until(time, () => one.current !== undefined);
    assertApplied(await two.change(create('orders', 1)));
    const changedAtMs = time.nowMs;
    await until(time, () => one.current?.version === 2);
    assert(time.nowMs - changedAtMs < 1_100);
    assert.deepEqual(seen, [
      [1, undefined],
      [2, 1],
    ]);
    const requests = server.counters.get;
    await pass(time, 10_000);
    assert(server.counters.get - requests <= 10);
    await one.stop();
    await running;
    const ended = server.counters.requests;
    await pass(time, 10_000);
    assert.equal(server.counters.requests, ended);
    await assert.rejects(
      one.change(create('late', 2)),
      (error) => error instanceof ClusterError && error.code === 'STOPPED',
    );
  });
});

test('a nudged reader reads once for all who ask while another read is under way', async () => {
  const { time, server, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const before = server.counters.get;
    await Promise.all(Array.from({ length: 50 }, () => one.refresh()));
    assert.equal(server.counters.get - before, 2);
  });
});

test('an outage of the store ends neither polling nor changes', async () => {
  const { time, server, failures, joined } = world();
  await time.drive(async () => {
    const one = await joined(1);
    const running = one.run();
    server.setEndpoint('broker-1', 'black-hole');
    const creating = one.change(create('orders', 1));
    await pass(time, 120_000);
    server.setEndpoint('broker-1', undefined);
    assertApplied(await creating);
    assert(failures.length > 0 && failures.every((error) => error instanceof StoreError));
    const readAtMs = one.readAtMs;
    await until(time, () => one.readAtMs !== readAtMs);
    await one.stop();
    await running;
  });
});

test('an object that is gone, older or another is never taken for the state, let alone created anew', async () => {
  const { time, server, joined } = world();
  const other = world(2);
  const stranger = await other.time.drive(async () => {
    const one = await other.joined(1);
    await one.change(create('x', 1));
    await one.change(create('y', 2));
    return other.server.peek(clusterKey)?.bytes ?? Buffer.alloc(0);
  });
  await time.drive(async () => {
    const one = await joined(1);
    const older = server.peek(clusterKey)?.bytes ?? Buffer.alloc(0);
    assertApplied(await one.change(create('orders', 1)));
    const admin = server.connect(time.process('admin'));
    for (const damage of [
      () => admin.delete(clusterKey),
      () => admin.put(clusterKey, older),
      () => admin.put(clusterKey, stranger),
    ]) {
      await damage();
      const content = server.peek(clusterKey)?.bytes;
      const wentBack = (error: unknown) =>
        error instanceof ClusterError &&
        error.code === 'WENT_BACK' &&
        error.message.startsWith('meta/cluster in simulated:');
      await assert.rejects(one.refresh(), wentBack);
      await assert.rejects(one.change(create('more', 2)), wentBack);
      assert.deepEqual(server.peek(clusterKey)?.bytes, content);
      assert.equal(one.current?.version, 2);
    }
  });
});

test('an unreadable object is named and left alone', async () => {
  const { time, server, client, failures } = world();
  await time.drive(async () => {
    const admin = server.connect(time.process('admin'));
    await admin.put(clusterKey, Buffer.from('{"mode":"cors"}'));
    const one = client(1);
    const running = one.run();
    const joining = one.change((state) => registerBroker(state, registrationOf(1, 'a', sid(1))));
    await assert.rejects(joining, /meta\/cluster in simulated: is no cluster state that can be read/);
    await one.stop();
    await running;
    assert(failures.every((error) => error instanceof ClusterError && error.code === 'UNREADABLE'));
    assert.equal(Buffer.from(server.peek(clusterKey)?.bytes ?? []).toString(), '{"mode":"cors"}');
  });
});

function pass(time: VirtualTime, durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    time.environment.after(durationMs, resolve);
  });
}

async function until(time: VirtualTime, condition: () => boolean): Promise<void> {
  while (!condition()) await pass(time, 10);
}
