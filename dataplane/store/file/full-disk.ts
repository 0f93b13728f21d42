import assert from 'node:assert/strict';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { StoreError } from '../errors.ts';
import { listAll } from '../list-all.ts';
import type { ObjectStore, PutResult } from '../object-store.ts';
import { openFileStore } from './open-file-store.ts';

const objectBytes = 100_000;
const maxObjects = 100;

/**
 * Checks what a store does when its disk of at most 10 MB is filled up: for tests. Returns how many objects fitted.
 */
export async function fillAndRecover(store: ObjectStore): Promise<number> {
  const fitted: string[] = [];
  for (;;) {
    const key = `big/${fitted.length}`;
    const failure = await putFull(store, key);
    if (failure === undefined) {
      fitted.push(key);
      assert.ok(fitted.length < maxObjects, 'the disk does not get full');
      continue;
    }
    assert.equal(failure.code, 'STORE_FULL');
    assert.equal(failure.landed, 'no');
    assert.equal(await store.head(key), undefined);
    break;
  }
  await checkContents(store, fitted);
  // An overwrite that does not fit leaves what was there; a deletion makes space.
  const [first = '', ...rest] = fitted;
  assert.equal((await putFull(store, first))?.code, 'STORE_FULL');
  await checkContents(store, fitted);
  for (const key of rest.slice(0, 2)) await store.delete(key);
  assert.equal(await putFull(store, first), undefined);
  await checkContents(store, [first, ...rest.slice(2)]);
  return fitted.length;
}

function contentOf(key: string): Uint8Array {
  return new Uint8Array(objectBytes).fill(key.length + Number(key.slice(key.lastIndexOf('/') + 1)));
}

async function putFull(store: ObjectStore, key: string): Promise<StoreError | undefined> {
  const result = await store
    .put(key, contentOf(key), { id: key })
    .catch((error: unknown): PutResult | StoreError => {
      if (error instanceof StoreError) return error;
      throw error;
    });
  return result instanceof StoreError ? result : undefined;
}

async function checkContents(store: ObjectStore, keys: readonly string[]): Promise<void> {
  const listed: string[] = [];
  for await (const { key, sizeBytes } of listAll(store, '')) {
    assert.equal(sizeBytes, objectBytes);
    listed.push(key);
  }
  assert.deepEqual(listed.toSorted(), keys.toSorted());
  for (const key of keys) {
    const object = await store.get(key);
    assert.ok(object.kind === 'found');
    assert.equal(Buffer.compare(object.body, contentOf(key)), 0);
    assert.equal(object.info.id, key);
  }
}

if (import.meta.main) {
  const store = await openFileStore(process.argv[2] ?? '', { runtime: realRuntime });
  const fitted = await fillAndRecover(store);
  await store.close();
  process.stdout.write(`filled with ${fitted} objects, and recovered\n`);
}
