import type { EncodedFile } from '../columnar/data-file.ts';
import type { RowProblemCode } from '../columnar/row-problem.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import type { TableSchema } from '../schema/table-type.ts';

/**
 * Makes data files of record batches. All calls are asynchronous, so that the work may be done in this thread or in
 * another one; batches and files are handed over as bytes.
 */
export interface DataFileWriters {
  open(request: OpenDataFileRequest): OpenDataFile;
}

export interface OpenDataFileRequest {
  readonly schema: TableSchema;
  /** Of the topic: for `_kafka.partition`. */
  readonly partition: number;
}

/** A data file that rows are added to. One call at a time. */
export interface OpenDataFile {
  readonly schemaId: number;
  readonly rowCount: number;
  /** Of the file, if it were finished now. */
  readonly estimatedBytes: number;
  /** What it takes in memory. */
  readonly memoryBytes: number;

  /**
   * Makes rows of the records of one whole batch, from `fromOffset` on, until one of them needs a person or a schema. A
   * row is whole or not there. The bytes are not used any more when the promise has settled.
   */
  append(batch: Uint8Array, fromOffset: number): Promise<Appended>;

  /**
   * The schema of records with this id. Once for each id, when {@link append} asks for it.
   *
   * @throws SchemaMismatchError when records of it cannot be rows of the table
   */
  learn(schemaId: number, schema: AvroRecord): Promise<void>;

  /** Ends the file. With no rows it must not be asked for. */
  finish(): Promise<EncodedFile>;

  /** Forgets it. */
  discard(): void;
}

/** How far an append has come. */
export interface Appended {
  /** Of the record that it stopped at, or the one after the batch. */
  readonly nextOffset: number;
  /** Of the records that are rows now; -1: none, or none has a time. */
  readonly maxTimestampMs: number;
  readonly stop: AppendStop | undefined;
}

export type AppendStop =
  /** The next record has this schema id: {@link OpenDataFile.learn} it, then append from there. */
  | { readonly kind: 'schema'; readonly schemaId: number }
  /** The next record cannot become a row. */
  | { readonly kind: 'problem'; readonly code: RecordProblemCode; readonly reason: string };

/** Why a record cannot become a row. */
export const recordProblemCodes = [
  /** The batch does not decompress, or its records are not what its header says. */
  'CORRUPT_BATCH',
  /** The value does not begin with a zero byte and a schema id. */
  'NOT_FRAMED',
  'UNKNOWN_SCHEMA',
  /** The registry does not answer: tried again by itself. */
  'REGISTRY_UNAVAILABLE',
  /** The schema is none that tables can be made of so far. */
  'UNSUPPORTED_SCHEMA',
  /** Records of this schema do not fit the table's columns. */
  'SCHEMA_DOES_NOT_FIT',
] as const;

/** With those of what the value's bytes are: `RowProblemCode`. */
export type RecordProblemCode = (typeof recordProblemCodes)[number] | RowProblemCode;
