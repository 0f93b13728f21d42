import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteDictionary } from './byte-dictionary.ts';

/** By a hash of few values, so that entries collide. */
function put(dictionary: ByteDictionary, text: string, slot: number, hashes: number): number {
  const source = Buffer.from(text);
  const hash = source.length % hashes;
  const found = dictionary.find(source, 0, source.length, hash);
  return found >= 0 ? found : dictionary.insert(source, 0, source.length, hash, slot);
}

function entry({ bytes, starts }: ByteDictionary, index: number): string {
  return bytes.toString('utf8', starts[index], starts[index + 1]);
}

describe('a dictionary of bytes', () => {
  it('gives equal values one index, also when entries are taken back', () => {
    const texts = fc.array(fc.string({ maxLength: 5 }), { maxLength: 300 });
    fc.assert(
      fc.property(
        texts,
        fc.integer({ min: 1, max: 9 }),
        fc.nat(300),
        texts,
        (first, hashes, kept, second) => {
          const dictionary = new ByteDictionary();
          first.forEach((text, slot) => put(dictionary, text, slot, hashes));
          dictionary.truncate(kept);
          const left = [...new Set(first.slice(0, kept))];
          assert.deepEqual(
            left.map((_, index) => entry(dictionary, index)),
            left,
          );
          assert.equal(dictionary.count, left.length);
          const all = [...new Set([...left, ...second])];
          second.forEach((text, i) => {
            assert.equal(put(dictionary, text, kept + i, hashes), all.indexOf(text));
          });
          assert.equal(dictionary.count, all.length);
        },
      ),
    );
  });

  it('stays quick when all values collide, at the price of entries that stand in it more than once', () => {
    const dictionary = new ByteDictionary();
    for (let i = 0; i < 60_000; i++) put(dictionary, `${i % 20_000}`, i, 1);
    assert.ok(dictionary.count >= 20_000);
    for (let index = 0; index < 20_000; index++) assert.equal(entry(dictionary, index), `${index}`);
    dictionary.truncate(100);
    assert.equal(dictionary.count, 100);
    assert.equal(put(dictionary, '7', 100, 1), 7);
  });
});
