import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireWriter } from './wire-writer.ts';

test('short compact strings at any place of a chunk, the last bytes of it included', () => {
  for (const text of ['', 'a', 'äö', 'x'.repeat(130)]) {
    const size = Buffer.byteLength(text);
    const expected = Buffer.concat([
      size + 1 < 0x80 ? Buffer.of(size + 1) : Buffer.of(((size + 1) & 0x7f) | 0x80, (size + 1) >> 7),
      Buffer.from(text),
      Buffer.of(1, 2, 3, 4),
    ]);
    for (let before = 0; before <= 512; before++) {
      const writer = new WireWriter(512);
      writer.begin();
      for (let i = 0; i < before; i++) writer.byte(0);
      assert(writer.compactString(text));
      writer.int32(0x01_02_03_04);
      const written = Buffer.concat(writer.finish());
      assert.equal(
        written.subarray(before).toString('hex'),
        expected.toString('hex'),
        `after ${before} bytes`,
      );
    }
  }
});
