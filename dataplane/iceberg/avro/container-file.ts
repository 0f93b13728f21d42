import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { AvroReader, AvroRecord } from './avro-reader.ts';
import { parseAvroSchema } from './avro-schema.ts';
import { AvroWriter } from './avro-writer.ts';
import { DecodeBudget } from './decode-budget.ts';

/**
 * Avro object container files (Avro specification, "Object Container Files"):
 *
 *     magic "Obj" 1 · header map<bytes> · sync marker (16) · blocks: count long, size long, bytes, sync marker
 */
const magic = Uint8Array.of(0x4f, 0x62, 0x6a, 1);
const syncBytes = 16;
const blockBytes = 64 * 1024;

export interface ContainerOptions {
  /** In the order in which they are written, `avro.schema` first; `avro.codec` is added. */
  readonly header: readonly (readonly [name: string, value: string])[];
  /** Random: tells blocks of this file apart from other bytes. */
  readonly syncMarker: Uint8Array;
}

/**
 * `deflate`, which every reader of Iceberg has: entries of manifests repeat most of their bytes (a tenth is left), and the
 * files are read many times and far more often than they are written. Compressed where the caller stands, not in a
 * thread: what a commit writes is some ten kilobytes.
 */
export function writeContainerFile<T>(
  { header, syncMarker }: ContainerOptions,
  items: readonly T[],
  write: (writer: AvroWriter, item: T) => void,
): Uint8Array {
  const file = new AvroWriter();
  file.fixed(magic);
  file.blocks([...header, ['avro.codec', 'deflate'] as const], ([name, value]) => {
    file.string(name);
    file.bytes(Buffer.from(value, 'utf8'));
  });
  file.fixed(syncMarker);
  let block = new AvroWriter();
  let count = 0;
  const endBlock = (): void => {
    if (count === 0) return;
    file.long(count);
    file.bytes(deflateRawSync(block.finish()));
    file.fixed(syncMarker);
    block = new AvroWriter();
    count = 0;
  };
  for (const item of items) {
    write(block, item);
    count += 1;
    if (block.sizeBytes >= blockBytes) endBlock();
  }
  endBlock();
  return file.finish();
}

export interface ContainerFile {
  readonly header: ReadonlyMap<string, string>;
  readonly records: readonly AvroRecord[];
}

/**
 * Any writer's file, as long as it does not expand to more than a {@link DecodeBudget} holds.
 *
 * @param source location, for errors: a {@link FormatError} names it and the byte.
 */
export function readContainerFile(
  bytes: Uint8Array,
  source: string,
  budget: DecodeBudget = new DecodeBudget(),
): ContainerFile {
  const headerBudget = new DecodeBudget();
  headerBudget.addPlain(bytes.byteLength);
  const reader = new AvroReader(bytes, source, headerBudget);
  if (bytes.byteLength < magic.byteLength || !magic.every((byte, at) => bytes[at] === byte))
    reader.fail('is no Avro object container file');
  reader.fixed(magic.byteLength);
  const raw = reader.value({ kind: 'map', values: { kind: 'bytes' } });
  if (!(raw instanceof Map)) return reader.fail('has no header');
  const header = new Map(
    [...(raw as ReadonlyMap<string, Uint8Array>)].map(([name, value]) => [
      name,
      Buffer.from(value).toString('utf8'),
    ]),
  );
  const sync = Buffer.from(reader.fixed(syncBytes));
  const schemaText = header.get('avro.schema') ?? reader.fail('the header has no avro.schema');
  const schema = parseAvroSchema(schemaText, source);
  const inflate = codecOf(header.get('avro.codec') ?? 'null', source);

  const records: AvroRecord[] = [];
  while (!reader.isAtEnd) {
    const count = reader.size();
    const place = reader.position;
    const plain = inflate(reader.bytes(), place, budget.plainBytesLeft);
    if (!budget.addPlain(plain.byteLength)) return reader.fail('expands to more than a file may');
    const block = new AvroReader(plain, `${source} (block at byte ${place})`, budget);
    if (count > plain.byteLength)
      reader.fail(`a block of ${plain.byteLength} bytes cannot have ${count} records`);
    for (let at = 0; at < count; at += 1) {
      const value = block.value(schema);
      if (!(value instanceof AvroRecord)) return reader.fail('its schema is no record');
      records.push(value);
    }
    if (!block.isAtEnd) block.fail('the block has bytes after its last record');
    if (!sync.equals(reader.fixed(syncBytes))) reader.fail('the sync marker is wrong');
  }
  return { header, records };
}

type Decompress = (bytes: Uint8Array, maxOutputLength: number) => Uint8Array;

const decompress: Readonly<Record<string, Decompress>> = {
  null: (bytes) => bytes,
  deflate: (bytes, maxOutputLength) => inflateRawSync(bytes, { maxOutputLength }),
  zstandard: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
};

function codecOf(
  codec: string,
  source: string,
): (bytes: Uint8Array, place: number, maxBytes: number) => Uint8Array {
  const plain = Object.hasOwn(decompress, codec) ? decompress[codec] : undefined;
  if (plain === undefined) {
    const what = `the codec ${JSON.stringify(codec)} is not built; have manifests written with write.avro.compression-codec=gzip`;
    throw new FormatError('UNSUPPORTED', { source, field: 'avro.codec' }, what);
  }
  return (bytes, place, maxBytes) => {
    try {
      // One byte more than there may be: zlib takes no bound of 0, and whoever counts what comes out finds it too long.
      return plain(bytes, maxBytes + 1);
    } catch (cause) {
      const isTooLong =
        cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
      const what = isTooLong
        ? 'expands to more than a file may'
        : `a block cannot be decompressed (${codec})`;
      throw new FormatError('INVALID', { source, field: `byte ${place}` }, what, cause);
    }
  };
}
