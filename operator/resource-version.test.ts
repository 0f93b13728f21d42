import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNotNewer } from './resource-version.ts';

test('resourceVersions are compared as numbers of any size', () => {
  assert.equal(isNotNewer('9', '10'), true);
  assert.equal(isNotNewer('10', '9'), false);
  assert.equal(isNotNewer('10', '10'), true);
  assert.equal(isNotNewer('18446744073709551615', '18446744073709551614'), false);
});

test('what is no such number is never taken for old, unless it is the very same', () => {
  assert.equal(isNotNewer('a', 'b'), false);
  assert.equal(isNotNewer('', '5'), false);
  assert.equal(isNotNewer('05', '7'), false);
  assert.equal(isNotNewer('a', 'a'), true);
});
