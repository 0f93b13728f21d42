/** Tests: a value of every kind that a field of a flat Avro record can have, what it is in Avro and what in a Parquet file. */
import avsc from 'avsc';
import type { TableType } from '../../schema/table-type.ts';

export interface ValueKind {
  /** In JSON; `NAME` in it becomes a name of its own. */
  readonly avro: unknown;
  readonly column: TableType;
  /** A value as avsc takes it, longs as bigint. */
  draw(random: () => number): unknown;
  /** What stands in the file: strings and numbers as they are, longs and all times as bigint, bytes in hex. */
  stored(value: unknown): unknown;
}

const minInt = -(2 ** 31);
const maxInt = 2 ** 31 - 1;
const minLong = -(2n ** 63n);
const maxLong = 2n ** 63n - 1n;
const dayMs = 86_400_000;

export const valueKinds: Readonly<Record<string, ValueKind>> = {
  boolean: kind('boolean', { kind: 'boolean' }, (random) => random() < 0.5),
  int: kind('int', { kind: 'int' }, drawInt),
  long: kind('long', { kind: 'long' }, drawLong),
  float: kind('float', { kind: 'float' }, (random) => Math.fround(drawDouble(random))),
  double: kind('double', { kind: 'double' }, drawDouble),
  string: kind('string', { kind: 'string' }, drawText),
  bytes: kind('bytes', { kind: 'binary' }, drawBytes, hex),
  stringOfBytes: kind('bytes', { kind: 'string' }, (random) => Buffer.from(drawText(random)), String),
  bytesOfString: kind('string', { kind: 'binary' }, drawText, (text) => hex(Buffer.from(String(text)))),
  intToLong: kind('int', { kind: 'long' }, drawInt, (value) => BigInt(Number(value))),
  intToDouble: kind('int', { kind: 'double' }, drawInt),
  floatToDouble: kind('float', { kind: 'double' }, (random) => Math.fround(drawDouble(random))),
  enum: kind(
    { type: 'enum', name: 'NAME', symbols: ['RED', 'GREEN', 'BLUE_1'] },
    { kind: 'string' },
    (random) => pick(random, ['RED', 'GREEN', 'BLUE_1']),
  ),
  fixed: kind(
    { type: 'fixed', name: 'NAME', size: 5 },
    { kind: 'fixed', lengthBytes: 5 },
    (random) => randomBytes(random, 5),
    hex,
  ),
  fixedToBytes: kind(
    { type: 'fixed', name: 'NAME', size: 3 },
    { kind: 'binary' },
    (random) => randomBytes(random, 3),
    hex,
  ),
  duration: kind(
    { type: 'fixed', name: 'NAME', size: 12, logicalType: 'duration' },
    { kind: 'fixed', lengthBytes: 12 },
    (random) => randomBytes(random, 12),
    hex,
  ),
  uuidText: kind(
    { type: 'string', logicalType: 'uuid' },
    { kind: 'uuid' },
    (random) => uuidText(randomBytes(random, 16)),
    (value) => String(value).toLowerCase(),
  ),
  uuidFixed: kind(
    { type: 'fixed', name: 'NAME', size: 16, logicalType: 'uuid' },
    { kind: 'uuid' },
    (random) => randomBytes(random, 16),
    (value) => uuidText(value as Buffer),
  ),
  date: kind({ type: 'int', logicalType: 'date' }, { kind: 'date' }, (random) =>
    pick(random, [0, -1, 19_000, 40_000, -700_000]),
  ),
  timeMillis: kind(
    { type: 'int', logicalType: 'time-millis' },
    { kind: 'time' },
    (random) => pick(random, [0, 1, dayMs - 1, Math.floor(random() * dayMs)]),
    (value) => BigInt(Number(value)) * 1000n,
  ),
  timeMicros: kind({ type: 'long', logicalType: 'time-micros' }, { kind: 'time' }, (random) =>
    pick(random, [0n, BigInt(dayMs) * 1000n - 1n, BigInt(Math.floor(random() * dayMs * 1000))]),
  ),
  timestampMillis: kind(
    { type: 'long', logicalType: 'timestamp-millis' },
    { kind: 'timestamptz' },
    drawInstantMs,
    (value) => BigInt(String(value)) * 1000n,
  ),
  localTimestampMillis: kind(
    { type: 'long', logicalType: 'local-timestamp-millis' },
    { kind: 'timestamp' },
    drawInstantMs,
    (value) => BigInt(String(value)) * 1000n,
  ),
  timestampMicros: kind(
    { type: 'long', logicalType: 'timestamp-micros' },
    { kind: 'timestamptz' },
    (random) => drawInstantMs(random) * 1000n + BigInt(Math.floor(random() * 1000)),
  ),
  localTimestampMicros: kind(
    { type: 'long', logicalType: 'local-timestamp-micros' },
    { kind: 'timestamp' },
    (random) => drawInstantMs(random) * 1000n - BigInt(Math.floor(random() * 1000)),
  ),
  decimal9: decimalKind(9, 2, 'bytes', 9),
  decimal18: decimalKind(18, 6, 'bytes', 18),
  decimal38: decimalKind(38, 10, 'bytes', 38),
  decimalFixed: decimalKind(20, 0, { type: 'fixed', name: 'NAME', size: 12 }, 28),
};

/** avsc's type of a record; longs are bigint. */
export function avscType(json: string): avsc.Type {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer(value: bigint) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
  });
  // Its `long` is replaced by name, which it does for plain names only: logical types are for the code under test.
  const plain = JSON.parse(json, (key, value: unknown) => {
    const { type, logicalType } = (value ?? {}) as { type?: unknown; logicalType?: unknown };
    return logicalType !== undefined && typeof type === 'string' && type !== 'fixed' && key !== 'fields'
      ? type
      : value;
  }) as avsc.Schema;
  return avsc.Type.forSchema(plain, { registry: { long } });
}

/** Two's complement, big endian, in so many bytes. */
export function decimalValueBytes(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(width);
  let rest = BigInt.asUintN(8 * width, value);
  for (let i = width - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

export function bigIntOf(bytes: Uint8Array): bigint {
  return bytes.length === 0
    ? 0n
    : BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

function kind(
  avro: unknown,
  column: TableType,
  draw: (random: () => number) => unknown,
  stored: (value: unknown) => unknown = (value) => value,
): ValueKind {
  return { avro, column, draw, stored };
}

/** The column has room for precision `columnPrecision`. Stored as the unscaled bigint. */
function decimalKind(precision: number, scale: number, avro: unknown, columnPrecision: number): ValueKind {
  const schema =
    typeof avro === 'string'
      ? { type: avro, logicalType: 'decimal', precision, scale }
      : { ...(avro as object), logicalType: 'decimal', precision, scale };
  const limit = 10n ** BigInt(precision) - 1n;
  return kind(
    schema,
    { kind: 'decimal', precision: columnPrecision, scale },
    (random) => {
      const value = pick(random, [
        limit,
        -limit,
        0n,
        -1n,
        (limit * BigInt(Math.floor((random() * 2 - 1) * 1e6))) / 1_000_000n,
      ]);
      return decimalValueBytes(value, typeof avro === 'string' ? 17 : 12);
    },
    (value) => bigIntOf(value as Buffer),
  );
}

function hex(value: unknown): string {
  return Buffer.from(value as Uint8Array).toString('hex');
}

function uuidText(bytes: Uint8Array): string {
  const digits = hex(bytes);
  return [0, 8, 12, 16, 20].map((start, i) => digits.slice(start, [8, 12, 16, 20, 32][i])).join('-');
}

function pick<T>(random: () => number, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

function randomBytes(random: () => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

function drawInt(random: () => number): number {
  return pick(random, [0, 63, -64, 64, minInt, maxInt, Math.floor((random() - 0.5) * 2 ** 32)]);
}

function drawLong(random: () => number): bigint {
  const bits = BigInt(Math.floor(random() * 64));
  const any = BigInt.asIntN(64, (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | 0x9abcdefn) >> bits;
  return pick(random, [minLong, maxLong, 2n ** 53n + 1n, any, any, -any]);
}

function drawDouble(random: () => number): number {
  return pick(random, [0, -0, NaN, Infinity, -Infinity, 5e-324, (random() - 0.5) * 10 ** (random() * 40)]);
}

function drawText(random: () => number): string {
  const n = Math.floor(random() * 3000);
  return pick(random, [
    '',
    'same',
    'é',
    '日本語',
    '🦊',
    `user ${n}`,
    `${n}`.repeat(40),
    '\u0000',
    '\u{10ffff}',
  ]);
}

function drawBytes(random: () => number): Buffer {
  return pick(random, [
    Buffer.alloc(0),
    Buffer.from([0xff]),
    randomBytes(random, 2),
    randomBytes(random, 70),
    Buffer.alloc(70, 0xff),
  ]);
}

/** Years 1 to 9999, which is what engines show. */
function drawInstantMs(random: () => number): bigint {
  return pick(random, [
    0n,
    -1n,
    -62_000_000_000_000n,
    253_402_300_799_999n,
    BigInt(Math.floor(random() * 2e12)),
  ]);
}
