import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import { blockCorrupt, blockTooLarge, instantiateBlockDecoders, slackBytes } from './block-decoders.ts';

const { memory, lz4, snappy } = instantiateBlockDecoders();
const bytes = Buffer.from(memory.buffer);
const inputStart = 1000;
const outputStart = 20_000;
const canary = 0xa5;
const untouchedBytes = Buffer.alloc(bytes.length, canary);

/** Byte by byte, after the formats' descriptions. `undefined`: corrupt or beyond the limit. */
function referenceLz4(block: Uint8Array, limit: number): number[] | undefined {
  const out: number[] = [];
  let at = 0;
  const length = (first: number): number | undefined => {
    let sum = first;
    for (let more = first === 15 ? 255 : 0; more === 255;) {
      const byte = block[at++];
      if (byte === undefined) return undefined;
      sum += more = byte;
    }
    return sum;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = length(token >> 4);
    if (literals === undefined || literals > block.length - at || out.length + literals > limit)
      return undefined;
    out.push(...block.subarray(at, at + literals));
    at += literals;
    if (at === block.length) return out;
    if (at + 2 > block.length) return undefined;
    const offset = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    const matched = length(token & 15);
    if (matched === undefined || !repeat(out, offset, matched + 4, limit)) return undefined;
  }
  return undefined;
}

function referenceSnappy(block: Uint8Array, limit: number): number[] | undefined {
  const out: number[] = [];
  let at = 0;
  const little = (count: number): number | undefined => {
    if (at + count > block.length) return undefined;
    let value = 0;
    for (let i = 0; i < count; i++) value += (block[at++] ?? 0) * 256 ** i;
    return value;
  };
  while (at < block.length) {
    const tag = block[at++] ?? 0;
    const upper = tag >> 2;
    if ((tag & 3) === 0) {
      const stored = upper < 60 ? upper : little(upper - 59);
      if (stored === undefined || stored + 1 > block.length - at || out.length + stored + 1 > limit)
        return undefined;
      out.push(...block.subarray(at, at + stored + 1));
      at += stored + 1;
    } else {
      const low = little((tag & 3) === 3 ? 4 : tag & 3);
      if (low === undefined) return undefined;
      const short = (tag & 3) === 1;
      const offset = short ? ((tag >> 5) << 8) + low : low;
      if (!repeat(out, offset, short ? (upper & 7) + 4 : upper + 1, limit)) return undefined;
    }
  }
  return out;
}

function repeat(out: number[], offset: number, length: number, limit: number): boolean {
  if (offset === 0 || offset > out.length || out.length + length > limit) return false;
  for (let i = 0; i < length; i++) out.push(out[out.length - offset] ?? 0);
  return true;
}

/** Decodes in the midst of the memory, and looks at what lies around. */
function decode(
  kind: 'lz4' | 'snappy',
  block: Uint8Array,
  limit: number,
): { readonly result: number; readonly data: Buffer } {
  untouchedBytes.copy(bytes);
  bytes.set(block, inputStart);
  const [s, end, d, most] = [
    inputStart,
    inputStart + block.length,
    outputStart,
    outputStart + limit,
  ] as const;
  const result = kind === 'lz4' ? lz4(s, end, d, most, d) : snappy(s, end, d, most);
  assert.ok(Buffer.from(block).equals(bytes.subarray(s, end)), 'the block is as it was');
  const untouched = (from: number, to: number): void => {
    assert.ok(
      bytes.subarray(from, to).equals(untouchedBytes.subarray(from, to)),
      `nothing is written ${from} to ${to}`,
    );
  };
  untouched(0, s);
  untouched(end, d);
  untouched(most + slackBytes, bytes.length);
  return { result, data: bytes.subarray(d, Math.max(d, result)) };
}

function agrees(kind: 'lz4' | 'snappy', block: Uint8Array, limit: number): void {
  const expected = (kind === 'lz4' ? referenceLz4 : referenceSnappy)(block, limit);
  const { result, data } = decode(kind, block, limit);
  if (expected === undefined) {
    assert.ok(result === blockCorrupt || (kind === 'lz4' && result === blockTooLarge), `result ${result}`);
  } else {
    assert.equal(result, outputStart + expected.length);
    assert.ok(Buffer.from(expected).equals(data));
  }
}

/** Repeats at all distances and of all lengths, between bytes that do not repeat. */
const repetitive = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 60 }))
        .map(([unit, times]) => Buffer.concat(Array.from({ length: times }, () => unit))),
    ),
    { maxLength: 10 },
  )
  .map((parts) => Buffer.concat(parts));

/** A frame has seven bytes before its block's length and four after the block. */
function lz4Block(data: Buffer): Buffer {
  const frame = lz4Compress(data);
  const length = frame.readUInt32LE(7);
  return length < 0x80000000 ? frame.subarray(11, 11 + length) : Buffer.of();
}

function snappyBlock(data: Buffer): Buffer {
  const block = snappyCompress(data);
  return block.subarray(block.findIndex((byte) => byte < 0x80) + 1);
}

for (const [kind, compress] of [
  ['lz4', lz4Block],
  ['snappy', snappyBlock],
] as const) {
  test(`${kind}: decodes what a compressor made, into exactly its size`, () => {
    fc.assert(
      fc.property(repetitive, (data) => {
        agrees(kind, compress(data), data.length);
        agrees(kind, compress(data), 30_000);
      }),
      { numRuns: 300 },
    );
  });

  test(`${kind}: agrees with the reference on damaged blocks, and stays within its bounds`, () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(repetitive, damage, fc.nat({ max: 4000 }), fc.nat(), (data, changes, limit, cut) => {
        const block = Buffer.from(compress(data));
        for (const [at, value] of changes) if (block.length > 0) block[at % block.length] = value;
        agrees(kind, block, limit);
        agrees(kind, block.subarray(0, cut % (block.length + 1)), limit);
      }),
      { numRuns: 2000 },
    );
  });

  test(`${kind}: agrees with the reference on random blocks`, () => {
    const block = fc.uint8Array({ maxLength: 60 });
    const smallNumbers = fc
      .array(fc.nat({ max: 20 }), { maxLength: 60 })
      .map((values) => Uint8Array.from(values));
    fc.assert(
      fc.property(fc.oneof(block, smallNumbers), fc.nat({ max: 500 }), (block, limit) =>
        agrees(kind, block, limit),
      ),
      { numRuns: 2000 },
    );
  });
}

test('patterns of every length, repeated to every length', () => {
  for (let offset = 1; offset <= 40; offset++) {
    for (let length = 4; length <= 80; length++) {
      const unit = Buffer.from(Array.from({ length: offset }, (_, i) => 65 + i));
      const literals = offset < 15 ? [offset << 4] : [0xf0, offset - 15];
      const matched = length - 4;
      const more = matched < 15 ? [] : [matched - 15];
      literals[0] = (literals[0] ?? 0) | Math.min(15, matched);
      const block = Buffer.from([...literals, ...unit, offset, 0, ...more, 0x10, 33]);
      agrees('lz4', block, offset + length + 1);
      if (length <= 64) {
        const copy = [((length - 1) << 2) | 2, offset, 0];
        agrees('snappy', Buffer.from([(offset - 1) << 2, ...unit, ...copy]), offset + length);
      }
    }
  }
});

test('an LZ4 match reaches back to the history it is given', () => {
  bytes.fill(canary);
  bytes.set(Buffer.from('abc'), outputStart);
  bytes.set(Buffer.from([0x00, 3, 0, 0x10, 33]), inputStart);
  const d = outputStart + 3;
  assert.equal(lz4(inputStart, inputStart + 5, d, d + 100, d), blockCorrupt);
  assert.equal(lz4(inputStart, inputStart + 5, d, d + 100, outputStart), d + 5);
  assert.equal(bytes.toString('latin1', outputStart, d + 5), 'abcabca!');
});
