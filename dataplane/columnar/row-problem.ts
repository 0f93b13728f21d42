/**
 * Why a record cannot become a row.
 *
 * - `NULL_VALUE`: it has no value (a tombstone).
 * - `TRUNCATED`: its value ends inside a field.
 * - `LEFTOVER_BYTES`: its value goes on behind the last field.
 * - `INVALID_NUMBER`: a variable-length number of too many bits.
 * - `INVALID_BRANCH`: a union's branch, an enum's symbol or a boolean that there is not.
 * - `INVALID_LENGTH`: a negative length.
 * - `INVALID_TEXT`: bytes in a string column (or in a header's name) that are no UTF-8, or no UUID in a column of these.
 * - `OUT_OF_RANGE`: a value that the column's type cannot hold.
 * - `NULL_IN_REQUIRED`: a null for a column that has none.
 */
export type RowProblemCode =
  | 'NULL_VALUE'
  | 'TRUNCATED'
  | 'LEFTOVER_BYTES'
  | 'INVALID_NUMBER'
  | 'INVALID_BRANCH'
  | 'INVALID_LENGTH'
  | 'INVALID_TEXT'
  | 'OUT_OF_RANGE'
  | 'NULL_IN_REQUIRED';

export interface RowProblem {
  readonly kind: 'row-problem';
  readonly code: RowProblemCode;
  /** A sentence that names the field. */
  readonly message: string;
}

export function rowProblem(code: RowProblemCode, message: string): RowProblem {
  return { kind: 'row-problem', code, message };
}
