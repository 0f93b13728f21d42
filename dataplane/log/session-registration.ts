import type { ClusterClient } from '../cluster/cluster-client.ts';
import type { BrokerEntry, FormatRange } from '../cluster/cluster-state.ts';
import { mintSid, registerBroker } from '../cluster/broker-changes.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { sleep } from '../runtime/runtime.ts';
import { createOnce } from '../store/create-once.ts';
import { LogError } from './errors.ts';
import { formatVersion as ownFormatVersion, newestReadableFormatVersion } from './format/version.ts';
import { sessionKey } from './format/keys.ts';
import { encodeSessionRecord } from './format/session-record.ts';
import type { LogContext } from './log-context.ts';

/** Who a broker process is. */
export interface BrokerIdentity {
  readonly id: number;
  readonly zone: string;
  readonly address: string;
  readonly listeners: BrokerEntry['listeners'];
  readonly podUid: string;
  readonly version: string;
}

/** A sid that no process has had before; it is never kept or used again. */
export function newSid(runtime: Runtime): string {
  return Buffer.from(runtime.random.bytes(16)).toString('hex');
}

/** Why a session is opened: the process begins, or goes on after its session has died. */
export type SessionReason = 'start' | { readonly deadSid: string };

/**
 * Opens sessions (log.md P0, and the end of P3): a fresh sid, its birth record, its name in `meta/cluster`. A session
 * owns nothing when it is opened.
 */
export class SessionRegistration {
  readonly #context: LogContext;
  readonly #cluster: ClusterClient;
  readonly #identity: BrokerIdentity;
  readonly #supportedFormat: FormatRange;
  readonly #signal: AbortSignal;
  readonly #onProblem: (what: string, error: unknown) => void;
  readonly #onReplaced: (error: LogError) => void;

  constructor(environment: {
    readonly context: LogContext;
    readonly cluster: ClusterClient;
    readonly identity: BrokerIdentity;
    readonly supportedFormat: FormatRange | undefined;
    /** Aborted when the broker stops. */
    readonly signal: AbortSignal;
    readonly onProblem: (what: string, error: unknown) => void;
    readonly onReplaced: (error: LogError) => void;
  }) {
    this.#context = environment.context;
    this.#cluster = environment.cluster;
    this.#identity = environment.identity;
    this.#supportedFormat = environment.supportedFormat ?? {
      min: ownFormatVersion,
      max: newestReadableFormatVersion,
    };
    this.#signal = environment.signal;
    this.#onProblem = environment.onProblem;
    this.#onReplaced = environment.onReplaced;
  }

  /**
   * Resolves with the sid of a session that `meta/cluster` names as this broker's, however often that has to be tried.
   * `undefined`: the broker is stopping, or another process has its id and `onReplaced` was told.
   */
  async open(why: SessionReason): Promise<string | undefined> {
    const { store, runtime, options } = this.#context;
    for (let failures = 0; !this.#signal.aborted; failures++) {
      const sid = newSid(runtime);
      try {
        // The birth record too is written in the cluster's format version, not in this program's own.
        if (this.#cluster.current === undefined) await this.#cluster.refresh(this.#signal);
        await createOnce(store, sessionKey(sid), this.#birthRecord(sid), {
          id: sid,
          runtime,
          signal: this.#signal,
        });
        return (await this.#register(sid, why)) ? sid : undefined;
      } catch (error) {
        if (this.#signal.aborted) return undefined;
        this.#onProblem(`session ${sid} could not be registered`, error);
        await sleep(runtime, options.retryBackoffMs * 2 ** Math.min(failures, 6), this.#signal).catch(
          () => undefined,
        );
      }
    }
    return undefined;
  }

  #birthRecord(sid: string): Uint8Array {
    const { id, podUid, zone, version } = this.#identity;
    const startedAtMs = Math.max(0, this.#context.runtime.wallMs());
    return encodeSessionRecord(
      { sid, broker: id, podUid, zone, version, startedAtMs },
      this.#context.formatVersion(),
    );
  }

  async #register(sid: string, why: SessionReason): Promise<boolean> {
    const { id, zone, address, listeners } = this.#identity;
    const registration = { id, sid, address, listeners, zone, supportedFormat: this.#supportedFormat };
    const outcome = await this.#cluster.change(
      (state) => {
        if (why === 'start') return registerBroker(state, registration);
        const entry = state.brokers.get(id);
        return entry?.sid === why.deadSid && entry.state !== 'dead'
          ? registerBroker(state, registration)
          : mintSid(state, { id, deadSid: why.deadSid, newSid: sid });
      },
      { newSession: sid, signal: this.#signal },
    );
    if (outcome.kind !== 'refused') return true;
    if (outcome.refused.reason === 'SESSION_REPLACED') {
      this.#onReplaced(
        new LogError(
          'REPLACED',
          `broker id ${id} belongs to another process now (session ${outcome.state.brokers.get(id)?.sid ?? 'unknown'}): this one must exit`,
        ),
      );
      return false;
    }
    throw new LogError('SHUTTING_DOWN', `broker ${id} was not registered: ${outcome.refused.message}`);
  }
}
