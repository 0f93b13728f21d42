import { PerformanceObserver, constants } from 'node:perf_hooks';
import type { NodeGCPerformanceDetail, PerformanceEntry } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';

/** What may become garbage at least before the whole heap is looked through. */
const leastGrowthBytes = 192 * 1024 * 1024;
const leastGrowthPercent = 50;

/**
 * Tells V8's garbage collector what a broker is like: a small heap of objects, and hundreds of megabytes of records outside of
 * it. By default every 64 MiB of new records make it look through the whole heap, however many are in use: a third of the
 * broker's CPU under load (`bench/README.md`). Here they count as a part of the heap, which is looked through when it has grown
 * by half since the last time, and by 192 MiB: so at most a third of a large broker's memory is garbage, and a small one does
 * not look through its heap every few seconds, when every acknowledgement waits.
 *
 * Concerns the whole process, and can be called at any time: call it where a process that serves records begins.
 */
export function settleCollector(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  growBeforeNext();
  new PerformanceObserver((list) => {
    if (list.getEntries().some(isFull)) growBeforeNext();
  }).observe({ entryTypes: ['gc'] });
}

/** V8 knows a share only, and works the next limit out when a collection ends: as large as memory is now. */
function growBeforeNext(): void {
  const { heapUsed, external } = process.memoryUsage();
  const percent = Math.round((100 * leastGrowthBytes) / (heapUsed + external));
  setFlagsFromString(`--heap-growing-percent=${Math.max(leastGrowthPercent, percent)}`);
}

function isFull(entry: PerformanceEntry): boolean {
  const { detail } = entry as PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
