/** What the admin port tells. All of it only reads. */
export interface AdminPages {
  /** The text that Prometheus scrapes, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  /** Why the process should be restarted; `undefined`: it need not. */
  readonly unhealthy: () => string | undefined;
  /** Why no client should be sent here now; `undefined`: it is ready. */
  readonly unready: () => string | undefined;
  /** A JSON value. */
  readonly status: () => unknown;
}
