import { FormatError } from '../errors.ts';
import { noFieldId } from './avro-schema.ts';
import type { AvroType } from './avro-schema.ts';
import type { DecodeBudget } from './decode-budget.ts';

/**
 * A decoded value: longs are `number` where exact, else `bigint`; bytes and fixed are `Uint8Array`; records are maps from
 * Iceberg's field id, or from the name where a field has none.
 */
export type AvroValue =
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly AvroValue[]
  | ReadonlyMap<string, AvroValue>
  | AvroRecord;

export class AvroRecord {
  readonly byId: ReadonlyMap<number, AvroValue>;
  /** The fields that have no id. */
  readonly byName: ReadonlyMap<string, AvroValue>;

  constructor(byId: ReadonlyMap<number, AvroValue>, byName: ReadonlyMap<string, AvroValue>) {
    this.byId = byId;
    this.byName = byName;
  }
}

/** Of records whose fields all have ids: a map less for each pair of a column and its count, of which manifests consist. */
const noNames: ReadonlyMap<string, AvroValue> = new Map();

/** Avro's binary encoding, read by the writer's schema. Throws a {@link FormatError} for bytes that do not fit it. */
export class AvroReader {
  readonly source: string;
  readonly #bytes: Buffer;
  readonly #budget: DecodeBudget;
  #at = 0;

  /** @param budget of the file that the bytes are of, which they were added to */
  constructor(bytes: Uint8Array, source: string, budget: DecodeBudget) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.source = source;
    this.#budget = budget;
  }

  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  value(type: AvroType): AvroValue {
    if (!this.#budget.takeValue()) return this.fail('has more values than a file of this size may have');
    switch (type.kind) {
      case 'null':
        return undefined;
      case 'boolean':
        return this.fixed(1)[0] === 1;
      case 'int':
      case 'long':
        return this.long();
      case 'float':
        return Buffer.from(this.fixed(4)).readFloatLE(0);
      case 'double':
        return Buffer.from(this.fixed(8)).readDoubleLE(0);
      case 'bytes':
        return this.bytes();
      case 'string':
        return this.string();
      case 'fixed':
        return this.fixed(type.sizeBytes);
      case 'enum':
        return type.symbols[this.size()] ?? this.fail('an enum has an index that names nothing');
      case 'array':
        return this.#array(type.items);
      case 'map':
        return this.#map(type.values);
      case 'union': {
        const branch = type.branches[this.size()];
        return branch === undefined
          ? this.fail('a union has an index that names no branch')
          : this.value(branch);
      }
      case 'record': {
        const byId = new Map<number, AvroValue>();
        let byName: Map<string, AvroValue> | undefined;
        for (const field of type.fields) {
          const value = this.value(field.type);
          if (field.fieldId !== noFieldId) byId.set(field.fieldId, value);
          else (byName ??= new Map()).set(field.name, value);
        }
        return new AvroRecord(byId, byName ?? noNames);
      }
    }
  }

  long(): number | bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    }
    let wide = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const value = BigInt.asIntN(64, (wide >> 1n) ^ -(wide & 1n));
        const narrow = Number(value);
        return Number.isSafeInteger(narrow) ? narrow : value;
      }
    }
    return this.fail('a number goes on for more than 10 bytes');
  }

  /** A length, count or index. */
  size(): number {
    const value = this.long();
    return typeof value === 'number' && value >= 0
      ? value
      : this.fail(`${value} is no length, count or index`);
  }

  bytes(): Uint8Array {
    return this.fixed(this.size());
  }

  string(): string {
    const bytes = this.bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  fixed(sizeBytes: number): Uint8Array {
    const end = this.#at + sizeBytes;
    if (end > this.#bytes.byteLength) return this.fail(`ends ${end - this.#bytes.byteLength} bytes early`);
    const bytes = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, sizeBytes);
    this.#at = end;
    return bytes;
  }

  fail(what: string): never {
    throw new FormatError('INVALID', { source: this.source, field: `byte ${this.#at}` }, what);
  }

  #array(items: AvroType): readonly AvroValue[] {
    const values: AvroValue[] = [];
    for (let left = this.#blockCount(); left > 0; left = this.#blockCount()) {
      for (; left > 0; left -= 1) values.push(this.value(items));
    }
    return values;
  }

  #map(values: AvroType): ReadonlyMap<string, AvroValue> {
    const entries = new Map<string, AvroValue>();
    for (let left = this.#blockCount(); left > 0; left = this.#blockCount()) {
      for (; left > 0; left -= 1) entries.set(this.string(), this.value(values));
    }
    return entries;
  }

  /** A negative count is followed by the block's size in bytes. */
  #blockCount(): number {
    const count = this.long();
    if (typeof count !== 'number') return this.fail(`${count} items in a block`);
    const items = count < 0 ? -count : count;
    if (count < 0) this.size();
    if (items > this.#bytes.byteLength - this.#at)
      return this.fail(`${items} items in a block that ends before`);
    return items;
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? this.fail('ends inside a number');
  }
}
