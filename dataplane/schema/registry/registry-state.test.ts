import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryRegistry, RegistryClient } from './memory-registry-fixture.ts';
import { RegistryRecordError, decodeRegistryRecord, encodeRegistryRecord } from './registry-record.ts';
import type { RegistryRecord } from './registry-record.ts';
import { RegistryState } from './registry-state.ts';

const names = fc.constantFrom('a', 'b', 'c');
const texts = fc.integer({ min: 0, max: 3 }).map((size) => ({ type: 'fixed', name: `F${size}`, size }));
const versions = fc.constantFrom('1', '2', '3', 'latest');
const permanently = fc.constantFrom('', '?permanent=true');

const requests = fc.oneof(
  fc.record({ do: fc.constant('register' as const), subject: names, schema: texts }),
  fc.record({
    do: fc.constant('delete' as const),
    url: fc.tuple(names, permanently).map(([s, p]) => `/subjects/${s}${p}`),
  }),
  fc.record({
    do: fc.constant('delete' as const),
    url: fc.tuple(names, versions, permanently).map(([s, v, p]) => `/subjects/${s}/versions/${v}${p}`),
  }),
);

function seen(state: RegistryState): unknown {
  return {
    maxId: state.maxId,
    textSize: state.textSize,
    subjects: state.subjects(true).map((subject) => [subject, state.versions(subject, true)]),
    schemas: Array.from({ length: state.maxId }, (_, index) => state.schema(index + 1)),
  };
}

test('an owner that reads the log knows what the one before knew; an id never stands for two schemas', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { maxLength: 40 }), async (steps) => {
      const registry = new MemoryRegistry();
      const client = new RegistryClient(registry);
      await client.outcome('PUT', '/config', { compatibility: 'NONE' });
      const textOf = new Map<number, string>();
      for (const step of steps) {
        if (step.do === 'delete') {
          await client.outcome('DELETE', step.url);
          continue;
        }
        const { id } = (await client.register(step.subject, step.schema)) as { id: number };
        const text = registry.state.schema(id)?.text ?? '';
        assert.equal(text, JSON.stringify(step.schema));
        assert.equal(textOf.get(id) ?? text, text);
        textOf.set(id, text);
      }
      assert.deepEqual(seen(registry.reloaded()), seen(registry.state));
    }),
    { numRuns: 200 },
  );
});

test('records are what Confluent’s registry writes', () => {
  const text = (record: RegistryRecord): readonly (string | null)[] => {
    const { key, value } = encodeRegistryRecord(record);
    return [Buffer.from(key).toString(), value === null ? null : Buffer.from(value).toString()];
  };
  const key = { subject: 's', version: 1 };
  const value = { id: 7, schemaType: 'AVRO', text: '"int"', deleted: false, references: [] };
  assert.deepEqual(text({ kind: 'schema', key, value }), [
    '{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
    '{"subject":"s","version":1,"id":7,"schema":"\\"int\\"","deleted":false}',
  ]);
  assert.deepEqual(text({ kind: 'schema', key, value: undefined })[1], null);
  assert.deepEqual(text({ kind: 'config', subject: undefined, level: 'FULL' }), [
    '{"keytype":"CONFIG","subject":null,"magic":0}',
    '{"compatibilityLevel":"FULL"}',
  ]);
  assert.deepEqual(text({ kind: 'deleteSubject', subject: 's', upToVersion: 3 }), [
    '{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}',
    '{"subject":"s","version":3}',
  ]);
});

test('a topic that Confluent’s registry has written is read; what means nothing here is passed over', () => {
  const state = new RegistryState();
  const records: readonly (readonly [key: unknown, value: unknown])[] = [
    [{ keytype: 'NOOP', magic: 0 }, null],
    [
      { keytype: 'SCHEMA', subject: 's', version: 1, magic: 1 },
      { subject: 's', version: 1, id: 100_001, md5: 'x', schema: '"int"', deleted: false, schemaTags: null },
    ],
    [
      { keytype: 'SCHEMA', subject: 'p', version: 1, magic: 1 },
      {
        subject: 'p',
        version: 1,
        id: 4,
        schemaType: 'PROTOBUF',
        references: [{ name: 'n' }],
        schema: 'm',
        deleted: true,
      },
    ],
    [{ keytype: 'CONFIG', subject: 's', magic: 0 }, { compatibilityLevel: 'FORWARD' }],
    [{ keytype: 'MODE', subject: null, magic: 0 }, { mode: 'READONLY' }],
    [{ keytype: 'CLEAR_SUBJECT', subject: 's', magic: 0 }, { subject: 's' }],
  ];
  for (const [key, value] of records) {
    const record = decodeRegistryRecord(
      Buffer.from(JSON.stringify(key)),
      value === null ? null : Buffer.from(JSON.stringify(value)),
    );
    if (record !== undefined) state.apply(record);
  }
  assert.equal(state.maxId, 100_001);
  assert.deepEqual(state.subjects(), ['s']);
  assert.equal(state.levelOf('s'), 'FORWARD');
  assert.deepEqual(state.schema(4), {
    id: 4,
    schemaType: 'PROTOBUF',
    text: 'm',
    references: [{ name: 'n' }],
  });
});

test('bytes that are no record of a registry are an error, never a guess', () => {
  for (const [key, value] of [
    ['not JSON', null],
    ['[]', null],
    ['{"keytype":"SCHEMA","version":1}', '{}'],
    ['{"keytype":"SCHEMA","subject":"s","version":-1}', null],
    ['{"keytype":"SCHEMA","subject":"s","version":1}', '{"id":"7","schema":"x"}'],
    ['{"keytype":"CONFIG","subject":null}', '{"compatibilityLevel":"SOME"}'],
  ] as const) {
    assert.throws(
      () => decodeRegistryRecord(Buffer.from(key), value === null ? null : Buffer.from(value)),
      RegistryRecordError,
    );
  }
});
