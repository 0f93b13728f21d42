import { createHash } from 'node:crypto';
import type { TableIdentifier } from '../iceberg/catalog.ts';
import { createOnce } from '../store/create-once.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Runtime } from '../runtime/runtime.ts';

/**
 * Which table a topic fills under a name, for good: written once, before the first snapshot, and never changed. With it a
 * table that is gone is told from one that never was, and one that was dropped and created anew from the one it was.
 *
 * ```
 * topic-table/<topic id>/<name>     {"table-uuid":"…","table":"default.orders"}     put-if-absent, immutable
 * ```
 *
 * `<name>`: the first 16 hexadecimal digits of the SHA-256 of namespace and name.
 */
export interface RegisteredTable {
  readonly uuid: string;
}

export function registeredTableKey(topicId: string, identifier: TableIdentifier): string {
  const name = JSON.stringify([...identifier.namespace, identifier.name]);
  return `topic-table/${topicId}/${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

export async function readRegisteredTable(
  store: ObjectStore,
  topicId: string,
  identifier: TableIdentifier,
  signal: AbortSignal,
): Promise<RegisteredTable | undefined> {
  const key = registeredTableKey(topicId, identifier);
  const found = await store.get(key, { signal });
  if (found.kind !== 'found') return undefined;
  const value: unknown = JSON.parse(Buffer.from(found.body).toString());
  const { 'table-uuid': uuid } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof uuid !== 'string')
    throw new Error(`object ${key} does not say which table topic id ${topicId} fills`);
  return { uuid };
}

/** Resolves with the one that stands: whoever came first is right (`If-None-Match: *`). */
export async function registerTable(
  store: ObjectStore,
  topicId: string,
  identifier: TableIdentifier,
  table: RegisteredTable,
  { runtime, signal }: { readonly runtime: Runtime; readonly signal: AbortSignal },
): Promise<RegisteredTable> {
  const key = registeredTableKey(topicId, identifier);
  const name = [...identifier.namespace, identifier.name].join('.');
  const bytes = Buffer.from(`${JSON.stringify({ 'table-uuid': table.uuid, table: name })}\n`);
  const result = await createOnce(store, key, bytes, {
    id: table.uuid,
    runtime,
    signal,
  });
  if (result.kind === 'written') return table;
  const standing = await readRegisteredTable(store, topicId, identifier, signal);
  if (standing === undefined) throw new Error(`object ${key} was deleted while it was written`);
  return standing;
}
