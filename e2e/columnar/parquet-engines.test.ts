/** Files of row files as DuckDB, pyarrow and pyiceberg see them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { avscType, valueKinds } from '../../dataplane/columnar/avro/value-kinds-fixture.ts';
import type { EncodedFile } from '../../dataplane/columnar/data-file.ts';
import { kafkaStructField } from '../../dataplane/columnar/kafka-columns.ts';
import { RowFile } from '../../dataplane/columnar/row-file.ts';
import { spansOf } from '../../dataplane/columnar/spans-fixture.ts';
import type { FixtureRecord } from '../../dataplane/columnar/spans-fixture.ts';
import { schemaJson } from '../../dataplane/iceberg/json/schema-json.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';
import { parseFlatAvroRecord } from '../../dataplane/schema/avro/avro-schema.ts';
import type { TableSchema, TableType } from '../../dataplane/schema/table-type.ts';
import { installRealPart, skipUnless } from '../tools/real-part.ts';

interface Report {
  readonly pyarrow: Summary & {
    readonly createdBy: string;
    readonly rowGroups: number;
    readonly offsetIndexes: boolean;
    readonly withoutColumnIndex: readonly string[];
    readonly badStatistics: readonly unknown[];
  };
  readonly duckdb: Summary & {
    readonly fieldIds: readonly (readonly [name: string, id: number | null])[];
    readonly wrongCounts: readonly unknown[];
  };
  readonly iceberg: Readonly<Record<string, Readonly<Record<string, unknown>> | readonly number[]>>;
}

interface Summary {
  readonly rows: number;
  readonly checksum: string;
}

const rowCount = 5000;
const firnVersion = '1.2.3';

describe('a file of every type of column', { skip: await skipUnless('pythonTables') }, () => {
  let folder = '';
  let table: AllTypes;
  let report: Report;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'firn-parquet-'));
    table = allTypes();
    const file = path.join(folder, 'all.parquet');
    await writeFile(file, table.file.pieces);
    const program = path.join(import.meta.dirname, 'read_parquet.py');
    const python = await installRealPart('pythonTables');
    const { stdout } = await promisify(execFile)(
      python,
      [program, file, JSON.stringify(schemaJson(table.schema))],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    report = JSON.parse(stdout) as Report;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('has the same rows for DuckDB and pyarrow', () => {
    const expected = { rows: rowCount, checksum: table.checksum };
    for (const { rows, checksum } of [report.pyarrow, report.duckdb])
      assert.deepEqual({ rows, checksum }, expected);
  });

  it('has true statistics, by which engines leave row groups out', () => {
    assert.deepEqual(report.pyarrow.badStatistics, []);
    assert.deepEqual(report.duckdb.wrongCounts, []);
    assert.ok(report.pyarrow.rowGroups > 1);
  });

  it('names its writer and has a page index', () => {
    assert.equal(report.pyarrow.createdBy, `firn version ${firnVersion}`);
    assert.ok(report.pyarrow.offsetIndexes);
    // 70 bytes 0xff have no upper bound of 64.
    assert.deepEqual(report.pyarrow.withoutColumnIndex, ['bytes', 'bytesOrNull']);
  });

  it('has field ids on every node that is a field of the table', () => {
    const withoutId = report.duckdb.fieldIds.filter(([, id]) => id === null).map(([name]) => name);
    assert.deepEqual(withoutId, ['table', 'list']);
    const ids = report.duckdb.fieldIds.flatMap(([, id]) => id ?? []);
    assert.deepEqual(ids, fieldIds({ kind: 'struct', fields: table.schema.struct.fields }));
  });

  it('has the metrics that pyiceberg makes of it', () => {
    const { metrics } = table.file;
    const { iceberg } = report;
    assert.deepEqual(iceberg['split_offsets'], metrics.splitOffsets);
    const counts = { column_sizes: metrics.columnSizes, value_counts: metrics.valueCounts };
    for (const [name, ours] of Object.entries(counts)) assert.deepEqual(iceberg[name], byId(ours), name);
    assert.deepEqual(iceberg['null_value_counts'], byId(metrics.nullValueCounts));
    for (const [name, ours] of [
      ['lower_bounds', metrics.lowerBounds],
      ['upper_bounds', metrics.upperBounds],
    ] as const) {
      const theirs = (iceberg[name] ?? {}) as Readonly<Record<string, string>>;
      const shared = [...ours].filter(([id]) => theirs[id] !== undefined);
      assert.deepEqual(
        shared.map(([id, bound]) => [id, Buffer.from(bound).toString('hex')]),
        shared.map(([id]) => [id, theirs[id]]),
        name,
      );
      assert.ok(shared.length > 40, `${shared.length} bounds`);
      // It makes none for uuids, and none where the statistics have none.
      assert.deepEqual(
        Object.keys(theirs).filter((id) => !ours.has(Number(id))),
        [],
      );
    }
  });
});

interface AllTypes {
  readonly schema: TableSchema;
  readonly file: EncodedFile;
  readonly checksum: string;
}

/** Every kind of value as a required and as an optional column, and `_kafka`. */
function allTypes(): AllTypes {
  const random = new VirtualRandom(3, 'parquet-engines');
  const draw = (): number => random.fraction();
  const columns = Object.entries(valueKinds).flatMap(([name, kind]) => [
    { name, kind, required: true },
    { name: `${name}OrNull`, kind, required: false },
  ]);
  const fields = columns.map(({ name, kind, required }) => {
    const type: unknown = JSON.parse(JSON.stringify(kind.avro).replaceAll('NAME', `${name}Type`));
    return { name, type: required ? type : ['null', type] };
  });
  const json = JSON.stringify({ type: 'record', name: 'All', fields });
  const type = avscType(json);
  const rows = Array.from({ length: rowCount }, () =>
    Object.fromEntries(
      columns.map(({ name, kind, required }) => [name, !required && draw() < 0.3 ? null : kind.draw(draw)]),
    ),
  );
  const records: FixtureRecord[] = rows.map((row, i) => ({
    value: type.toBuffer(row),
    offset: 2 ** 40 + i,
    timestampMs: i % 7 === 0 ? -1 : 1_700_000_000_000 + i,
    key: i % 3 === 0 ? null : Buffer.from([i & 255, 0xff]),
    headers: Array.from(
      { length: i % 4 },
      (_, h) => [`h${h}`, h === 1 ? null : Buffer.from([i & 255])] as const,
    ),
  }));
  let nextId = columns.length + 1;
  const schema: TableSchema = {
    schemaId: 0,
    struct: {
      kind: 'struct',
      fields: [
        ...columns.map(({ name, kind, required }, i) => ({ id: i + 1, name, required, type: kind.column })),
        kafkaStructField(() => nextId++),
      ],
    },
  };
  const file = new RowFile({
    schema,
    icebergSchemaJson: JSON.stringify(schemaJson(schema)),
    partition: 9,
    rowGroupRows: 2000,
    pageLimits: { rows: 300, bytes: 4000 },
    firnVersion,
  });
  assert.deepEqual(file.appender(parseFlatAvroRecord(json)).append(spansOf(records), 0, rowCount, 0), {
    next: rowCount,
  });
  let checksum = 0n;
  for (const [i, row] of rows.entries()) {
    const values = columns.map(({ name, kind }) => {
      const value = row[name];
      return value === null ? 'null' : valueText(kind.stored(value), kind.column);
    });
    const line = [...values, kafkaText(records[i], i)].join('|');
    checksum += createHash('sha256').update(line).digest().readBigUInt64BE();
  }
  return { schema, file: file.finish(), checksum: String(BigInt.asUintN(64, checksum)) };
}

/** As `text` in read_parquet.py. */
function valueText(value: unknown, type: TableType): string {
  switch (type.kind) {
    case 'float':
    case 'double': {
      if (Number.isNaN(value)) return 'nan';
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleBE(Number(value));
      return bytes.toString('hex');
    }
    case 'binary':
    case 'fixed':
      return `x${String(value)}`;
    case 'string':
    case 'uuid':
      return asciiJson(String(value));
    default:
      return String(value);
  }
}

function kafkaText(record: FixtureRecord | undefined, i: number): string {
  const headers = (record?.headers ?? []).map(
    ([name, value]) => `{${asciiJson(String(name))},${value === null ? 'null' : bytesText(value)}}`,
  );
  const timestampMs = record?.timestampMs ?? -1;
  const timestamp = timestampMs === -1 ? 'null' : String(BigInt(timestampMs) * 1000n);
  const key = record?.key ?? null;
  return `{9,${2 ** 40 + i},${timestamp},${key === null ? 'null' : bytesText(key)},[${headers.join(',')}]}`;
}

function bytesText(bytes: Uint8Array): string {
  return `x${Buffer.from(bytes).toString('hex')}`;
}

/** JSON as Python prints it: what is not ASCII as UTF-16 in hex. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function fieldIds(type: TableType): number[] {
  switch (type.kind) {
    case 'struct':
      return type.fields.flatMap(({ id, type: inner }) => [id, ...fieldIds(inner)]);
    case 'list':
      return [type.elementId, ...fieldIds(type.element)];
    case 'map':
      return [type.keyId, ...fieldIds(type.key), type.valueId, ...fieldIds(type.value)];
    default:
      return [];
  }
}

function byId(counts: ReadonlyMap<number, number>): Record<string, number> {
  return Object.fromEntries(counts);
}
