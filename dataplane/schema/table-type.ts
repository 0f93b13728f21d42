/**
 * The one model of what a table's columns are: Iceberg's types (Iceberg spec, "Schemas and Data Types"). Readers of Avro,
 * JSON Schema and Protobuf produce it; the Parquet writer and the Iceberg metadata consume it; nothing else knows source
 * formats. Values are never changed in place.
 */
export type TableType = PrimitiveType | StructType | ListType | MapType;

export type PrimitiveType =
  | { readonly kind: PlainKind }
  /** `precision` digits (1 to 38), `scale` of them after the point. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly lengthBytes: number };

/**
 * `date`: days since 1970. `time`: microseconds of the day. `timestamp`: microseconds since 1970 on a clock of no zone.
 * `timestamptz`: an instant, microseconds since 1970 UTC.
 */
export type PlainKind =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'string'
  | 'uuid'
  | 'binary';

export interface StructType {
  readonly kind: 'struct';
  readonly fields: readonly StructField[];
}

export interface StructField {
  /** Iceberg's field id: unique in the table, never reused. */
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: TableType;
  readonly doc?: string | undefined;
}

export interface ListType {
  readonly kind: 'list';
  readonly elementId: number;
  readonly elementRequired: boolean;
  readonly element: TableType;
}

export interface MapType {
  readonly kind: 'map';
  readonly keyId: number;
  readonly key: TableType;
  readonly valueId: number;
  readonly valueRequired: boolean;
  readonly value: TableType;
}

/** One version of a table's columns. */
export interface TableSchema {
  /** Iceberg's `schema-id`. */
  readonly schemaId: number;
  readonly struct: StructType;
  readonly identifierFieldIds?: readonly number[] | undefined;
}
