/**
 * What is wrong with a schema. `INVALID_SCHEMA`: it is none. `NOT_BUILT`: it is one, of a kind that Firn does not take
 * yet. `COLUMN_CLASH`: its fields cannot be columns of one table.
 */
export type SchemaErrorCode = 'INVALID_SCHEMA' | 'NOT_BUILT' | 'COLUMN_CLASH';

export class SchemaError extends Error {
  readonly code: SchemaErrorCode;

  constructor(code: SchemaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SchemaError';
    this.code = code;
  }
}
