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

  it('gives back what was sent when large frames arrive in memory that it gave', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300_000 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (sizes, reads, drainsEachTime) => {
          const payloads = sizes.map((size, at) => Buffer.alloc(size, `payload ${at}`));
          const sent = Buffer.concat(payloads.map(framed));
          const reader = new FrameReader(1_000_000);
          const frames: Uint8Array[] = [];
          let position = 0;
          for (let at = 0; position < sent.length; at++) {
            const room = reader.room();
            const most = Math.min(reads[at % reads.length] ?? 1, room?.length ?? 65_536);
            const arrived = sent.subarray(position, position + most);
            position += arrived.length;
            // Another reader of the same connection may have memory of its own.
            if (room === undefined || at % 7 === 3) reader.push(Uint8Array.from(arrived));
            else {
              room.set(arrived);
              reader.received(arrived.length);
            }
            assert.equal(
              reader.bufferedBytes,
              position - frames.reduce((sum, frame) => sum + frame.length + 4, 0),
            );
            if (drainsEachTime || at % 5 === 0) frames.push(...drain(reader));
          }
          frames.push(...drain(reader));
          assert.deepEqual(
            frames.map(({ length }) => length),
            sizes,
          );
          frames.forEach((frame, at) => assert.ok(payloads[at]?.equals(frame)));
          assert.equal(reader.bufferedBytes, 0);
        },
      ),
    );
  });

  it('takes memory for a large frame as it arrives, at most 32 times as much', () => {
    const reader = new FrameReader(2 ** 30);
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(2 ** 28);
    assert.equal(reader.room(), undefined);
    reader.push(prefix);
    assert.equal(reader.next(), undefined);
    let arrived = 0;
    for (let room = reader.room(); room !== undefined && arrived < 2 ** 24; room = reader.room()) {
      assert.ok(
        room.buffer.byteLength <= Math.max(65_536, 32 * arrived),
        `${room.buffer.byteLength} for ${arrived}`,
      );
      const count = Math.min(room.length, 65_536);
      reader.received(count);
      arrived += count;
    }
    assert.ok(arrived >= 2 ** 24);
  });

  it('receives a frame of the size that clients send at most in the memory where it stays', () => {
    const reader = new FrameReader(2 ** 30);
    const frame = framed(Buffer.alloc(1_048_700));
    reader.push(frame.subarray(0, 65_536));
    assert.equal(reader.next(), undefined);
    const room = reader.room();
    assert.equal(room?.length, frame.length - 65_536);
    reader.received(room?.length ?? 0);
    assert.equal(reader.next()?.buffer, room?.buffer);
  });
});
