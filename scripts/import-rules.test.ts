import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { importProblems } from './import-rules.ts';

const packages = {
  dependencies: ['undici', '@aws-sdk/credential-providers', '@kubernetes/client-node', 'yaml'],
  devDependencies: ['fast-check', '@aws-sdk/client-s3'],
};
// The examples are written with § for what the rules look for, or they would be judged as imports of this file.
const importing = (specifier: string): string => `import { x } from §${specifier}§;`.replaceAll('§', "'");
const problems = (file: string, specifier: string): string[] =>
  importProblems(file, importing(specifier), packages);

const allowed: readonly (readonly [file: string, specifier: string])[] = [
  ['dataplane/log/slot.ts', '../store/keys.ts'],
  ['dataplane/log/slot.ts', './segment.ts'],
  ['dataplane/log/sim/main.ts', '../../store/simulated/store.ts'],
  ['dataplane/store/s3/pool.ts', 'undici'],
  ['dataplane/protocol/zstd.ts', 'node:zlib'],
  ['dataplane/store/s3/credentials.ts', '@aws-sdk/credential-providers'],
  ['dataplane/store/s3/sign.test.ts', '@aws-sdk/client-s3'],
  ['operator/reconcile.ts', '../dataplane/cluster/place.ts'],
  ['operator/reconcile.ts', '@kubernetes/client-node'],
  ['e2e/kube/watch.test.ts', '../../operator/reflector.ts'],
  ['cli/probe.ts', '../dataplane/store/open.ts'],
  ['bench/store.bench.ts', '@aws-sdk/client-s3'],
  ['dataplane/log/slot.test.ts', 'fast-check'],
  ['dataplane/log/sim/slots.ts', 'fast-check'],
];

const refused: readonly (readonly [file: string, specifier: string, because: RegExp])[] = [
  [
    'dataplane/store/keys.ts',
    '../log/slot.ts',
    /dataplane\/store may import only dataplane\/runtime, not dataplane\/log/,
  ],
  ['dataplane/store/keys.test.ts', '../log/slot.ts', /not dataplane\/log/],
  ['dataplane/runtime/service.ts', '../store/keys.ts', /may import only itself/],
  ['dataplane/log/slot.ts', '../broker/server.ts', /not dataplane\/broker/],
  ['dataplane/protocol/record.ts', 'node:fs', /does no I\/O/],
  ['dataplane/protocol/record.ts', 'node:net', /does no I\/O/],
  ['dataplane/protocol/record.ts', '../store/keys.ts', /not dataplane\/store/],
  ['dataplane/broker/server.ts', '../../operator/reconcile.ts', /not operator/],
  ['operator/reconcile.ts', '../dataplane/log/slot.ts', /not dataplane\/log/],
  ['dataplane/cluster/watch.ts', '@kubernetes/client-node', /only by operator/],
  ['cli/operator.ts', '@kubernetes/client-node', /only by operator/],
  ['crds/broker.ts', '../operator/conditions.ts', /not operator/],
  ['dataplane/store/s3/store.ts', '@aws-sdk/client-s3', /devDependency/],
  ['dataplane/log/slot.ts', '@aws-sdk/credential-providers', /only by dataplane\/store/],
  ['dataplane/log/slot.ts', 'fast-check', /devDependency/],
  ['dataplane/log/slot.ts', 'lodash', /not in package.json/],
  ['dataplane/novel/slot.ts', './other.ts', /not in the table/],
  ['dataplane/log/slot.ts', '../novel/other.ts', /in no folder/],
];

describe('import rules', () => {
  for (const [file, specifier] of allowed) {
    it(`let ${file} import ${specifier}`, () => {
      assert.deepEqual(problems(file, specifier), []);
    });
  }

  for (const [file, specifier, because] of refused) {
    it(`refuse ${specifier} in ${file}`, () => {
      const found = problems(file, specifier);
      assert.equal(found.length, 1);
      assert.match(found[0] ?? '', because);
      assert.match(found[0] ?? '', new RegExp(`^${file}: `));
    });
  }

  it('see re-exports, type imports, dynamic imports and imports for effect', () => {
    const forms = ['export * from §A§', 'import type { A } from §A§', 'await import(§A§)', 'import §A§'];
    for (const form of forms) {
      const source = form.replace('§A§', "'../log/slot.ts'");
      assert.equal(importProblems('dataplane/store/keys.ts', source, packages).length, 1, source);
    }
  });
});
