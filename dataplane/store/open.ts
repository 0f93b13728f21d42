import type { Runtime } from '../runtime/runtime.ts';
import { StoreError } from './errors.ts';
import { createMemoryStore, MemoryObjects } from './memory.ts';
import type { ObjectStore } from './object-store.ts';
import type { S3StoreOptions, S3UrlOptions } from './s3/s3-options.ts';

export interface OpenStoreOptions {
  readonly runtime: Runtime;
  /** Requests in flight at a time, for stores that have connections. Default: the store's own. */
  readonly maxConnections?: number | undefined;
  /** Whether the directory of a `file:` store is made when it is missing. Default true. */
  readonly create?: boolean | undefined;
  /** What a URL cannot say about a bucket: credentials, certificates, limits. */
  readonly s3?: Omit<S3StoreOptions, keyof S3UrlOptions | 'runtime' | 'maxConnections'> | undefined;
}

const forms =
  'a store is named by s3://bucket/prefix?region=…&endpoint=…, file:///absolute/directory, file:./relative/directory or memory:name';

/**
 * Opens the store that a URL names:
 *
 *  - `s3://bucket[/prefix][?endpoint=…&region=…&pathStyle=…]`: see `parseS3Url`;
 *  - `file:///absolute/directory`, `file:./relative/directory`: see `openFileStore`;
 *  - `memory:name`: memory of this process, the same for everybody who gives the same name; `memory:` is nobody else's.
 *
 * Rejects with a {@link StoreError} (INVALID_REQUEST when the URL is wrong). For S3 nothing is sent yet.
 */
export async function openStore(url: string, options: OpenStoreOptions): Promise<ObjectStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 's3':
      return await openS3(url, options);
    case 'file': {
      const { openFileStore } = await import('./file/open-file-store.ts');
      return await openFileStore(directoryOfUrl(url), options);
    }
    case 'memory':
      return openMemory(url, options);
    case undefined:
      throw refusal(url, `this has no scheme; ${forms}${directoryHint(url)}`);
    case 'http':
    case 'https':
      throw refusal(
        url,
        `${JSON.stringify(`${scheme}:`)} is no kind of store; an S3 server is named by s3://bucket?endpoint=${scheme}://…`,
      );
    default:
      throw refusal(url, `${JSON.stringify(`${scheme}:`)} is no kind of store; ${forms}`);
  }
}

async function openS3(url: string, options: OpenStoreOptions): Promise<ObjectStore> {
  const [{ parseS3Url }, { createS3Store }] = await Promise.all([
    import('./s3/s3-options.ts'),
    import('./s3/s3-store.ts'),
  ]);
  let fromUrl: S3UrlOptions;
  try {
    fromUrl = parseS3Url(url);
  } catch (error) {
    if (error instanceof URIError) throw badEscape(url, error);
    if (error instanceof TypeError) throw refusal(url, error.message, error);
    throw error;
  }
  const { runtime, maxConnections, s3 } = options;
  return createS3Store({ ...s3, ...fromUrl, runtime, maxConnections });
}

/** The directory that a `file:` URL names, as given: absolute, or relative to the working directory. */
export function directoryOfUrl(url: string): string {
  const rest = url.slice('file:'.length);
  const special = /[?#]/.exec(rest);
  if (special !== null) {
    throw refusal(
      url,
      `a file: URL takes no parameters, but it goes on with ${JSON.stringify(rest.slice(special.index))}; ` +
        `remove that, or write "?" and "#" in a directory's name as %3F and %23`,
    );
  }
  let path = rest;
  if (rest.startsWith('//')) {
    const host = rest.slice(2).split('/')[0] ?? '';
    if (host !== '') {
      throw refusal(
        url,
        `after "file://" comes a host, here ${JSON.stringify(host)}, and only this machine's directories can be used; ` +
          'write file:///absolute/directory or file:./relative/directory',
      );
    }
    path = rest.slice(2);
  }
  if (path === '') throw refusal(url, 'the directory is missing; write file:///absolute/directory');
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw badEscape(url, error);
  }
}

const namedMemory: Map<string, MemoryObjects> = new Map();

function openMemory(url: string, { runtime }: OpenStoreOptions): ObjectStore {
  const name = url.slice('memory:'.length);
  if (!/^[\w.-]*$/.test(name)) {
    throw refusal(url, 'the name of a memory store is letters, digits, ".", "_" and "-"; write memory:name');
  }
  if (name === '') return createMemoryStore({ runtime });
  const objects = namedMemory.get(name) ?? new MemoryObjects();
  namedMemory.set(name, objects);
  return createMemoryStore({ runtime, objects, name: `memory:${name}` });
}

/** Most who give no scheme mean a directory. */
function directoryHint(url: string): string {
  if (url.startsWith('/')) return `; did you mean file://${url}?`;
  return url.startsWith('.') ? `; did you mean file:${url}?` : '';
}

function badEscape(url: string, cause: unknown): StoreError {
  return refusal(url, 'a "%" is not followed by the hexadecimal digits of UTF-8; write it as %25', cause);
}

function refusal(url: string, what: string, cause?: unknown): StoreError {
  // What stands before an "@" may be a password.
  const store = url.replace(/\/\/[^/@]*@/, '//…@');
  return new StoreError('INVALID_REQUEST', what, { operation: 'open', store, cause });
}
