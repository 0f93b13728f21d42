import { keyProblem } from './keys.ts';
import type { ObjectStore } from './object-store.ts';

/** For stores that only this process can read. */
const inMemory = 'memory:';

/**
 * The URL under which other programs find an object: the store's base, `/`, the key. As they write it: nothing is
 * percent-encoded (Iceberg's locations are strings, not RFC 3986 URLs).
 */
export function locationOf(store: ObjectStore, key: string): string {
  return `${baseOf(store)}/${key}`;
}

/**
 * The key of a location in this store, or `undefined` when it lies outside of it. Other spellings of the same place are
 * understood: `s3a://` and `s3n://` (Hadoop's), `file:/` and `file:///`, a path without a scheme.
 */
export function keyOfLocation(store: ObjectStore, location: string): string | undefined {
  const prefix = `${normalized(baseOf(store))}/`;
  const spelled = normalized(location);
  if (!spelled.startsWith(prefix)) return undefined;
  const key = spelled.slice(prefix.length);
  return keyProblem(key) === undefined ? key : undefined;
}

function baseOf(store: ObjectStore): string {
  return store.baseLocation ?? inMemory;
}

function normalized(location: string): string {
  if (location.startsWith('/')) return `file://${location}`;
  return location.replace(/^s3[an]:\/\//, 's3://').replace(/^file:\/+/, 'file:///');
}
