import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Runtime } from '../runtime/runtime.ts';
import { createOnce } from './create-once.ts';
import { StoreError, storeErrorCodes } from './errors.ts';
import type { StoreErrorCode } from './errors.ts';
import { createMemoryStore } from './memory.ts';
import type { ObjectStore, PutOptions, PutResult } from './object-store.ts';

const body = Buffer.from('the bytes');

/** Timers that fire at once; every delay is recorded. */
function hastyRuntime(): Runtime & { readonly delaysMs: number[] } {
  const delaysMs: number[] = [];
  return {
    delaysMs,
    wallMs: () => 0,
    monotonicMs: () => 0,
    after(delayMs, callback) {
      delaysMs.push(delayMs);
      let cancelled = false;
      queueMicrotask(() => {
        if (!cancelled) callback();
      });
      return () => {
        cancelled = true;
      };
    },
    random: { uint32: () => 0, fraction: () => 0.5, bytes: (count) => new Uint8Array(count) },
  };
}

/** What happens to one put: the store acts or does not, and the answer arrives or is replaced by an error. */
interface Fate {
  readonly acts: boolean;
  readonly error?: StoreErrorCode;
}

interface ScriptedStore {
  readonly store: ObjectStore;
  readonly puts: { readonly bytes: string; readonly options: PutOptions | undefined }[];
  heads: number;
}

/** A memory store whose puts meet the given fates, one after another, and then succeed; so do its heads with errors. */
function scriptedStore(
  fates: readonly Fate[],
  headErrors: readonly StoreErrorCode[] = [],
  meanwhile: (memory: ObjectStore, put: number) => Promise<void> = () => Promise.resolve(),
): ScriptedStore {
  const memory = createMemoryStore({ runtime: { wallMs: () => 0 } });
  const fail = (operation: 'put' | 'head', code: StoreErrorCode): never => {
    throw new StoreError(code, 'as scripted', { operation, store: 'script' });
  };
  const script: ScriptedStore = {
    puts: [],
    heads: 0,
    store: {
      name: 'script',
      get: (key, options) => memory.get(key, options),
      getStream: (key, options) => memory.getStream(key, options),
      list: (prefix, options) => memory.list(prefix, options),
      delete: (key, options) => memory.delete(key, options),
      deleteMany: (keys, options) => memory.deleteMany(keys, options),
      close: () => memory.close(),
      async put(key, bytes, options): Promise<PutResult> {
        const fate = fates[script.puts.length] ?? { acts: true };
        script.puts.push({ bytes: Buffer.from(bytes as Uint8Array).toString(), options });
        await meanwhile(memory, script.puts.length);
        const result = fate.acts ? await memory.put(key, bytes, options) : undefined;
        if (fate.error !== undefined) return fail('put', fate.error);
        assert.ok(result !== undefined);
        return result;
      },
      async head(key, options) {
        const error = headErrors[script.heads++];
        if (error !== undefined) return fail('head', error);
        return await memory.head(key, options);
      },
    },
  };
  return script;
}

const lost: Fate = { acts: true, error: 'CONNECTION_LOST' };
const neverSent: Fate = { acts: false, error: 'CONNECTION_LOST' };

describe('createOnce', () => {
  it('puts once when nothing goes wrong', async () => {
    const script = scriptedStore([]);
    const runtime = hastyRuntime();
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime });
    assert.equal(result.kind, 'written');
    assert.deepEqual(
      script.puts.map(({ bytes, options }) => [bytes, options?.ifAbsent, options?.id]),
      [['the bytes', true, 'me']],
    );
    assert.equal(script.heads, 0);
    assert.deepEqual(runtime.delaysMs, []);
  });

  it('recognizes its own object after a lost answer', async () => {
    const script = scriptedStore([lost]);
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.deepEqual(result, { kind: 'written', etag: (await script.store.head('key'))?.etag });
    assert.equal(script.puts.length, 2);
  });

  it('tells a foreign object from its own, and names it', async () => {
    const script = scriptedStore([neverSent], [], async (memory, put) => {
      if (put === 2) await memory.put('key', Buffer.from('theirs'), { id: 'them' });
    });
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.ok(result.kind === 'foreign');
    assert.equal(result.info.id, 'them');
    assert.equal(result.info.sizeBytes, 6);
  });

  it('takes an object without an id for foreign', async () => {
    const script = scriptedStore([], [], async (memory) => {
      await memory.put('key', Buffer.from('theirs'));
    });
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.equal(result.kind, 'foreign');
  });

  it('says that the object is gone when it was deleted before it could be looked at', async () => {
    let memory: ObjectStore | undefined;
    const script = scriptedStore([lost], [], (store) => {
      memory = store;
      return Promise.resolve();
    });
    const head = script.store.head.bind(script.store);
    script.store.head = async (key, options) => {
      await memory?.delete(key);
      return await head(key, options);
    };
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.deepEqual(result, { kind: 'gone' });
  });

  it('writes again, honestly, when its landed object was deleted between two attempts', async () => {
    const script = scriptedStore([lost], [], async (memory, put) => {
      if (put === 2) await memory.delete('key');
    });
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.equal(result.kind, 'written');
    assert.equal(script.heads, 0);
  });

  it('repeats the look as often as it takes', async () => {
    const script = scriptedStore([lost], ['TIMEOUT', 'SERVER_ERROR', 'THROTTLED']);
    const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
    assert.equal(result.kind, 'written');
    assert.equal(script.heads, 4);
  });

  it('waits longer and longer, up to the limit, with jitter', async () => {
    const failures = Array.from({ length: 9 }, () => neverSent);
    const runtime = hastyRuntime();
    const seen: number[] = [];
    await createOnce(scriptedStore(failures).store, 'key', body, {
      id: 'me',
      runtime,
      onRetry: (_error, attempt) => seen.push(attempt),
    });
    assert.deepEqual(runtime.delaysMs, [10, 20, 40, 80, 160, 320, 500, 500, 500]);
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('gives up at once on what repeating cannot cure', async () => {
    for (const code of ['ACCESS_DENIED', 'NO_SUCH_STORE', 'INVALID_REQUEST'] as const) {
      const script = scriptedStore([{ acts: false, error: code }]);
      const error = await failureOf(
        createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() }),
      );
      assert.equal(error.code, code);
      assert.equal(error.landed, 'no');
      assert.equal(script.puts.length, 1);
    }
  });

  it('does not claim that nothing landed when an earlier attempt may have', async () => {
    const script = scriptedStore([lost, { acts: false, error: 'ACCESS_DENIED' }]);
    const error = await failureOf(
      createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() }),
    );
    assert.equal(error.landed, 'maybe');
    assert.ok(error.cause instanceof StoreError && error.cause.code === 'ACCESS_DENIED');
    const blind = scriptedStore([lost], ['ACCESS_DENIED']);
    const unseen = await failureOf(
      createOnce(blind.store, 'key', body, { id: 'me', runtime: hastyRuntime() }),
    );
    assert.equal(unseen.landed, 'maybe');
  });

  it('gives up on bytes that never match their checksum', async () => {
    const script = scriptedStore([]);
    const error = await failureOf(
      createOnce(script.store, 'key', body, { id: 'me', crc32c: 1, runtime: hastyRuntime() }),
    );
    assert.equal(error.code, 'CHECKSUM_REJECTED');
    assert.equal(error.landed, 'no');
    assert.equal(script.puts.length, 5);
  });

  it('ends with the reason of its signal, also while it waits', async () => {
    const abort = new AbortController();
    const reason = new Error('shutting down');
    const script = scriptedStore(Array.from({ length: 1000 }, () => neverSent));
    const call = createOnce(script.store, 'key', body, {
      id: 'me',
      runtime: hastyRuntime(),
      signal: abort.signal,
      onRetry: (_error, attempt) => {
        if (attempt === 5) abort.abort(reason);
      },
    });
    await assert.rejects(call, reason);
    assert.equal(script.puts.length, 5);
  });

  it('never calls a foreign object its own, nor its own foreign, whatever is lost', async () => {
    const retriable = (Object.keys(storeErrorCodes) as StoreErrorCode[]).filter(
      (code) => storeErrorCodes[code].retriable && code !== 'CHECKSUM_REJECTED',
    );
    const fate = fc
      .record({ acts: fc.boolean(), error: fc.constantFrom(...retriable) })
      .map(({ acts, error }) => ({ acts: acts && storeErrorCodes[error].landed === 'maybe', error }));
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { maxLength: 6 }), fc.nat(8), async (fates, rivalAt) => {
        const script = scriptedStore(fates, [], async (memory, put) => {
          if (put === rivalAt) await memory.put('key', Buffer.from('theirs'), { ifAbsent: true, id: 'them' });
        });
        const result = await createOnce(script.store, 'key', body, { id: 'me', runtime: hastyRuntime() });
        const info = await script.store.head('key');
        assert.equal(result.kind, info?.id === 'me' ? 'written' : 'foreign');
        assert.ok(script.puts.every(({ bytes }) => bytes === 'the bytes'));
      }),
    );
  });
});

async function failureOf(call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
  return error;
}
