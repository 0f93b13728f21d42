import type { Logger } from '../dataplane/runtime/logger.ts';
import type { Runtime } from '../dataplane/runtime/runtime.ts';
import { ApiConnection } from './api-connection.ts';
import type { ApiRequest } from './api-connection.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { ApiError, hasReason } from './errors.ts';
import type {
  AppliedObject,
  ApplyOptions,
  DeleteOptions,
  KubernetesApi,
  ListOptions,
  ListPage,
  RequestOptions,
  Selection,
  WatchEvent,
  WatchOptions,
} from './kubernetes-api.ts';
import { keyOf, qualifiedName } from './kubernetes-object.ts';
import type { KubernetesObject, ObjectRef, ResourceType } from './kubernetes-object.ts';
import type { OperatorMetrics } from './metrics.ts';
import { errorOfStatus } from './status-error.ts';

export interface ApiClientOptions {
  readonly access: ClusterAccess;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** Product and version, for audit logs and API priority. */
  readonly userAgent: string;
  /** The whole of a request that names no time of its own. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
}

/** Watches that the server does not end in time are ended by us so long after. */
const watchGraceMs = 30_000;
/** Warnings that have been logged: each text once, up to so many texts. */
const maxWarnings = 256;

/** The Kubernetes API over JSON and HTTP/1.1. */
export class ApiClient implements KubernetesApi {
  readonly #connection: ApiConnection;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    const { access, runtime, metrics, userAgent, logger } = options;
    const warned = new Set<string>();
    const onWarning = (warning: string): void => {
      if (warned.has(warning) || warned.size >= maxWarnings) return;
      warned.add(warning);
      logger.warn('the API server warns', { warning });
    };
    this.#connection = new ApiConnection({ access, runtime, metrics, userAgent, onWarning });
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  async get<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T> {
    const what = `get ${describe(type, ref)}`;
    return asObject(
      type,
      what,
      await this.#call({ method: 'GET', target: objectPath(type, ref), what }, options),
    );
  }

  async find<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T | undefined> {
    try {
      return await this.get(type, ref, options);
    } catch (error) {
      if (isAbsent(error, ref)) return undefined;
      throw error;
    }
  }

  async list<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: ListOptions = {},
  ): Promise<ListPage<T>> {
    const what = `list ${qualifiedName(type)}`;
    const query = selectionQuery(options);
    if (options.limit !== undefined) query.set('limit', String(options.limit));
    if (options.continueToken !== undefined) query.set('continue', options.continueToken);
    if (options.exactly !== undefined) {
      query.set('resourceVersion', options.exactly);
      query.set('resourceVersionMatch', 'Exact');
    }
    const target = withQuery(collectionPath(type, options.namespace), query);
    const answer = await this.#call({ method: 'GET', target, what }, options);
    return asPage(type, what, answer);
  }

  async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { resourceVersion, timeoutMs, idleMs, namespace, signal } = options;
    const what = `watch ${qualifiedName(type)} from ${resourceVersion}`;
    const query = selectionQuery(options);
    query.set('watch', '1');
    query.set('allowWatchBookmarks', 'true');
    query.set('resourceVersion', resourceVersion);
    query.set('timeoutSeconds', String(Math.max(1, Math.ceil(timeoutMs / 1000))));
    const target = withQuery(collectionPath(type, namespace), query);
    const limits = { timeoutMs: this.#timeoutMs, idleMs, endMs: timeoutMs + watchGraceMs };
    for await (const line of this.#connection.lines({ method: 'GET', target, what, signal }, limits)) {
      yield asEvent(type, what, line);
    }
  }

  async create<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options?: RequestOptions,
  ): Promise<T> {
    const what = `create ${describe(type, object.metadata)}`;
    const target = `${collectionPath(type, object.metadata.namespace)}?fieldValidation=Strict`;
    return asObject(type, what, await this.#call({ method: 'POST', target, what, body: object }, options));
  }

  async replace<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: T,
    options?: RequestOptions,
  ): Promise<T> {
    const what = `replace ${describe(type, object.metadata)}`;
    if (object.metadata.resourceVersion === undefined) {
      throw new Error(
        `cannot ${what}: without a resourceVersion it would overwrite whatever others have written`,
      );
    }
    const target = `${objectPath(type, object.metadata)}?fieldValidation=Strict`;
    return asObject(type, what, await this.#call({ method: 'PUT', target, what, body: object }, options));
  }

  apply<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: AppliedObject<T>,
    options: ApplyOptions,
  ): Promise<T> {
    return this.#apply(type, object, '', options);
  }

  applyStatus<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: AppliedObject<T>,
    options: ApplyOptions,
  ): Promise<T> {
    return this.#apply(type, object, '/status', options);
  }

  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<boolean> {
    const { uid, resourceVersion, propagation = 'Background' } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: propagation,
      preconditions: { uid, resourceVersion },
    };
    const what = `delete ${describe(type, ref)}`;
    try {
      await this.#call({ method: 'DELETE', target: objectPath(type, ref), what, body }, options);
      return true;
    } catch (error) {
      if (isAbsent(error, ref)) return false;
      throw error;
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#connection.close();
  }

  async #apply<T extends KubernetesObject>(
    type: ResourceType<T>,
    object: AppliedObject<T>,
    subresource: '' | '/status',
    options: ApplyOptions,
  ): Promise<T> {
    const what = `apply ${describe(type, object.metadata)}${subresource}`;
    const query = new URLSearchParams({
      fieldManager: options.fieldManager,
      force: 'true',
      fieldValidation: 'Strict',
    });
    if (options.dryRun === true) query.set('dryRun', 'All');
    const answer = await this.#call(
      {
        method: 'PATCH',
        target: withQuery(objectPath(type, object.metadata) + subresource, query),
        what,
        // JSON is YAML.
        contentType: 'application/apply-patch+yaml',
        body: object,
      },
      options,
    );
    return asObject(type, what, answer);
  }

  #call(request: Omit<ApiRequest, 'signal'>, options: RequestOptions = {}): Promise<unknown> {
    const { signal, timeoutMs = this.#timeoutMs } = options;
    return this.#connection.json({ ...request, signal }, timeoutMs);
  }
}

/**
 * The API server says of this very object that there is none. A 404 that names no object says only that it does not serve
 * such a path: the CRD is missing, or somebody else answered.
 */
function isAbsent(error: unknown, ref: ObjectRef): boolean {
  return hasReason(error, 'NotFound') && error.details?.name === ref.name;
}

function describe(type: ResourceType, ref: ObjectRef): string {
  return `${qualifiedName(type)} ${keyOf(ref)}`;
}

function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const base = type.apiVersion.includes('/') ? `/apis/${type.apiVersion}` : `/api/${type.apiVersion}`;
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${base}${within}/${type.plural}`;
}

function objectPath(type: ResourceType, { namespace, name }: ObjectRef): string {
  if (name === '') throw new Error(`an object of kind ${type.kind} without a name`);
  if (type.isNamespaced !== (namespace !== undefined)) {
    throw new Error(
      `${type.kind} ${name}: objects of this kind are ${type.isNamespaced ? 'in a namespace, which is missing' : `in no namespace, but ${namespace} was given`}`,
    );
  }
  return `${collectionPath(type, namespace)}/${encodeURIComponent(name)}`;
}

function selectionQuery({ labelSelector, fieldSelector }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  return query;
}

function withQuery(target: string, query: URLSearchParams): string {
  return query.size === 0 ? target : `${target}?${query.toString()}`;
}

/** Items of lists come without `apiVersion` and `kind`. */
function asObject<T extends KubernetesObject>(type: ResourceType<T>, what: string, value: unknown): T {
  const object = value as Partial<KubernetesObject> | null;
  if (typeof object?.metadata !== 'object') {
    throw new ApiError('Malformed', `could not ${what}: what came has no metadata`);
  }
  return { ...object, apiVersion: type.apiVersion, kind: type.kind } as T;
}

function asPage<T extends KubernetesObject>(
  type: ResourceType<T>,
  what: string,
  value: unknown,
): ListPage<T> {
  const list = value as {
    readonly items?: readonly unknown[] | null;
    readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  } | null;
  const resourceVersion = list?.metadata?.resourceVersion;
  // An empty list may come as `null`; a missing one is no list.
  if (resourceVersion === undefined || resourceVersion === '' || list?.items === undefined) {
    throw new ApiError('Malformed', `could not ${what}: what came is no list with a resourceVersion`);
  }
  const items = (list.items ?? []).map((item) => {
    const object = asObject(type, what, item);
    if (object.metadata.resourceVersion === undefined)
      throw new ApiError('Malformed', `could not ${what}: an object without a resourceVersion came`);
    return object;
  });
  const token = list.metadata?.continue;
  return { items, resourceVersion, continueToken: token === '' ? undefined : token };
}

function asEvent<T extends KubernetesObject>(
  type: ResourceType<T>,
  what: string,
  line: unknown,
): WatchEvent<T> {
  const event = line as { readonly type?: unknown; readonly object?: unknown } | null;
  switch (event?.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const object = asObject(type, what, event.object);
      if (object.metadata.resourceVersion !== undefined) return { type: event.type, object };
      break;
    }
    case 'BOOKMARK': {
      const { resourceVersion } = asObject(type, what, event.object).metadata;
      if (resourceVersion !== undefined) return { type: event.type, resourceVersion };
      break;
    }
    case 'ERROR':
      throw errorOfStatus(what, event.object);
  }
  throw new ApiError(
    'Malformed',
    `could not ${what}: an event of type ${JSON.stringify(event?.type)} without an object that has a resourceVersion came`,
  );
}
