import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linesOf } from './lines.ts';

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

async function read(...texts: readonly string[]): Promise<string[][]> {
  const groups: string[][] = [];
  for await (const lines of linesOf(chunks(...texts))) groups.push(lines.map(String));
  return groups;
}

test('lines come in the groups in which they were there', async () => {
  assert.deepEqual(await read('a\nb\nc', 'd\r\n', '', '\n', 'e'), [['a', 'b'], ['cd'], [''], ['e']]);
  assert.deepEqual(await read(), []);
  assert.deepEqual(await read('\n'), [['']]);
});

test('how the bytes come does not matter', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: fc.constantFrom('a', '\n', 'ü') }), { maxLength: 8 }),
      async (texts) => {
        const whole = texts.join('');
        const lines = whole.split('\n');
        if (lines.at(-1) === '') lines.pop();
        assert.deepEqual((await read(...texts)).flat(), lines);
      },
    ),
  );
});
