import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameError, FrameReader } from './frame-reader.ts';

function framed(payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(4 + payload.length);
  frame.writeInt32BE(payload.length);
  frame.set(payload, 4);
  return frame;
}

function drain(reader: FrameReader): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  return frames;
}

describe('a frame reader', () => {
  it('gives back what was sent, however it was cut on the way', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
        (payloads, cuts) => {
          const sent = Buffer.concat(payloads.map(framed));
          const reader = new FrameReader(1_000);
          const frames: Uint8Array[] = [];
          let position = 0;
          for (let at = 0; position < sent.length; at++) {
            const end = position + (cuts[at % cuts.length] ?? 1);
            reader.push(sent.subarray(position, end));
            position = end;
            frames.push(...drain(reader));
          }
          assert.deepEqual(
            frames.map((frame) => [...frame]),
            payloads.map((payload) => [...payload]),
          );
          assert.equal(reader.bufferedBytes, 0);
        },
      ),
    );
  });

  it('refuses sizes that are negative or too large, before their bytes arrive', () => {
    for (const size of [-1, 1_001, 0x7fffffff]) {
      const reader = new FrameReader(1_000);
      const prefix = Buffer.alloc(4);
      prefix.writeInt32BE(size);
      reader.push(prefix);
      assert.throws(() => reader.next(), FrameError);
    }
  });

  it('holds no more than what has arrived', () => {
    const reader = new FrameReader(2 ** 30);
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(2 ** 30);
    reader.push(prefix);
    reader.push(Buffer.alloc(10));
    assert.equal(reader.next(), undefined);
    assert.equal(reader.bufferedBytes, 14);
  });

  it('does not copy a frame that came in one piece', () => {
    const reader = new FrameReader(1_000);
    const chunk = framed(Buffer.from('records'));
    reader.push(chunk);
    assert.equal(reader.next()?.buffer, chunk.buffer);
  });
});
