import { setFlagsFromString } from 'node:v8';

/**
 * Tells V8's garbage collector what a broker is like: a small heap of objects, and hundreds of megabytes of records outside of
 * it. By default every 64 MiB of new records make it look through the whole heap, however many are in use: a third of the
 * broker's CPU under load (`bench/README.md`). Here they count as a part of the heap, which is looked through when it has grown
 * by half since the last time; so at most a third of a broker's memory is garbage.
 *
 * Concerns the whole process, and can be called at any time: call it where a process that serves records begins.
 */
export function settleCollector(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--heap-growing-percent=50');
}
