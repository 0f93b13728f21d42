import type { TestContext } from 'node:test';
import { icebergRead } from 'icebird';
import type { TableMetadata } from 'icebird/src/types.js';
import { keyOfLocation } from '../../dataplane/store/locations.ts';
import type { GetOptions, ObjectStore } from '../../dataplane/store/object-store.ts';
import type { ServedCatalog } from './catalog-fixture.ts';

/**
 * The rows of a table as icebird reads them, with metadata from the REST catalog. icebird fetches files without credentials
 * and from AWS only, so its fetches are answered from the store.
 */
export async function readWithIcebird(
  t: TestContext,
  { url, store }: Pick<ServedCatalog, 'url' | 'store'>,
  path: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const loaded = (await (await fetch(`${url}${path}`)).json()) as { metadata: TableMetadata };
  const { metadata } = loaded;
  const mocked = t.mock.method(globalThis, 'fetch', (target: string, init?: RequestInit) =>
    answer(store, target, init),
  );
  try {
    return await icebergRead({ tableUrl: metadata.location, metadata });
  } finally {
    mocked.mock.restore();
  }
}

async function answer(store: ObjectStore, target: string, init: RequestInit = {}): Promise<Response> {
  const location = target.replace(/^https:\/\/([^.]+)\.s3\.amazonaws\.com\//, 's3://$1/');
  const key = keyOfLocation(store, location);
  if (key === undefined) throw new Error(`${target} lies outside of the store`);
  const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init.headers).get('range') ?? '');
  const span: GetOptions =
    range === null
      ? {}
      : { range: { start: Number(range[1]), end: range[2] === '' ? undefined : Number(range[2]) + 1 } };
  const got = await store.get(key, span);
  if (got.kind !== 'found') return new Response(null, { status: 404 });
  return new Response(Buffer.from(got.body), { status: range === null ? 200 : 206 });
}
