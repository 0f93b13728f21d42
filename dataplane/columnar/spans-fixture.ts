/** Tests: records as positions in bytes, as the table worker makes them. */
import type { RecordSpans } from './record-spans.ts';

export interface FixtureRecord {
  readonly offset?: number;
  readonly timestampMs?: number;
  readonly key?: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly (readonly [name: Uint8Array | string, value: Uint8Array | null])[];
}

/** Offsets are 0, 1, 2, … and timestamps absent where records do not say otherwise. */
export function spansOf(records: readonly FixtureRecord[]): RecordSpans {
  const count = records.length;
  const spans = {
    count,
    offsets: new Float64Array(count),
    timestampsMs: new Float64Array(count),
    keyStarts: new Int32Array(count),
    keyEnds: new Int32Array(count),
    valueStarts: new Int32Array(count),
    valueEnds: new Int32Array(count),
    headerStarts: new Int32Array(count),
    headerCounts: new Int32Array(count),
  };
  const pieces: Uint8Array[] = [];
  let position = 0;
  const append = (bytes: Uint8Array): void => {
    pieces.push(bytes);
    position += bytes.length;
  };
  for (const [i, { offset = i, timestampMs = -1, key = null, value, headers = [] }] of records.entries()) {
    spans.offsets[i] = offset;
    spans.timestampsMs[i] = timestampMs;
    spans.keyStarts[i] = position;
    if (key !== null) append(key);
    spans.keyEnds[i] = key === null ? -1 : position;
    spans.valueStarts[i] = position;
    if (value !== null) append(value);
    spans.valueEnds[i] = value === null ? -1 : position;
    spans.headerCounts[i] = headers.length;
    spans.headerStarts[i] = position;
    for (const [name, headerValue] of headers) {
      const nameBytes = typeof name === 'string' ? Buffer.from(name) : name;
      append(zigzag(nameBytes.length));
      append(nameBytes);
      append(zigzag(headerValue === null ? -1 : headerValue.length));
      if (headerValue !== null) append(headerValue);
    }
  }
  return { bytes: Buffer.concat(pieces), ...spans };
}

/** A varint as Kafka and Avro write them. */
export function zigzag(value: number | bigint): Buffer {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
