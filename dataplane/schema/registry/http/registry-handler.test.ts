import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryRegistry, RegistryClient } from '../memory-registry-fixture.ts';

const a = { name: 'a', type: 'int' };
const b = { name: 'b', type: 'string' };

function order(...fields: readonly unknown[]): {
  readonly type: 'record';
  readonly name: 'Order';
  readonly fields: unknown;
} {
  return { type: 'record', name: 'Order', fields };
}

function start(): { readonly registry: MemoryRegistry; readonly client: RegistryClient } {
  const registry = new MemoryRegistry();
  return { registry, client: new RegistryClient(registry) };
}

async function message(client: RegistryClient, method: string, url: string, body?: unknown): Promise<string> {
  const { json } = await client.ask(method, url, body);
  return String((json as { message: unknown }).message);
}

test('ids are of schemas, versions of subjects; the same schema keeps its id everywhere', async () => {
  const { client } = start();
  assert.deepEqual(await client.outcome('GET', '/subjects'), []);
  assert.deepEqual(await client.register('orders-value', order(a)), { id: 1 });
  assert.deepEqual(await client.register('orders-value', order(a)), { id: 1 });
  const other = '{ "fields": [ {"type": {"type":"int"}, "name":"a"} ], "name": "Order", "type": "record" }';
  assert.deepEqual(
    await client.outcome('POST', '/subjects/other/versions', {
      schema: other,
      schemaType: 'AVRO',
      references: [],
    }),
    { id: 1 },
  );
  assert.deepEqual(await client.register('orders-value', order(a, { ...b, default: '' })), { id: 2 });
  assert.deepEqual(await client.outcome('GET', '/subjects'), ['orders-value', 'other']);
  assert.deepEqual(await client.outcome('GET', '/subjects?subjectPrefix=ot'), ['other']);
  assert.deepEqual(await client.outcome('GET', '/subjects/orders-value/versions'), [1, 2]);
  assert.deepEqual(await client.outcome('GET', '/subjects/orders-value/versions/latest'), {
    subject: 'orders-value',
    version: 2,
    id: 2,
    schema:
      '{"type":"record","name":"Order","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}',
  });
  assert.deepEqual(await client.outcome('GET', '/subjects/orders-value/versions/1/schema'), order(a));
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1'), { schema: JSON.stringify(order(a)) });
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1/schema'), order(a));
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1?fetchMaxId=true'), {
    schema: JSON.stringify(order(a)),
    maxId: 2,
  });
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1/subjects'), ['orders-value', 'other']);
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1/versions'), [
    { subject: 'orders-value', version: 1 },
    { subject: 'other', version: 1 },
  ]);
  assert.deepEqual(
    await client.outcome('POST', '/subjects/orders-value', { schema: JSON.stringify(order(a)) }),
    {
      subject: 'orders-value',
      version: 1,
      id: 1,
      schema: JSON.stringify(order(a)),
    },
  );
  assert.equal(((await client.outcome('GET', '/schemas?latestOnly=true')) as unknown[]).length, 2);
  assert.equal(((await client.outcome('GET', '/schemas?offset=1&limit=1')) as unknown[]).length, 1);
  assert.deepEqual(await client.outcome('GET', '/schemas/types'), ['AVRO']);
});

test('what is not there is named by its code', async () => {
  const { client } = start();
  await client.register('s', order(a));
  const text = { schema: JSON.stringify(order(b)) };
  const cases: readonly (readonly [method: string, url: string, outcome: string, body?: unknown])[] = [
    ['GET', '/subjects/none/versions', '404 40401'],
    ['GET', '/subjects/none/versions/1', '404 40401'],
    ['POST', '/subjects/none', '404 40401', text],
    ['DELETE', '/subjects/none', '404 40401'],
    ['DELETE', '/config/none', '404 40401'],
    ['GET', '/subjects/s/versions/2', '404 40402'],
    ['DELETE', '/subjects/s/versions/2', '404 40402'],
    ['POST', '/compatibility/subjects/s/versions/2', '404 40402', text],
    ['POST', '/compatibility/subjects/none/versions/1', '404 40402', text],
    ['GET', '/schemas/ids/7', '404 40403'],
    ['GET', '/schemas/ids/seven', '404 40403'],
    ['POST', '/subjects/s', '404 40403', text],
    ['GET', '/config/s', '404 40408'],
    ['GET', '/mode/s', '404 40409'],
    ['GET', '/subjects/s/versions/0', '422 42202'],
    ['GET', '/subjects/s/versions/newest', '422 42202'],
    ['GET', '/nothing', '404 404'],
    ['GET', '/subjects/%zz', '400 400'],
    ['PATCH', '/subjects', '405 405'],
  ];
  for (const [method, url, outcome, body] of cases)
    assert.equal(await client.outcome(method, url, body), outcome, `${method} ${url}`);
});

test('what cannot be registered is refused with a sentence', async () => {
  const { client, registry } = start();
  const schema = JSON.stringify(order(a));
  const cases: readonly (readonly [body: unknown, outcome: string, why: RegExp])[] = [
    [
      { schema: '{"type":"record"}' },
      '422 42201',
      /^the schema is not valid Avro: a type of kind "record" needs "name"/,
    ],
    [{ schema: '{"type":' }, '422 42201', /^the schema is not JSON/],
    [
      { schema: JSON.stringify(order({ ...a, default: 'x' })) },
      '422 42201',
      /incompatible field default "x"/,
    ],
    [{ schema: '' }, '422 42201', /^"schema" must be the text of a schema/],
    [{}, '422 42201', /^"schema" must be the text of a schema/],
    [{ schema, schemaType: 'PROTOBUF' }, '422 42201', /"PROTOBUF": only AVRO is built so far/],
    [{ schema, schemaType: 'JSON' }, '422 42201', /"JSON": only AVRO is built so far/],
    [
      { schema, references: [{ name: 'x', subject: 'y', version: 1 }] },
      '422 42201',
      /^references to other subjects/,
    ],
    [{ schema, ruleSet: {} }, '422 42201', /data contracts/],
    [{ schema, id: 9 }, '422 42205', /^the body asks for id 9/],
    [{ schema, version: 3 }, '422 42201', /^version 3 is not the next one of subject s: 1 is/],
    ['not JSON', '400 400', /^the body is not JSON/],
    [[1], '400 400', /^the body is not a JSON object/],
  ];
  for (const [body, outcome, why] of cases) {
    assert.equal(await client.outcome('POST', '/subjects/s/versions', body), outcome);
    assert.match(await message(client, 'POST', '/subjects/s/versions', body), why);
  }
  assert.equal(await client.register(':.context:s', order(a)), '422 42208');
  assert.deepEqual(registry.log, []);
});

test('only JSON is taken for JSON: a web page can send anything else without asking', async () => {
  const { client } = start();
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
    const { status } = await client.ask(
      'POST',
      '/subjects/s/versions',
      { schema: '"int"' },
      { 'content-type': type },
    );
    assert.equal(status, 415);
  }
  for (const type of ['application/json; charset=utf-8', 'application/vnd.schemaregistry+json']) {
    const { status } = await client.ask(
      'POST',
      '/subjects/s/versions',
      { schema: '"int"' },
      { 'content-type': type },
    );
    assert.equal(status, 200);
  }
});

test('answers are of the type that was asked for', async () => {
  const { client } = start();
  const typeFor = async (accept: string): Promise<string | undefined> =>
    (await client.ask('GET', '/subjects', undefined, { accept })).contentType;
  assert.equal(await typeFor('*/*'), 'application/vnd.schemaregistry.v1+json');
  assert.equal(await typeFor('application/json'), 'application/json');
  assert.equal(
    await typeFor('application/vnd.schemaregistry.v1+json, application/json;q=0.9'),
    'application/vnd.schemaregistry.v1+json',
  );
});

test('a new version must go with the ones before it as the level says', async () => {
  const withDefault = order(a, { ...b, default: '' });
  const cases = {
    NONE: [order(b), true],
    BACKWARD: [order(a, b), false],
    FORWARD: [order(b), false],
    FULL: [withDefault, true],
  } as const;
  for (const [level, [next, isCompatible]] of Object.entries(cases)) {
    const { client } = start();
    assert.deepEqual(await client.outcome('PUT', '/config/s', { compatibility: level }), {
      compatibility: level,
    });
    await client.register('s', order(a));
    const body = { schema: JSON.stringify(next) };
    assert.deepEqual(await client.outcome('POST', '/compatibility/subjects/s/versions/latest', body), {
      is_compatible: isCompatible,
    });
    assert.deepEqual(await client.outcome('POST', '/compatibility/subjects/s/versions', body), {
      is_compatible: isCompatible,
    });
    assert.deepEqual(await client.register('s', next), isCompatible ? { id: 2 } : '409 409', level);
  }
});

test('a transitive level looks at all versions, others at the latest one', async () => {
  const { client } = start();
  await client.outcome('PUT', '/config/s', { compatibility: 'NONE' });
  await client.register('s', order(b));
  await client.register('s', order(a));
  const next = { schema: JSON.stringify(order({ ...a, type: 'long' })) };
  await client.outcome('PUT', '/config/s', { compatibility: 'BACKWARD_TRANSITIVE' });
  const verbose = await client.outcome('POST', '/compatibility/subjects/s/versions?verbose=true', next);
  const { is_compatible, messages } = verbose as { is_compatible: boolean; messages: string[] };
  assert.equal(is_compatible, false);
  assert.match(
    messages.join(),
    /^what was written with version 1 cannot be read with the new schema: no matching field/,
  );
  await client.outcome('PUT', '/config/s', { compatibility: 'BACKWARD' });
  assert.deepEqual(await client.register('s', order({ ...a, type: 'long' })), { id: 3 });
});

test('levels: one for all, and one for each subject', async () => {
  const { client } = start();
  assert.deepEqual(await client.outcome('GET', '/config'), { compatibilityLevel: 'BACKWARD' });
  assert.deepEqual(await client.outcome('PUT', '/config', { compatibility: 'full' }), {
    compatibility: 'FULL',
  });
  assert.deepEqual(await client.outcome('GET', '/config/s?defaultToGlobal=true'), {
    compatibilityLevel: 'FULL',
  });
  await client.outcome('PUT', '/config/s', { compatibility: 'NONE' });
  assert.deepEqual(await client.outcome('GET', '/config/s'), { compatibilityLevel: 'NONE' });
  assert.deepEqual(await client.outcome('DELETE', '/config/s'), { compatibilityLevel: 'NONE' });
  assert.equal(await client.outcome('GET', '/config/s'), '404 40408');
  assert.deepEqual(await client.outcome('DELETE', '/config'), { compatibilityLevel: 'FULL' });
  assert.deepEqual(await client.outcome('GET', '/config'), { compatibilityLevel: 'BACKWARD' });
  assert.equal(await client.outcome('PUT', '/config', { compatibility: 'SOME' }), '422 42203');
  assert.equal(await client.outcome('PUT', '/config', { compatibility: 'NONE', alias: 'x' }), '422 42203');
});

test('deleting twice deletes for good; ids are not given out again', async () => {
  const { client } = start();
  await client.register('s', order(a));
  await client.register('s', order(a, { ...b, default: '' }));
  await client.outcome('PUT', '/config/s', { compatibility: 'NONE' });
  assert.equal(await client.outcome('DELETE', '/subjects/s/versions/1?permanent=true'), '404 40407');
  assert.equal(await client.outcome('DELETE', '/subjects/s/versions/1'), 1);
  assert.equal(await client.outcome('DELETE', '/subjects/s/versions/1'), '404 40406');
  assert.equal(await client.outcome('GET', '/subjects/s/versions/1'), '404 40402');
  assert.equal((await client.ask('GET', '/subjects/s/versions/1?deleted=true')).status, 200);
  assert.deepEqual(await client.outcome('GET', '/schemas/ids/1/schema'), order(a));
  assert.equal(await client.outcome('DELETE', '/subjects/s?permanent=true'), '404 40405');
  assert.deepEqual(await client.outcome('DELETE', '/subjects/s'), [2]);
  assert.equal(await client.outcome('DELETE', '/subjects/s'), '404 40404');
  assert.equal(await client.outcome('GET', '/config/s'), '404 40408');
  assert.deepEqual(await client.outcome('GET', '/subjects'), []);
  assert.deepEqual(await client.outcome('GET', '/subjects?deletedOnly=true'), ['s']);
  assert.deepEqual(await client.outcome('GET', '/subjects/s/versions?deleted=true'), [1, 2]);
  // A version that is registered again is a new one, of the same schema.
  assert.deepEqual(await client.register('s', order(a)), { id: 1 });
  assert.deepEqual(await client.outcome('GET', '/subjects/s/versions'), [3]);
  await client.outcome('DELETE', '/subjects/s');
  assert.deepEqual(await client.outcome('DELETE', '/subjects/s?permanent=true'), [1, 2, 3]);
  assert.equal(await client.outcome('GET', '/subjects/s/versions?deleted=true'), '404 40401');
  assert.equal(await client.outcome('GET', '/schemas/ids/1'), '404 40403');
  assert.deepEqual(await client.register('s', order(a)), { id: 3 });
  assert.deepEqual(await client.outcome('GET', '/subjects/s/versions'), [1]);
});

test('the mode is READWRITE and stays so', async () => {
  const { client } = start();
  assert.deepEqual(await client.outcome('GET', '/mode'), { mode: 'READWRITE' });
  assert.deepEqual(await client.outcome('GET', '/mode/s?defaultToGlobal=true'), { mode: 'READWRITE' });
  assert.equal(await client.outcome('PUT', '/mode', { mode: 'READONLY' }), '422 42205');
  assert.equal(await client.outcome('PUT', '/mode/s', { mode: 'IMPORT' }), '422 42205');
});

test('who knows tables can refuse a registration', async () => {
  const client = new RegistryClient(new MemoryRegistry(), (subject) =>
    Promise.resolve(subject === 'no-value' ? 'it does not fit' : undefined),
  );
  assert.equal(await client.register('no-value', order(a)), '422 42201');
  assert.deepEqual(await client.register('yes-value', order(a)), { id: 1 });
});

test('a subject may have any name that can be written into a path', async () => {
  const { client } = start();
  for (const subject of ['a/b', 'ü', 'a b', '%2F', 'constructor', '__proto__']) {
    await client.register(subject, order(a));
    const url = `/subjects/${encodeURIComponent(subject)}/versions/latest`;
    const { subject: found } = (await client.outcome('GET', url)) as { subject: string };
    assert.equal(found, subject);
  }
});
