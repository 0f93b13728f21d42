import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/** A row of a data file, as another implementation reads it. */
export interface TableRow {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number | undefined;
  readonly key: string | undefined;
  readonly headers: number;
  readonly name: string;
  readonly amount: number;
  readonly note: string | null;
}

/** All rows of a Parquet file, read with hyparquet. Everything happens in microtasks: no virtual time passes. */
export async function readRows(bytes: Uint8Array): Promise<readonly TableRow[]> {
  const file = Uint8Array.from(bytes).buffer;
  const rows = await parquetReadObjects({ file, compressors });
  return rows.map((row) => {
    const kafka = objectOf(row['_kafka']);
    const { timestamp, key, headers } = kafka;
    return {
      partition: Number(kafka['partition']),
      offset: Number(kafka['offset']),
      timestampMs: timestamp instanceof Date ? timestamp.getTime() : undefined,
      key: textOf(key),
      headers: Array.isArray(headers) ? headers.length : 0,
      name: textOf(row['name']) ?? '',
      amount: Number(row['amount']),
      note: textOf(row['note']) ?? null,
    };
  });
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  return typeof value === 'string' ? value : undefined;
}
