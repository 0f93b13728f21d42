/**
 * Lets work go on by itself. It deals with its own failures: one that comes out all the same is a bug, and is thrown where
 * nobody can catch it, so that the process ends instead of going on without that work.
 */
export function inBackground(work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    queueMicrotask(() => {
      throw error;
    });
  });
}
