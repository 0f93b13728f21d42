import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ManifestError } from './manifest-error.ts';
import { readBrokerManifest } from './read-broker-manifest.ts';

const head = 'apiVersion: firn.dev/v1beta1\nkind: Broker\nmetadata: {name: main}\n';
const storage = '  storage: {file: {path: data}}\n';

function problems(text: string): readonly string[] {
  try {
    readBrokerManifest(text, 'b.yaml');
  } catch (error) {
    assert(error instanceof ManifestError, String(error));
    return error.problems;
  }
  return [];
}

/** With a spec, from line 4 on, whose storage is line 5. */
function problemsOf(spec: string): readonly string[] {
  return problems(`${head}spec:\n${storage}${spec}`);
}

describe('a Broker manifest', () => {
  test('the example can be read', async () => {
    const file = path.join(import.meta.dirname, '../examples/broker.yaml');
    const { metadata, spec } = readBrokerManifest(await readFile(file, 'utf8'), file);
    assert.equal(metadata.name, 'quickstart');
    assert.equal(spec.replicas, 1);
    assert.deepEqual(spec.zones, ['local']);
    assert.deepEqual(
      spec.listeners?.map(({ name, port }) => [name, port]),
      [['internal', 9092]],
    );
    assert.equal(spec.config.get('max.connections')?.text, '5000');
  });

  test('the example of three zones can be read', async () => {
    const file = path.join(import.meta.dirname, '../examples/three-zones.yaml');
    const { spec } = readBrokerManifest(await readFile(file, 'utf8'), file);
    assert.equal(spec.replicas, 3);
    assert.deepEqual(spec.zones, ['zone-a', 'zone-b', 'zone-c']);
  });

  test('brokers prove themselves by a secret or by certificates', () => {
    const internal = (text: string): unknown =>
      readBrokerManifest(`${head}spec:\n${storage}  internal: ${text}\n`, 'b.yaml').spec.internal;
    assert.equal(readBrokerManifest(`${head}spec:\n${storage}`, 'b.yaml').spec.internal, undefined);
    assert.deepEqual(internal('{secretFile: s}'), { secretFile: 's', certificate: undefined });
    assert.deepEqual(internal('{certificate: {certFile: c, keyFile: k, caFile: a}}'), {
      secretFile: undefined,
      certificate: { certFile: 'c', keyFile: 'k', caFile: 'a' },
    });
    const all = 'certificate: {certFile: c, keyFile: k, caFile: a}';
    assert.deepEqual(problemsOf(`  internal: {secretFile: s, ${all}}\n`), [
      'b.yaml:6: spec.internal must have exactly one of secretFile, certificate, not 2 of them',
    ]);
    assert.deepEqual(problemsOf('  internal: {}\n'), [
      'b.yaml:6: spec.internal must have exactly one of secretFile, certificate, not 0 of them',
    ]);
    assert.deepEqual(problemsOf('  internal: {certificate: {certFile: c, keyFile: k}}\n'), [
      'b.yaml:6: spec.internal.certificate.caFile is missing; it must be the path of a file',
    ]);
  });

  test('fields that are not there have their defaults, or are not there', () => {
    const text = `${head}spec:\n  storage: {s3: {bucket: my-bucket}}\n  listeners:\n  config: null\n`;
    const { spec } = readBrokerManifest(text, 'b.yaml');
    assert.deepEqual(spec.storage, {
      s3: {
        bucket: 'my-bucket',
        prefix: '',
        region: '',
        endpoint: '',
        forcePathStyle: undefined,
        credentialsSecretRef: undefined,
      },
      file: undefined,
    });
    assert.equal(spec.listeners, undefined);
    assert.equal(spec.config.size, 0);
  });

  test('values of settings stay as they were written, and know where they stand', () => {
    const { spec } = readBrokerManifest(
      `${head}spec:\n${storage}  config:\n    a.ms: 604800000\n    b: 1e3\n    c: 'x'\n    d: true\n`,
      'b.yaml',
    );
    assert.deepEqual(
      [...spec.config].map(([name, { text, where }]) => [name, text, where]),
      [
        ['a.ms', '604800000', 'b.yaml:7: spec.config["a.ms"]'],
        ['b', '1e3', 'b.yaml:8: spec.config.b'],
        ['c', 'x', 'b.yaml:9: spec.config.c'],
        ['d', 'true', 'b.yaml:10: spec.config.d'],
      ],
    );
  });

  test('an alias stands for what it names', () => {
    const text = `${head}spec:\n  zones: [&zone eu-1a]\n  storage: {file: {path: *zone}}\n`;
    assert.equal(readBrokerManifest(text, 'b.yaml').spec.storage.file?.path, 'eu-1a');
  });

  test('unknown fields are refused, and the nearest known one is named', () => {
    assert.deepEqual(problemsOf('  listerners: []\n'), [
      'b.yaml:6: spec.listerners is not a field; did you mean "listeners"?',
    ]);
    assert.deepEqual(problemsOf('  listeners:\n    - {name: a, port: 1, potr: 2}\n'), [
      'b.yaml:7: spec.listeners[0].potr is not a field; did you mean "port"?',
    ]);
    assert.match(
      problemsOf('  volumes: 1\n')[0] ?? '',
      /spec\.volumes is not a field; known are replicas, zones, /,
    );
  });

  test('what is not built is refused, with the path of the field and what to do', () => {
    for (const [spec, message] of [
      [
        '  pod: {}\n',
        'b.yaml:6: spec.pod is not built yet; the operator is not built yet, and one machine does without it',
      ],
      [
        '  catalogs: []\n',
        'b.yaml:6: spec.catalogs is not built yet; table topics use the one that is built in',
      ],
      [
        '  listeners:\n    - name: a\n      port: 1\n      tls: {}\n',
        'b.yaml:9: spec.listeners[0].tls is not built yet; listeners are plain text, and on loopback unless --host says otherwise',
      ],
    ] as const) {
      assert.deepEqual(problemsOf(spec), [message]);
    }
    assert.match(problems(head.replace('Broker', 'TableTopic'))[0] ?? '', /kind TableTopic is not built yet/);
    assert.match(
      problems(`${head}spec:\n${storage}---\n${head}`)[0] ?? '',
      /^b\.yaml:7: more than one manifest in a file is not built yet/,
    );
    assert.match(
      problems(head.replace('{name: main}', '{name: main, namespace: x}'))[0] ?? '',
      /^b\.yaml:3: metadata\.namespace is not built yet; /,
    );
  });

  test('values that a field cannot have are refused, with what would be right', () => {
    for (const [spec, message] of [
      [
        '  replicas: many\n',
        'b.yaml:6: spec.replicas is many but must be a whole number from 1 to 999; without quotes',
      ],
      ['  replicas: 0\n', 'b.yaml:6: spec.replicas is "0" but must be a whole number from 1 to 999'],
      ['  replicas: 1.5\n', 'b.yaml:6: spec.replicas is "1.5" but must be a whole number from 1 to 999'],
      ['  zones: eu-1a\n', 'b.yaml:6: spec.zones must be a list of texts with at least one item'],
      ['  zones: []\n', 'b.yaml:6: spec.zones must be a list of texts with at least one item'],
      ['  zones: [1]\n', 'b.yaml:6: spec.zones must be a list of texts with at least one item'],
      ['  listeners: []\n', 'b.yaml:6: spec.listeners must be a list with at least one item'],
      [
        '  listeners: [9092]\n',
        'b.yaml:6: spec.listeners[0] must have fields: name, port, type, tls, authentication',
      ],
      ['  config: [a]\n', 'b.yaml:6: spec.config must have names with values'],
      ['  config: {a: [b]}\n', 'b.yaml:6: spec.config.a must be text, a number, true or false'],
      [
        '  listeners:\n    - {name: a, port: 1}\n    - {name: a, port: 2}\n',
        'b.yaml:8: spec.listeners[1].name is "a", as that of an item before it',
      ],
    ] as const) {
      assert.deepEqual(problemsOf(spec), [message]);
    }
    assert.match(
      problemsOf('  zones: ["a b"]\n')[0] ?? '',
      /^b\.yaml:6: spec\.zones\[0\] is "a b" but must be at most 63 /,
    );
    assert.match(
      problems(`${head}spec: {storage: {s3: {bucket: 123}}}\n`)[0] ?? '',
      /^b\.yaml:4: spec\.storage\.s3\.bucket is 123 but must be the name of a bucket; put it in quotes if 123 is meant$/,
    );
    assert.match(
      problems(`${head}spec: {storage: {s3: {bucket: abc, endpoint: 'localhost:9000'}}}\n`)[0] ?? '',
      /endpoint is "localhost:9000" but must be an http or https URL without a path/,
    );
  });

  test('what is missing is named', () => {
    assert.deepEqual(problems(''), ['b.yaml: this is empty; a Broker is wanted']);
    assert.deepEqual(problems(`${head}spec: {}\n`), ['b.yaml:4: spec.storage is missing']);
    assert.deepEqual(problems(head), ['b.yaml:1: spec is missing']);
    assert.deepEqual(problems(`${head}spec:\n  storage: {}\n`), [
      'b.yaml:5: spec.storage must have exactly one of s3, file, not 0 of them',
    ]);
    assert.deepEqual(problems(`${head}spec:\n  storage: {s3: {bucket: abc}, file: {path: d}}\n`), [
      'b.yaml:5: spec.storage must have exactly one of s3, file, not 2 of them',
    ]);
    assert.match(
      problems('[]')[0] ?? '',
      /^b\.yaml:1: this must have fields: apiVersion, kind, metadata, spec/,
    );
  });

  test('all problems come together', () => {
    const text = 'apiVersion: v1\nkind: Broker\nmetadata: {name: Main}\nspec:\n  replicas: 0\n';
    assert.deepEqual(
      problems(text).map((problem) => problem.split(' ', 2).join(' ')),
      [
        'b.yaml:1: apiVersion',
        'b.yaml:3: metadata.name',
        'b.yaml:5: spec.replicas',
        'b.yaml:4: spec.storage',
      ],
    );
  });

  test('what is not YAML is refused with its line', () => {
    assert.match(problems(`${head}spec:\n  storage: [\n`)[0] ?? '', /^b\.yaml:\d: this is not YAML: /);
    assert.match(
      problems(`${head}kind: Broker\n`)[0] ?? '',
      /^b\.yaml:4: this is not YAML: Map keys must be unique$/,
    );
    assert.match(problems(`${head}spec: *nobody\n`)[0] ?? '', /^b\.yaml/);
  });
});
