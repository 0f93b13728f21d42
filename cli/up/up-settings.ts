import type { BrokerOptions } from '../../dataplane/broker/broker-options.ts';
import type { InternalListenerOptions } from '../../dataplane/broker/peers/internal-network.ts';
import type { CrashPoints } from '../../dataplane/table/crash-points.ts';
import type { LogLevel } from '../../dataplane/runtime/logger.ts';

/** What `firn up` starts, wherever that was said: in options or in a manifest. */
export interface UpSettings {
  /** Of the object store. */
  readonly url: string;
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  readonly admin: { readonly host: string; readonly port: number };
  /** Of registry and catalog. */
  readonly api: {
    readonly host: string;
    readonly port: number;
    /** Who may use it. Without one anybody who reaches it may. */
    readonly authFile?: string | undefined;
    /** That anybody may although it is not loopback. */
    readonly allowAnonymous?: boolean | undefined;
  };
  /** For other brokers. Files are relative to where the command was given. */
  readonly internal: InternalListenerOptions;
  readonly zone: string;
  /** Of all brokers that are started together, in the order of their indexes. */
  readonly zones?: readonly string[] | undefined;
  /** Which broker of its zone, from 0. */
  readonly ordinal: number;
  readonly logLevel: LogLevel;
  /** How long handing over may take before the process ends all the same. */
  readonly drainTimeoutMs: number;
  readonly options: BrokerOptions;
  /** Tests only: called at the steps of tables between which a process may die. */
  readonly crashPoint?: CrashPoints | undefined;
}
