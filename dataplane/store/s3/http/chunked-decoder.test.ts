import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { HttpFailure } from './http-failure.ts';

/** Feeds the pieces; returns the data and how many bytes were taken in all. */
function decode(pieces: readonly Uint8Array[]): { data: string; taken: number; done: boolean } {
  const decoder = new ChunkedDecoder();
  let data = '';
  let taken = 0;
  for (const piece of pieces) {
    taken += decoder.decode(piece, (part) => {
      data += Buffer.from(part).toString('latin1');
    });
  }
  return { data, taken, done: decoder.done };
}

function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const edges = [
    0,
    ...fractions.map((f) => Math.floor(f * bytes.length)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}

describe('ChunkedDecoder', () => {
  it('decodes sizes, extensions and trailers', () => {
    const body = '4\r\nWiki\r\n00B;name="v"\r\npedia in \r\n\r\n0\r\nX-Trailer: x\r\nY: y\r\n\r\n';
    assert.deepEqual(decode([Buffer.from(body)]), {
      data: 'Wikipedia in \r\n',
      taken: body.length,
      done: true,
    });
  });

  it('leaves what comes after the end', () => {
    const body = Buffer.from('1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK');
    assert.deepEqual(decode([body]), {
      data: 'a',
      taken: body.length - 'HTTP/1.1 200 OK'.length,
      done: true,
    });
  });

  it('gives the same data however the body is cut', () => {
    const chunk = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 5 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
        (chunks, fractions) => {
          const framed = chunks.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('');
          const bytes = Buffer.from(`${framed}0\r\n\r\n`, 'latin1');
          const result = decode(cut(bytes, fractions));
          assert.deepEqual(result, { data: chunks.join(''), taken: bytes.length, done: true });
        },
      ),
    );
  });

  it('is not done before the end', () => {
    const body = '3\r\nabc\r\n0\r\n\r\n';
    for (let length = 0; length < body.length; length++)
      assert.equal(decode([Buffer.from(body.slice(0, length))]).done, false, `${length} bytes`);
  });

  it('refuses what is not chunked', () => {
    const bad = [
      'x\r\n',
      '-1\r\n',
      '\r\n',
      '1\nabc',
      '1\r\nab\r\n',
      '1\r\na\n',
      '1234567890123\r\n',
      '4 4\r\n',
      'f'.repeat(9000),
    ];
    for (const body of bad) {
      assert.throws(
        () => decode([Buffer.from(body)]),
        (error) => error instanceof HttpFailure && error.kind === 'malformed',
        body.slice(0, 20),
      );
    }
    const trailers = `0\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(70)}\r\n`;
    assert.throws(() => decode([Buffer.from(trailers)]), HttpFailure);
  });
});
