import type { Runtime } from '../runtime/runtime.ts';

/** The outcome of `work`, or what `late` says when it takes longer than `timeoutMs`. The work goes on in any case. */
export async function withDeadline<T>(
  runtime: Pick<Runtime, 'after'>,
  timeoutMs: number,
  work: Promise<T>,
  late: () => T,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const cancel = runtime.after(Math.max(0, timeoutMs), () => {
    resolve(undefined);
  });
  const done = work.then((value) => ({ value }));
  try {
    const first = await Promise.race([done, promise]);
    if (first !== undefined) return first.value;
    // What is late fails on its own: nobody is told any more.
    done.catch(() => undefined);
    return late();
  } finally {
    cancel();
  }
}
