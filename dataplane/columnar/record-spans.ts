/**
 * The records of one batch as positions in its decompressed bytes, a column for each thing: what appenders walk without an
 * object for each record. Arrays may be longer than `count`: they are used again for the next batch.
 */
export interface RecordSpans {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Kafka's offsets. */
  readonly offsets: Float64Array;
  /** Milliseconds since 1970; -1: none. */
  readonly timestampsMs: Float64Array;
  /** Where keys begin and end; an end of -1: null. */
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  /** Where values begin and end; an end of -1: null. */
  readonly valueStarts: Int32Array;
  readonly valueEnds: Int32Array;
  /**
   * Where the headers of a record begin, after their count, and that count. On the wire (and checked by whoever made the
   * spans): { keyLength varint, key, valueLength varint (negative: null), value }, varints zigzag-encoded.
   */
  readonly headerStarts: Int32Array;
  readonly headerCounts: Int32Array;
}
