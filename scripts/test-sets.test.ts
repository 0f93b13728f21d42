import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testFilesOf, testSets } from './test-sets.ts';

const files = [
  'e2e/tools/pack.test.ts',
  'e2e/s3/race.test.ts',
  'e2e/kube/watch.test.ts',
  'dataplane/log/sim/world.test.ts',
  'dataplane/log/slot.test.ts',
  'cli/firn.test.ts',
];

test('every test file is in exactly one set', () => {
  const found = testSets.flatMap((set) => testFilesOf(files, [set]));
  assert.deepEqual(found.toSorted(), files.toSorted());
});

test('sets are told apart by folder', () => {
  assert.deepEqual(testFilesOf(files, ['unit']), ['cli/firn.test.ts', 'dataplane/log/slot.test.ts']);
  assert.deepEqual(testFilesOf(files, ['sim']), ['dataplane/log/sim/world.test.ts']);
  assert.deepEqual(testFilesOf(files, ['s3']), ['e2e/s3/race.test.ts']);
  assert.deepEqual(testFilesOf(files, ['kube']), ['e2e/kube/watch.test.ts']);
  assert.deepEqual(testFilesOf(files, ['e2e']), ['e2e/tools/pack.test.ts']);
});
