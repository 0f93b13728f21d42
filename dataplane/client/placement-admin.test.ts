import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { replicasLedBy } from './placement-admin.ts';

const zones: Readonly<Record<number, string>> = { 0: 'a', 1: 'a', 1000: 'b', 2000: 'c', 3000: 'd' };
const zoneOf = (broker: number): string | undefined => zones[broker];

test('who is to lead comes first, and the zones stay the same', () => {
  const led = (broker: number, ...replicas: readonly number[]): readonly number[] =>
    replicasLedBy(broker, replicas, zoneOf);
  assert.deepEqual(led(1000, 0, 1000, 2000), [1000, 0, 2000]);
  assert.deepEqual(led(0, 0, 1000), [0, 1000]);
  assert.deepEqual(led(1, 0, 1000, 2000), [1, 1000, 2000], 'the broker of its zone makes room');
  assert.deepEqual(led(3000, 0, 1000, 2000), [3000, 0, 1000], 'without one the last does');
  assert.deepEqual(led(1000, 0), [1000]);
  assert.deepEqual(led(0), [0], 'nobody had it');
});

test('as many as before, none twice, nobody new but the one that is to lead', () => {
  const ids = Object.keys(zones).map(Number);
  fc.assert(
    fc.property(fc.constantFrom(...ids), fc.uniqueArray(fc.constantFrom(...ids)), (broker, replicas) => {
      const led = replicasLedBy(broker, replicas, zoneOf);
      assert.equal(led[0], broker);
      assert.equal(led.length, Math.max(1, replicas.length));
      assert.equal(new Set(led).size, led.length);
      for (const id of led.slice(1)) assert.ok(replicas.includes(id));
    }),
  );
});
