import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realRuntime } from '../runtime/real-runtime.ts';
import { describeStoreContract } from './contract.ts';
import { StoreError } from './errors.ts';
import { createMemoryStore, MemoryObjects } from './memory.ts';

describeStoreContract('the memory store', () => {
  const objects = new MemoryObjects();
  const store = createMemoryStore({ runtime: realRuntime, objects });
  const second = createMemoryStore({ runtime: realRuntime, objects });
  const dispose = async (): Promise<void> => {
    await store.close();
    await second.close();
  };
  return Promise.resolve({ store, second, dispose });
});

describe('the memory store', () => {
  it('rejects a body that changes while it is being put', async () => {
    const store = createMemoryStore({ runtime: realRuntime });
    const body = Buffer.from('before');
    const put = store.put('key', body);
    body.write('behind');
    await assert.rejects(put, (error) => error instanceof StoreError && error.code === 'CHECKSUM_REJECTED');
    assert.equal(await store.head('key'), undefined);
  });

  it('refuses keys that are prefixes of each other, naming both', async () => {
    const store = createMemoryStore({ runtime: realRuntime });
    await store.put('a/b/c', Buffer.from('x'));
    await assert.rejects(store.put('a/b', Buffer.from('y')), /"a\/b" .*"a\/b\/c"/);
    await assert.rejects(store.put('a/b/c/d', Buffer.from('y')), /"a\/b\/c\/d" .*"a\/b\/c"/);
    await store.delete('a/b/c');
    await store.put('a/b', Buffer.from('y'), { ifAbsent: true });
  });

  it('never repeats an etag, also for equal bytes', async () => {
    const store = createMemoryStore({ runtime: realRuntime });
    const etags = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const result = await store.put('key', Buffer.from('same'));
      assert.ok(result.kind === 'written');
      etags.add(result.etag);
      if (round % 2 === 0) await store.delete('key');
    }
    assert.equal(etags.size, 5);
  });
});
