import { FormatError } from '../errors.ts';
import { AvroRecord } from './avro-reader.ts';
import type { AvroValue } from './avro-reader.ts';

/** An Iceberg field: found by its id, named in errors. Written as `[id, name]` so that schemas read as in the specification. */
export type FieldName = readonly [id: number, name: string];

/** The fields of a decoded record, by Iceberg's field id; throws a {@link FormatError} where one is not as it should be. */
export class RecordFields {
  readonly #record: AvroRecord;
  readonly #source: string;
  readonly #path: string;

  constructor(record: AvroRecord, source: string, path: string) {
    this.#record = record;
    this.#source = source;
    this.#path = path;
  }

  value([id, name]: FieldName): AvroValue {
    // Files of some early writers have no ids: the names are then the specification's.
    return (
      this.#record.byId.get(id) ?? (this.#record.byId.size === 0 ? this.#record.byName.get(name) : undefined)
    );
  }

  text(field: FieldName): string {
    const value = this.value(field);
    return typeof value === 'string' ? value : this.fail(field, 'is no text');
  }

  optionalText(field: FieldName): string | undefined {
    return this.value(field) === undefined ? undefined : this.text(field);
  }

  /** A count, size or sequence number. */
  count(field: FieldName): number {
    const value = this.value(field);
    return typeof value === 'number' && value >= 0 ? value : this.fail(field, 'is no count up to 2^53');
  }

  optionalCount(field: FieldName): number | undefined {
    return this.value(field) === undefined ? undefined : this.count(field);
  }

  long(field: FieldName): bigint {
    const value = this.value(field);
    if (typeof value === 'bigint') return value;
    return typeof value === 'number' ? BigInt(value) : this.fail(field, 'is no 64-bit number');
  }

  optionalLong(field: FieldName): bigint | undefined {
    return this.value(field) === undefined ? undefined : this.long(field);
  }

  optionalBytes(field: FieldName): Uint8Array | undefined {
    const value = this.value(field);
    if (value === undefined || value instanceof Uint8Array) return value;
    return this.fail(field, 'is no bytes');
  }

  flag(field: FieldName): boolean {
    const value = this.value(field);
    return typeof value === 'boolean' ? value : this.fail(field, 'is neither true nor false');
  }

  optionalFlag(field: FieldName): boolean | undefined {
    return this.value(field) === undefined ? undefined : this.flag(field);
  }

  optionalCounts(field: FieldName): readonly number[] | undefined {
    return this.#items(field)?.map((item) =>
      typeof item === 'number' && item >= 0 ? item : this.fail(field, 'has an item that is no count'),
    );
  }

  record(field: FieldName): AvroRecord {
    const value = this.value(field);
    return value instanceof AvroRecord ? value : this.fail(field, 'is no record');
  }

  optionalRecords(field: FieldName): readonly RecordFields[] | undefined {
    return this.#items(field)?.map((item, at) =>
      item instanceof AvroRecord
        ? new RecordFields(item, this.#source, `${this.#pathOf(field)}[${at}]`)
        : this.fail(field, 'has an item that is no record'),
    );
  }

  fail(field: FieldName, what: string): never {
    throw new FormatError('INVALID', { source: this.#source, field: this.#pathOf(field) }, what);
  }

  #items(field: FieldName): readonly AvroValue[] | undefined {
    const value = this.value(field);
    if (value === undefined) return undefined;
    return Array.isArray(value) ? (value as readonly AvroValue[]) : this.fail(field, 'is no list');
  }

  #pathOf([, name]: FieldName): string {
    return `${this.#path}.${name}`;
  }
}
