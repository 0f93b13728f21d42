import type { ListedObject, ObjectStore } from './object-store.ts';

/** Every object whose key starts with `prefix`, page by page, in no promised order. */
export async function* listAll(
  store: ObjectStore,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<ListedObject, void, undefined> {
  let continuation: string | undefined;
  do {
    const page = await store.list(prefix, { continuation, signal });
    yield* page.objects;
    continuation = page.next;
  } while (continuation !== undefined);
}
