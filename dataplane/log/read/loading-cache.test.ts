import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Load, Loaded } from './loading-cache.ts';
import { LoadingCache } from './loading-cache.ts';

/** A load that the test ends. */
function heldLoad(): {
  readonly load: Load<string>;
  readonly signals: AbortSignal[];
  finish: (loaded: Loaded<string>) => void;
  fail: (error: Error) => void;
} {
  const { promise, resolve, reject } = Promise.withResolvers<Loaded<string>>();
  const signals: AbortSignal[] = [];
  const load = (signal: AbortSignal): Promise<Loaded<string>> => {
    signals.push(signal);
    return promise;
  };
  return { load, signals, finish: resolve, fail: reject };
}

const loaded =
  (value: string, keepBytes = 10): Load<string> =>
  () =>
    Promise.resolve({ value, keepBytes });
const never: Load<string> = () => Promise.reject(new Error('must not be loaded'));

test('any number of callers share one load, and later ones its value', async () => {
  const cache = new LoadingCache<string>(100);
  const held = heldLoad();
  const callers = Array.from({ length: 1000 }, () => cache.get('a', held.load));
  held.finish({ value: 'A', keepBytes: 10 });
  assert.deepEqual(new Set(await Promise.all(callers)), new Set(['A']));
  assert.equal(await cache.get('a', never), 'A');
  assert.equal(held.signals.length, 1);
  assert.deepEqual(
    { loads: cache.counters.loads, joined: cache.counters.joined, hits: cache.counters.hits },
    { loads: 1, joined: 999, hits: 1 },
  );
});

test('a caller that gives up leaves the others waiting; the last one to leave aborts the load', async () => {
  const cache = new LoadingCache<string>(100);
  const held = heldLoad();
  const first = new AbortController();
  const second = new AbortController();
  const a = cache.get('a', held.load, first.signal);
  const b = cache.get('a', held.load, second.signal);
  first.abort(new Error('first left'));
  await assert.rejects(a, /first left/);
  assert.equal(held.signals[0]?.aborted, false);
  second.abort(new Error('second left'));
  await assert.rejects(b, /second left/);
  assert.equal(held.signals[0]?.aborted, true);
  assert.equal(cache.counters.abandoned, 1);
  // Whoever comes now starts again, and the abandoned load cannot overwrite what it brings.
  assert.equal(await cache.get('a', loaded('new')), 'new');
  held.finish({ value: 'old', keepBytes: 10 });
  await Promise.resolve();
  assert.equal(await cache.get('a', never), 'new');
});

test('an aborted signal is refused before anything is loaded', async () => {
  const cache = new LoadingCache<string>(100);
  await assert.rejects(cache.get('a', never, AbortSignal.abort(new Error('too late'))), /too late/);
  assert.equal(cache.counters.loads, 0);
});

test('a failed load fails all who wait and is tried again by the next', async () => {
  const cache = new LoadingCache<string>(100);
  const held = heldLoad();
  const callers = [cache.get('a', held.load), cache.get('a', held.load)];
  held.fail(new Error('broken'));
  for (const caller of callers) await assert.rejects(caller, /broken/);
  assert.equal(await cache.get('a', loaded('A')), 'A');
});

test('keeps no more than its bound, least recently used out first', async () => {
  const cache = new LoadingCache<string>(100);
  for (const key of ['a', 'b', 'c']) await cache.get(key, loaded(key, 40));
  assert.equal(cache.keptBytes, 80);
  assert.equal(cache.has('a'), false);
  assert.equal(cache.peek('b'), 'b');
  await cache.get('d', loaded('d', 40));
  assert.equal(cache.has('c'), false);
  assert.equal(cache.has('b'), true);
  await cache.get('large', loaded('large', 101));
  assert.equal(cache.keptBytes, 0);
});

test('a value without a size is handed out and not kept', async () => {
  const cache = new LoadingCache<string>(100);
  assert.equal(await cache.get('a', () => Promise.resolve({ value: 'gone' })), 'gone');
  assert.equal(cache.has('a'), false);
});

test('what is loaded ahead is bounded until it is asked for, and outlives those who join it and leave', async () => {
  const cache = new LoadingCache<string>(100);
  const held = heldLoad();
  assert.equal(cache.ahead('a', 30, held.load), true);
  assert.equal(cache.ahead('a', 30, never), false, 'under way');
  assert.equal(cache.ahead('b', 30, never), false, 'more than half of the bound would be unread');
  const left = new AbortController();
  const reader = cache.get('a', never, left.signal);
  left.abort(new Error('left'));
  await assert.rejects(reader, /left/);
  assert.equal(held.signals[0]?.aborted, false);
  held.finish({ value: 'A', keepBytes: 30 });
  assert.equal(await cache.get('a', never), 'A');
  assert.equal(cache.ahead('b', 50, loaded('B', 50)), true);
  await Promise.resolve();
  assert.equal(cache.hasRoomAhead(1), false);
  assert.equal(await cache.get('b', never), 'B');
  assert.equal(cache.hasRoomAhead(50), true);
});

test('a load ahead that fails is forgotten', async () => {
  const cache = new LoadingCache<string>(100);
  const held = heldLoad();
  cache.ahead('a', 50, held.load);
  held.fail(new Error('broken'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(cache.hasRoomAhead(50), true);
  assert.equal(await cache.get('a', loaded('A')), 'A');
});
