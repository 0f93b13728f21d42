import type { RecordSpans } from './record-spans.ts';
import type { RowProblem } from './row-problem.ts';

export interface Appended {
  /** The records before this one have become rows. */
  readonly next: number;
  /** Why the record `next` cannot become a row. It has left nothing in the file. */
  readonly problem?: RowProblem | undefined;
}

/** Turns records of one writer's schema into rows. */
export interface RowAppender {
  /**
   * Appends the records `[from, to)` until one cannot become a row; the caller goes on behind it or not.
   *
   * @param frameBytes what precedes the value's first field: 5 of Confluent's frame, 0 when the schema id is in a header
   */
  append(spans: RecordSpans, from: number, to: number, frameBytes: number): Appended;
}
