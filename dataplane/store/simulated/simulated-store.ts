import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { ETag, ObjectStore } from '../object-store.ts';
import { SimulatedConnection } from './connection.ts';
import type { StoreCounters } from './counters.ts';
import { noFaults } from './faults.ts';
import type { SimulatedStoreFaults } from './faults.ts';
import { Interception } from './interception.ts';
import type { RequestMatch, ScriptedFault } from './interception.ts';
import { s3Latencies } from './latency.ts';
import type { StoreLatencies } from './latency.ts';
import { ObjectTable } from './object-table.ts';
import type { StoreHost } from './flight.ts';
import { requestEvent } from './observation.ts';
import type { AnswerEvent, ApplyEvent, RequestEvent } from './observation.ts';
import { isWrite } from './request.ts';
import type { StoredObject } from './request.ts';
import { StoreTraffic } from './traffic.ts';
import { StoreWeather } from './weather.ts';
import type { EndpointMode, ReadOnlyAs } from './weather.ts';

export interface SimulatedStoreOptions {
  /** The store's own clock and timers: `VirtualTime.environment`, or the real runtime (latencies pass in real time then). */
  readonly environment: Runtime;
  /** Seed of latencies and faults. Default: drawn from the environment, hence from the simulation's seed. */
  readonly seed?: number | undefined;
  /** Default: {@link s3Latencies}. */
  readonly latencies?: StoreLatencies | undefined;
  /** Default: none. */
  readonly faults?: SimulatedStoreFaults | undefined;
  /** `content` (default): the same bytes give the same ETag, as on S3. `version`: every write has its own; cheaper. */
  readonly etags?: 'content' | 'version' | undefined;
  /**
   * `copied` (default): a body is copied when it is sent, and a caller that changes it before the call is over breaks
   * the simulation; GETs give copies. `shared`: by reference both ways, no checksums; for benches of well-behaved code.
   */
  readonly bodies?: 'copied' | 'shared' | undefined;
  /** What to do about a caller's mistake. Default: throw it, which fails a run of `VirtualTime`. */
  readonly onViolation?: ((violation: Error) => void) | undefined;
  /** For error messages. Default `simulated:`. */
  readonly name?: string | undefined;
}

export interface ConnectOptions {
  /** What can be cut off from the store as one: a zone's gateway, a proxy. Default: the name of the process. */
  readonly endpoint?: string | undefined;
  /** How long an attempt waits for its answer. Default 10 s. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Attempts of a call that is safe to repeat: everything but conditional and streamed PUTs. Default 4. */
  readonly maxAttempts?: number | undefined;
}

/** Options of a store that only takes time: for benches. */
export const latencyOnly = {
  etags: 'version',
  bodies: 'shared',
} as const satisfies Partial<SimulatedStoreOptions>;

/**
 * An object store in virtual time: the one true state that all processes share through {@link connect}. Requests take
 * effect at one instant each, somewhere between sending and answer, unless a fault says otherwise.
 */
export class SimulatedStore {
  readonly name: string;
  readonly #bodies: 'copied' | 'shared';
  readonly #objects: ObjectTable;
  readonly #weather: StoreWeather;
  readonly #traffic: StoreTraffic;
  readonly #onViolation: (violation: Error) => void;

  constructor(options: SimulatedStoreOptions) {
    this.name = options.name ?? 'simulated:';
    const { environment } = options;
    const random = new VirtualRandom(options.seed ?? environment.random.uint32(), 'store');
    this.#bodies = options.bodies ?? 'copied';
    this.#objects = new ObjectTable(options.etags ?? 'content', random.uint32());
    this.#weather = new StoreWeather(
      random.fork('weather'),
      () => environment.monotonicMs(),
      options.faults ?? noFaults,
    );
    this.#traffic = new StoreTraffic(
      environment,
      random.fork('traffic'),
      options.latencies ?? s3Latencies,
      this.#objects,
      this.#weather,
    );
    this.#onViolation =
      options.onViolation ??
      ((violation) => {
        throw violation;
      });
  }

  /** The store as one process sees it. Close it with the process, or let it be. */
  connect(host: StoreHost, options: ConnectOptions = {}): ObjectStore {
    return new SimulatedConnection(this.#traffic, host, {
      name: this.name,
      endpoint: options.endpoint ?? host.name,
      attemptTimeoutMs: options.attemptTimeoutMs ?? 10_000,
      maxAttempts: options.maxAttempts ?? 4,
      bodies: this.#bodies,
      onViolation: this.#onViolation,
    });
  }

  // What tests and checkers look at. None of it takes time or counts as a request.

  peek(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** Existing keys with this prefix, in UTF-8 byte order. */
  keys(prefix: string): string[] {
    return this.#objects.keys(prefix);
  }

  get objectCount(): number {
    return this.#objects.size;
  }

  get counters(): Readonly<StoreCounters> {
    return this.#traffic.counters;
  }

  /** Requests that may still be applied, or whose answer is still under way. */
  requestsInFlight(): number {
    return this.#traffic.inFlight.size;
  }

  /** The writes among them that may still be applied, with the time they were sent. */
  pendingWrites(): RequestEvent[] {
    return [...this.#traffic.inFlight]
      .filter(({ request, unapplied }) => unapplied > 0 && isWrite(request.operation))
      .map((flight) => requestEvent(flight, flight.sentAtMs));
  }

  /** Calls back when code of a process has made a request, before it leaves: the callback may kill or pause the process. */
  onRequest(callback: (event: RequestEvent) => void): Cancel {
    return this.#traffic.onRequest.add(callback);
  }

  /** Calls back when a request has just taken effect. */
  onApply(callback: (event: ApplyEvent) => void): Cancel {
    return this.#traffic.onApply.add(callback);
  }

  /** Calls back before an answer is given to the code of a process: the callback may kill or pause the process. */
  onAnswer(callback: (event: AnswerEvent) => void): Cancel {
    return this.#traffic.onAnswer.add(callback);
  }

  // What tests do to it.

  get faults(): SimulatedStoreFaults {
    return this.#weather.faults;
  }

  /** Changes some of the faults from now on. What is under way keeps its fate. */
  setFaults(changes: Partial<SimulatedStoreFaults>): void {
    this.#weather.setFaults({ ...this.#weather.faults, ...changes });
  }

  /** No more faults, every endpoint open, no interceptions. What is under way keeps its fate. */
  calm(): void {
    this.#weather.setFaults(noFaults);
    this.#weather.releaseEndpoints();
    this.#weather.setReadOnly(undefined);
    this.#traffic.interceptions = [];
  }

  /** Cuts an endpoint off, or forces it open; `undefined` leaves it to the faults again. */
  setEndpoint(endpoint: string, mode: EndpointMode | undefined): void {
    this.#weather.setEndpoint(endpoint, mode);
  }

  /** Refuses all writes with this code; `undefined` leaves it to the faults again. */
  setReadOnly(as: ReadOnlyAs | undefined): void {
    this.#weather.setReadOnly(as);
  }

  /** Puts an object there without a request: old data, damage, another version's format. Replaces what was there. */
  plant(key: string, bytes: Uint8Array, id?: string): ETag {
    const request = { operation: 'put', key, bytes: Uint8Array.from(bytes), id } as const;
    const answer = this.#objects.put(request, 0, 0);
    if (answer.kind !== 'written')
      throw new Error(`${JSON.stringify(key)} cannot be planted: ${answer.kind}`);
    return answer.etag;
  }

  /** Takes an object away without a request. Whether there was one. */
  remove(key: string): boolean {
    return this.#objects.delete(key);
  }

  /** Gives the next matching request(s) this fate, whatever the faults say. The first matching interception counts. */
  intercept(match: RequestMatch, fault: ScriptedFault): Interception {
    const interception = new Interception(match, fault);
    this.#traffic.interceptions.push(interception);
    return interception;
  }
}
