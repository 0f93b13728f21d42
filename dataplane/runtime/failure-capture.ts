type FailureHandler = (failure: Error) => void;

const handlers = new Set<FailureHandler>();
let displaced: { readonly event: string; readonly listeners: readonly ((...args: unknown[]) => void)[] }[] =
  [];
const events = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * While active, every exception that nobody catches and every rejection that nobody handles is given to `handler`
 * instead of the listeners installed before (a test runner's, for example), which come back afterwards. With several
 * captures active at once nobody can tell whose failure it is, so all are told.
 */
export function captureFailures(handler: FailureHandler): () => void {
  if (handlers.size === 0) {
    displaced = events.map((event) => {
      const listeners = process.rawListeners(event) as unknown as ((...args: unknown[]) => void)[];
      process.removeAllListeners(event);
      process.on(event as 'unhandledRejection', report);
      return { event, listeners };
    });
  }
  handlers.add(handler);
  return () => {
    if (!handlers.delete(handler) || handlers.size > 0) return;
    for (const { event, listeners } of displaced) {
      process.removeListener(event, report);
      for (const listener of listeners) process.on(event, listener);
    }
    displaced = [];
  };
}

function report(reason: unknown): void {
  const failure =
    reason instanceof Error ? reason : new Error(`thrown: ${String(reason)}`, { cause: reason });
  for (const handler of handlers) handler(failure);
}
