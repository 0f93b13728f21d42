import type { RecordSpans } from '../columnar/record-spans.ts';
import { framePrefixBytes } from '../schema/framing.ts';

/** Instead of a schema id: the record has no value at all. */
export const nullValue = -1;
/** Instead of a schema id: the value is not framed. */
export const notFramed = -2;

/** As `framedSchemaId`, without a view of the value: the schema id of a record; {@link nullValue} or {@link notFramed} where there is none. */
export function schemaIdOf(spans: RecordSpans, index: number): number {
  const start = spans.valueStarts[index] ?? 0;
  const end = spans.valueEnds[index] ?? -1;
  if (end < 0) return nullValue;
  const { bytes } = spans;
  if (end - start < framePrefixBytes || bytes[start] !== 0) return notFramed;
  const id =
    ((bytes[start + 1] ?? 0) << 24) |
    ((bytes[start + 2] ?? 0) << 16) |
    ((bytes[start + 3] ?? 0) << 8) |
    (bytes[start + 4] ?? 0);
  return id < 0 ? notFramed : id;
}

/** The index after the last record that has the schema id of the one at `from`. */
export function endOfRun(spans: RecordSpans, from: number): number {
  const id = schemaIdOf(spans, from);
  let end = from + 1;
  while (end < spans.count && schemaIdOf(spans, end) === id) end++;
  return end;
}

/** Why a record without a schema id cannot become a row. */
export function unframed(id: number): {
  readonly code: 'NULL_VALUE' | 'NOT_FRAMED';
  readonly reason: string;
} {
  return id === nullValue
    ? { code: 'NULL_VALUE', reason: 'the record has no value (a tombstone)' }
    : {
        code: 'NOT_FRAMED',
        reason: 'the value does not begin with a zero byte and the 4 bytes of a schema id',
      };
}
