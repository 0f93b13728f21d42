import { crc32 } from 'node:zlib';
import { crc32c } from '../crc32c.ts';
import type { ETag, ListedObject, ListPage } from '../object-store.ts';
import { KeyIndex } from './key-index.ts';
import type { StoreAnswer, StoredObject, StoreRequest } from './request.ts';

export interface ListWeakness {
  readonly isUnordered: boolean;
  readonly nowMs: number;
}

/** The objects of a simulated store, and what S3 would do to them. Synchronous: a call is one atomic step. */
export class ObjectTable {
  readonly #objects = new Map<string, StoredObject>();
  readonly #index = new KeyIndex((key) => this.#objects.has(key));
  /** How many objects lie below each `/`-prefix. */
  readonly #folders = new Map<string, number>();
  readonly #etags: 'content' | 'version';
  readonly #orderSalt: number;
  #writes = 0;

  /** @param etags `content`: the same bytes give the same ETag, as S3's MD5 does. `version`: every write has its own. */
  constructor(etags: 'content' | 'version', orderSalt: number) {
    this.#etags = etags;
    this.#orderSalt = orderSalt;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  keys(prefix: string): string[] {
    return [...this.#index.from(prefix, undefined)];
  }

  put(request: StoreRequest, lastModifiedMs: number, visibleAtMs: number): StoreAnswer {
    const { key, bytes = new Uint8Array(0), ifAbsent, ifMatch } = request;
    const existing = this.#objects.get(key);
    if (ifAbsent === true && existing !== undefined) return { kind: 'condition-failed' };
    if (ifMatch !== undefined && existing?.info.etag !== ifMatch) return { kind: 'condition-failed' };
    if (existing === undefined) {
      const clash = this.#clashOf(key);
      if (clash !== undefined) {
        const what = `the object ${JSON.stringify(clash)} exists, and of two keys neither may be a "/"-prefix of the other; rename one`;
        return { kind: 'failed', code: 'INVALID_REQUEST', status: 409, what };
      }
      this.#index.add(key);
      this.#countFolders(key, 1);
    }
    this.#writes++;
    const etag = (
      this.#etags === 'version' ? `"v${this.#writes}"` : contentETag(bytes, request.crc32c)
    ) as ETag;
    const info = { sizeBytes: bytes.byteLength, etag, id: request.id, lastModifiedMs };
    this.#objects.set(key, { bytes, info, visibleAtMs: existing?.visibleAtMs ?? visibleAtMs });
    return { kind: 'written', etag };
  }

  read(request: StoreRequest): StoreAnswer {
    const object = this.#objects.get(request.key);
    if (object === undefined) return { kind: 'absent' };
    if (request.ifNoneMatch === object.info.etag) return { kind: 'unchanged' };
    return { kind: 'found', object };
  }

  /** Whether there was something to delete. */
  delete(key: string): boolean {
    if (!this.#objects.delete(key)) return false;
    this.#index.noteRemoved();
    this.#countFolders(key, -1);
    return true;
  }

  /** `omitted` counts the objects that the page leaves out because they are too new. */
  list(request: StoreRequest, weakness: ListWeakness | undefined): StoreAnswer {
    const { key: prefix, startAfter, continuation, maxKeys = 1000 } = request;
    const isUnordered = continuation === undefined ? weakness?.isUnordered === true : continuation[0] === 'h';
    const after = continuation?.slice(1);
    if (continuation !== undefined && continuation[0] !== 'h' && continuation[0] !== 'k') {
      const what = `the continuation ${JSON.stringify(continuation)} is none of this store's; start again without it`;
      return { kind: 'failed', code: 'INVALID_REQUEST', status: 400, what };
    }
    const objects: ListedObject[] = [];
    let omitted = 0;
    const keys = isUnordered
      ? this.#unordered(prefix, startAfter, after)
      : this.#index.from(prefix, after ?? startAfter);
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object === undefined) continue;
      if (weakness !== undefined && object.visibleAtMs > weakness.nowMs) {
        omitted++;
        continue;
      }
      if (objects.length === maxKeys) {
        const last = objects.at(-1)?.key ?? '';
        return listed(objects, `${isUnordered ? 'h' : 'k'}${last}`, omitted);
      }
      const { sizeBytes, etag, lastModifiedMs } = object.info;
      objects.push({ key, sizeBytes, etag, lastModifiedMs });
    }
    return listed(objects, undefined, omitted);
  }

  /** In the order of a hash of the keys, so that a page can go on where the one before ended. */
  #unordered(prefix: string, startAfter: string | undefined, after: string | undefined): string[] {
    const order = (key: string): number => crc32(key, this.#orderSalt);
    const from = after === undefined ? -1 : order(after);
    return [...this.#index.from(prefix, startAfter)]
      .map((key) => ({ key, at: order(key) }))
      .filter(({ key, at }) => after === undefined || at > from || (at === from && key > after))
      .sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
      .map(({ key }) => key);
  }

  /** A key that is a `/`-prefix of `key`, or of which `key` is one: servers disagree on those, so none may exist. */
  #clashOf(key: string): string | undefined {
    for (let at = key.indexOf('/'); at !== -1; at = key.indexOf('/', at + 1)) {
      const folder = key.slice(0, at);
      if (this.#objects.has(folder)) return folder;
    }
    if (!this.#folders.has(key)) return undefined;
    return this.keys(`${key}/`)[0];
  }

  #countFolders(key: string, change: 1 | -1): void {
    for (let at = key.indexOf('/'); at !== -1; at = key.indexOf('/', at + 1)) {
      const folder = key.slice(0, at);
      const count = (this.#folders.get(folder) ?? 0) + change;
      if (count === 0) this.#folders.delete(folder);
      else this.#folders.set(folder, count);
    }
  }
}

function listed(objects: ListedObject[], next: string | undefined, omitted: number): StoreAnswer {
  const page: ListPage = { objects, next };
  return { kind: 'listed', page, omitted };
}

/** 64 bits of two independent checksums: as good as unique within a simulation, and cheaper than MD5. */
function contentETag(bytes: Uint8Array, known: number | undefined): string {
  const first = known ?? crc32c(bytes);
  return `"${first.toString(16).padStart(8, '0')}${crc32(bytes).toString(16).padStart(8, '0')}-${bytes.byteLength}"`;
}
