import { FormatError } from '../../errors.ts';
import { JsonObject } from '../../json/json-object.ts';
import { parseJson, printJson } from '../../json/lossless-json.ts';

/**
 * An object of the catalog that is replaced by compare-and-swap and never deleted: dropping writes a tombstone. So its
 * bytes never repeat (`v` only grows, each write has a token of its own), which `If-Match` rests on: an ETag may be a hash.
 */
export interface CatalogRecord<T> {
  readonly v: number;
  /** Random, one for each of the last {@link keptTokens} writes, the newest last: whether a write landed can be told from them. */
  readonly tokens: readonly string[];
  readonly value: T;
}

/** How many writes of others may follow one whose answer was lost before nobody can tell any more whether it landed. */
export const keptTokens = 64;

export type TablePointer =
  | {
      readonly state: 'table';
      readonly namespace: readonly string[];
      readonly name: string;
      readonly metadataLocation: string;
    }
  | { readonly state: 'dropped'; readonly namespace: readonly string[]; readonly name: string };

export type NamespaceEntry =
  | {
      readonly state: 'namespace';
      readonly namespace: readonly string[];
      readonly properties: Readonly<Record<string, string>>;
    }
  | { readonly state: 'dropped'; readonly namespace: readonly string[] };

export interface RecordFormat<T> {
  encode(value: T): Record<string, unknown>;
  decode(json: JsonObject): T;
}

export const tablePointerFormat: RecordFormat<TablePointer> = {
  encode: ({ namespace, name, ...pointer }) => ({
    state: pointer.state,
    namespace,
    name,
    ...(pointer.state === 'table' ? { 'metadata-location': pointer.metadataLocation } : {}),
  }),
  decode: (json) => {
    const state = json.text('state');
    const common = { namespace: json.strings('namespace'), name: json.text('name') };
    if (state === 'dropped') return { state, ...common };
    if (state === 'table') return { state, ...common, metadataLocation: json.text('metadata-location') };
    return json.fail('state', 'is neither table nor dropped');
  },
};

export const namespaceFormat: RecordFormat<NamespaceEntry> = {
  encode: (entry) => ({
    state: entry.state,
    namespace: entry.namespace,
    ...(entry.state === 'namespace' ? { properties: entry.properties } : {}),
  }),
  decode: (json) => {
    const state = json.text('state');
    const namespace = json.strings('namespace');
    if (state === 'dropped') return { state, namespace };
    if (state === 'namespace') return { state, namespace, properties: json.texts('properties') };
    return json.fail('state', 'is neither namespace nor dropped');
  },
};

export function encodeRecord<T>(format: RecordFormat<T>, record: CatalogRecord<T>): Uint8Array {
  const { v, tokens, value } = record;
  return Buffer.from(printJson({ v, ...format.encode(value), tokens }), 'utf8');
}

/** @param source key, for errors: a {@link FormatError} names it */
export function decodeRecord<T>(
  format: RecordFormat<T>,
  bytes: Uint8Array,
  source: string,
): CatalogRecord<T> {
  const json = new JsonObject(parseJson(Buffer.from(bytes).toString('utf8'), source), source);
  const tokens = json.strings('tokens');
  if (tokens.length === 0) throw new FormatError('INVALID', { source, field: 'tokens' }, 'is empty');
  return { v: json.integer('v', 1), tokens, value: format.decode(json) };
}
