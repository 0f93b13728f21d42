import { createOnce } from '../store/create-once.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Which table a topic fills, for good: written once, before the first snapshot, and never changed. With it a table that is
 * gone is told from one that never was, and one that was dropped and created anew from the one it was.
 *
 * ```
 * topic-table/<topic id>     {"table-uuid":"…","table":"default.orders"}     put-if-absent, immutable
 * ```
 */
export interface RegisteredTable {
  readonly uuid: string;
  /** As it was called then; for messages. */
  readonly name: string;
}

export function registeredTableKey(topicId: string): string {
  return `topic-table/${topicId}`;
}

export async function readRegisteredTable(
  store: ObjectStore,
  topicId: string,
  signal: AbortSignal,
): Promise<RegisteredTable | undefined> {
  const key = registeredTableKey(topicId);
  const found = await store.get(key, { signal });
  if (found.kind !== 'found') return undefined;
  const value: unknown = JSON.parse(Buffer.from(found.body).toString());
  const { 'table-uuid': uuid, table } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof uuid !== 'string' || typeof table !== 'string')
    throw new Error(`object ${key} does not say which table topic id ${topicId} fills`);
  return { uuid, name: table };
}

/** Resolves with the one that stands: whoever came first is right (`If-None-Match: *`). */
export async function registerTable(
  store: ObjectStore,
  topicId: string,
  table: RegisteredTable,
  { runtime, signal }: { readonly runtime: Runtime; readonly signal: AbortSignal },
): Promise<RegisteredTable> {
  const bytes = Buffer.from(`${JSON.stringify({ 'table-uuid': table.uuid, table: table.name })}\n`);
  const result = await createOnce(store, registeredTableKey(topicId), bytes, {
    id: table.uuid,
    runtime,
    signal,
  });
  if (result.kind === 'written') return table;
  const standing = await readRegisteredTable(store, topicId, signal);
  if (standing === undefined)
    throw new Error(`object ${registeredTableKey(topicId)} was deleted while it was written`);
  return standing;
}
