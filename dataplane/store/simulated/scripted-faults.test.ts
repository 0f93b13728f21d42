import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import { outcome, simulate, text, textOf } from './simulation-fixture.ts';
import type { ScriptedFault } from './interception.ts';

const timeoutMs = 10_000;

describe('a simulated store makes happen, to the request a test chooses:', () => {
  for (const seenAs of ['TIMEOUT', 'CONNECTION_LOST'] as const) {
    it(`a lost request, seen as ${seenAs}`, async () => {
      const { time, server, store } = simulate();
      server.intercept({ operation: 'put' }, { kind: 'request-lost', seenAs });
      await time.drive(async () => {
        const error: unknown = await store.put('k', text('x'), { ifAbsent: true }).catch((e: unknown) => e);
        assert.ok(error instanceof StoreError);
        assert.equal(error.code, seenAs);
        assert.equal(error.landed, 'maybe');
        if (seenAs === 'TIMEOUT') assert.equal(time.nowMs, timeoutMs);
        else assert.ok(time.nowMs < timeoutMs);
      });
      await time.untilIdle();
      assert.equal(server.peek('k'), undefined);
      assert.equal(server.counters.requestsLost, 1);
      assert.equal(server.counters.timeouts, seenAs === 'TIMEOUT' ? 1 : 0);
    });

    it(`a lost answer, seen as ${seenAs}`, async () => {
      const { time, server, store } = simulate();
      server.intercept({}, { kind: 'answer-lost', seenAs });
      await time.drive(async () => {
        assert.equal(await outcome(store.put('k', text('x'), { ifAbsent: true, id: 'mine' })), seenAs);
        assert.equal(
          await outcome(store.put('k', text('x'), { ifAbsent: true, id: 'mine' })),
          'condition-failed',
        );
        assert.equal((await store.head('k'))?.id, 'mine');
      });
      assert.equal(server.counters.answersLost, 1);
      assert.equal(server.counters.ownConditionFailed, 1);
    });
  }

  it('a late landing, after the client gave up and even after the key was deleted', async () => {
    const { time, server, store } = simulate();
    server.intercept({ key: /^slot/ }, { kind: 'late-landing', landsAfterMs: 300_000 });
    const applied: string[] = [];
    server.onApply(({ operation, result, isLate, keyWasDeleted, atMs }) => {
      applied.push(`${operation} ${result}${isLate ? ' late' : ''}${keyWasDeleted ? ' deleted' : ''}`);
      if (isLate) assert.equal(atMs, 300_000);
    });
    await time.drive(async () => {
      assert.notEqual(await outcome(store.put('slot/1', text('x'), { ifAbsent: true })), 'written');
      assert.equal(await outcome(store.put('slot/1', text('x'), { ifAbsent: true })), 'written');
      await store.delete('slot/1');
      assert.deepEqual(
        server.pendingWrites().map(({ key, atMs }) => ({ key, atMs })),
        [{ key: 'slot/1', atMs: 0 }],
      );
      assert.equal(server.requestsInFlight(), 1);
    });
    await time.untilIdle();
    assert.deepEqual(applied, ['put written', 'delete deleted', 'put written late deleted']);
    assert.notEqual(server.peek('slot/1'), undefined);
    assert.equal(server.counters.lateLandings, 1);
    assert.equal(server.counters.lateLandingsOnDeletedKeys, 1);
    assert.equal(server.requestsInFlight(), 0);
  });

  for (const answer of ['first', 'second'] as const) {
    it(`a duplicate, of which the ${answer} answer arrives`, async () => {
      const { time, server, store } = simulate();
      server.intercept({}, { kind: 'duplicate', afterMs: 500, answer });
      const applied: string[] = [];
      server.onApply(({ result, isDuplicate }) => applied.push(`${result}${isDuplicate ? ' again' : ''}`));
      const seen = await time.drive(() => outcome(store.put('k', text('x'), { ifAbsent: true, id: 'i' })));
      await time.untilIdle();
      assert.equal(seen, answer === 'first' ? 'written' : 'condition-failed');
      assert.deepEqual(applied, ['written', 'condition-failed again']);
      assert.equal(server.counters.duplicates, 1);
      assert.equal(server.counters.ownConditionFailed, 1);
    });
  }

  it('no duplicate of a write that was answered to have failed for good', async () => {
    const { time, server, store } = simulate();
    server.plant('k', text('in the way'));
    server.intercept({ operation: 'put', times: 2 }, { kind: 'duplicate', afterMs: 60_000 });
    await time.drive(async () => {
      assert.equal(await outcome(store.put('k', text('x'), { ifAbsent: true })), 'condition-failed');
      server.setReadOnly('STORE_FULL');
      assert.equal(await outcome(store.put('l', text('x'), { ifAbsent: true })), 'STORE_FULL');
      server.setReadOnly(undefined);
      await store.delete('k');
    });
    await time.untilIdle();
    assert.deepEqual(server.keys(''), []);
    assert.equal(server.counters.duplicates, 0);
  });

  it('no refusal of a copy when the other one has landed', async () => {
    const { time, server, store } = simulate();
    server.intercept({}, { kind: 'duplicate', afterMs: 1000, answer: 'second' });
    server.onApply(() => {
      server.setReadOnly('STORE_FULL');
    });
    const seen = await time.drive(() => outcome(store.put('k', text('x'), { ifAbsent: true })));
    assert.equal(seen, 'condition-failed');
  });

  it('a duplicate that brings a deleted object back', async () => {
    const { time, server, store } = simulate();
    server.intercept({}, { kind: 'duplicate', afterMs: 60_000 });
    await time.drive(async () => {
      assert.equal(await outcome(store.put('k', text('x'), { ifAbsent: true })), 'written');
      await store.delete('k');
      assert.equal(await outcome(store.get('k')), 'absent');
    });
    await time.untilIdle();
    assert.equal(textOf(server.peek('k')?.bytes ?? text('')), 'x');
    assert.equal(server.counters.lateLandingsOnDeletedKeys, 1);
  });

  const errors: [ScriptedFault & { kind: 'error' }, 'no' | 'maybe', boolean][] = [
    [{ kind: 'error', code: 'CONFLICT' }, 'no', false],
    [{ kind: 'error', code: 'THROTTLED' }, 'no', false],
    [{ kind: 'error', code: 'SERVER_ERROR' }, 'maybe', false],
    [{ kind: 'error', code: 'SERVER_ERROR', hasEffect: true }, 'maybe', true],
    [{ kind: 'error', code: 'STORE_FULL' }, 'no', false],
    [{ kind: 'error', code: 'NO_SUCH_STORE' }, 'no', false],
  ];
  for (const [fault, landed, isThere] of errors) {
    it(`the answer ${fault.code}${fault.hasEffect === true ? ' although it was done' : ''}`, async () => {
      const { time, server, store } = simulate();
      server.intercept({}, fault);
      const error = await time.drive(() =>
        store.put('k', text('x'), { ifAbsent: true }).catch((e: unknown) => e),
      );
      await time.untilIdle();
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, fault.code);
      assert.equal(error.landed, landed);
      assert.equal(server.peek('k') !== undefined, isThere);
      assert.equal(server.counters.conflicts, fault.code === 'CONFLICT' ? 1 : 0);
      assert.equal(server.counters.throttled, fault.code === 'THROTTLED' ? 1 : 0);
      assert.equal(server.counters.errorsWithEffect, isThere ? 1 : 0);
    });
  }

  it('flawed bodies, which the client notices and asks for again', async () => {
    const { time, server, store } = simulate();
    server.plant('k', text('0123456789'), 'planted');
    await time.drive(async () => {
      for (const flaw of ['truncated', 'corrupt', 'wrong-range'] as const) {
        server.intercept({ operation: 'get', times: 3 }, { kind: 'body', flaw });
        const before = server.counters.get;
        const result = await store.get('k', { range: { start: 2, end: 4 } });
        assert.equal(result.kind === 'found' && textOf(result.body), '23');
        assert.equal(server.counters.get - before, 4);
        server.intercept({ operation: 'get', times: 4 }, { kind: 'body', flaw });
        assert.equal(await outcome(store.get('k', { range: { start: 2, end: 4 } })), 'CORRUPT_RESPONSE');
      }
    });
    assert.equal(server.counters.flawedBodies, 21);
  });

  it('corruption that only the caller can find', async () => {
    const { time, server, store } = simulate();
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    server.plant('k', bytes);
    await time.drive(async () => {
      for (let i = 0; i < 50; i++) {
        server.intercept({}, { kind: 'body', flaw: 'undetected' });
        const whole = await store.get('k');
        assert.ok(whole.kind === 'found' && whole.body.byteLength === 100);
        assert.equal(whole.body.filter((byte, at) => byte !== at).byteLength, 1);
        server.intercept({}, { kind: 'body', flaw: 'undetected' });
        const part = await store.get('k', { range: { suffix: 20 } });
        assert.ok(part.kind === 'found' && part.body.byteLength === 20);
        assert.notEqual(Buffer.compare(part.body, bytes.subarray(80)), 0);
      }
      const clean = await store.get('k');
      assert.ok(clean.kind === 'found' && Buffer.compare(clean.body, bytes) === 0);
    });
    assert.equal(server.counters.undetectedCorruptions, 100);
  });

  it('a stream that breaks off in the middle', async () => {
    const { time, server, store } = simulate();
    server.plant('k', new Uint8Array(1_000_000));
    await time.drive(async () => {
      for (const flaw of ['truncated', 'corrupt'] as const) {
        server.intercept({}, { kind: 'body', flaw });
        const result = await store.getStream('k');
        assert.ok(result.kind === 'found');
        let read = 0;
        await assert.rejects(
          async () => {
            for await (const piece of result.body) read += piece.byteLength;
          },
          (error: unknown) => error instanceof StoreError && error.code === 'CORRUPT_RESPONSE',
        );
        assert.ok(read > 0 && read < 1_000_000);
      }
    });
  });

  it('exact delays', async () => {
    const { time, server, store } = simulate();
    server.intercept({ skip: 1 }, { kind: 'delay', applyMs: 100, answerMs: 17 });
    let appliedAtMs = 0;
    await time.drive(async () => {
      await store.put('other', text('x'));
      server.onApply(({ atMs }) => {
        appliedAtMs = atMs;
      });
      const startMs = time.nowMs;
      await store.put('k', text('x'));
      assert.ok(Math.abs(appliedAtMs - startMs - 100) < 1e-6);
      assert.ok(Math.abs(time.nowMs - startMs - 117) < 1e-6);
      server.intercept({}, { kind: 'delay', applyMs: 5, answerMs: timeoutMs });
      assert.equal(await outcome(store.put('k2', text('x'), { ifAbsent: true })), 'TIMEOUT');
      assert.notEqual(server.peek('k2'), undefined);
    });
  });

  it('an interleaving: requests held on their way, released or dropped', async () => {
    const { time, server, process, store } = simulate();
    const holding = server.intercept(
      { process: 'p', where: ({ id }) => id === 'held', times: 3 },
      {
        kind: 'hold',
      },
    );
    await time.drive(async () => {
      const first = store.put('k1', text('x'), { ifAbsent: true, id: 'held' });
      const second = store.put('k2', text('x'), { ifAbsent: true, id: 'held' });
      const third = outcome(store.put('k3', text('x'), { ifAbsent: true, id: 'held' }));
      assert.equal(await outcome(store.put('k1', text('y'), { ifAbsent: true, id: 'free' })), 'written');
      const [one, two, three] = holding.held;
      assert.ok(one !== undefined && two !== undefined && three !== undefined);
      assert.equal(two.request.key, 'k2');
      one.release();
      one.release();
      two.release();
      assert.equal(await outcome(first), 'condition-failed');
      assert.equal(await outcome(second), 'written');
      assert.equal(await third, 'TIMEOUT');
      assert.equal(await outcome(store.put('k4', text('x'), { ifAbsent: true, id: 'held' })), 'written');
      three.drop();
      three.release();
      assert.equal(holding.held.length, 0);
      await sleep(process.runtime, 1000);
    });
    await time.untilIdle();
    assert.equal(server.peek('k3'), undefined);
    assert.equal(holding.caught.length, 3);
    assert.equal(server.requestsInFlight(), 0);
  });

  it('an endpoint cut off in each way, without harm to the others', async () => {
    const { time, server, store } = simulate({ connect: { endpoint: 'zone-a', attemptTimeoutMs: 1000 } });
    const other = server.connect(time.process('q'), { endpoint: 'zone-b' });
    await time.drive(async () => {
      const put = (key: string): Promise<string> => outcome(store.put(key, text('x'), { ifAbsent: true }));
      server.setEndpoint('zone-a', 'unreachable');
      assert.equal(await put('a'), 'UNREACHABLE');
      server.setEndpoint('zone-a', 'black-hole');
      assert.equal(await put('b'), 'TIMEOUT');
      server.setEndpoint('zone-a', 'deaf');
      assert.equal(await put('c'), 'TIMEOUT');
      assert.deepEqual(server.keys(''), ['c']);
      const startMs = time.nowMs;
      assert.equal(await outcome(store.get('c')), 'TIMEOUT');
      assert.ok(time.nowMs - startMs > 4 * 1000, 'four attempts');
      assert.equal(await outcome(other.put('d', text('x'), { ifAbsent: true })), 'written');
      server.setEndpoint('zone-a', undefined);
      assert.equal(await put('e'), 'written');
      const underWay = put('f');
      server.setEndpoint('zone-a', 'unreachable');
      assert.equal(await underWay, 'TIMEOUT');
      assert.notEqual(server.peek('f'), undefined);
    });
  });

  it('a store that takes no writes for a while', async () => {
    const { time, server, store } = simulate({ connect: { maxAttempts: 1 } });
    server.plant('k', text('x'));
    await time.drive(async () => {
      for (const as of ['STORE_FULL', 'ACCESS_DENIED'] as const) {
        server.setReadOnly(as);
        assert.equal(await outcome(store.put('k', text('y'))), as);
        assert.equal(await outcome(store.delete('k').then(() => undefined)), as);
        assert.equal(await outcome(store.get('k')), 'found');
      }
      server.calm();
      assert.equal(await outcome(store.put('k', text('y'))), 'written');
    });
    assert.equal(server.counters.readOnlyRefusals, 4);
  });
});

describe('the client of a simulated store', () => {
  it('repeats what is safe to repeat, and nothing else', async () => {
    const { time, server, store } = simulate();
    const fault = { kind: 'error', code: 'SERVER_ERROR', hasEffect: true } as const;
    const attempts = async (call: () => Promise<unknown>): Promise<number> => {
      server.intercept({ times: 3 }, fault);
      const before = server.counters.requests;
      await call().catch(() => undefined);
      server.calm();
      return server.counters.requests - before;
    };
    await time.drive(async () => {
      const etag = server.plant('k', text('x'));
      assert.equal(await attempts(() => store.put('k', text('y'), { ifMatch: etag })), 1);
      assert.equal(await attempts(() => store.put('new', text('y'), { ifAbsent: true })), 1);
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield await Promise.resolve(text('y'));
      }
      assert.equal(await attempts(() => store.put('streamed', { sizeBytes: 1, chunks: chunks() })), 1);
      assert.equal(await attempts(() => store.put('k', text('z'))), 4);
      assert.equal(await attempts(() => store.get('k')), 4);
      assert.equal(await attempts(() => store.getStream('k')), 4);
      assert.equal(await attempts(() => store.head('k')), 4);
      assert.equal(await attempts(() => store.list('')), 4);
      assert.equal(await attempts(() => store.delete('k')), 4);
      assert.equal(await attempts(() => store.deleteMany(['a', 'b'])), 4);
    });
  });

  it('breaks the simulation when a caller changes a body under way, also in a later attempt', async () => {
    const { time, server, store } = simulate({ seed: 5 });
    server.intercept({ times: 2 }, { kind: 'error', code: 'THROTTLED' });
    const pieces = [text('ab'), text('cd')];
    const putting = store.put('k', pieces);
    time.environment.after(200, () => {
      pieces[1]?.fill(0);
    });
    await assert.rejects(
      time.drive(() => putting),
      /put "k" by p: the caller changed the body.*seed 5/,
    );
  });

  it('takes the body as it is when put is called, and gives it back when the call is over', async () => {
    const violations: Error[] = [];
    const { time, server, store } = simulate({ onViolation: (violation) => violations.push(violation) });
    await time.drive(async () => {
      const body = text('first');
      await store.put('k', body);
      body.fill(0);
      assert.equal(textOf(server.peek('k')?.bytes ?? body), 'first');
      server.intercept({}, { kind: 'late-landing', landsAfterMs: 60_000 });
      const late = text('late');
      await outcome(store.put('late', late, { ifAbsent: true }));
      late.fill(0);
    });
    await time.untilIdle();
    assert.equal(textOf(server.peek('late')?.bytes ?? text('')), 'late');
    assert.deepEqual(violations, []);
  });

  it('gives up waiting when it is told to, but cannot call the request back', async () => {
    const { time, server, store } = simulate();
    const abort = new AbortController();
    server.intercept({}, { kind: 'delay', applyMs: 100 });
    await time.drive(async () => {
      const putting = store.put('k', text('x'), { ifAbsent: true, signal: abort.signal });
      time.environment.after(50, () => {
        abort.abort(new Error('enough'));
      });
      await assert.rejects(putting, /enough/);
      assert.equal(time.nowMs, 50);
      assert.equal(server.peek('k'), undefined);
    });
    await time.untilIdle();
    assert.notEqual(server.peek('k'), undefined);
    assert.equal(server.counters.lateLandings, 1);
  });

  it('rejects calls under way when it is closed', async () => {
    const { time, store } = simulate();
    await time.drive(async () => {
      const calls = [outcome(store.get('k')), outcome(store.put('k', text('x')))];
      await store.close();
      assert.deepEqual(await Promise.all(calls), ['CLOSED', 'CLOSED']);
    });
  });
});
