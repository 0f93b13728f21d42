/**
 * The shapes of Kubernetes objects as JSON carries them. Types of `@kubernetes/client-node` describe objects after its
 * own decoding, where times are `Date`s; {@link Wire} gives their JSON form. Types only: nothing of it is loaded.
 */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

export interface ObjectMeta {
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string | undefined;
  /** These five are the API server's to set. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Where objects of a kind live in the API, and what they look like: `T` is trusted, since the API server validates. */
export interface ResourceType<T extends KubernetesObject = KubernetesObject> {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: T['apiVersion'];
  readonly kind: T['kind'];
  /** As in URLs and in RBAC rules: `statefulsets`. */
  readonly plural: string;
  readonly isNamespaced: boolean;
}

export interface ObjectRef {
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string | undefined;
}

/** `namespace/name`, or `name` of a cluster-scoped object: what caches and queues go by. */
export function keyOf({ namespace, name }: ObjectRef): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The inverse of {@link keyOf}. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash === -1 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** As RBAC and `kubectl` name it: `statefulsets.apps`, `pods`. */
export function qualifiedName({ apiVersion, plural }: Pick<ResourceType, 'apiVersion' | 'plural'>): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? plural : `${plural}.${apiVersion.slice(0, slash)}`;
}
