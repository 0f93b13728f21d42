/**
 * Something that works in the background for as long as a process lives, or a role lasts: a server, a flusher, a poller.
 *
 * ```
 *   created ── run() ──▶ running ── drain() ──▶ draining ──┐
 *                           │                      │       ├── stop() ──▶ run() resolves
 *                           └──────────────────────┴───────┘
 *                           └── cannot go on ──▶ run() rejects
 * ```
 */
export interface Service {
  /** For logs: the kind of service, and which one of its kind. */
  readonly id: string;

  /**
   * Called once. Works until the service is stopped or its work is done, then resolves. Rejects when the service cannot
   * go on: what it could have retried it has retried. In either case nothing of it runs any more when the promise
   * settles: no timer, no request, no file.
   */
  run(): Promise<void>;

  /**
   * Ends the service soon, finishing nothing that is not needed for correctness. Resolves when `run` has settled, and
   * never rejects: a failure is `run`'s to report. May be called at any time, also before `run` (which then resolves at
   * once) and again. Whoever relies on work being finished calls `drain` first.
   */
  stop(): Promise<void>;
}

/** A service that holds something others wait for: unflushed records, owned partitions, open connections. */
export interface DrainableService extends Service {
  /**
   * Takes on nothing new and finishes or hands over what it has; resolves when nothing is left. The service still runs
   * and answers meanwhile and afterwards, until `stop`. Rejects with `signal.reason` when the signal aborts (the time
   * for draining is up) with what is left undone; `stop` is then safe all the same: it loses time, not records.
   */
  drain(signal: AbortSignal): Promise<void>;
}
