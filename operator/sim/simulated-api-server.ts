import { abortReason } from '../../dataplane/runtime/runtime.ts';
import type { SimulatedProcess } from '../../dataplane/runtime/simulated-process.ts';
import type { VirtualTime } from '../../dataplane/runtime/virtual-time.ts';
import { ApiError } from '../errors.ts';
import type { ApiErrorReason } from '../errors.ts';
import type {
  DeleteOptions,
  KubernetesApi,
  ListOptions,
  ListPage,
  RequestOptions,
  WatchEvent,
  WatchOptions,
} from '../kubernetes-api.ts';
import { keyOf } from '../kubernetes-object.ts';
import type { KubernetesObject, ObjectRef, ResourceType } from '../kubernetes-object.ts';
import { SimulatedWatch } from './simulated-watch.ts';

/** What can go wrong with one request, as probabilities of each request. */
export interface SimulatedFaults {
  /** The request never arrives, and its sender is told. */
  readonly lostRequest?: number | undefined;
  /** The server does it; the answer is lost, and its receiver is told. */
  readonly lostAnswer?: number | undefined;
  /** As `lostAnswer`, and nobody is told. */
  readonly noAnswer?: number | undefined;
  /** 429, 500 or 503, without any effect. */
  readonly refused?: number | undefined;
  /** Request and answer take up to so long each, spread evenly over the orders of magnitude. */
  readonly slowestMs?: number | undefined;
  /** Of each event of a watch: it does not come; comes twice, the second time late; the connection is cut; falls silent; an ERROR event. */
  readonly missedEvent?: number | undefined;
  readonly repeatedEvent?: number | undefined;
  readonly cutWatch?: number | undefined;
  readonly silentWatch?: number | undefined;
  readonly errorEvent?: number | undefined;
  /** Of each watch: it is opened, and ended at once. */
  readonly endedWatch?: number | undefined;
}

export type SimulatedApi = Pick<
  KubernetesApi,
  'get' | 'find' | 'list' | 'watch' | 'create' | 'replace' | 'delete'
>;

interface HistoryEvent {
  readonly revision: number;
  readonly plural: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubernetesObject;
}

/**
 * The Kubernetes API in virtual time, as far as lists, watches and compare-and-swap go, behind a network with faults: one
 * revision counter, events in its order, a history that can be compacted, bookmarks each minute.
 */
export class SimulatedApiServer {
  readonly #time: VirtualTime;
  readonly #objects = new Map<string, Map<string, KubernetesObject>>();
  readonly #history: HistoryEvent[] = [];
  readonly #watches = new Set<SimulatedWatch>();
  #revision = 1;
  #oldest = 0;
  /** May be changed at any time. */
  faults: SimulatedFaults = {};
  /** Events that some watch was not told, or was told again. */
  missed = 0;
  repeated = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** What is so, beyond all networks. */
  objects(plural: string): ReadonlyMap<string, KubernetesObject> {
    return this.#of(plural);
  }

  /** Forgets the past: positions and pages from before are expired. */
  compact(): void {
    this.#oldest = this.#revision;
  }

  /** The API server's data are restored from a backup: what came after this revision never happened. Connections break. */
  restore(revision: number): void {
    const [plurals, all] = [[...this.#objects.keys()], [...this.#history]];
    for (const plural of plurals) {
      const state = this.#stateAt(plural, revision);
      this.#objects.set(plural, new Map(state.map((object) => [keyOf(object.metadata), object])));
    }
    this.#history.splice(0, Infinity, ...all.filter((event) => event.revision <= revision));
    this.#revision = revision;
    for (const watch of this.#watches) watch.fail(failure('Unreachable'));
  }

  get revision(): number {
    return this.#revision;
  }

  /** The API as this process sees it. */
  connect(process: SimulatedProcess): SimulatedApi {
    const get = async <T extends KubernetesObject>(
      type: ResourceType<T>,
      ref: ObjectRef,
      options?: RequestOptions,
    ): Promise<T> =>
      (await this.#call(process, options, () => {
        const object = this.#of(type.plural).get(keyOf(ref));
        return object ?? refusal('NotFound', `there is no ${type.plural} ${keyOf(ref)}`);
      })) as T;
    return {
      get,
      find: async <T extends KubernetesObject>(
        type: ResourceType<T>,
        ref: ObjectRef,
        options?: RequestOptions,
      ): Promise<T | undefined> => {
        const found = await this.#call(process, options, () => [this.#of(type.plural).get(keyOf(ref))]);
        return found[0] as T | undefined;
      },
      list: <T extends KubernetesObject>(type: ResourceType<T>, options?: ListOptions) =>
        this.#call(process, options, () => this.list(type, options)),
      watch: (type, options) => this.#watch(process, type, options),
      create: <T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: RequestOptions) =>
        this.#call(process, options, () => this.create(type, object)),
      replace: <T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: RequestOptions) =>
        this.#call(process, options, () => this.replace(type, object)),
      delete: (type: ResourceType, ref: ObjectRef, options?: DeleteOptions) =>
        this.#call(process, options, () => this.delete(type, ref)),
    };
  }

  list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): ListPage<T> {
    const { limit = Infinity, continueToken, exactly } = options;
    const [revisionText, startText] = continueToken?.split('/') ?? [exactly ?? String(this.#revision), '0'];
    const [revision, start] = [Number(revisionText), Number(startText)];
    if (revision < this.#oldest) refusal('Expired', `revision ${revision} is compacted`);
    const all = this.#stateAt(type.plural, revision) as T[];
    const end = start + limit;
    const next = end < all.length ? `${revision}/${end}` : undefined;
    return { items: all.slice(start, end), resourceVersion: String(revision), continueToken: next };
  }

  create<T extends KubernetesObject>(type: ResourceType<T>, object: T): T {
    if (this.#of(type.plural).has(keyOf(object.metadata))) refusal('AlreadyExists', keyOf(object.metadata));
    const uid = `uid-${this.#revision + 1}`;
    return this.#write(type, 'ADDED', { ...object, metadata: { ...object.metadata, uid } });
  }

  replace<T extends KubernetesObject>(type: ResourceType<T>, object: T): T {
    const before = this.#of(type.plural).get(keyOf(object.metadata));
    if (before === undefined) refusal('NotFound', keyOf(object.metadata));
    if (before?.metadata.resourceVersion !== object.metadata.resourceVersion)
      refusal('Conflict', `${keyOf(object.metadata)} is not at ${object.metadata.resourceVersion}`);
    return this.#write(type, 'MODIFIED', object);
  }

  delete(type: ResourceType, ref: ObjectRef): boolean {
    const before = this.#of(type.plural).get(keyOf(ref));
    if (before !== undefined) this.#write(type, 'DELETED', before);
    return before !== undefined;
  }

  #of(plural: string): Map<string, KubernetesObject> {
    const objects = this.#objects.get(plural) ?? new Map<string, KubernetesObject>();
    this.#objects.set(plural, objects);
    return objects;
  }

  #write<T extends KubernetesObject>(type: ResourceType<T>, event: HistoryEvent['type'], object: T): T {
    const revision = ++this.#revision;
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    const key = keyOf(object.metadata);
    if (event === 'DELETED') this.#of(type.plural).delete(key);
    else this.#of(type.plural).set(key, written);
    this.#history.push({ revision, plural: type.plural, type: event, object: written });
    for (const watch of this.#watches) this.#tell(watch, type.plural, { type: event, object: written });
    return written;
  }

  #stateAt(plural: string, revision: number): KubernetesObject[] {
    const state = new Map<string, KubernetesObject>();
    for (const { type, object } of this.#eventsOf(plural).filter((event) => event.revision <= revision)) {
      if (type === 'DELETED') state.delete(keyOf(object.metadata));
      else state.set(keyOf(object.metadata), object);
    }
    return [...state.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  #eventsOf(plural: string): HistoryEvent[] {
    return this.#history.filter((event) => event.plural === plural);
  }

  /** One request over the network. */
  #call<T>(process: SimulatedProcess, options: RequestOptions | undefined, effect: () => T): Promise<T> {
    const { signal, timeoutMs = 30_000 } = options ?? {};
    if (signal?.aborted === true) return Promise.reject(abortReason(signal));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onAbort = (): void => settle(() => reject(abortReason(signal)));
    const cancelTimeout = process.runtime.after(timeoutMs, () => settle(() => reject(failure('NoAnswer'))));
    const settle = (how: () => void): void => {
      cancelTimeout();
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    const answer = (how: () => void): void => process.receive(() => settle(how));
    signal?.addEventListener('abort', onAbort, { once: true });
    process.send(() => this.#carry(effect, resolve, reject, answer));
    return promise;
  }

  /** What becomes of a request that has left. */
  #carry<T>(
    effect: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    answer: (how: () => void) => void,
  ): void {
    const { environment, random } = this.#time;
    const { lostRequest, lostAnswer, noAnswer, refused } = this.faults;
    if (random.chance(lostRequest ?? 0)) {
      answer(() => reject(failure('Unreachable')));
      return;
    }
    environment.after(this.#latencyMs(), () => {
      let how: () => void;
      if (random.chance(refused ?? 0)) {
        const reason = random.pick<ApiErrorReason>([
          'TooManyRequests',
          'InternalError',
          'ServiceUnavailable',
        ]);
        how = () => reject(failure(reason));
      } else {
        try {
          const result = effect();
          how = () => resolve(result);
        } catch (error) {
          how = () => reject(error);
        }
        if (random.chance(noAnswer ?? 0)) return;
        if (random.chance(lostAnswer ?? 0)) how = () => reject(failure('Unreachable'));
      }
      environment.after(this.#latencyMs(), () => answer(how));
    });
  }

  async *#watch<T extends KubernetesObject>(
    process: SimulatedProcess,
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { resourceVersion, signal } = options;
    const watch = await this.#call(process, { signal }, () => {
      const position = Number(resourceVersion);
      if (position < this.#oldest) refusal('Expired', `revision ${position} is compacted`);
      const opened = new SimulatedWatch(this.#time, process, type.plural, options, () =>
        this.#tellBookmark(opened),
      );
      this.#watches.add(opened);
      if (this.#time.random.chance(this.faults.endedWatch ?? 0)) opened.end();
      // A position that has not come yet: the server waits for it.
      if (position > this.#revision) opened.fallSilent();
      for (const event of this.#eventsOf(type.plural)) {
        if (event.revision > position) this.#tell(opened, type.plural, { ...event });
      }
      return opened;
    });
    try {
      for (;;) {
        const event = await watch.next();
        if (event === undefined) return;
        yield event as WatchEvent<T>;
      }
    } finally {
      this.#watches.delete(watch);
      watch.close();
    }
  }

  #tellBookmark(watch: SimulatedWatch): void {
    if (watch.plural === '' || !this.#watches.has(watch)) return;
    watch.push({ type: 'BOOKMARK', resourceVersion: String(this.#revision) });
  }

  #tell(watch: SimulatedWatch, plural: string, event: WatchEvent<KubernetesObject>): void {
    if (watch.plural !== plural) return;
    const { random } = this.#time;
    const { missedEvent, repeatedEvent, cutWatch, silentWatch, errorEvent } = this.faults;
    if (random.chance(cutWatch ?? 0)) watch.fail(new ApiError('Unreachable', 'simulated: cut'));
    if (random.chance(errorEvent ?? 0))
      watch.fail(new ApiError(random.pick(['Expired', 'InternalError']), 'simulated: ERROR event'));
    if (random.chance(silentWatch ?? 0)) watch.fallSilent();
    if (random.chance(missedEvent ?? 0)) {
      this.missed++;
      return;
    }
    watch.push(event);
    if (!random.chance(repeatedEvent ?? 0)) return;
    this.repeated++;
    this.#time.environment.after(random.logBetween(1, 10_000), () => watch.push(event));
  }

  #latencyMs(): number {
    return this.#time.random.logBetween(1, Math.max(2, this.faults.slowestMs ?? 2));
  }
}

function failure(reason: ApiErrorReason): ApiError {
  return new ApiError(reason, `simulated: ${reason}`);
}

function refusal(reason: ApiErrorReason, what: string): never {
  throw new ApiError(reason, `simulated: ${reason}: ${what}`);
}
