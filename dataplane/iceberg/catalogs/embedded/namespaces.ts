import { forEachLimited } from '../../../runtime/concurrency.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { listAll } from '../../../store/list-all.ts';
import type { ObjectStore } from '../../../store/object-store.ts';
import { CatalogError } from '../../errors.ts';
import { checkNamespace, namespaceKey, namespacesPrefix } from './catalog-keys.ts';
import { namespaceFormat } from './catalog-record.ts';
import type { NamespaceEntry } from './catalog-record.ts';
import { RecordStore, reading } from './record-store.ts';
import type { Held } from './record-store.ts';

type Properties = Readonly<Record<string, string>>;

export interface PropertiesChange {
  readonly removals: readonly string[];
  readonly updates: Properties;
}

const readsAtOnce = 16;
/** How often a change is tried on what others have made of the record meanwhile. */
const maxRounds = 20;

/**
 * Namespaces, one object each.
 *
 * A namespace is empty when it is dropped, though tables are other objects: whoever puts something into a namespace
 * replaces the namespace's object afterwards (`confirm`), and whoever drops it looks for tables between reading the object
 * and replacing it. So of a table and a drop that race one finds out: the drop's condition fails, or the creator meets the
 * tombstone and takes its table back. (A creator killed in between leaves a table in a namespace that is gone: it is seen
 * again when the namespace is created again.)
 */
export class Namespaces {
  readonly #store: ObjectStore;
  readonly #records: RecordStore<NamespaceEntry>;

  constructor(store: ObjectStore, runtime: Runtime) {
    this.#store = store;
    this.#records = new RecordStore(store, runtime, namespaceFormat);
  }

  /** NO_SUCH_NAMESPACE when there is none. */
  async properties(namespace: readonly string[], signal?: AbortSignal): Promise<Properties> {
    return (await this.#require(namespace, signal)).properties;
  }

  async exists(namespace: readonly string[], signal?: AbortSignal): Promise<boolean> {
    checkNamespace(namespace);
    return isNamespace(await this.#records.read(namespaceKey(namespace), signal));
  }

  /**
   * ALREADY_EXISTS when there is one, NO_SUCH_NAMESPACE when its parent does not exist. Of several creators one succeeds.
   */
  async create(namespace: readonly string[], properties: Properties, signal?: AbortSignal): Promise<void> {
    checkNamespace(namespace);
    const parent = namespace.slice(0, -1);
    if (parent.length > 0) await this.#require(parent, signal);
    const held = await this.#records.read(namespaceKey(namespace), signal);
    const entry: NamespaceEntry = { state: 'namespace', namespace, properties };
    if (
      isNamespace(held) ||
      (await this.#records.swap(namespaceKey(namespace), held, entry, signal)) === 'lost'
    )
      throw new CatalogError('ALREADY_EXISTS', `Namespace already exists: ${shownNamespace(namespace)}`);
    if (parent.length === 0) return;
    if (await this.confirm(parent, signal)) return;
    await this.#replace(namespace, () => ({ state: 'dropped', namespace }), signal);
    throw noSuchNamespace(parent);
  }

  /** Both lists of what was done, for the answer of the REST catalog; `missing`: removals that were not there. */
  async changeProperties(
    namespace: readonly string[],
    { removals, updates }: PropertiesChange,
    signal?: AbortSignal,
  ): Promise<{ readonly removed: readonly string[]; readonly missing: readonly string[] }> {
    const both = removals.find((name) => Object.hasOwn(updates, name));
    if (both !== undefined)
      throw new CatalogError(
        'REFUSED',
        `property ${JSON.stringify(both)} cannot be both removed and updated`,
      );
    let before: Properties = {};
    await this.#replace(
      namespace,
      (entry) => {
        before = entry.properties;
        const kept = Object.entries(entry.properties).filter(([name]) => !removals.includes(name));
        return { ...entry, properties: { ...Object.fromEntries(kept), ...updates } };
      },
      signal,
    );
    return {
      removed: removals.filter((name) => Object.hasOwn(before, name)),
      missing: removals.filter((name) => !Object.hasOwn(before, name)),
    };
  }

  /** @param hasTables asked after the namespace was read */
  async drop(
    namespace: readonly string[],
    hasTables: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#replace(
      namespace,
      async () => {
        const [child] = await this.list(namespace, signal);
        if (child !== undefined || (await hasTables())) {
          const inside = child === undefined ? 'tables' : `the namespace ${shownNamespace(child)}`;
          throw new CatalogError(
            'NAMESPACE_NOT_EMPTY',
            `Namespace ${shownNamespace(namespace)} is not empty: it has ${inside}`,
          );
        }
        return { state: 'dropped', namespace };
      },
      signal,
    );
  }

  /** False: it was dropped meanwhile, and whatever was put into it must be taken back. */
  async confirm(namespace: readonly string[], signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#replace(namespace, (entry) => entry, signal);
      return true;
    } catch (error) {
      if (error instanceof CatalogError && error.code === 'NO_SUCH_NAMESPACE') return false;
      throw error;
    }
  }

  /** Those directly below `parent`, sorted. One GET for each namespace there is. */
  async list(parent: readonly string[], signal?: AbortSignal): Promise<readonly (readonly string[])[]> {
    const keys = await reading('list of namespaces', () => keysOf(this.#store, namespacesPrefix(), signal));
    const found: (readonly string[])[] = [];
    await forEachLimited(keys, readsAtOnce, async (key) => {
      const held = await this.#records.read(key, signal);
      if (!isNamespace(held)) return;
      const { namespace } = held.record.value;
      if (namespace.length === parent.length + 1 && parent.every((level, at) => namespace[at] === level))
        found.push(namespace);
    });
    return found.sort((a, b) => compare(a.join('\u001f'), b.join('\u001f')));
  }

  async #require(
    namespace: readonly string[],
    signal?: AbortSignal,
  ): Promise<NamespaceEntry & { state: 'namespace' }> {
    checkNamespace(namespace);
    const held = await this.#records.read(namespaceKey(namespace), signal);
    if (!isNamespace(held)) throw noSuchNamespace(namespace);
    return held.record.value;
  }

  async #replace(
    namespace: readonly string[],
    change: (entry: NamespaceEntry & { state: 'namespace' }) => NamespaceEntry | Promise<NamespaceEntry>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    checkNamespace(namespace);
    const key = namespaceKey(namespace);
    for (let round = 1; round <= maxRounds; round += 1) {
      const held = await this.#records.read(key, signal);
      if (!isNamespace(held)) throw noSuchNamespace(namespace);
      const next = await change(held.record.value);
      if ((await this.#records.swap(key, held, next, signal)) === 'applied') return;
    }
    const name = shownNamespace(namespace);
    throw new CatalogError(
      'UNAVAILABLE',
      `namespace ${name} was changed by others ${maxRounds} times in a row`,
    );
  }
}

export async function keysOf(
  store: ObjectStore,
  prefix: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of listAll(store, prefix, signal)) keys.push(key);
  return keys;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function shownNamespace(namespace: readonly string[]): string {
  return namespace.join('.');
}

export function noSuchNamespace(namespace: readonly string[]): CatalogError {
  return new CatalogError('NO_SUCH_NAMESPACE', `Namespace does not exist: ${shownNamespace(namespace)}`);
}

function isNamespace(
  held: Held<NamespaceEntry> | undefined,
): held is Held<NamespaceEntry & { readonly state: 'namespace' }> {
  return held?.record.value.state === 'namespace';
}
