import type { ListType, StructField } from '../schema/table-type.ts';
import { BytesColumn } from './columns/bytes-column.ts';
import { viewOf } from './columns/byte-dictionary.ts';
import { invalidMetadataColumn } from './errors.ts';
import type { OpenRows } from './open-rows.ts';
import type { RecordSpans } from './record-spans.ts';
import { rowProblem } from './row-problem.ts';
import type { RowProblem } from './row-problem.ts';

/** Fills `headers list<struct<name string, value binary>>`, or the one of both fields that the table has. */
export class HeaderColumns {
  readonly #names: BytesColumn | undefined;
  readonly #values: BytesColumn | undefined;
  readonly #listDefinition: number;
  #source: Buffer = Buffer.alloc(0);
  #position = 0;
  /** By the last `fill`. */
  readBytes = 0;
  /** Why `fill` came to an early end. */
  problem: RowProblem | undefined;

  /**
   * @param listDefinition the definition level of a list that is there and empty
   * @throws SchemaMismatchError INVALID_METADATA_COLUMN
   */
  constructor(list: ListType, listDefinition: number, rows: OpenRows) {
    this.#listDefinition = listDefinition;
    if (list.element.kind !== 'struct')
      throw invalidMetadataColumn(`its headers are of type ${list.element.kind}, not structs`);
    for (const field of list.element.fields) {
      const column = rows.column(field.id);
      if (isField(field, 'name', 'string') && column instanceof BytesColumn) this.#names = column;
      else if (isField(field, 'value', 'binary') && !field.required && column instanceof BytesColumn)
        this.#values = column;
      else
        throw invalidMetadataColumn(
          `its headers have a field ${field.name} ${field.type.kind}; there are name string and value binary (optional)`,
        );
    }
  }

  /** As `KafkaColumns.fill`. */
  fill(spans: RecordSpans, from: number, to: number, row: number): number {
    this.problem = undefined;
    this.readBytes = 0;
    const { bytes, headerCounts, headerStarts } = spans;
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const view = viewOf(source);
    this.#source = source;
    for (let i = from; i < to; i++) {
      this.#names?.beginRow(row + i - from);
      this.#values?.beginRow(row + i - from);
      const count = headerCounts[i] ?? 0;
      if (count === 0) this.#putEmptyList();
      this.#position = headerStarts[i] ?? 0;
      for (let header = 0; header < count; header++) {
        if (this.#putHeader(view, header)) continue;
        this.problem = rowProblem('INVALID_TEXT', `the name of header ${header} is not UTF-8`);
        return i;
      }
      this.readBytes += this.#position - (headerStarts[i] ?? 0);
    }
    return to;
  }

  #putEmptyList(): void {
    const definition = this.#listDefinition;
    for (const column of [this.#names, this.#values]) column?.putNull(column.pushSlot(0, definition));
  }

  #putHeader(view: DataView, header: number): boolean {
    const repetition = header === 0 ? 0 : 1;
    const source = this.#source;
    const nameLength = this.#varint();
    const names = this.#names;
    if (names !== undefined) {
      const slot = names.pushSlot(repetition, names.leaf.maxDefinition);
      if (!names.put(slot, source, view, this.#position, nameLength)) return false;
    }
    this.#position += nameLength;
    const valueLength = this.#varint();
    const values = this.#values;
    if (valueLength < 0) {
      values?.putNull(values.pushSlot(repetition, values.leaf.maxDefinition - 1));
      return true;
    }
    if (values !== undefined) {
      const slot = values.pushSlot(repetition, values.leaf.maxDefinition);
      values.put(slot, source, view, this.#position, valueLength);
    }
    this.#position += valueLength;
    return true;
  }

  /** Zigzag, of 32 bits at most: whoever made the spans has checked it. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#source[this.#position++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return (value >>> 1) ^ -(value & 1);
  }
}

function isField({ name, type }: StructField, expectedName: string, kind: 'string' | 'binary'): boolean {
  return name === expectedName && type.kind === kind;
}
