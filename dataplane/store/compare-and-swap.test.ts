import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { compareAndSwap } from './compare-and-swap.ts';
import type { SwapRequest } from './compare-and-swap.ts';
import { StoreError } from './errors.ts';
import type { ETag } from './object-store.ts';
import { allFaults } from './simulated/faults.ts';
import type { ScriptedFault } from './simulated/interception.ts';
import { localLatencies } from './simulated/latency.ts';
import { simulate, text, textOf } from './simulated/simulation-fixture.ts';
import { SimulatedStore } from './simulated/simulated-store.ts';

const key = 'meta/one';
function world() {
  const { time, server, process, store } = simulate({ latencies: localLatencies });
  const swap = (request: Partial<SwapRequest> = {}) =>
    compareAndSwap(store, process.runtime, {
      key,
      expected: 'absent',
      bytes: text('v1 ours'),
      isOurs: (current) => Buffer.from(current).includes('ours'),
      ...request,
    });
  const fate = (...faults: readonly ScriptedFault[]): void => {
    for (const fault of faults) server.intercept({ operation: 'put', key }, fault);
  };
  const write = async (content: string): Promise<ETag> => {
    const put = await store.put(key, text(content));
    assert(put.kind === 'written');
    return put.etag;
  };
  return {
    time,
    server,
    store,
    process,
    swap,
    fate,
    write,
    content: () => textOf(server.peek(key)?.bytes ?? text('(absent)')),
  };
}

test('creates and replaces an object', async () => {
  const { time, swap, content } = world();
  await time.drive(async () => {
    const created = await swap();
    assert(created.kind === 'applied');
    const replaced = await swap({ expected: created.etag, bytes: text('v2 ours') });
    assert.equal(replaced.kind, 'applied');
    assert.equal(content(), 'v2 ours');
  });
});

test('whoever loses the race gets what stands there', async () => {
  const { time, swap, write, content } = world();
  await time.drive(async () => {
    const etag = await write('v1 theirs');
    assert.deepEqual(await swap(), { kind: 'lost', current: { bytes: text('v1 theirs'), etag } });
    const newer = await write('v2 theirs');
    const lost = await swap({ expected: etag, bytes: text('v2 ours') });
    assert.deepEqual(lost, { kind: 'lost', current: { bytes: text('v2 theirs'), etag: newer } });
    assert.equal(content(), 'v2 theirs');
  });
});

test('an expected object that is gone loses the race against nobody', async () => {
  const { time, store, swap, write } = world();
  await time.drive(async () => {
    const etag = await write('v1 theirs');
    await store.delete(key);
    assert.deepEqual(await swap({ expected: etag }), { kind: 'lost', current: undefined });
  });
});

const harmless: Readonly<Record<string, readonly ScriptedFault[]>> = {
  'the answer is lost': [{ kind: 'answer-lost' }],
  'the request is lost': [{ kind: 'request-lost' }],
  'the answers of the first and of the repetition are lost': [
    { kind: 'answer-lost' },
    { kind: 'answer-lost' },
  ],
  'the first lands long after the repetition': [{ kind: 'late-landing', landsAfterMs: 60_000 }],
  'the first lands while the repetition waits': [
    { kind: 'late-landing', landsAfterMs: 5, seenAs: 'CONNECTION_LOST' },
    { kind: 'late-landing', landsAfterMs: 5, seenAs: 'CONNECTION_LOST' },
  ],
  'the network doubles the request and the second copy answers 412': [
    { kind: 'duplicate', afterMs: 5, answer: 'second' },
  ],
  'the store answers 500 with effect': [{ kind: 'error', code: 'SERVER_ERROR', hasEffect: true }],
  'the store answers 500 without effect': [{ kind: 'error', code: 'SERVER_ERROR' }],
  'the store answers 409, then 503': [
    { kind: 'error', code: 'CONFLICT' },
    { kind: 'error', code: 'THROTTLED' },
  ],
};

for (const [what, faults] of Object.entries(harmless)) {
  test(`is applied once although ${what}`, async () => {
    const { time, server, swap, fate, content } = world();
    let writes = 0;
    server.onApply((event) => {
      if (event.result === 'written') writes += 1;
    });
    await time.drive(async () => {
      fate(...faults);
      const result = await swap();
      assert(result.kind === 'applied');
      assert.equal(textOf(result.bytes), 'v1 ours');
      assert.equal(result.etag, server.peek(key)?.info.etag);
    });
    await time.untilIdle();
    assert.equal(content(), 'v1 ours');
    assert.equal(writes, 1);
  });
}

test('an impatient caller does not wait for the time-out of the store', async () => {
  const { time, server, swap, content } = world();
  await time.drive(async () => {
    server.intercept({ operation: 'put' }, { kind: 'request-lost', seenAs: 'TIMEOUT' });
    server.intercept({ operation: 'get' }, { kind: 'answer-lost', seenAs: 'TIMEOUT' });
    assert.equal((await swap({ attemptTimeoutMs: 1_000 })).kind, 'applied');
    assert(time.nowMs > 2_000 && time.nowMs < 2_200, `${time.nowMs} ms`);
  });
  assert.equal(content(), 'v1 ours');
});

test('a signal ends a request under its own time limit too, and leaves nothing behind', async () => {
  const { time, server, swap } = world();
  await time.drive(async () => {
    server.intercept({ operation: 'put' }, { kind: 'request-lost', seenAs: 'TIMEOUT' });
    const stop = new AbortController();
    const reason = new Error('enough');
    time.environment.after(500, () => {
      stop.abort(reason);
    });
    await assert.rejects(swap({ attemptTimeoutMs: 1_000, signal: stop.signal }), reason);
    assert(time.nowMs < 600);
    await assert.rejects(swap({ attemptTimeoutMs: 1_000, signal: stop.signal }), reason);
  });
  await time.untilIdle();
});

test('a write that landed unseen and was built upon is applied, with the newer content', async () => {
  const { time, swap, fate, write } = world();
  await time.drive(async () => {
    fate({ kind: 'answer-lost', seenAs: 'TIMEOUT' });
    const swapping = swap();
    time.environment.after(1000, () => void write('v2 of ours'));
    const result = await swapping;
    assert(result.kind === 'applied');
    assert.equal(textOf(result.bytes), 'v2 of ours');
  });
});

test('a late copy of a lost swap never takes effect', async () => {
  const { time, swap, fate, write, content } = world();
  await time.drive(async () => {
    const etag = await write('v1');
    fate({ kind: 'late-landing', landsAfterMs: 60_000, seenAs: 'TIMEOUT' });
    const swapping = swap({ expected: etag, bytes: text('v2 ours') });
    time.environment.after(1000, () => void write('v2 theirs'));
    const lost = await swapping;
    assert(lost.kind === 'lost');
    assert.equal(textOf(lost.current?.bytes ?? text('(absent)')), 'v2 theirs');
  });
  await time.untilIdle();
  assert.equal(content(), 'v2 theirs');
});

test('a refusal of the store is thrown at once, and says that nothing landed', async () => {
  const { time, swap, fate, content } = world();
  await time.drive(async () => {
    fate({ kind: 'error', code: 'ACCESS_DENIED' });
    await assert.rejects(swap(), (error) => error instanceof StoreError && error.landed === 'no');
  });
  assert.equal(content(), '(absent)');
});

test('a refusal after a lost answer does not claim that nothing landed', async () => {
  const { time, server, swap, fate } = world();
  await time.drive(async () => {
    fate(
      { kind: 'late-landing', landsAfterMs: 60_000, seenAs: 'CONNECTION_LOST' },
      { kind: 'error', code: 'ACCESS_DENIED' },
    );
    await assert.rejects(swap(), (error) => {
      assert(error instanceof StoreError);
      assert.equal(error.landed, 'maybe');
      assert.equal(error.code, 'CONNECTION_LOST');
      assert(error.cause instanceof StoreError && error.cause.code === 'ACCESS_DENIED');
      return true;
    });
    server.intercept({ operation: 'get', key }, { kind: 'error', code: 'ACCESS_DENIED' });
    fate({ kind: 'request-lost', seenAs: 'CONNECTION_LOST' });
    await assert.rejects(swap(), (error) => error instanceof StoreError && error.landed === 'maybe');
  });
});

test('gives up after maxAttempts with the last error', async () => {
  const { time, server, swap } = world();
  await time.drive(async () => {
    const throttled = server.intercept(
      { operation: 'put', times: 100 },
      { kind: 'error', code: 'THROTTLED' },
    );
    await assert.rejects(
      swap({ maxAttempts: 3 }),
      (error) => error instanceof StoreError && error.code === 'THROTTLED',
    );
    assert.equal(throttled.caught.length, 3);
  });
});

test('goes on through an outage of the store until it is aborted', async () => {
  const { time, server, swap } = world();
  await time.drive(async () => {
    server.setEndpoint('p', 'unreachable');
    const stop = new AbortController();
    const reason = new Error('enough');
    time.environment.after(3_600_000, () => {
      stop.abort(reason);
    });
    await assert.rejects(swap({ signal: stop.signal }), reason);
    time.environment.after(60_000, () => {
      server.setEndpoint('p', undefined);
    });
    assert.equal((await swap()).kind, 'applied');
  });
});

test('a store that refuses a condition that holds is called what it is', async (t) => {
  const { time, store, swap, write } = world();
  await time.drive(async () => {
    const etag = await write('v1');
    t.mock.method(store, 'put', () => Promise.resolve({ kind: 'condition-failed' }));
    await assert.rejects(swap({ expected: etag }), /firn probe/);
  });
});

/** Every writer adds one to its own number, so whatever is applied twice, or not at all, shows in the end. */
async function countTogether(
  seed: number,
): Promise<{ readonly swaps: number; readonly late: number; readonly own: number }> {
  const time = new VirtualTime({ seed });
  const faults = {
    ...allFaults,
    answerLost: 0.08,
    lateLanding: 0.08,
    duplicate: 0.05,
    landsLateMs: { min: 5, max: 60_000 },
  };
  const server = new SimulatedStore({ environment: time.environment, latencies: localLatencies, faults });
  let swaps = 0;
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    const process = time.process(`writer-${writer}`);
    const store = server.connect(process, { attemptTimeoutMs: 1_000 });
    let etag: ETag | 'absent' = 'absent';
    let counts: number[] = [0, 0, 0, 0];
    for (let done = 0; done < 12;) {
      const next = counts.with(writer, done + 1);
      const mine = done + 1;
      try {
        const result = await compareAndSwap(store, process.runtime, {
          key,
          expected: etag,
          bytes: text(JSON.stringify(next)),
          id: `${writer}/${mine}`,
          isOurs: (current) => numbersOf(current)[writer] === mine,
        });
        swaps += 1;
        const now = result.kind === 'applied' ? result : result.current;
        assert(now !== undefined);
        etag = now.etag;
        counts = numbersOf(now.bytes);
        assert.equal(
          counts[writer],
          result.kind === 'applied' ? mine : done,
          `writer ${writer} at ${done}: ${result.kind}`,
        );
        if (result.kind === 'applied') done += 1;
      } catch (error) {
        // A read-only spell. What became of the swap is asked again, with the same bytes.
        assert(error instanceof StoreError && !error.retriable);
      }
    }
  });
  await time.drive(() => Promise.all(writers));
  await time.untilIdle();
  assert.deepEqual(numbersOf(server.peek(key)?.bytes ?? text('[]')), [12, 12, 12, 12]);
  return { swaps, late: server.counters.lateLandings, own: server.counters.ownConditionFailed };
}

function numbersOf(bytes: Uint8Array): number[] {
  return JSON.parse(Buffer.from(bytes).toString()) as number[];
}

test('in all weathers: what is applied is there once, what is lost never', async () => {
  const sums = { swaps: 0, late: 0, own: 0 };
  for (let seed = 1; seed <= 60; seed += 1) {
    const { swaps, late, own } = await countTogether(seed);
    sums.swaps += swaps;
    sums.late += late;
    sums.own += own;
  }
  assert(sums.swaps > 3000 && sums.late > 200 && sums.own > 50, JSON.stringify(sums));
});
