import { buildBatch } from '../../protocol/record-batch-builder.ts';
import type { CompressionCodec } from '../../protocol/compression/codec.ts';

/** What producers of the simulation write: flat Avro records, in Confluent's framing. */
export interface Order {
  /** Names the record among all that are ever sent. */
  readonly name: string;
  readonly amount: number;
  readonly note: string | null;
}

const fields = {
  name: { name: 'name', type: 'string' },
  amount: { name: 'amount', type: 'long' },
  note: { name: 'note', type: ['null', 'string'], default: null },
};

/** By schema id. The second writes its fields in another order, and has no note. */
export const orderSchemas: Readonly<Record<number, string>> = {
  1: JSON.stringify({ type: 'record', name: 'Order', fields: [fields.name, fields.amount, fields.note] }),
  2: JSON.stringify({ type: 'record', name: 'Order', fields: [fields.amount, fields.name] }),
};

/** Registered late, if at all: until then its records cannot become rows. */
export const lateSchemaId = 3;
export const lateSchema = JSON.stringify({
  type: 'record',
  name: 'Order',
  fields: [fields.note, fields.amount, fields.name],
});

export function encodeOrder(order: Order, schemaId: number): Buffer {
  const frame = Buffer.alloc(5);
  frame.writeInt32BE(schemaId, 1);
  const name = avroString(order.name);
  const amount = zigzag(order.amount);
  const note = order.note === null ? zigzag(0) : Buffer.concat([zigzag(1), avroString(order.note)]);
  if (schemaId === 2) return Buffer.concat([frame, amount, name]);
  if (schemaId === lateSchemaId) return Buffer.concat([frame, note, amount, name]);
  return Buffer.concat([frame, name, amount, note]);
}

export function orderBatch(
  values: readonly (Buffer | null)[],
  timestampMs: number,
  compression: CompressionCodec,
): Buffer {
  return buildBatch({
    records: values.map((value, at) => ({
      key: Buffer.from(`k${at % 3}`),
      value,
      timestampMs: timestampMs + at,
      headers: at % 4 === 0 ? [{ key: 'at', value: Buffer.from(`${at}`) }] : [],
    })),
    compression,
  });
}

function avroString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([zigzag(bytes.length), bytes]);
}

/** Avro's variable-length zigzag numbers; ours are small. */
function zigzag(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
