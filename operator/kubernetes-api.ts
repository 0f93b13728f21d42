import type { KubernetesObject, ObjectRef, ResourceType } from './kubernetes-object.ts';

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** The whole request, body included. Default: the client's. */
  readonly timeoutMs?: number | undefined;
}

export interface Selection {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends RequestOptions, Selection {
  /** At most so many objects a page. Default: all at once. */
  readonly limit?: number | undefined;
  /** The page after the one that gave this token. */
  readonly continueToken?: string | undefined;
  /** The state at exactly this resourceVersion instead of the newest one. Not with `continueToken`, which implies it. */
  readonly exactly?: string | undefined;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  /** Of the whole list, the same on each of its pages: a watch goes on from here. */
  readonly resourceVersion: string;
  /** Absent on the last page. */
  readonly continueToken?: string | undefined;
}

export interface WatchOptions extends Selection {
  /** Events after this state. */
  readonly resourceVersion: string;
  /** The server ends the watch after so long; where it does not, the client does, a little later. */
  readonly timeoutMs: number;
  /** Nothing came for so long, no bookmark either: the connection is taken for dead (`NoAnswer`). */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing changed up to this resourceVersion. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface ApplyOptions extends RequestOptions {
  /** Whose fields these are: one for each controller. */
  readonly fieldManager: string;
  /** Only say what the object would be. */
  readonly dryRun?: boolean | undefined;
}

export interface DeleteOptions extends RequestOptions {
  /** Only this object, not another one of its name. `Conflict` when it is another one. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Default: `Background`. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
}

/**
 * What the operator asks of the Kubernetes API. Every method rejects with an `ApiError`, or with the reason of an aborted
 * signal; nothing is retried except reads whose idle connection turned out to be closed.
 */
export interface KubernetesApi {
  /** Rejects with `NotFound` also when the API server does not know the resource at all: a missing CRD. */
  get<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T>;

  /** `undefined` only when the API server says that this object does not exist; a missing CRD rejects. */
  find<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T | undefined>;

  list<T extends KubernetesObject>(type: ResourceType<T>, options?: ListOptions): Promise<ListPage<T>>;

  /**
   * Ends without an error when the server ends it (`timeoutMs`). Rejects with `Expired` or `Gone` when the
   * resourceVersion is too old, whether the server says it at the beginning or later. Leaving the iteration closes the
   * connection.
   */
  watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;

  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: RequestOptions): Promise<T>;

  /** Writes the whole object, provided that its resourceVersion is still the present one: `Conflict` otherwise. */
  replace<T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: RequestOptions): Promise<T>;

  /**
   * Server-side apply: creates the object, or sets the fields given, takes them from other managers, and removes those
   * that this manager applied before and does not any more. Fields it never mentioned stay as they are. With a
   * `resourceVersion` in the object it is a precondition, with `Conflict` for the loser.
   */
  apply<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: AppliedObject<T>,
    options: ApplyOptions,
  ): Promise<T>;

  /** The same for the status subresource; `NotFound` when there is no such object. */
  applyStatus<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: AppliedObject<T>,
    options: ApplyOptions,
  ): Promise<T>;

  /** False when the object was not there. Objects with finalizers are still there afterwards. */
  delete(type: ResourceType, ref: ObjectRef, options?: DeleteOptions): Promise<boolean>;
}

/** Any part of an object that names it. */
export type AppliedObject<T extends KubernetesObject> = DeepPartial<T> &
  Pick<KubernetesObject, 'apiVersion' | 'kind' | 'metadata'>;

type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
    : T;
