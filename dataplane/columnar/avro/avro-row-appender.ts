import type { StructField, TableType } from '../../schema/table-type.ts';
import type { Column } from '../columns/column.ts';
import { BytesColumn } from '../columns/bytes-column.ts';
import { viewOf } from '../columns/byte-dictionary.ts';
import type { KafkaColumns } from '../kafka-columns.ts';
import type { OpenRows } from '../open-rows.ts';
import type { RecordSpans } from '../record-spans.ts';
import type { Appended, RowAppender } from '../row-appender.ts';
import type { CompiledAppender, FailureState } from './compile-appender.ts';

/** When a row group is full, and what then happens to it. */
export interface RowGroupEnd {
  readonly rows: number;
  readonly sourceBytes: number;
  close(): void;
}

/**
 * Records are walked in steps of so many rows. When the row group has as many, twice, four times, … as many, columns are
 * looked at for their encoding: a bound on what the looks cost.
 */
const stepRows = 1024;

/** Appends records of one Avro schema to the open rows. */
export class AvroRowAppender implements RowAppender {
  readonly #appender: CompiledAppender;
  readonly #rows: OpenRows;
  readonly #kafka: KafkaColumns;
  readonly #groupEnd: RowGroupEnd;
  readonly #columns: readonly Column[];
  readonly #absent: readonly Column[];
  readonly #failure: FailureState = { site: 0 };

  constructor(appender: CompiledAppender, rows: OpenRows, kafka: KafkaColumns, groupEnd: RowGroupEnd) {
    this.#appender = appender;
    this.#rows = rows;
    this.#kafka = kafka;
    this.#groupEnd = groupEnd;
    this.#columns = appender.fields.flatMap(({ column }) => rows.column(column.id) ?? []);
    this.#absent = appender.absent.flatMap(leafIds).flatMap((id) => rows.column(id) ?? []);
  }

  append(spans: RecordSpans, from: number, to: number, frameBytes: number): Appended {
    const { walk, sites } = this.#appender;
    const rows = this.#rows;
    const groupEnd = this.#groupEnd;
    const source = Buffer.from(spans.bytes.buffer, spans.bytes.byteOffset, spans.bytes.length);
    const view = viewOf(source);
    let next = from;
    while (next < to) {
      const row = rows.rowCount;
      const room = Math.min(to - next, stepRows - (row % stepRows), groupEnd.rows - row);
      const end = endWithin(spans, next, next + room, groupEnd.sourceBytes - rows.sourceBytes);
      rows.reserve(end - next);
      const { valueStarts, valueEnds } = spans;
      const walked = walk(
        source,
        view,
        valueStarts,
        valueEnds,
        next,
        end,
        frameBytes,
        row,
        this.#columns,
        this.#failure,
      );
      let problem = sites.problem(this.#failure.site);
      for (const column of this.#absent) putNulls(column, row, row + walked - next);
      const filled = this.#kafka.fill(spans, next, walked, row);
      problem = this.#kafka.problem ?? problem;
      const added = filled - next;
      if (problem !== undefined) rows.truncate(row + added);
      rows.commit(added, recordBytes(spans, next, filled) + this.#kafka.headerBytes);
      if (isLook(rows.rowCount)) rows.settleEncodings();
      if (rows.rowCount >= groupEnd.rows || rows.sourceBytes >= groupEnd.sourceBytes) groupEnd.close();
      if (problem !== undefined) return { next: filled, problem };
      next = filled;
    }
    return { next };
  }
}

function isLook(rowCount: number): boolean {
  return rowCount >= stepRows && (rowCount & (rowCount - 1)) === 0;
}

/** The record after the one that uses up `budget` bytes. */
function endWithin(spans: RecordSpans, from: number, to: number, budget: number): number {
  let left = budget;
  let end = from;
  while (end < to && left > 0) {
    left -= recordBytes(spans, end, end + 1);
    end++;
  }
  return end;
}

/** Of keys and values, and something for the rest of each record. */
function recordBytes(spans: RecordSpans, from: number, to: number): number {
  const { keyEnds, keyStarts, valueEnds, valueStarts } = spans;
  let bytes = 0;
  for (let i = from; i < to; i++) {
    bytes += 16;
    if ((keyEnds[i] ?? -1) >= 0) bytes += (keyEnds[i] ?? 0) - (keyStarts[i] ?? 0);
    if ((valueEnds[i] ?? -1) >= 0) bytes += (valueEnds[i] ?? 0) - (valueStarts[i] ?? 0);
  }
  return bytes;
}

/** Nulls at the top: the column, or the struct, list or map that it is in, is not there. */
function putNulls(column: Column, from: number, to: number): void {
  if (!column.isRepeated) column.definitions.fill(0, from, to);
  for (let row = from; row < to; row++) {
    if (column.isRepeated) {
      column.beginRow(row);
      column.putNull(column.pushSlot(0, 0));
    } else if (column instanceof BytesColumn) {
      column.putNull(row);
    } else {
      break;
    }
  }
}

function leafIds({ id, type }: StructField): number[] {
  return leafIdsOf(id, type);
}

function leafIdsOf(id: number, type: TableType): number[] {
  switch (type.kind) {
    case 'struct':
      return type.fields.flatMap(leafIds);
    case 'list':
      return leafIdsOf(type.elementId, type.element);
    case 'map':
      return [...leafIdsOf(type.keyId, type.key), ...leafIdsOf(type.valueId, type.value)];
    default:
      return [id];
  }
}
