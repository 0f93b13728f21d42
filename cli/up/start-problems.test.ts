import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../dataplane/runtime/logger.ts';
import { StoreError } from '../../dataplane/store/errors.ts';
import type { StoreErrorCode } from '../../dataplane/store/errors.ts';
import { StartProblems } from './start-problems.ts';

function problem(code: StoreErrorCode): StoreError {
  return new StoreError(code, `it says ${code}`, { operation: 'put', store: 's3://b', key: 'meta/cluster' });
}

test('what is tried again is said once a kind, and only until the broker is ready', () => {
  const said: string[] = [];
  const problems = new StartProblems((sentence) => said.push(sentence));
  const logger = problems.watching(silentLogger);
  logger.warn('no session', { error: problem('UNREACHABLE') });
  logger.warn('no session', { error: problem('UNREACHABLE') });
  logger.warn('no session', { error: problem('THROTTLED') });
  logger.warn('no session', { error: new Error('something else') });
  logger.warn('no session');
  problems.over();
  logger.warn('no session', { error: problem('TIMEOUT') });
  assert.deepEqual(said, [
    'put "meta/cluster" at s3://b: it says UNREACHABLE; trying again',
    'put "meta/cluster" at s3://b: it says THROTTLED; trying again',
  ]);
});

test('what no repetition mends ends the start', async () => {
  const problems = new StartProblems(() => assert.fail('it is not tried again'));
  const denied = problem('ACCESS_DENIED');
  problems.watching(silentLogger).warn('no session', { error: denied });
  await assert.rejects(problems.hopeless, (error: unknown) => error === denied);
});
