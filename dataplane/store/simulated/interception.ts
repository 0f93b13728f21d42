import type { StoreErrorCode } from '../errors.ts';
import type { StoreOperation } from './latency.ts';
import type { RequestEvent } from './observation.ts';
import type { BodyFlaw } from './request.ts';

/** What a client sees of an answer that does not come: at its attempt's time-out, or soon. Default: drawn. */
export type LossSeenAs = 'TIMEOUT' | 'CONNECTION_LOST';

/** The fate of one attempt. See `AttemptFaults` for what the kinds mean. */
export type ScriptedFault =
  | { readonly kind: 'request-lost' | 'answer-lost'; readonly seenAs?: LossSeenAs | undefined }
  | { readonly kind: 'late-landing'; readonly landsAfterMs: number; readonly seenAs?: LossSeenAs | undefined }
  | { readonly kind: 'duplicate'; readonly afterMs: number; readonly answer?: 'first' | 'second' | undefined }
  | { readonly kind: 'error'; readonly code: StoreErrorCode; readonly hasEffect?: boolean | undefined }
  | { readonly kind: 'body'; readonly flaw: BodyFlaw }
  /** Takes exactly so long to be applied, and the answer to come back; what is left out is drawn. */
  | { readonly kind: 'delay'; readonly applyMs?: number | undefined; readonly answerMs?: number | undefined }
  /** Kept on its way to the store until the test lets it go: {@link HeldRequest}. The client's time-out goes on. */
  | { readonly kind: 'hold' };

/** Which requests to catch: all that is given must agree. */
export interface RequestMatch {
  /** Name of the process. */
  readonly process?: string | undefined;
  readonly operation?: StoreOperation | undefined;
  /** The key itself, or a pattern of it. */
  readonly key?: string | RegExp | undefined;
  readonly where?: ((request: RequestEvent) => boolean) | undefined;
  /** Let so many matching requests pass before the first is caught. Default 0. */
  readonly skip?: number | undefined;
  /** Catch at most so many. Default 1. */
  readonly times?: number | undefined;
}

export interface HeldRequest {
  readonly request: RequestEvent;
  /** Lets it be applied now. The client gets the answer if it still waits. */
  release(): void;
  /** It never arrives. */
  drop(): void;
}

/** Catches requests as they leave their process, and gives them the fate the test has chosen. */
export class Interception {
  readonly #match: RequestMatch;
  readonly #fault: ScriptedFault;
  #toSkip: number;
  #left: number;
  readonly caught: RequestEvent[] = [];
  /** Requests of a `hold` that are still held, oldest first. */
  readonly held: HeldRequest[] = [];

  constructor(match: RequestMatch, fault: ScriptedFault) {
    this.#match = match;
    this.#fault = fault;
    this.#toSkip = match.skip ?? 0;
    this.#left = match.times ?? 1;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Catches no more. Held requests stay held. */
  stop(): void {
    this.#left = 0;
  }

  /** @internal */
  catch(request: RequestEvent): ScriptedFault | undefined {
    const { process, operation, key, where } = this.#match;
    if (this.#left <= 0) return undefined;
    if (process !== undefined && process !== request.process) return undefined;
    if (operation !== undefined && operation !== request.operation) return undefined;
    if (typeof key === 'string' && key !== request.key) return undefined;
    if (key instanceof RegExp && request.key.search(key) < 0) return undefined;
    if (where !== undefined && !where(request)) return undefined;
    if (this.#toSkip-- > 0) return undefined;
    this.#left--;
    this.caught.push(request);
    return this.#fault;
  }
}
