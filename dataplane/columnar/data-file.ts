/** A finished Parquet file in memory, with what an Iceberg manifest says of it. */
export interface EncodedFile {
  /** The bytes in order; not joined, so that they can be sent without a copy. */
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly recordCount: number;
  readonly metrics: FileMetrics;
}

/**
 * Metrics by field id, for leaf columns (Iceberg spec, "Data File Fields" 108 to 137).
 */
export interface FileMetrics {
  /** Compressed bytes in the file. */
  readonly columnSizes: ReadonlyMap<number, number>;
  /** Values with nulls. */
  readonly valueCounts: ReadonlyMap<number, number>;
  readonly nullValueCounts: ReadonlyMap<number, number>;
  /** For float and double only. */
  readonly nanValueCounts: ReadonlyMap<number, number>;
  /**
   * Iceberg's single-value serialization (appendix D); strings and bytes cut to 16 characters or bytes, upper ones rounded
   * up. A column without a bound (all null, NaN, or no upper bound of 16 bytes) is left out; so are columns in lists and maps.
   */
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>;
  readonly upperBounds: ReadonlyMap<number, Uint8Array>;
  /** Where row groups begin in the file. */
  readonly splitOffsets: readonly number[];
}
