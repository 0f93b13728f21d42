import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import type { TableSchema } from '../schema/table-type.ts';
import { AvroRowAppender } from './avro/avro-row-appender.ts';
import { compileAppender } from './avro/compile-appender.ts';
import type { EncodedFile } from './data-file.ts';
import { KafkaColumns, kafkaColumnName } from './kafka-columns.ts';
import { fileMetrics } from './metrics/file-metrics.ts';
import { OpenRows } from './open-rows.ts';
import type { PageLimits } from './parquet/column-chunk.ts';
import { PageBuffer } from './parquet/page-buffer.ts';
import type { Compression } from './parquet/page-compression.ts';
import { ParquetFile } from './parquet/parquet-file.ts';
import { parquetSchema } from './parquet/parquet-schema.ts';
import type { ParquetSchema } from './parquet/parquet-schema.ts';
import type { RowAppender } from './row-appender.ts';

export interface RowFileOptions {
  readonly schema: TableSchema;
  /** The same columns in Iceberg's JSON; stands in the file's metadata as `iceberg.schema`. */
  readonly icebergSchemaJson: string;
  /** Kafka's, for `_kafka.partition`. */
  readonly partition: number;
  /** Default: zstd. */
  readonly compression?: Compression | undefined;
  /** Of zstd (default 1) or gzip (default 6). */
  readonly compressionLevel?: number | undefined;
  /** A row group is closed when it has so many rows (default 131,072) … */
  readonly rowGroupRows?: number | undefined;
  /** … or they come from so many bytes of records (default 64 MiB). Bounds the memory of columns. */
  readonly rowGroupSourceBytes?: number | undefined;
  /** Default: 20,000 rows, 1 MiB. */
  readonly pageLimits?: PageLimits | undefined;
  /** Firn's version, for the file's metadata. */
  readonly firnVersion?: string | undefined;
}

/**
 * A Parquet file that grows by records. Pure and synchronous: the same calls give the same bytes.
 *
 * Memory: the columns of one row group, which is bounded (`rowGroupSourceBytes` and one batch), and the compressed row groups
 * before it. `finish` leaves an empty file with the same columns, so one of these and its appenders serve file after file.
 */
export class RowFile {
  readonly #options: RowFileOptions;
  readonly #schema: ParquetSchema;
  readonly #rows: OpenRows;
  readonly #kafka: KafkaColumns;
  readonly #buffer = new PageBuffer();
  readonly #rowGroupRows: number;
  readonly #rowGroupSourceBytes: number;
  #file: ParquetFile;
  /** Of the row groups in `#file`. */
  #writtenRows = 0;
  #writtenSourceBytes = 0;

  /** @throws SchemaMismatchError INVALID_METADATA_COLUMN */
  constructor(options: RowFileOptions) {
    this.#options = options;
    this.#rowGroupRows = options.rowGroupRows ?? 131_072;
    this.#rowGroupSourceBytes = options.rowGroupSourceBytes ?? 64 * 1024 * 1024;
    this.#schema = parquetSchema(options.schema.struct);
    this.#rows = new OpenRows(this.#schema.leaves);
    const kafkaColumn = options.schema.struct.fields.find(({ name }) => name === kafkaColumnName);
    this.#kafka = new KafkaColumns(kafkaColumn, this.#rows, options.partition);
    this.#file = this.#newFile();
  }

  get rowCount(): number {
    return this.#writtenRows + this.#rows.rowCount;
  }

  /** Of the file if it were finished now. Rows of the open row group are guessed to compress as those before them. */
  get estimatedBytes(): number {
    const ratio = this.#writtenSourceBytes === 0 ? 1 : this.#file.sizeBytes / this.#writtenSourceBytes;
    return Math.round(this.#file.sizeBytes + this.#rows.sourceBytes * ratio);
  }

  /** What it takes in memory: compressed row groups and columns, these with room that is not in use. */
  get memoryBytes(): number {
    return this.#file.sizeBytes + this.#rows.memoryBytes;
  }

  /** @throws SchemaMismatchError when records of the writer cannot be rows of the table */
  appender(writer: AvroRecord): RowAppender {
    const appender = compileAppender(writer, this.#options.schema);
    return new AvroRowAppender(appender, this.#rows, this.#kafka, {
      rows: this.#rowGroupRows,
      sourceBytes: this.#rowGroupSourceBytes,
      close: () => this.#closeRowGroup(),
    });
  }

  /** The file; this is an empty one afterwards. */
  finish(): EncodedFile {
    if (this.#rows.rowCount > 0) this.#closeRowGroup();
    const { pieces, sizeBytes } = this.#file.finish();
    const metrics = fileMetrics(this.#file.rowGroups);
    const recordCount = this.#writtenRows;
    this.#rows.forget();
    this.#file = this.#newFile();
    this.#writtenRows = 0;
    this.#writtenSourceBytes = 0;
    return { pieces, sizeBytes, recordCount, metrics };
  }

  #closeRowGroup(): void {
    const rows = this.#rows;
    this.#file.addRowGroup(rows.columns, rows.rowCount);
    this.#writtenRows += rows.rowCount;
    this.#writtenSourceBytes += rows.sourceBytes;
    rows.reset();
  }

  #newFile(): ParquetFile {
    const { compression = 'zstd', compressionLevel, icebergSchemaJson, pageLimits } = this.#options;
    return new ParquetFile(
      {
        schema: this.#schema,
        compression,
        compressionLevel,
        pageLimits: pageLimits ?? { rows: 20_000, bytes: 1024 * 1024 },
        keyValues: [['iceberg.schema', icebergSchemaJson]],
        // Readers that cannot parse this distrust the statistics.
        createdBy: `firn version ${this.#options.firnVersion ?? '0.0.0'}`,
      },
      this.#buffer,
    );
  }
}
