import type { Runtime } from '../runtime/runtime.ts';

/**
 * The outcomes of `pending`, in its order, when all are there or the time is up; `late` makes those that are not there by
 * then, and what becomes of them is not looked at any more. Rejects when one of them does first. By hand, since this is done
 * for every produce request: `Promise.all` against a timer takes three times the promises.
 */
export function outcomesInTime<T extends object>(
  pending: readonly Promise<T>[],
  timeoutMs: number,
  runtime: Pick<Runtime, 'after'>,
  late: (at: number) => T,
): Promise<readonly T[]> {
  return new Promise((resolve, reject) => {
    const outcomes: (T | undefined)[] = pending.map(() => undefined);
    let left = pending.length;
    const finish = (): void => {
      resolve(outcomes.map((outcome, at) => outcome ?? late(at)));
    };
    if (left === 0) {
      finish();
      return;
    }
    const cancel = runtime.after(Math.max(0, timeoutMs), finish);
    const fail = (error: unknown): void => {
      cancel();
      reject(error instanceof Error ? error : new Error('what was waited for failed', { cause: error }));
    };
    for (const [at, outcome] of pending.entries()) {
      outcome.then((value) => {
        outcomes[at] = value;
        left -= 1;
        if (left > 0) return;
        cancel();
        finish();
      }, fail);
    }
  });
}
