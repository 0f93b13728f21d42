import assert from 'node:assert/strict';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ETag, GetResult, ListedObject, ObjectStore, PutResult } from '../object-store.ts';

/** Declares one test of the contract; `check` gets two handles to the same, empty data. */
export type Declare = (
  title: string,
  check: (store: ObjectStore, second: ObjectStore) => Promise<void>,
) => void;

/** A store may answer a racing conditional put with CONFLICT: like a failed condition, it wrote nothing. */
export function ifConflict(error: unknown): PutResult {
  if (error instanceof StoreError && error.code === 'CONFLICT') return { kind: 'condition-failed' };
  throw error;
}

export async function written(put: Promise<PutResult>): Promise<ETag> {
  const result = await put;
  assert.ok(result.kind === 'written', `the put was ${result.kind}`);
  return result.etag;
}

export async function found<B>(
  get: Promise<GetResult<B>>,
): Promise<Extract<GetResult<B>, { kind: 'found' }>> {
  const result = await get;
  assert.ok(result.kind === 'found', `the get was ${result.kind}`);
  return result;
}

export async function rejects(code: StoreErrorCode, call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

export async function pages(
  store: ObjectStore,
  prefix: string,
  maxKeys: number,
  startAfter?: string,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  let continuation: string | undefined;
  do {
    const page = await store.list(prefix, { maxKeys, startAfter, continuation });
    assert.ok(page.objects.length <= maxKeys);
    objects.push(...page.objects);
    continuation = page.next;
  } while (continuation !== undefined);
  return objects;
}

export function keysOf(objects: readonly ListedObject[]): string[] {
  return objects.map(({ key }) => key).toSorted(byUtf8);
}

export function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export async function joined(get: Promise<GetResult<AsyncIterable<Uint8Array>>>): Promise<Uint8Array> {
  return collected((await found(get)).body);
}

export async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  return Buffer.concat(parts);
}

export async function* chunksOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

export function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** Bytes in which every offset up to 16 MiB looks different from its neighbours. */
export function pattern(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (i ^ (i >> 8) ^ (i >> 16)) & 0xff;
  return bytes;
}
