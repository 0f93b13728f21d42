import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realRuntime } from '../runtime/real-runtime.ts';
import { keyOfLocation, locationOf } from './locations.ts';
import { createMemoryStore } from './memory.ts';
import type { ObjectStore } from './object-store.ts';
import { createS3Store } from './s3/s3-store.ts';

const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };

function s3(prefix?: string): ObjectStore {
  return createS3Store({ bucket: 'lake', prefix, region: 'us-east-1', credentials, runtime: realRuntime });
}

test('a location leads back to its key', () => {
  for (const store of [s3(), s3('a/b'), createMemoryStore({ runtime: realRuntime })])
    assert.equal(
      keyOfLocation(store, locationOf(store, 'tables/t-1/data/x.parquet')),
      'tables/t-1/data/x.parquet',
    );
  assert.equal(locationOf(s3('a/b/'), 'k'), 's3://lake/a/b/k');
});

test("other programs' spellings of a place are understood", () => {
  assert.equal(keyOfLocation(s3('a'), 's3a://lake/a/k'), 'k');
  const files = { ...createMemoryStore({ runtime: realRuntime }), baseLocation: 'file:///srv/firn' };
  for (const location of ['file:/srv/firn/k', 'file:///srv/firn/k', '/srv/firn/k'])
    assert.equal(keyOfLocation(files, location), 'k');
});

test('what lies outside of the store has no key', () => {
  for (const location of [
    's3://lake/ab/k',
    's3://lake/a',
    's3://lake/a/',
    's3://other/a/k',
    's3://lake/a/../b/k',
    'gs://lake/a/k',
  ])
    assert.equal(keyOfLocation(s3('a'), location), undefined);
});
