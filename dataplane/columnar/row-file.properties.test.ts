import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects, readColumnIndex, readOffsetIndex } from 'hyparquet';
import type { FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parseFlatAvroRecord } from '../schema/avro/avro-schema.ts';
import type { StructField, TableSchema } from '../schema/table-type.ts';
import { avscType, bigIntOf, valueKinds } from './avro/value-kinds-fixture.ts';
import type { ValueKind } from './avro/value-kinds-fixture.ts';
import type { EncodedFile } from './data-file.ts';
import { RowFile } from './row-file.ts';
import type { RowFileOptions } from './row-file.ts';
import { spansOf } from './spans-fixture.ts';

interface ColumnPlan {
  readonly kind: string;
  readonly nullBranch: undefined | 0 | 1;
}

const columnPlans = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.keys(valueKinds)),
    nullBranch: fc.constantFrom(undefined, 0 as const, 1 as const),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('rows of any flat schema', () => {
  it('are read back by another implementation as they were', async () => {
    await fc.assert(
      fc.asyncProperty(
        columnPlans,
        fc.nat(300),
        fc.nat(),
        fc.record({
          rowGroupRows: fc.integer({ min: 1, max: 200 }),
          pageLimits: fc.record({
            rows: fc.integer({ min: 1, max: 150 }),
            bytes: fc.integer({ min: 1, max: 2000 }),
          }),
          compression: fc.constantFrom(
            'zstd' as const,
            'snappy' as const,
            'gzip' as const,
            'uncompressed' as const,
          ),
        }),
        async (plans, count, seed, options) => {
          const table = makeTable(plans, count, seededRandom(seed));
          const file = writeTable(table, options);
          assert.deepEqual(await readStored(file), table.expected);
          checkIndexes(file);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('survive dictionaries that are given up, many pages and row groups', async () => {
    const kinds = Object.keys(valueKinds).map((kind) => ({ kind, nullBranch: 0 as const }));
    const table = makeTable(kinds, 6000, seededRandom(7));
    const file = writeTable(table, { rowGroupRows: 5000, pageLimits: { rows: 700, bytes: 4000 } });
    assert.deepEqual(await readStored(file), table.expected);
    checkIndexes(file);
  });
});

describe('a table of very many columns', () => {
  it('is filled by a function in parts, each of which gives a damaged record up', async () => {
    const names = Object.keys(valueKinds);
    const plans = Array.from({ length: 100 }, (_, i) => ({
      kind: names[i % names.length] ?? '',
      nullBranch: ([undefined, 0, 1] as const)[i % 3],
    }));
    const table = makeTable(plans, 20, seededRandom(11));
    const cuts = table.values.flatMap((value, i) => [
      { value },
      { value: value.subarray(0, Math.floor((value.length * i) / 20)) },
    ]);
    const spans = spansOf(cuts);
    const file = new RowFile(fileOptions(table));
    const appender = file.appender(table.writer);
    for (let i = 0; i < cuts.length; i++) {
      const { next, problem } = appender.append(spans, i, i + 1, 0);
      assert.equal(next, i % 2 === 0 ? i + 1 : i);
      assert.equal(problem?.code, i % 2 === 0 ? undefined : 'TRUNCATED');
    }
    assert.deepEqual(await readStored(file.finish()), table.expected);
  });
});

describe('a column of many distinct strings', () => {
  const json = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 's', type: 'string' }] });
  const schema = tableOf([{ id: 1, name: 's', required: true, type: { kind: 'string' } }]);

  for (const [name, text] of [
    ['all of them', (i: number) => `value ${i}`],
    ['after a beginning of few', (i: number) => (i < 40_000 ? `${i % 100}` : `value ${i}`)],
    ['each of them twice', (i: number) => `a value that is long enough for a dictionary ${i >> 1}`],
    ['in no dictionary at the end', (i: number) => `${i % 70_000}`],
  ] as const) {
    it(`is read back: ${name}`, async () => {
      const type = avscType(json);
      const count = 75_000;
      const texts = Array.from({ length: count }, (_, i) => text(i));
      const file = new RowFile({ schema, icebergSchemaJson: '{}', partition: 0 });
      const spans = spansOf(texts.map((s) => ({ value: type.toBuffer({ s }) })));
      assert.deepEqual(file.appender(parseFlatAvroRecord(json)).append(spans, 0, count, 0), { next: count });
      const rows = await readStored(file.finish());
      assert.deepEqual(
        rows.map(({ s }) => s),
        texts,
      );
    });
  }
});

describe('the same records', () => {
  it('make the same bytes, in whatever pieces they come and whatever was refused between them', () => {
    fc.assert(
      fc.property(
        columnPlans,
        fc.integer({ min: 1, max: 200 }),
        fc.nat(),
        fc.nat(50),
        (plans, count, seed, cut) => {
          const table = makeTable(plans, count, seededRandom(seed));
          const whole = writeTable(table, { rowGroupRows: 64 });
          const file = new RowFile({ ...fileOptions(table), rowGroupRows: 64 });
          const appender = file.appender(table.writer);
          const { spans } = table;
          const damaged = spansOf([{ value: Buffer.from('80808080808080808080ff', 'hex') }, { value: null }]);
          for (let from = 0; from < count; from += cut + 1) {
            assert.equal(appender.append(spans, from, Math.min(count, from + cut + 1), 0).problem, undefined);
            for (let i = 0; i < 2; i++) assert.equal(appender.append(damaged, i, 2, 0).next, i);
          }
          assert.deepEqual(Buffer.concat(file.finish().pieces), Buffer.concat(whole.pieces));
          // The file after it knows nothing of the first.
          appender.append(spans, 0, count, 0);
          assert.deepEqual(Buffer.concat(file.finish().pieces), Buffer.concat(whole.pieces));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('records with damaged bytes', () => {
  it('are refused, or read as avsc reads them, and hurt no other row', async () => {
    await fc.assert(
      fc.asyncProperty(
        // avsc makes U+FFFD of what is not UTF-8, where a column of bytes takes it as it is.
        columnPlans.map((plans) => plans.filter(({ kind }) => kind !== 'bytesOfString')),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(),
        fc.array(fc.record({ record: fc.nat(), at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() }), {
          minLength: 1,
          maxLength: 20,
        }),
        async (plans, count, seed, damages) => {
          fc.pre(plans.length > 0);
          const table = makeTable(plans, count, seededRandom(seed));
          const values = table.values.map((value) => Buffer.from(value));
          for (const { record, at, byte, cut } of damages) {
            const index = record % count;
            const value = values[index] ?? Buffer.alloc(0);
            if (cut) values[index] = value.subarray(0, at % (value.length + 1));
            else if (value.length > 0) value[at % value.length] = byte;
          }
          const spans = spansOf(values.map((value) => ({ value })));
          const file = new RowFile({ ...fileOptions(table), rowGroupRows: 16 });
          const appender = file.appender(table.writer);
          const kept: Record<string, unknown>[] = [];
          for (let from = 0; from < count;) {
            const { next, problem } = appender.append(spans, from, count, 0);
            assert.ok(next > from || problem !== undefined);
            for (let i = from; i < next; i++) kept.push(table.decode(values[i] ?? Buffer.alloc(0)));
            // What avsc reads and would write the same can only be wrong in what it means.
            if (problem !== undefined && table.isCanonical(values[next] ?? Buffer.alloc(0)))
              assert.ok(['OUT_OF_RANGE', 'INVALID_TEXT'].includes(problem.code), problem.message);
            from = problem === undefined ? next : next + 1;
          }
          assert.deepEqual(await readStored(file.finish()), kept);
        },
      ),
      { numRuns: 150 },
    );
  });
});

interface Table {
  readonly writer: ReturnType<typeof parseFlatAvroRecord>;
  readonly schema: TableSchema;
  readonly values: readonly Buffer[];
  readonly spans: ReturnType<typeof spansOf>;
  readonly expected: readonly Record<string, unknown>[];
  /** A row as it stands in the file; throws where avsc does. */
  decode(value: Buffer): Record<string, unknown>;
  /** Whether avsc reads these bytes, and writes the same ones for what it has read. */
  isCanonical(value: Buffer): boolean;
}

function makeTable(plans: readonly ColumnPlan[], count: number, random: () => number): Table {
  const kinds = plans.map(({ kind }) => valueKinds[kind] as ValueKind);
  const fields = kinds.map((kind, i) => {
    const type: unknown = JSON.parse(JSON.stringify(kind.avro).replaceAll('NAME', `Name${i}`));
    const nullBranch = plans[i]?.nullBranch;
    const union = nullBranch === 0 ? ['null', type] : [type, 'null'];
    return { name: `f${i}`, type: nullBranch === undefined ? type : union };
  });
  const json = JSON.stringify({ type: 'record', name: 'R', fields });
  const type = avscType(json);
  const stored = (row: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      kinds.map((kind, i) => {
        const value = row[`f${i}`];
        return [`f${i}`, value === null ? null : kind.stored(value)];
      }),
    );
  const rows = Array.from({ length: count }, () =>
    Object.fromEntries(
      kinds.map((kind, i) => [
        `f${i}`,
        plans[i]?.nullBranch !== undefined && random() < 0.3 ? null : kind.draw(random),
      ]),
    ),
  );
  const values = rows.map((row) => type.toBuffer(row));
  return {
    writer: parseFlatAvroRecord(json),
    schema: tableOf(
      kinds.map(({ column }, i) => ({
        id: i + 1,
        name: `f${i}`,
        required: plans[i]?.nullBranch === undefined,
        type: column,
      })),
    ),
    values,
    spans: spansOf(values.map((value) => ({ value }))),
    expected: rows.map(stored),
    decode: (value) => stored(type.fromBuffer(value) as Record<string, unknown>),
    isCanonical(value) {
      try {
        return type.toBuffer(type.fromBuffer(value)).equals(value);
      } catch {
        return false;
      }
    },
  };
}

function tableOf(fields: readonly StructField[]): TableSchema {
  return { schemaId: 0, struct: { kind: 'struct', fields } };
}

function fileOptions({ schema }: Table): RowFileOptions {
  return { schema, icebergSchemaJson: '{}', partition: 0 };
}

function writeTable(table: Table, options: Partial<RowFileOptions>): EncodedFile {
  const file = new RowFile({ ...fileOptions(table), ...options });
  const count = table.values.length;
  assert.deepEqual(file.appender(table.writer).append(table.spans, 0, count, 0), { next: count });
  return file.finish();
}

/** Rows in the form of {@link ValueKind.stored}. */
async function readStored(encoded: EncodedFile): Promise<Record<string, unknown>[]> {
  const { file, metadata } = opened(encoded);
  if (encoded.recordCount === 0) return [];
  const decimals = new Set<string>();
  for (const element of metadata.schema) {
    if (element.converted_type !== 'DECIMAL') continue;
    // It would make doubles of them.
    decimals.add(element.name);
    delete element.converted_type;
    delete element.logical_type;
  }
  const asIs = <T>(value: T): T => value;
  const rows = await parquetReadObjects({
    file,
    metadata,
    compressors,
    utf8: false,
    parsers: {
      timestampFromMicroseconds: asIs,
      dateFromDays: asIs,
    },
  });
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]): [string, unknown] => {
        if (value instanceof Uint8Array)
          return [name, decimals.has(name) ? bigIntOf(value) : Buffer.from(value).toString('hex')];
        return [name, decimals.has(name) && typeof value === 'number' ? BigInt(value) : (value as unknown)];
      }),
    ),
  );
}

function opened(encoded: EncodedFile): { file: ArrayBuffer; metadata: FileMetaData } {
  const bytes = Buffer.concat(encoded.pieces);
  assert.equal(bytes.length, encoded.sizeBytes);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const metadata = parquetMetadata(file);
  assert.equal(metadata.num_rows, BigInt(encoded.recordCount));
  return { file, metadata };
}

/** The page index lies where the footer says, and names pages that follow each other to the last row. */
function checkIndexes(encoded: EncodedFile): void {
  const { file, metadata } = opened(encoded);
  const reader = (
    offset: bigint | undefined,
    length: number | undefined,
  ): { view: DataView; offset: number } => ({
    view: new DataView(file, Number(offset), length),
    offset: 0,
  });
  for (const group of metadata.row_groups) {
    for (const column of group.columns) {
      const { page_locations: pages } = readOffsetIndex(
        reader(column.offset_index_offset, column.offset_index_length),
      );
      assert.equal(pages[0]?.offset, column.meta_data?.data_page_offset);
      assert.equal(pages[0]?.first_row_index, 0n);
      for (const [i, page] of pages.entries()) {
        const following = pages[i + 1];
        if (following === undefined) continue;
        assert.equal(page.offset + BigInt(page.compressed_page_size), following.offset);
        assert.ok(page.first_row_index < following.first_row_index);
        assert.ok(following.first_row_index < group.num_rows);
      }
      if (column.column_index_offset === undefined) continue;
      // Bounds as bytes: hyparquet does not expect the empty ones of pages of nulls that the format asks for.
      const index = readColumnIndex(reader(column.column_index_offset, column.column_index_length), {
        name: 'bytes',
        type: 'BYTE_ARRAY',
      });

      assert.equal(index.null_pages.length, pages.length);
      const nulls = index.null_counts?.reduce((sum, count) => sum + count, 0n);
      assert.equal(nulls, column.meta_data?.statistics?.null_count);
    }
  }
}

/** Numbers in [0, 1), the same for the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    return ((mixed ^ (mixed >>> 12)) >>> 0) / 4_294_967_296;
  };
}
