import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualRandom } from './virtual-random.ts';

const draw = (random: VirtualRandom, count = 20): number[] =>
  Array.from({ length: count }, () => random.uint32());

describe('virtual randomness', () => {
  it('is the same for the same seed and stream, and different for others', () => {
    assert.deepEqual(draw(new VirtualRandom(7, 'a')), draw(new VirtualRandom(7, 'a')));
    const others = [
      new VirtualRandom(7, 'a'),
      new VirtualRandom(8, 'a'),
      new VirtualRandom(7, 'b'),
      new VirtualRandom(7 + 2 ** 32, 'a'),
      new VirtualRandom(-7, 'a'),
      new VirtualRandom(7, 'a').fork('a'),
      new VirtualRandom(7, 'ab'),
      new VirtualRandom(7, 'ba'),
    ];
    const first = others.map((random) => random.uint32());
    assert.equal(new Set(first).size, first.length);
  });

  it('forks streams that do not depend on what was drawn before', () => {
    const used = new VirtualRandom(7, 'a');
    draw(used);
    assert.deepEqual(draw(used.fork('x')), draw(new VirtualRandom(7, 'a').fork('x')));
  });

  it('never changes: a seed of an old failure report still replays it', () => {
    assert.deepEqual(draw(new VirtualRandom(1, 'golden'), 4), [2897535568, 2471988992, 2092559359, 6640921]);
  });

  it('is spread evenly', () => {
    const random = new VirtualRandom(3, 'even');
    const buckets = new Uint32Array(64);
    let bits = 0;
    for (let i = 0; i < 64_000; i++) {
      const value = random.uint32();
      buckets[value >>> 26] = (buckets[value >>> 26] ?? 0) + 1;
      bits += value & 1;
    }
    assert.ok(
      buckets.every((count) => count > 800 && count < 1200),
      buckets.join(),
    );
    assert.ok(bits > 31_000 && bits < 33_000);
  });

  it('draws what its methods say', () => {
    const random = new VirtualRandom(5, 'methods');
    let normals = 0;
    let squares = 0;
    let waits = 0;
    for (let i = 0; i < 20_000; i++) {
      assert.ok(random.below(3) < 3);
      const between = random.between(-2, 3);
      assert.ok(between >= -2 && between < 3);
      const spread = random.logBetween(0.1, 1000);
      assert.ok(spread >= 0.1 && spread < 1000);
      assert.ok(['x', 'y'].includes(random.pick(['x', 'y'])));
      const normal = random.normal();
      normals += normal;
      squares += normal ** 2;
      waits += random.exponential(10);
    }
    assert.ok(Math.abs(normals / 20_000) < 0.05);
    assert.ok(Math.abs(squares / 20_000 - 1) < 0.05);
    assert.ok(Math.abs(waits / 20_000 - 10) < 0.5);
    assert.equal(random.chance(0), false);
    assert.equal(random.chance(1), true);
    assert.equal(random.bytes(0).byteLength, 0);
    assert.equal(random.bytes(7).byteLength, 7);
    assert.notDeepEqual(random.bytes(16), random.bytes(16));
    assert.throws(() => random.pick([]), RangeError);
    assert.throws(() => new VirtualRandom(0.5, 'x'), RangeError);
  });
});
