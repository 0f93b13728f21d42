import type { Column } from '../columns/column.ts';
import { writeColumnChunk } from './column-chunk.ts';
import type { ColumnChunk, PageLimits } from './column-chunk.ts';
import { FilePieces } from './file-pieces.ts';
import { fileMetaData } from './footer.ts';
import type { ChunkIndexes, IndexPlace, RowGroup } from './footer.ts';
import { PageBuffer } from './page-buffer.ts';
import { pageCompressor } from './page-compression.ts';
import type { Compression, PageCompressor } from './page-compression.ts';
import { columnIndex, offsetIndex } from './page-index.ts';
import type { ParquetSchema } from './parquet-schema.ts';

const magic = Buffer.from('PAR1');

export interface ParquetFileOptions {
  readonly schema: ParquetSchema;
  readonly compression: Compression;
  readonly compressionLevel: number | undefined;
  readonly pageLimits: PageLimits;
  readonly keyValues: readonly (readonly [key: string, value: string])[];
  /** Readers parse it: `NAME version VERSION`. */
  readonly createdBy: string;
}

/**
 * A Parquet file in memory, row group by row group.
 *
 * ```
 * "PAR1", { chunk of each column: [dictionary page,] data pages }… for each row group,
 * ColumnIndex of each chunk, OffsetIndex of each chunk, FileMetaData, its length int32, "PAR1"
 * ```
 */
export class ParquetFile {
  readonly rowGroups: RowGroup[] = [];
  readonly #options: ParquetFileOptions;
  readonly #file = new FilePieces();
  readonly #compress: PageCompressor;
  readonly #buffer: PageBuffer;

  /** @param buffer used for one page after the other; may be that of the file before */
  constructor(options: ParquetFileOptions, buffer = new PageBuffer()) {
    this.#options = options;
    this.#compress = pageCompressor(options.compression, options.compressionLevel);
    this.#buffer = buffer;
    this.#file.append(magic);
  }

  /** Without what {@link finish} adds. */
  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  /** @param columns in the order of the schema's leaves, with so many rows, at least one */
  addRowGroup(columns: readonly Column[], rowCount: number): void {
    const offset = this.#file.sizeBytes;
    const { pageLimits } = this.#options;
    const chunks = columns.map((column) =>
      writeColumnChunk(column, rowCount, this.#file, this.#buffer, this.#compress, pageLimits),
    );
    this.rowGroups.push({ rowCount, offset, chunks });
  }

  finish(): FilePieces {
    const { schema, compression, keyValues, createdBy } = this.#options;
    const file = this.#file;
    const indexes = this.#appendIndexes();
    const { rowGroups } = this;
    const footer = fileMetaData({ schema, rowGroups, indexes, compression, keyValues, createdBy });
    const end = Buffer.alloc(8);
    end.writeUInt32LE(footer.length);
    magic.copy(end, 4);
    file.append(footer);
    file.append(end);
    return file;
  }

  #appendIndexes(): ReadonlyMap<ColumnChunk, ChunkIndexes> {
    const chunks = this.rowGroups.flatMap((group) => group.chunks);
    const columnIndexes = chunks.map((chunk) => this.#appendPart(columnIndex(chunk)));
    const indexes = new Map<ColumnChunk, ChunkIndexes>();
    for (const [i, chunk] of chunks.entries()) {
      const place = this.#appendPart(offsetIndex(chunk.pages));
      if (place !== undefined) indexes.set(chunk, { columnIndex: columnIndexes[i], offsetIndex: place });
    }
    return indexes;
  }

  #appendPart(bytes: Uint8Array | undefined): IndexPlace | undefined {
    if (bytes === undefined) return undefined;
    const offset = this.#file.sizeBytes;
    this.#file.append(bytes);
    return { offset, sizeBytes: bytes.length };
  }
}
