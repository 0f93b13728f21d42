import { BytesColumn } from './columns/bytes-column.ts';
import type { Column } from './columns/column.ts';
import { newColumn } from './columns/new-column.ts';
import type { Leaf } from './parquet/parquet-schema.ts';

/**
 * The rows of the row group that is being filled. A row counts from `commit` on; what columns hold beyond `rowCount` is
 * overwritten or taken back (`truncate`).
 */
export class OpenRows {
  readonly columns: readonly Column[];
  rowCount = 0;
  /** Of the records that became these rows: what a row group is measured by. */
  sourceBytes = 0;
  readonly #byFieldId: ReadonlyMap<number, Column>;
  readonly #bytesColumns: readonly BytesColumn[];

  constructor(leaves: readonly Leaf[]) {
    this.columns = leaves.map(newColumn);
    this.#byFieldId = new Map(this.columns.map((column) => [column.leaf.fieldId, column]));
    this.#bytesColumns = this.columns.filter((column) => column instanceof BytesColumn);
  }

  get memoryBytes(): number {
    return this.columns.reduce((sum, column) => sum + column.memoryBytes, 0);
  }

  column(fieldId: number): Column | undefined {
    return this.#byFieldId.get(fieldId);
  }

  reserve(extraRows: number): void {
    for (const column of this.columns) column.reserveRows(this.rowCount + extraRows);
  }

  /** Takes back what columns hold from this row on. */
  truncate(row: number): void {
    for (const column of this.columns) column.truncateRows(row);
  }

  commit(rows: number, sourceBytes: number): void {
    this.rowCount += rows;
    this.sourceBytes += sourceBytes;
  }

  /** To be called at row counts that do not depend on how records came: what is decided here shows in the file. */
  settleEncodings(): void {
    for (const column of this.#bytesColumns) {
      column.considerPlain(column.slotOfRow(this.rowCount, this.rowCount));
    }
  }

  /** Empties the columns and keeps their memory, and what they learned about their values. */
  reset(): void {
    for (const column of this.columns) column.reset();
    this.rowCount = 0;
    this.sourceBytes = 0;
  }

  /** For another file. */
  forget(): void {
    for (const column of this.#bytesColumns) column.forget();
  }
}
