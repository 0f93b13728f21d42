/** Records like those of a shop's topic, 8 columns in 150 bytes of Confluent-framed Avro, from a seed. */
import avsc from 'avsc';
import type { RecordSpans } from '../../dataplane/columnar/record-spans.ts';
import type { StructField } from '../../dataplane/schema/table-type.ts';

export const eventSchemaJson = JSON.stringify({
  type: 'record',
  name: 'bench.Event',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'ts', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'user', type: 'string' },
    { name: 'country', type: 'string' },
    { name: 'amount', type: 'double' },
    { name: 'flag', type: 'boolean' },
    { name: 'payload', type: 'string' },
    { name: 'build', type: ['null', 'int'] },
  ],
});

export const eventColumns: readonly StructField[] = [
  { id: 1, name: 'id', required: true, type: { kind: 'long' } },
  { id: 2, name: 'ts', required: true, type: { kind: 'timestamptz' } },
  { id: 3, name: 'user', required: true, type: { kind: 'string' } },
  { id: 4, name: 'country', required: true, type: { kind: 'string' } },
  { id: 5, name: 'amount', required: true, type: { kind: 'double' } },
  { id: 6, name: 'flag', required: true, type: { kind: 'boolean' } },
  { id: 7, name: 'payload', required: true, type: { kind: 'string' } },
  { id: 8, name: 'build', required: false, type: { kind: 'int' } },
];

export interface Event {
  readonly id: number;
  readonly ts: number;
  readonly user: string;
  readonly country: string;
  readonly amount: number;
  readonly flag: boolean;
  readonly payload: string;
  readonly build: number | null;
}

export const frameBytes = 5;
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The Avro type, as the peer uses it. */
export function eventType(): avsc.Type {
  return avsc.Type.forSchema(JSON.parse(eventSchemaJson) as avsc.Schema);
}

/** Batches of 500 records: positions in bytes that hold keys and framed values. */
export function eventBatches(count: number): RecordSpans[] {
  const random = seeded(1);
  const type = eventType();
  const batches: RecordSpans[] = [];
  const state = { id: 7_200_000_000_000, ts: 1_780_000_000_000_000 };
  for (let done = 0; done < count; done += 500) {
    batches.push(batch(type, Math.min(500, count - done), done, random, state));
  }
  return batches;
}

function batch(
  type: avsc.Type,
  count: number,
  baseOffset: number,
  random: () => number,
  state: { id: number; ts: number },
): RecordSpans {
  const pieces: Buffer[] = [];
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  const keyStarts = new Int32Array(count);
  const keyEnds = new Int32Array(count);
  let position = 0;
  const append = (bytes: Buffer): number => {
    pieces.push(bytes);
    return (position += bytes.length);
  };
  for (let i = 0; i < count; i++) {
    const event = nextEvent(random, state);
    keyStarts[i] = position;
    keyEnds[i] = append(Buffer.from(event.user));
    starts[i] = position;
    append(Buffer.from([0, 0, 0, 0, 42]));
    ends[i] = append(type.toBuffer(event));
  }
  return {
    bytes: Buffer.concat(pieces),
    count,
    offsets: Float64Array.from({ length: count }, (_, i) => baseOffset + i),
    timestampsMs: new Float64Array(count).fill(1_780_000_000_000),
    keyStarts,
    keyEnds,
    valueStarts: starts,
    valueEnds: ends,
    headerStarts: ends,
    headerCounts: new Int32Array(count),
  };
}

function nextEvent(random: () => number, state: { id: number; ts: number }): Event {
  state.id += 1 + Math.floor(random() * 16);
  state.ts += Math.floor(random() * 2000);
  const skewed = random() ** 2;
  let payload = '';
  for (let k = 0; k < 100; k++) payload += letters[Math.floor(random() * 64)] ?? '';
  return {
    id: state.id,
    ts: state.ts,
    user: `user_${String(1_000_000 + ((Math.floor(50_000 * skewed) * 137) % 8_999_999))}`,
    country: `C${Math.floor(40 * random() ** 2)}`,
    amount: Math.round(random() * 1e7) / 100,
    flag: random() < 0.3,
    payload,
    build: random() < 0.3 ? null : Math.floor(random() * 5000),
  };
}

/** Numbers in [0, 1), the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
