import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redirects } from './redirects.ts';

const connection = (): { id: number; remoteAddress: string; listener: string } => ({
  id: 1,
  remoteAddress: '192.0.2.1',
  listener: 'internal',
});

test('a consumer that comes back again and again is served until a minute is over', () => {
  const clock = { nowMs: 0 };
  const redirects = new Redirects({ monotonicMs: () => clock.nowMs });
  const one = connection();
  const sent = (): boolean => redirects.take(one, 'orders/0');
  assert.deepEqual([sent(), sent(), sent(), sent(), sent()], [true, true, true, false, false]);
  assert.equal(redirects.take(one, 'orders/1'), true, 'another partition');
  assert.equal(redirects.take(connection(), 'orders/0'), true, 'another connection');
  clock.nowMs = 59_999;
  assert.equal(sent(), false);
  clock.nowMs = 60_000;
  assert.equal(sent(), true);
});

test('one that comes back every five minutes is sent again each time', () => {
  const clock = { nowMs: 0 };
  const redirects = new Redirects({ monotonicMs: () => clock.nowMs });
  const one = connection();
  for (let time = 0; time < 10; time++) {
    assert.equal(redirects.take(one, 'orders/0'), true);
    clock.nowMs += 300_000;
  }
});

test('a client with very many partitions is remembered for some of them', () => {
  const redirects = new Redirects({ monotonicMs: () => 0 });
  const one = connection();
  for (let partition = 0; partition < 30_000; partition++)
    assert.equal(redirects.take(one, `orders/${partition}`), true);
  for (let times = 0; times < 2; times++) redirects.take(one, 'orders/29999');
  assert.equal(redirects.take(one, 'orders/29999'), false);
  assert.equal(redirects.take(one, 'orders/0'), true);
});
