import type { Logger } from '../dataplane/runtime/logger.ts';
import { RunningState } from '../dataplane/runtime/running-state.ts';
import type { Runtime } from '../dataplane/runtime/runtime.ts';
import type { Service } from '../dataplane/runtime/service.ts';
import { ApiError } from './errors.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import { keyOf } from './kubernetes-object.ts';
import type { KubernetesObject, ResourceType } from './kubernetes-object.ts';
import { microTime } from './lease.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { Reason } from './reasons.ts';

/** `events.k8s.io/v1`. */
export interface KubernetesEvent extends KubernetesObject {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string | undefined;
    readonly name: string;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  };
}

export const events: ResourceType<KubernetesEvent> = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  isNamespaced: true,
};

export interface EventFacts {
  readonly regarding: KubernetesObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  /** What was done or found, in one word: the kind of an action, the type of a condition. */
  readonly action: string;
  /** For people. At most 1024 bytes are kept. */
  readonly note: string;
}

export interface EventRecorder {
  /** Tells of a change of state; nothing happens when it is what was last told of this object and `action`. Never blocks or throws. */
  record(facts: EventFacts): void;
}

export interface EventSenderOptions {
  readonly api: Pick<KubernetesApi, 'create'>;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** `firn.dev/operator`. */
  readonly controller: string;
  /** Of this process. */
  readonly instance: string;
}

/** Events that wait to be sent. */
const maxWaiting = 256;
/** Objects whose last events and allowances are remembered; the one not heard of for longest is forgotten. */
const maxObjects = 4_096;
/** Events of one object: so many at once, then one in this time. As client-go's spam filter, somewhat stricter. */
const burst = 20;
const refillMs = 60_000;
const attempts = 3;

interface Spoken {
  /** The last event by action. */
  readonly last: Map<string, string>;
  tokens: number;
  refilledAtMs: number;
}

/**
 * Sends Kubernetes events one after another in the background. They are help for people, not state: bounded in number, and
 * dropped rather than waited for. What must not be lost stands in conditions.
 */
export class EventSender implements EventRecorder, Service {
  readonly id = 'event sender';
  readonly #options: EventSenderOptions;
  readonly #state: RunningState;
  readonly #waiting: EventFacts[] = [];
  /** By uid, in the order of their last event. */
  readonly #objects = new Map<string, Spoken>();
  readonly #settled = Promise.withResolvers<void>();
  #wake = Promise.withResolvers<void>();
  #hasRun = false;

  constructor(options: EventSenderOptions) {
    this.#options = options;
    this.#state = new RunningState(options.runtime, { initialMs: 500, maxMs: 5_000 });
  }

  record(facts: EventFacts): void {
    if (!this.#state.shouldRun()) return;
    const spoken = this.#spoken(facts.regarding);
    const said = `${facts.type}/${facts.reason}/${facts.note}`;
    if (spoken.last.get(facts.action) === said) return;
    spoken.last.set(facts.action, said);
    if (!this.#mayTell(spoken) || this.#waiting.length >= maxWaiting) {
      this.#count('dropped');
      return;
    }
    this.#waiting.push(facts);
    this.#wake.resolve();
  }

  async run(): Promise<void> {
    this.#hasRun = true;
    const stopped = this.#state.stopped();
    while (this.#state.shouldRun()) {
      const facts = this.#waiting.shift();
      if (facts !== undefined) await this.#send(facts);
      else {
        this.#wake = Promise.withResolvers();
        await Promise.race([this.#wake.promise, stopped]);
      }
    }
    this.#settled.resolve();
  }

  /** What waits is dropped. */
  async stop(): Promise<void> {
    this.#state.stop();
    if (this.#hasRun) await this.#settled.promise;
  }

  async #send(facts: EventFacts): Promise<void> {
    const { api, logger } = this.#options;
    const event = this.#eventOf(facts);
    this.#state.resetBackoff();
    for (let attempt = 1; this.#state.shouldRun(); attempt++) {
      try {
        await api.create(events, event, { signal: this.#state.signal, timeoutMs: 10_000 });
        this.#count('sent');
        return;
      } catch (error) {
        if (!this.#state.shouldRun()) return;
        // It arrived, and its answer was lost: the name is random.
        if (error instanceof ApiError && error.reason === 'AlreadyExists') {
          this.#count('sent');
          return;
        }
        if (!(error instanceof ApiError) || !error.retriable || attempt === attempts) {
          this.#count('failed');
          // Forbidden is usual in a namespace that is being deleted.
          const facts = { regarding: keyOf(event.regarding), reason: event.reason, error };
          logger.info('a Kubernetes event could not be sent', facts);
          return;
        }
      }
      await this.#state.backoff();
    }
  }

  #eventOf({ regarding, type, reason, action, note }: EventFacts): KubernetesEvent {
    const { runtime, controller, instance } = this.#options;
    const { namespace, name, uid, resourceVersion } = regarding.metadata;
    const suffix = Buffer.from(runtime.random.bytes(8)).toString('hex');
    return {
      apiVersion: events.apiVersion,
      kind: events.kind,
      // An object's name may be as long as an event's.
      metadata: { namespace: namespace ?? 'default', name: `${name.slice(0, 230)}.${suffix}` },
      eventTime: microTime(runtime.wallMs()),
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      type,
      reason,
      action: action.slice(0, 128),
      note: cutToBytes(note, 1_024),
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        namespace,
        name,
        uid,
        resourceVersion,
      },
    };
  }

  #spoken({ kind, metadata }: KubernetesObject): Spoken {
    const key = metadata.uid ?? `${kind}/${keyOf(metadata)}`;
    const spoken = this.#objects.get(key) ?? {
      last: new Map<string, string>(),
      tokens: burst,
      refilledAtMs: this.#options.runtime.monotonicMs(),
    };
    this.#objects.delete(key);
    this.#objects.set(key, spoken);
    const [oldest] = this.#objects.keys();
    if (this.#objects.size > maxObjects && oldest !== undefined) this.#objects.delete(oldest);
    return spoken;
  }

  #mayTell(spoken: Spoken): boolean {
    const nowMs = this.#options.runtime.monotonicMs();
    const earned = Math.floor((nowMs - spoken.refilledAtMs) / refillMs);
    spoken.tokens = Math.min(burst, spoken.tokens + earned);
    spoken.refilledAtMs += earned * refillMs;
    if (spoken.tokens === 0) return false;
    spoken.tokens--;
    return true;
  }

  #count(result: 'sent' | 'failed' | 'dropped'): void {
    this.#options.metrics.counter('firn_kubernetes_events_total').inc({ result });
  }
}

/** The longest beginning of whole characters that fits. */
function cutToBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  return new TextDecoder().decode(bytes.subarray(0, maxBytes - 3), { stream: true }) + '…';
}
