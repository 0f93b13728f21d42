import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heartbeat } from '../protocol/api/heartbeat.ts';
import { encodeRequestFrame } from '../protocol/headers.ts';
import { realRuntime } from '../runtime/real-runtime.ts';
import type { Handler } from './handler.ts';
import { noResponse } from './handler.ts';
import { RequestDispatcher } from './request-dispatcher.ts';

function asked(handler: Handler<typeof heartbeat>): ReturnType<RequestDispatcher['process']> {
  const dispatcher = new RequestDispatcher({
    runtime: realRuntime,
    features: () => ({ supported: [], finalized: [], epoch: 0 }),
  });
  dispatcher.serve(heartbeat, handler);
  const caller = { correlationId: 1, clientId: null };
  const request = { groupId: 'g', generationId: 1, memberId: 'm' };
  const frame = Buffer.concat(encodeRequestFrame(heartbeat, 4, caller, request)).subarray(4);
  const connection = { id: 1, remoteAddress: '', listener: '' };
  return dispatcher.process(frame, connection, new AbortController().signal);
}

const answer = { throttleTimeMs: 0, errorCode: 0 };

test('what is to be done after a response is done once, when it has gone out', async () => {
  const done: string[] = [];
  const frame = await asked((_request, { afterResponse }) => {
    afterResponse(() => done.push('one'));
    afterResponse(() => done.push('two'));
    return answer;
  });
  assert.equal(done.length, 0);
  frame?.sent?.();
  assert.deepEqual(done, ['one', 'two']);
  frame?.sent?.();
  assert.deepEqual(done, ['one', 'two']);
  assert.equal((await asked(() => answer))?.sent, undefined);
});

test('it is done at once where there is no response', async () => {
  const done: string[] = [];
  const none = await asked((_request, { afterResponse }) => {
    afterResponse(() => done.push('none'));
    return noResponse;
  });
  assert.equal(none, undefined);
  await assert.rejects(
    asked(async (_request, { afterResponse }) => {
      afterResponse(() => done.push('failed'));
      await Promise.resolve();
      throw new Error('a bug');
    }),
    /a bug/,
  );
  await assert.rejects(
    asked((_request, { afterResponse }) => {
      afterResponse(() => done.push('cannot be encoded'));
      return { throttleTimeMs: 0, errorCode: 1e9 };
    }),
  );
  assert.deepEqual(done, ['none', 'failed', 'cannot be encoded']);
});
