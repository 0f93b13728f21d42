import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetch } from '../../protocol/api/fetch.ts';
import type { FetchRequest } from '../../protocol/api/fetch.ts';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { FetchSessions } from './fetch-session.ts';
import type { FetchTarget } from './fetch-session.ts';

const version = 12;

function request(given: {
  readonly sessionId?: number;
  readonly sessionEpoch?: number;
  /** `topic/partition@offset` */
  readonly want?: readonly string[];
  readonly forget?: readonly string[];
}): FetchRequest {
  const { sessionId = 0, sessionEpoch = -1, want = [], forget = [] } = given;
  const split = (text: string): { topic: string; partition: number; offset: number } => {
    const [, topic = '', partition = '', offset = '0'] = /^(.+)\/(\d+)(?:@(\d+))?$/.exec(text) ?? [];
    return { topic, partition: Number(partition), offset: Number(offset) };
  };
  const [bytes] = fetch.request.encode(
    {
      maxWaitMs: 0,
      minBytes: 1,
      sessionId,
      sessionEpoch,
      topics: want.map(split).map(({ topic, partition, offset }) => ({
        topic,
        partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 1_000 }],
      })),
      forgottenTopicsData: forget
        .map(split)
        .map(({ topic, partition }) => ({ topic, partitions: [partition] })),
    },
    version,
  );
  return fetch.request.decode(bytes ?? new Uint8Array(0), version);
}

function wanted(target: FetchTarget): string[] {
  assert(target.kind === 'fetch');
  return target.partitions.map(
    ({ topicName, partition, fetchOffset }) => `${topicName}/${partition}@${fetchOffset}`,
  );
}

function sessions(maxSessions = 10, maxPartitions = 100): FetchSessions {
  return new FetchSessions(realRuntime.random, { maxSessions, maxPartitions });
}

/** Begins a session and returns its id. */
function begin(cache: FetchSessions, want: readonly string[]): number {
  const target = cache.resolve(request({ sessionEpoch: 0, want }), version);
  assert(target.kind === 'fetch' && target.session !== undefined);
  return target.session.id;
}

describe('fetch sessions', () => {
  it('are not begun by clients that want none', () => {
    const cache = sessions();
    const target = cache.resolve(request({ want: ['a/0@5'] }), version);
    assert.deepEqual(wanted(target), ['a/0@5']);
    assert.equal(cache.size, 0);
  });

  it('remember what was asked for, and take changes', () => {
    const cache = sessions();
    const sessionId = begin(cache, ['a/0@1', 'a/1@2', 'b/0@3']);
    const same = cache.resolve(request({ sessionId, sessionEpoch: 1 }), version);
    assert.deepEqual(wanted(same), ['a/0@1', 'a/1@2', 'b/0@3']);
    const changed = cache.resolve(
      request({ sessionId, sessionEpoch: 2, want: ['a/1@9', 'c/0@4'], forget: ['b/0'] }),
      version,
    );
    assert.deepEqual(wanted(changed), ['a/0@1', 'a/1@9', 'c/0@4']);
  });

  it('refuse an epoch that is not the next one, and ids that are unknown', () => {
    const cache = sessions();
    const sessionId = begin(cache, ['a/0']);
    for (const sessionEpoch of [2, 7]) {
      const target = cache.resolve(request({ sessionId, sessionEpoch }), version);
      assert.deepEqual(target, { kind: 'error', error: 'INVALID_FETCH_SESSION_EPOCH' });
    }
    const unknown = cache.resolve(request({ sessionId: sessionId + 1, sessionEpoch: 1 }), version);
    assert.deepEqual(unknown, { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' });
  });

  it('do not mix names and ids', () => {
    const cache = sessions();
    const sessionId = begin(cache, ['a/0']);
    const target = cache.resolve(request({ sessionId, sessionEpoch: 1 }), 13);
    assert.deepEqual(target, { kind: 'error', error: 'FETCH_SESSION_TOPIC_ID_ERROR' });
  });

  it('end when the client says so', () => {
    const cache = sessions();
    const sessionId = begin(cache, ['a/0']);
    cache.resolve(request({ sessionId, sessionEpoch: -1, want: ['a/0'] }), version);
    assert.equal(cache.size, 0);
  });

  it('are bounded in number and in partitions: the one not used for longest goes', () => {
    const cache = sessions(2, 3);
    const first = begin(cache, ['a/0']);
    const second = begin(cache, ['a/0']);
    cache.resolve(request({ sessionId: first, sessionEpoch: 1 }), version);
    begin(cache, ['a/0']);
    assert.equal(cache.size, 2);
    const gone = cache.resolve(request({ sessionId: second, sessionEpoch: 1 }), version);
    assert.equal(gone.kind, 'error');
    cache.resolve(request({ sessionId: first, sessionEpoch: 2, want: ['a/1', 'a/2'] }), version);
    assert.equal(cache.size, 1);
    // More than all sessions may have: it is answered, and not remembered.
    const large = cache.resolve(request({ sessionEpoch: 0, want: ['a/0', 'a/1', 'a/2', 'a/3'] }), version);
    assert(large.kind === 'fetch' && large.session === undefined);
  });

  it('look last at what just had records', () => {
    const cache = sessions();
    const sessionId = begin(cache, ['a/0', 'a/1', 'a/2']);
    const target = cache.resolve(request({ sessionId, sessionEpoch: 1 }), version);
    assert(target.kind === 'fetch' && target.session !== undefined);
    const [first] = target.partitions;
    assert(first !== undefined);
    target.session.moveToEnd(first);
    const next = cache.resolve(request({ sessionId, sessionEpoch: 2 }), version);
    assert.deepEqual(wanted(next), ['a/1@0', 'a/2@0', 'a/0@0']);
  });
});
