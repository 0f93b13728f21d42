import type { StructField, TableType } from '../schema/table-type.ts';
import { BytesColumn } from './columns/bytes-column.ts';
import { viewOf } from './columns/byte-dictionary.ts';
import type { Column } from './columns/column.ts';
import { WordColumn } from './columns/word-column.ts';
import { invalidMetadataColumn } from './errors.ts';
import { HeaderColumns } from './header-columns.ts';
import type { OpenRows } from './open-rows.ts';
import type { RecordSpans } from './record-spans.ts';
import { rowProblem } from './row-problem.ts';
import type { RowProblem } from './row-problem.ts';

/** The column of what Kafka knows of a record. */
export const kafkaColumnName = '_kafka';

/**
 * `_kafka struct<partition int, offset long, timestamp timestamptz, key binary, headers list<struct<name string, value binary>>>`.
 * `timestamp` is null for a record without one. The struct is optional, so that rows of other writers may lack it; so are all
 * its plain fields, because hyparquet up to 1.19, which icebird reads by, loses an optional struct with required ones.
 *
 * @param nextId gives field ids, parents before children
 */
export function kafkaStructField(nextId: () => number): StructField {
  const field = (name: string, required: boolean, type: (id: number) => TableType): StructField => {
    const id = nextId();
    return { id, name, required, type: type(id) };
  };
  return field(kafkaColumnName, false, () => ({
    kind: 'struct',
    fields: [
      field('partition', false, () => ({ kind: 'int' })),
      field('offset', false, () => ({ kind: 'long' })),
      field('timestamp', false, () => ({ kind: 'timestamptz' })),
      field('key', false, () => ({ kind: 'binary' })),
      field('headers', true, () => ({
        kind: 'list',
        elementId: nextId(),
        elementRequired: true,
        element: {
          kind: 'struct',
          fields: [
            field('name', true, () => ({ kind: 'string' })),
            field('value', false, () => ({ kind: 'binary' })),
          ],
        },
      })),
    ],
  }));
}

/** The type of each field, and whether a record may lack it: then the field has to be optional. */
const fields: Readonly<Record<string, { readonly kind: TableType['kind']; readonly nullable: boolean }>> = {
  partition: { kind: 'int', nullable: false },
  offset: { kind: 'long', nullable: false },
  timestamp: { kind: 'timestamptz', nullable: true },
  key: { kind: 'binary', nullable: true },
  headers: { kind: 'list', nullable: false },
};

/** Fills the columns of `_kafka`, or those of its fields that the table has, a column at a time. */
export class KafkaColumns {
  readonly #partition: number;
  readonly #partitions: WordColumn | undefined;
  readonly #offsets: WordColumn | undefined;
  readonly #timestamps: WordColumn | undefined;
  readonly #keys: BytesColumn | undefined;
  readonly #headers: HeaderColumns | undefined;
  /** Why `fill` came to an early end. */
  problem: RowProblem | undefined;

  /** @throws SchemaMismatchError INVALID_METADATA_COLUMN */
  constructor(column: StructField | undefined, rows: OpenRows, partition: number) {
    this.#partition = partition;
    if (column === undefined) return;
    if (column.type.kind !== 'struct')
      throw invalidMetadataColumn(`it is of type ${column.type.kind}, not a struct`);
    for (const field of column.type.fields) {
      checkField(field);
      if (field.type.kind === 'list') {
        const listDefinition = (column.required ? 0 : 1) + (field.required ? 0 : 1);
        this.#headers = new HeaderColumns(field.type, listDefinition, rows);
        continue;
      }
      const leaf = rows.column(field.id);
      if (leaf instanceof BytesColumn) this.#keys = leaf;
      if (!(leaf instanceof WordColumn)) continue;
      if (field.name === 'partition') this.#partitions = leaf;
      else if (field.name === 'offset') this.#offsets = leaf;
      else this.#timestamps = leaf;
    }
  }

  /** Of the records that `fill` went through. */
  get headerBytes(): number {
    return this.#headers?.readBytes ?? 0;
  }

  /**
   * Puts what Kafka knows of the records `[from, to)` into the rows from `row` on. Where a record cannot be a row its index is
   * returned, `problem` says why, and columns hold things of it and later ones that have to be taken back; else `to` is.
   */
  fill(spans: RecordSpans, from: number, to: number, row: number): number {
    this.problem = undefined;
    let end = to;
    if (this.#headers !== undefined) {
      end = this.#headers.fill(spans, from, end, row);
      this.problem = this.#headers.problem;
    }
    if (this.#timestamps !== undefined) end = this.#fillTimestamps(this.#timestamps, spans, from, end, row);
    if (this.#keys !== undefined) fillKeys(this.#keys, spans, from, end, row);
    const endRow = row + end - from;
    if (this.#partitions !== undefined) {
      this.#partitions.words.fill(this.#partition, row, endRow);
      markPresent(this.#partitions, row, endRow);
    }
    if (this.#offsets !== undefined) {
      const { words } = this.#offsets;
      for (let i = from; i < end; i++) putInt64(words, row + i - from, spans.offsets[i] ?? 0);
      markPresent(this.#offsets, row, endRow);
    }
    return end;
  }

  #fillTimestamps(column: WordColumn, spans: RecordSpans, from: number, to: number, row: number): number {
    const { definitions, leaf, words } = column;
    const { maxDefinition } = leaf;
    for (let i = from; i < to; i++) {
      const timestampMs = spans.timestampsMs[i] ?? -1;
      const slot = row + i - from;
      if (timestampMs === -1) {
        definitions[slot] = maxDefinition - 1;
      } else if (Number.isSafeInteger(timestampMs * 1000)) {
        definitions[slot] = maxDefinition;
        putInt64(words, slot, timestampMs * 1000);
      } else {
        this.problem = rowProblem(
          'OUT_OF_RANGE',
          `the record's timestamp, ${timestampMs} ms, is beyond ±2^53 microseconds`,
        );
        return i;
      }
    }
    return to;
  }
}

function fillKeys(column: BytesColumn, spans: RecordSpans, from: number, to: number, row: number): void {
  const { definitions, leaf } = column;
  const { maxDefinition } = leaf;
  const source = Buffer.from(spans.bytes.buffer, spans.bytes.byteOffset, spans.bytes.length);
  const view = viewOf(source);
  for (let i = from; i < to; i++) {
    const slot = row + i - from;
    const start = spans.keyStarts[i] ?? 0;
    const end = spans.keyEnds[i] ?? -1;
    if (end < 0) {
      definitions[slot] = maxDefinition - 1;
      column.putNull(slot);
    } else {
      definitions[slot] = maxDefinition;
      column.put(slot, source, view, start, end - start);
    }
  }
}

function checkField({ name, type, required }: StructField): void {
  const expected = fields[name];
  if (expected === undefined)
    throw invalidMetadataColumn(`records have no ${name}; there are ${Object.keys(fields).join(', ')}`);
  if (type.kind !== expected.kind)
    throw invalidMetadataColumn(`its field ${name} is of type ${type.kind}, not ${expected.kind}`);
  if (required && expected.nullable)
    throw invalidMetadataColumn(`its field ${name} is required, and a record may have none`);
}

function markPresent({ definitions, leaf }: Column, from: number, to: number): void {
  if (leaf.maxDefinition > 0) definitions.fill(leaf.maxDefinition, from, to);
}

/** @param value a safe integer */
function putInt64(words: Int32Array, slot: number, value: number): void {
  words[slot * 2] = value | 0;
  words[slot * 2 + 1] = Math.floor(value / 2 ** 32);
}
