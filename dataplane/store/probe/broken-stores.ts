/** Stores that break one promise each, over the right one in memory: what the probe must find out. For tests. */
import { sleep } from '../../runtime/runtime.ts';
import type { Random, Runtime } from '../../runtime/runtime.ts';
import { isStream } from '../body.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import { createMemoryStore, MemoryObjects } from '../memory.ts';
import type {
  Body,
  ETag,
  GetResult,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
} from '../object-store.ts';

/** Opens one more handle to the store. */
export type Open = () => Promise<ObjectStore>;

/** What a broken store does otherwise; `right` is a right handle to the same data. Called once per handle. */
type Breakage = (right: ObjectStore) => Partial<ObjectStore>;

export function storeWith(runtime: Runtime, breakage: Breakage): Open {
  const objects = new MemoryObjects();
  return () => {
    const right = createMemoryStore({ runtime, objects, name: 'memory:test' });
    return Promise.resolve({ ...delegatesTo(right), ...breakage(right) });
  };
}

export function delegatesTo(store: ObjectStore): ObjectStore {
  return {
    name: store.name,
    put: (key, body, options) => store.put(key, body, options),
    get: (key, options) => store.get(key, options),
    getStream: (key, options) => store.getStream(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => store.delete(key, options),
    deleteMany: (keys, options) => store.deleteMany(keys, options),
    close: () => store.close(),
  };
}

function unconditional(options: PutOptions = {}): PutOptions {
  return { id: options.id, crc32c: options.crc32c, signal: options.signal };
}

export const ignoresIfAbsent: Breakage = (right) => ({
  put: (key, body, options) => right.put(key, body, options?.ifAbsent ? unconditional(options) : options),
});

export const ignoresIfMatch: Breakage = (right) => ({
  put: (key, body, options) =>
    right.put(key, body, options?.ifMatch === undefined ? options : unconditional(options)),
});

export const ignoresIfMatchOnMissing: Breakage = (right) => ({
  put: async (key, body, options) => {
    const isMissing = options?.ifMatch !== undefined && (await right.head(key)) === undefined;
    return right.put(key, body, isMissing ? unconditional(options) : options);
  },
});

/** Looks whether the condition holds, then writes: right as long as nobody else writes in between. */
export const checksThenActs =
  (runtime: Runtime): Breakage =>
  (right) => ({
    put: async (key, body, options = {}) => {
      const info = await right.head(key);
      if (options.ifAbsent && info !== undefined) return { kind: 'condition-failed' };
      if (options.ifMatch !== undefined && options.ifMatch !== info?.etag)
        return { kind: 'condition-failed' };
      await sleep(runtime, 1);
      return right.put(key, body, unconditional(options));
    },
  });

/** Lets one of `oneIn` losers of a race win as well. Writers that do not race are told the truth. */
export function sometimesLetsTwoWin(random: Random, oneIn: number, on: 'ifAbsent' | 'ifMatch'): Breakage {
  const writersOf = new Map<string, number>();
  return (right) => ({
    put: async (key, body, options = {}) => {
      writersOf.set(key, (writersOf.get(key) ?? 0) + 1);
      try {
        const isRace = (writersOf.get(key) ?? 0) > 1;
        const result = await right.put(key, body, options);
        if (result.kind === 'written' || !isRace || options[on] === undefined) return result;
        return random.uint32() % oneIn === 0 ? await right.put(key, body, unconditional(options)) : result;
      } finally {
        writersOf.set(key, (writersOf.get(key) ?? 0) - 1);
      }
    },
  });
}

/** Tells one writer of a race that it has won, and keeps the bytes of another that it told to have lost. */
export const keepsALosersBytes: Breakage = (right) => ({
  put: async (key, body, options = {}) => {
    const result = await right.put(key, body, options);
    if (result.kind === 'condition-failed' && options.id?.includes('racer') === true)
      await right.put(key, body, unconditional(options));
    return result;
  },
});

/** A winner's metadata over the bytes of whoever wrote last. */
export const mixesWrites: Breakage = (right) => ({
  put: async (key, body, options = {}) => {
    const result = await right.put(key, body, options);
    if (result.kind === 'condition-failed' && options.id?.includes('racer') === true) {
      const winner = await right.head(key);
      if (winner !== undefined) await right.put(key, body, { id: winner.id });
    }
    return result;
  },
});

/** Refuses every conditional write of a race: nobody ever wins. */
export function letsNobodyWin(): Breakage {
  let racing = 0;
  return (right) => ({
    put: async (key, body, options = {}) => {
      const before = racing++;
      try {
        await Promise.resolve();
        if (before > 0 || racing > 1) return { kind: 'condition-failed' };
        return await right.put(key, body, options);
      } finally {
        racing--;
      }
    },
  });
}

/** A deleted key stays taken for creates. */
export function remembersDeletedKeys(): Breakage {
  const deleted = new Set<string>();
  return (right) => ({
    put: (key, body, options) =>
      options?.ifAbsent && deleted.has(key)
        ? Promise.resolve({ kind: 'condition-failed' })
        : right.put(key, body, options),
    delete: (key, options) => {
      deleted.add(key);
      return right.delete(key, options);
    },
  });
}

/** GET and HEAD show the version before the latest write, once after each write. */
export function readsStale(of: 'get' | 'head'): Breakage {
  const before = new Map<string, GetResult<Uint8Array>>();
  const takeStale = (key: string): GetResult<Uint8Array> | undefined => {
    const stale = before.get(key);
    before.delete(key);
    return stale;
  };
  return (right) => ({
    put: async (key, body, options) => {
      const old = await right.get(key);
      const result = await right.put(key, body, options);
      if (result.kind === 'written') before.set(key, old);
      return result;
    },
    ...(of === 'get'
      ? { get: async (key, options) => takeStale(key) ?? (await right.get(key, options)) }
      : {
          head: async (key, options): Promise<ObjectInfo | undefined> => {
            const stale = takeStale(key);
            if (stale === undefined) return await right.head(key, options);
            return stale.kind === 'found' ? stale.info : undefined;
          },
        }),
  });
}

/** A new key is missing in the first LIST after its creation, a deleted one still shown in the first after its deletion. */
export function listsLate(of: 'new' | 'deleted'): Breakage {
  const fresh = new Set<string>();
  const ghosts = new Set<string>();
  return (right) => ({
    put: async (key, body, options) => {
      if ((await right.head(key)) === undefined) fresh.add(key);
      return right.put(key, body, options);
    },
    delete: async (key, options) => {
      ghosts.add(key);
      await right.delete(key, options);
    },
    list: async (prefix, options) => {
      const page = await right.list(prefix, options);
      if (of === 'new') {
        const objects = page.objects.filter(({ key }) => !fresh.has(key));
        for (const { key } of page.objects) fresh.delete(key);
        return { ...page, objects };
      }
      const shown = [...ghosts].filter((key) => key.startsWith(prefix));
      for (const key of shown) ghosts.delete(key);
      const ghostObjects = shown.map((key) => ({
        key,
        sizeBytes: 1,
        etag: '"ghost"' as ETag,
        lastModifiedMs: 0,
      }));
      return { ...page, objects: [...page.objects, ...ghostObjects] };
    },
  });
}

/** Brings the first so many deleted objects back once: what a late copy of their PUT would do. */
export function resurrects(count: number): Breakage {
  let left = count;
  return (right) => ({
    delete: async (key, options) => {
      const old = await right.get(key);
      await right.delete(key, options);
      if (old.kind === 'found' && key.includes('/deleted-') && left-- > 0)
        await right.put(key, old.body, { id: old.info.id });
    },
  });
}

/** One write at a time to one key, the others are throttled, as in R2. */
export function throttlesKeys(runtime: Runtime, intervalMs: number): Breakage {
  const writtenAtMs = new Map<string, number>();
  return (right) => ({
    put: async (key, body, options) => {
      const sinceMs = runtime.monotonicMs() - (writtenAtMs.get(key) ?? -Infinity);
      if (sinceMs < intervalMs) throw failure(right, 'THROTTLED', key, 'one write a second');
      const result = await right.put(key, body, options);
      if (result.kind === 'written') writtenAtMs.set(key, runtime.monotonicMs());
      return result;
    },
  });
}

export const losesIds: Breakage = (right) => ({
  put: (key, body, options) => right.put(key, body, { ...options, id: undefined }),
});

export const keepsOldIds: Breakage = (right) => ({
  put: async (key, body, options = {}) => {
    const id = options.id ?? (await right.head(key))?.id;
    return right.put(key, body, { ...options, id });
  },
});

export const checksNoChecksums: Breakage = (right) => ({
  put: (key, body, options) => right.put(key, body, { ...options, crc32c: undefined }),
});

export const ignoresRanges: Breakage = (right) => ({
  get: (key, options) => right.get(key, { ...options, range: undefined }),
});

export const refusesLongSuffixes: Breakage = (right) => ({
  get: async (key, options) => {
    const info = await right.head(key);
    if (options?.range?.suffix !== undefined && options.range.suffix > (info?.sizeBytes ?? 0))
      throw new StoreError('RANGE_NOT_SATISFIABLE', 'too long', { operation: 'get', store: right.name, key });
    return right.get(key, options);
  },
});

export const neverAnswers304: Breakage = (right) => ({
  get: (key, options) => right.get(key, { ...options, ifNoneMatch: undefined }),
});

export const answers304ForEver: Breakage = (right) => ({
  get: (key, options) =>
    options?.ifNoneMatch === undefined ? right.get(key, options) : Promise.resolve({ kind: 'unchanged' }),
});

/** `a+b` and `a b` become one key. */
export const decodesKeys: Breakage = (right) => {
  const plain = (key: string): string => key.replaceAll('+', ' ');
  return {
    put: (key, body, options) => right.put(plain(key), body, options),
    get: (key, options) => right.get(plain(key), options),
    head: (key, options) => right.head(plain(key), options),
    delete: (key, options) => right.delete(plain(key), options),
  };
};

export const losesLaterPages: Breakage = (right) => ({
  list: async (prefix, options) => ({ ...(await right.list(prefix, options)), next: undefined }),
});

export const repeatsKeysOnPages: Breakage = (right) => ({
  list: async (prefix, options) => {
    const page = await right.list(prefix, options);
    const last = page.objects[0];
    return page.next === undefined || last === undefined
      ? page
      : { ...page, objects: [...page.objects, last] };
  },
});

export const ignoresStartAfter: Breakage = (right) => ({
  list: (prefix, options) => right.list(prefix, { ...options, startAfter: undefined }),
});

export const deletesHalfABatch: Breakage = (right) => ({
  deleteMany: (keys, options) => right.deleteMany(keys.slice(0, Math.ceil(keys.length / 2)), options),
});

export const knowsNoConditions: Breakage = (right) => ({
  put: (key, body, options = {}) =>
    options.ifAbsent || options.ifMatch !== undefined
      ? Promise.reject(failure(right, 'INVALID_REQUEST', key, '501 NotImplemented'))
      : right.put(key, body, options),
});

export const cannotBeReached: Breakage = (right) => {
  const refuse = (key: string): Promise<never> =>
    Promise.reject(failure(right, 'UNREACHABLE', key, 'refused'));
  return {
    put: refuse,
    get: refuse,
    head: refuse,
    list: refuse,
    delete: refuse,
    deleteMany: () => refuse(''),
  };
};

/** Answers nothing until the caller gives up. */
export const neverAnswers: Breakage = () => {
  const hang = (signal: AbortSignal | undefined): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  return {
    put: (_key, _body, options) => hang(options?.signal),
    get: (_key, options) => hang(options?.signal),
    head: (_key, options) => hang(options?.signal),
    list: (_prefix, options) => hang(options?.signal),
    delete: (_key, options) => hang(options?.signal),
    deleteMany: (_keys, options) => hang(options?.signal),
  };
};

/**
 * A right store behind a bad network: a share of the writes is throttled, refused with 409, lost on the way there or on
 * the way back, told 412 by its own second copy, or lands only after its client was told of a lost connection.
 */
export function flaky(runtime: Runtime, random: Random, share: number): Breakage {
  return (right) => ({
    put: async (key, body, options) => {
      if (random.fraction() >= share) return await right.put(key, body, options);
      return await disturbedPut(runtime, random, right, key, await inMemory(body), options);
    },
    delete: async (key, options) => {
      if (random.fraction() >= share) return await right.delete(key, options);
      if (random.fraction() < 0.5) await right.delete(key, options);
      throw failure(right, 'CONNECTION_LOST', key, 'reset', 'delete');
    },
  });
}

async function disturbedPut(
  runtime: Runtime,
  random: Random,
  right: ObjectStore,
  key: string,
  body: Body,
  options: PutOptions | undefined,
): Promise<PutResult> {
  switch (random.uint32() % 7) {
    case 0:
      throw failure(right, 'THROTTLED', key, 'slow down');
    case 1:
      throw failure(right, 'CONFLICT', key, 'conflict');
    case 2:
      throw failure(right, 'CONNECTION_LOST', key, 'reset before it was sent');
    case 3:
      await right.put(key, body, options);
      throw failure(right, 'CONNECTION_LOST', key, 'reset after it was applied');
    case 4:
      await right.put(key, body, options);
      throw failure(right, 'SERVER_ERROR', key, '500 after it was applied');
    case 5:
      await right.put(key, body, options);
      return await right.put(key, body, options);
    default:
      runtime.after(random.fraction() * 20, () => void right.put(key, body, options).catch(() => undefined));
      throw failure(right, 'TIMEOUT', key, 'no answer; it lands later');
  }
}

/** A stream can be sent once only, and a network may deliver its bytes twice. */
async function inMemory(body: Body): Promise<Body> {
  if (!isStream(body)) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.chunks) chunks.push(chunk);
  return chunks;
}

function failure(
  store: ObjectStore,
  code: StoreErrorCode,
  key: string,
  what: string,
  operation: 'put' | 'delete' = 'put',
): StoreError {
  return new StoreError(code, what, { operation, store: store.name, key });
}
