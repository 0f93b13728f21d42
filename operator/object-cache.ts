import { keyOf } from './kubernetes-object.ts';
import type { KubernetesObject } from './kubernetes-object.ts';

/** One step of an object. An object that was deleted and made anew comes as two. */
export type ObjectChange<T> =
  | { readonly kind: 'added'; readonly after: T }
  | { readonly kind: 'updated'; readonly before: T; readonly after: T }
  /** `before`: as it was last seen, which may not be how it was at its end. */
  | { readonly kind: 'deleted'; readonly before: T };

/** The object that a change is about. */
export function subjectOf<T>(change: ObjectChange<T>): T {
  return change.kind === 'deleted' ? change.before : change.after;
}

/** What is known of a cache's objects by those who only read. */
export interface ObjectView<T> {
  /** By `keyOf`. */
  get(key: string): T | undefined;
  values(): IterableIterator<T>;
  readonly size: number;
}

/** The objects of one kind, as last seen. They are shared by all who read them: nobody may change them. */
export class ObjectCache<T extends KubernetesObject> implements ObjectView<T> {
  readonly #objects = new Map<string, T>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** The object as it is now. The same version again is no change. */
  set(after: T): ObjectChange<T>[] {
    const key = keyOf(after.metadata);
    const before = this.#objects.get(key);
    if (before?.metadata.resourceVersion === after.metadata.resourceVersion) return [];
    this.#objects.set(key, after);
    if (before === undefined) return [{ kind: 'added', after }];
    if (before.metadata.uid === after.metadata.uid) return [{ kind: 'updated', before, after }];
    return [
      { kind: 'deleted', before },
      { kind: 'added', after },
    ];
  }

  /** There is no such object any more. */
  delete(key: string): ObjectChange<T>[] {
    const before = this.#objects.get(key);
    if (before === undefined) return [];
    this.#objects.delete(key);
    return [{ kind: 'deleted', before }];
  }

  /** These are all objects there are. Deletions come first. */
  replace(all: readonly T[]): ObjectChange<T>[] {
    const keys = new Set(all.map(({ metadata }) => keyOf(metadata)));
    const gone = [...this.#objects.keys()].filter((key) => !keys.has(key));
    return [...gone.flatMap((key) => this.delete(key)), ...all.flatMap((object) => this.set(object))];
  }
}
