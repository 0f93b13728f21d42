/**
 * Why records of a schema cannot be written to a table of another one.
 *
 * - `COLUMN_MISSING`: the writer has a field that the table does not have.
 * - `FIELD_MISSING`: the table requires a column that the writer does not have.
 * - `TYPE_MISMATCH`: values of the field's type do not fit the column.
 * - `INVALID_METADATA_COLUMN`: the struct `_kafka` has a field that records do not have.
 */
export type SchemaMismatchCode =
  'COLUMN_MISSING' | 'FIELD_MISSING' | 'TYPE_MISMATCH' | 'INVALID_METADATA_COLUMN';

export class SchemaMismatchError extends Error {
  readonly code: SchemaMismatchCode;

  constructor(code: SchemaMismatchCode, message: string) {
    super(message);
    this.name = 'SchemaMismatchError';
    this.code = code;
  }
}

export function invalidMetadataColumn(what: string): SchemaMismatchError {
  return new SchemaMismatchError('INVALID_METADATA_COLUMN', `the column _kafka cannot be filled: ${what}`);
}
