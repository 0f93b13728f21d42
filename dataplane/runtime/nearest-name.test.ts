import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearestName } from './nearest-name.ts';

const known = ['bucket', 'prefix', 'region', 'forcePathStyle'];

test('a slip of the pen is recognized, in whatever case', () => {
  for (const [name, meant] of [
    ['buckett', 'bucket'],
    ['bukcet', 'bucket'],
    ['Region', 'region'],
    ['forcepathstyle', 'forcePathStyle'],
    ['path', undefined],
    ['x', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(nearestName(name, known), meant, name);
  }
  assert.equal(didYouMean('prefi', known), '; did you mean "prefix"?');
  assert.equal(didYouMean('endpoint', known), '');
});
