import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Readable } from 'node:stream';
import avsc from 'avsc';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import { noMetrics, ordersStruct } from '../iceberg-fixture.ts';
import type { ManifestEntry, ManifestFile } from './manifest-entry.ts';
import { readManifest, writeManifest } from './manifest-file.ts';
import { readManifestList, writeManifestList } from './manifest-list.ts';

const schema = { schemaId: 3, struct: ordersStruct };
const spec = { specId: 2, fields: [] };
const syncMarker = Uint8Array.from({ length: 16 }, (_, at) => at);

const count = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const snapshotId = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const counts = fc.array(fc.tuple(fc.nat(), count), { maxLength: 4 }).map((pairs) => new Map(pairs));
const bytes = fc.uint8Array({ maxLength: 20 }).map((some) => Uint8Array.from(some));
const bounds = fc.array(fc.tuple(fc.nat(), bytes), { maxLength: 4 }).map((pairs) => new Map(pairs));
const option = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const entry: fc.Arbitrary<ManifestEntry> = fc.record(
  {
    status: fc.constantFrom('existing', 'added', 'deleted'),
    snapshotId: option(snapshotId),
    sequenceNumber: option(count),
    fileSequenceNumber: option(count),
    file: fc.record(
      {
        content: fc.constantFrom('data', 'position-deletes', 'equality-deletes'),
        filePath: fc.string({ unit: 'grapheme' }),
        fileFormat: fc.constant('PARQUET'),
        partition: fc.constant(new Map()),
        recordCount: count,
        fileSizeBytes: count,
        metrics: fc.record(
          {
            columnSizes: counts,
            valueCounts: counts,
            nullValueCounts: counts,
            nanValueCounts: counts,
            lowerBounds: bounds,
            upperBounds: bounds,
            splitOffsets: fc.array(count, { maxLength: 3 }),
          },
          { noNullPrototype: true },
        ),
        keyMetadata: option(bytes),
        equalityIds: option(fc.array(fc.nat(), { maxLength: 3 })),
        sortOrderId: option(fc.nat()),
        referencedDataFile: option(fc.string()),
      },
      { noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
);

const manifestFile: fc.Arbitrary<ManifestFile> = fc.record(
  {
    manifestPath: fc.string(),
    manifestLength: count,
    partitionSpecId: fc.nat(),
    content: fc.constantFrom('data', 'deletes'),
    sequenceNumber: count,
    minSequenceNumber: count,
    addedSnapshotId: snapshotId,
    addedFilesCount: fc.nat(),
    existingFilesCount: fc.nat(),
    deletedFilesCount: fc.nat(),
    addedRowsCount: count,
    existingRowsCount: count,
    deletedRowsCount: count,
    partitions: option(
      fc.array(
        fc.record(
          {
            containsNull: fc.boolean(),
            containsNan: option(fc.boolean()),
            lowerBound: option(bytes),
            upperBound: option(bytes),
          },
          { noNullPrototype: true },
        ),
        { maxLength: 3 },
      ),
    ),
    keyMetadata: option(bytes),
  },
  { noNullPrototype: true },
);

const added: ManifestEntry = {
  status: 'added',
  snapshotId: 5n,
  sequenceNumber: undefined,
  fileSequenceNumber: undefined,
  file: {
    content: 'data',
    filePath: 's3://lake/a.parquet',
    fileFormat: 'PARQUET',
    partition: new Map(),
    recordCount: 7,
    fileSizeBytes: 2 ** 40,
    metrics: { ...noMetrics, valueCounts: new Map([[1, 7]]), lowerBounds: new Map([[1, Uint8Array.of(9)]]) },
    sortOrderId: 0,
  },
};

/** What the reference implementation of Avro in JavaScript makes of a file. */
async function decodedByAvsc(file: Uint8Array): Promise<{ header: Map<string, string>; records: unknown[] }> {
  const decoder = new avsc.streams.BlockDecoder({
    parseHook: (json) => avsc.Type.forSchema(json, { noAnonymousTypes: false }),
  });
  let header = new Map<string, string>();
  decoder.on('metadata', (_type: unknown, _codec: unknown, read: { meta: Record<string, Buffer> }) => {
    header = new Map(Object.entries(read.meta).map(([name, value]) => [name, value.toString()]));
  });
  const records: unknown[] = [];
  for await (const value of Readable.from([Buffer.from(file)]).pipe(decoder)) records.push(value);
  return { header, records };
}

describe('a manifest', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
        const file = writeManifest({ schema, spec, syncMarker }, entries);
        assert.deepEqual(readManifest(file, 'm').entries, entries);
      }),
      { numRuns: 200 },
    );
  });

  it('is plain Avro, with the headers that Iceberg asks for', async () => {
    const { header, records } = await decodedByAvsc(writeManifest({ schema, spec, syncMarker }, [added]));
    assert.deepEqual(
      ['partition-spec', 'partition-spec-id', 'format-version', 'content', 'schema-id'].map((name) =>
        header.get(name),
      ),
      ['[]', '2', '2', 'data', '3'],
    );
    assert.match(header.get('schema') ?? '', /^\{"type":"struct","schema-id":3,"fields":\[/);
    assert.match(
      header.get('avro.schema') ?? '',
      /"name":"snapshot_id","type":\["null","long"\],"default":null,"field-id":1/,
    );
    assert.deepEqual(JSON.parse(JSON.stringify(records)), [
      {
        status: 1,
        snapshot_id: 5,
        sequence_number: null,
        file_sequence_number: null,
        data_file: {
          content: 0,
          file_path: 's3://lake/a.parquet',
          file_format: 'PARQUET',
          partition: {},
          record_count: 7,
          file_size_in_bytes: 2 ** 40,
          column_sizes: null,
          value_counts: [{ key: 1, value: 7 }],
          null_value_counts: null,
          nan_value_counts: null,
          lower_bounds: [{ key: 1, value: { type: 'Buffer', data: [9] } }],
          upper_bounds: null,
          key_metadata: null,
          split_offsets: null,
          equality_ids: null,
          sort_order_id: 0,
          referenced_data_file: null,
        },
      },
    ]);
  });

  it('of many blocks is read whole', () => {
    const entries = Array.from({ length: 3000 }, (_, at) => ({ ...added, snapshotId: BigInt(at) }));
    const file = writeManifest({ schema, spec, syncMarker }, entries);
    assert.ok(file.byteLength < 60_000, `${file.byteLength} bytes: deflate should leave a fraction`);
    assert.deepEqual(
      readManifest(file, 'm').entries.map(({ snapshotId }) => snapshotId),
      entries.map(({ snapshotId }) => snapshotId),
    );
  });

  it('of a partitioned table is refused when written', () => {
    const fields = [{ sourceId: 1, fieldId: 1000, name: 'id', transform: 'identity' }];
    assert.throws(() => writeManifest({ schema, spec: { specId: 1, fields }, syncMarker }, []), {
      name: 'CatalogError',
      code: 'UNSUPPORTED',
    });
  });

  it('that is damaged is a typed error or still a manifest, never a crash', () => {
    const file = writeManifest({ schema, spec, syncMarker }, [added, added]);
    // Cut between header and block it is an Avro file without records: the length in the manifest list tells then.
    const headerBytes = writeManifest({ schema, spec, syncMarker }, []).byteLength;
    for (let end = 0; end < file.byteLength; end += 1) {
      if (end !== headerBytes)
        assert.throws(() => readManifest(file.subarray(0, end), 'm'), FormatError, `cut at ${end}`);
    }
    fc.assert(
      fc.property(fc.nat(file.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(file);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        try {
          readManifest(damaged, 'm');
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a manifest list', () => {
  const options = { snapshotId: 2n ** 62n + 1n, parentSnapshotId: undefined, sequenceNumber: 4, syncMarker };

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(manifestFile, { maxLength: 5 }), (manifests) => {
        assert.deepEqual(readManifestList(writeManifestList(options, manifests), 'l'), manifests);
      }),
      { numRuns: 200 },
    );
  });

  it('names its snapshot in the header', async () => {
    const { header, records } = await decodedByAvsc(writeManifestList(options, []));
    assert.deepEqual(
      ['snapshot-id', 'parent-snapshot-id', 'sequence-number', 'format-version'].map((name) =>
        header.get(name),
      ),
      ['4611686018427387905', 'null', '4', '2'],
    );
    assert.deepEqual(records, []);
  });

  it('of another writer, with other codecs and fields in another order, is read by field ids', async () => {
    const long = (id: number, name: string): object => ({ name, type: 'long', 'field-id': id });
    const json = {
      type: 'record',
      name: 'manifest_file',
      fields: [
        long(503, 'added_snapshot_id'),
        {
          name: 'a_later_field',
          type: ['null', { type: 'map', values: 'string' }],
          default: null,
          'field-id': 999,
        },
        { name: 'the_path', type: 'string', 'field-id': 500 },
        long(501, 'manifest_length'),
        ...[502, 504, 505, 506].map((id) => ({ name: `i${id}`, type: 'int', 'field-id': id })),
        ...[512, 513, 514].map((id) => long(id, `l${id}`)),
      ],
    };
    for (const codec of ['null', 'deflate']) {
      const encoder = new avsc.streams.BlockEncoder(json as avsc.Schema, { codec, writeHeader: true });
      const chunks: Buffer[] = [];
      const collected = (async () => {
        for await (const chunk of encoder) chunks.push(chunk as Buffer);
      })();
      encoder.end({
        added_snapshot_id: 11,
        a_later_field: { a: 'b' },
        the_path: 's3://m.avro',
        manifest_length: 5,
        i502: 1,
        i504: 2,
        i505: 3,
        i506: 4,
        l512: 5,
        l513: 6,
        l514: 7,
      });
      await collected;
      // The schema as avsc prints it has lost the field ids: the header is made anew, as other writers' headers are.
      const written = Buffer.concat(chunks);
      const [manifest] = readManifestList(withSchema(written, JSON.stringify(json), codec), 'l');
      assert.equal(manifest?.manifestPath, 's3://m.avro');
      assert.equal(manifest.addedSnapshotId, 11n);
      assert.deepEqual(
        [manifest.content, manifest.sequenceNumber, manifest.deletedRowsCount],
        ['data', 0, 7],
      );
    }
  });
});

/** A container file with another `avro.schema` in its header. */
function withSchema(file: Buffer, schemaText: string, codec: string): Uint8Array {
  const meta = avsc.Type.forSchema({ type: 'map', values: 'bytes' });
  const { offset } = meta.decode(file, 4) as { offset: number };
  const header = meta.toBuffer({ 'avro.schema': Buffer.from(schemaText), 'avro.codec': Buffer.from(codec) });
  return Buffer.concat([file.subarray(0, 4), header, file.subarray(offset)]);
}
