import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apis } from './apis.ts';
import { consumerProtocolAssignment, consumerProtocolSubscription } from './consumer-protocol.ts';
import { coordinatorRecords } from './coordinator-records/coordinator-records.ts';
import { ProtocolError } from './errors.ts';
import { requestHeader, responseHeader } from './headers.ts';
import { drawFrom, drawMessage, withoutDefaults } from './message-fixture.ts';
import type { Struct } from './message-fixture.ts';
import type { AnyMessage, Message } from './message.ts';

const messages: readonly AnyMessage[] = [
  requestHeader,
  responseHeader,
  consumerProtocolSubscription,
  consumerProtocolAssignment,
  ...Object.values(apis).flatMap((api) => [api.request, api.response]),
  ...Object.values(coordinatorRecords).flatMap((record) => [record.key, record.value]),
];

/** All messages in all versions. */
const versions = messages.flatMap((message) => {
  const { min, max } = message.versions;
  const untyped = message as Message<Struct, Struct>;
  return Array.from({ length: max - min + 1 }, (_, i) => ({ message: untyped, version: min + i }));
});

/** What a property draws its messages from: a seed, since fast-check's own generators would take minutes. */
const drawing = fc.integer().map(drawFrom);

test('every message in every version comes back as it was', () => {
  for (const { message, version } of versions) {
    fc.assert(
      fc.property(drawing, (draw) => {
        const value = drawMessage(message, version, draw);
        const bytes = Buffer.concat(message.encode(value, version));
        const { value: decoded, end } = message.decodePart(bytes, version, 0);
        assert.deepEqual(decoded, value, `${message.name} v${version}`);
        assert.equal(end, bytes.length);
      }),
      { numRuns: 40 },
    );
  }
});

test('fields that may be left out are encoded as if they had their defaults', () => {
  for (const { message, version } of versions) {
    fc.assert(
      fc.property(drawing, (draw) => {
        const value = drawMessage(message, version, draw);
        const sparse = withoutDefaults(message.fields, version, value);
        const bytes = Buffer.concat(message.encode(value, version));
        assert.deepEqual(
          Buffer.concat(message.encode(sparse, version)),
          bytes,
          `${message.name} v${version}`,
        );
      }),
      { numRuns: 10 },
    );
  }
});

test('bytes cut anywhere are refused with a ProtocolError', () => {
  for (const { message, version } of versions) {
    fc.assert(
      fc.property(drawing, (draw) => {
        const bytes = Buffer.concat(message.encode(drawMessage(message, version, draw), version));
        if (bytes.length === 0) return;
        const cut = bytes.subarray(0, draw(bytes.length - 1));
        assert.throws(() => message.decode(cut, version), ProtocolError);
      }),
      { numRuns: 40 },
    );
  }
});

test('damaged bytes are decoded to no more elements than bytes, or refused with a ProtocolError', () => {
  for (const { message, version } of versions) {
    fc.assert(
      fc.property(drawing, (draw) => {
        const bytes = Buffer.concat(message.encode(drawMessage(message, version, draw), version));
        if (bytes.length === 0) return;
        const flips = draw(4) + 1;
        for (let i = 0; i < flips; i++) {
          const position = draw(bytes.length - 1);
          bytes[position] = draw(255);
        }
        const decoded = decodeOrRefuse(message, bytes, version);
        if (decoded !== undefined) assert.ok(elementsOf(decoded) <= bytes.length);
      }),
      { numRuns: 80 },
    );
  }
});

test('random bytes are decoded to no more elements than bytes, or refused with a ProtocolError', () => {
  for (const { message, version } of versions) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeOrRefuse(message, bytes, version);
        if (decoded !== undefined) assert.ok(elementsOf(decoded) <= bytes.length);
      }),
      { numRuns: 30 },
    );
  }
});

function decodeOrRefuse(message: Message<Struct, Struct>, bytes: Uint8Array, version: number): unknown {
  try {
    return message.decode(bytes, version);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Elements of arrays, at all depths. */
function elementsOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  const inner: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? value.length : 0;
  return inner.reduce<number>((sum, content) => sum + elementsOf(content), own);
}
