import { abortReason } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { bodyPieces, bodySizeBytes, checkedChunks, copyInto, crc32cOf, isStream } from './body.ts';
import { spanOf } from './byte-range.ts';
import { StoreError } from './errors.ts';
import { checkGet, checkKey, checkList, checkPut } from './request-checks.ts';
import type { Call } from './request-checks.ts';
import type {
  Body,
  CallOptions,
  DeleteFailure,
  ETag,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
} from './object-store.ts';
import { compareUtf8 } from './utf8-order.ts';

const streamPieceBytes = 64 * 1024;

interface StoredObject {
  /** Never changed after it was stored: a stream under way keeps reading the version it began with. */
  readonly bytes: Uint8Array;
  readonly info: ObjectInfo;
}

/** What a memory store holds. Several stores over one of these are several handles to the same data. */
export class MemoryObjects {
  readonly byKey: Map<string, StoredObject> = new Map();
  /** How many objects lie below each `/`-prefix. */
  readonly #folders: Map<string, number> = new Map();
  #sorted: readonly string[] | undefined;
  #writes = 0;

  set(key: string, bytes: Uint8Array, id: string | undefined, lastModifiedMs: number): ETag {
    if (!this.byKey.has(key)) this.#count(key, 1);
    const etag = `"memory-${++this.#writes}"` as ETag;
    this.byKey.set(key, { bytes, info: { sizeBytes: bytes.byteLength, etag, id, lastModifiedMs } });
    return etag;
  }

  delete(key: string): void {
    if (this.byKey.delete(key)) this.#count(key, -1);
  }

  /** A key that is a `/`-prefix of `key`, or of which `key` is one. */
  clashOf(key: string): string | undefined {
    const parent = parentsOf(key).find((folder) => this.byKey.has(folder));
    if (parent !== undefined || !this.#folders.has(key)) return parent;
    return this.sortedKeys().find((other) => other.startsWith(`${key}/`));
  }

  /** All keys in UTF-8 byte order. */
  sortedKeys(): readonly string[] {
    this.#sorted ??= [...this.byKey.keys()].sort(compareUtf8);
    return this.#sorted;
  }

  #count(key: string, change: 1 | -1): void {
    this.#sorted = undefined;
    for (const folder of parentsOf(key)) {
      const count = (this.#folders.get(folder) ?? 0) + change;
      if (count === 0) this.#folders.delete(folder);
      else this.#folders.set(folder, count);
    }
  }
}

export interface MemoryStoreOptions {
  /** For `lastModifiedMs`. */
  readonly runtime: Pick<Runtime, 'wallMs'>;
  /** Given to several stores, it makes them handles to the same data. Default: data of its own. */
  readonly objects?: MemoryObjects;
  /** Default `memory:`. */
  readonly name?: string;
}

/**
 * A store in this process's memory, for tests and for trying things out. It is stricter than it has to be, so that
 * callers' mistakes show: bytes are copied in and out (a caller may scribble over what it got), a body that changes while
 * it is being put is CHECKSUM_REJECTED, keys that are `/`-prefixes of each other are refused, a page of a list is not
 * sorted.
 */
export function createMemoryStore(options: MemoryStoreOptions): ObjectStore {
  return new MemoryStore(options);
}

class MemoryStore implements ObjectStore {
  readonly name: string;
  readonly #runtime: Pick<Runtime, 'wallMs'>;
  readonly #objects: MemoryObjects;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.name = options.name ?? 'memory:';
    this.#runtime = options.runtime;
    this.#objects = options.objects ?? new MemoryObjects();
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    const call = { operation: 'put', store: this.name, key } as const;
    checkPut(call, options);
    const expectedCrc32c = options.crc32c ?? (isStream(body) ? undefined : crc32cOf(bodyPieces(body)));
    await this.#begin(call, options.signal);
    const bytes = await copyOf(body, call, options.signal);
    this.#check(call, options.signal);
    const crc32c = crc32cOf([bytes]);
    if (expectedCrc32c !== undefined && expectedCrc32c !== crc32c) {
      throw new StoreError(
        'CHECKSUM_REJECTED',
        `the body has crc32c ${crc32c}, ${expectedCrc32c} was announced; nothing was written`,
        call,
      );
    }
    // From here to the end nothing is awaited: condition and write are one step.
    const clash = this.#objects.clashOf(key);
    if (clash !== undefined) {
      throw new StoreError(
        'INVALID_REQUEST',
        `the object ${JSON.stringify(clash)} exists, and of two keys neither may be a "/"-prefix of the other; rename one`,
        call,
      );
    }
    const existing = this.#objects.byKey.get(key);
    if (options.ifAbsent && existing !== undefined) return { kind: 'condition-failed' };
    if (options.ifMatch !== undefined && existing?.info.etag !== options.ifMatch)
      return { kind: 'condition-failed' };
    return { kind: 'written', etag: this.#objects.set(key, bytes, options.id, this.#runtime.wallMs()) };
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    const call = { operation: 'get', store: this.name, key } as const;
    const found = await this.#find(call, options);
    return found.kind === 'found' ? { ...found, body: copyInto(found.body, options.into) } : found;
  }

  async getStream(key: string, options: GetOptions = {}): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    const call = { operation: 'get', store: this.name, key } as const;
    const found = await this.#find(call, options);
    return found.kind === 'found'
      ? { ...found, body: this.#stream(found.body, call, options.signal) }
      : found;
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const call = { operation: 'head', store: this.name, key } as const;
    checkKey(call);
    await this.#begin(call, options.signal);
    return this.#objects.byKey.get(key)?.info;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const call = { operation: 'list', store: this.name, key: prefix } as const;
    checkList(call, options);
    await this.#begin(call, options.signal);
    const after = laterOf(options.startAfter, options.continuation);
    const keys = this.#objects
      .sortedKeys()
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0));
    const page = keys.slice(0, options.maxKeys ?? 1000);
    const objects = page.flatMap((key) => {
      const stored = this.#objects.byKey.get(key);
      if (stored === undefined) return [];
      const { sizeBytes, etag, lastModifiedMs } = stored.info;
      return [{ key, sizeBytes, etag, lastModifiedMs }];
    });
    return { objects: objects.reverse(), next: page.length < keys.length ? page.at(-1) : undefined };
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const call = { operation: 'delete', store: this.name, key } as const;
    checkKey(call);
    await this.#begin(call, options.signal);
    this.#objects.delete(key);
  }

  async deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly DeleteFailure[]> {
    await this.#begin({ operation: 'delete', store: this.name }, options.signal);
    const failures: DeleteFailure[] = [];
    for (const key of keys) {
      try {
        checkKey({ operation: 'delete', store: this.name, key });
        this.#objects.delete(key);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failures.push({ key, error });
      }
    }
    return failures;
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #find(call: Call & { readonly key: string }, options: GetOptions): Promise<GetResult<Uint8Array>> {
    checkGet(call, options);
    await this.#begin(call, options.signal);
    const stored = this.#objects.byKey.get(call.key);
    if (stored === undefined) return { kind: 'absent' };
    if (options.ifNoneMatch === stored.info.etag) return { kind: 'unchanged' };
    const { offset, sizeBytes } = spanOf(options.range, stored.bytes.byteLength, call);
    return {
      kind: 'found',
      info: stored.info,
      offset,
      body: stored.bytes.subarray(offset, offset + sizeBytes),
    };
  }

  async *#stream(bytes: Uint8Array, call: Call, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; at += streamPieceBytes) {
      await this.#begin(call, signal);
      yield bytes.slice(at, at + streamPieceBytes);
    }
    this.#check(call, signal);
  }

  /** Lets other callers run first, as any real store does, then throws if the call may not go on. */
  async #begin(call: Call, signal: AbortSignal | undefined): Promise<void> {
    this.#check(call, signal);
    await Promise.resolve();
    this.#check(call, signal);
  }

  #check(call: Call, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw abortReason(signal);
    if (this.#closed) throw new StoreError('CLOSED', 'the store was closed; open it again', call);
  }
}

async function copyOf(body: Body, call: Call, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(bodySizeBytes(body));
  let at = 0;
  for await (const piece of isStream(body) ? checkedChunks(body, call, signal) : bodyPieces(body)) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

function parentsOf(key: string): string[] {
  const parents: string[] = [];
  for (let at = key.indexOf('/'); at !== -1; at = key.indexOf('/', at + 1)) parents.push(key.slice(0, at));
  return parents;
}

function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareUtf8(a, b) > 0 ? a : b;
}
