import { HttpFailure } from './http-failure.ts';

const pooledBelowBytes = 4096;
const largeBytes = 256 * 1024;
/** Just below the most that glibc's dynamic threshold follows (`DEFAULT_MMAP_THRESHOLD_MAX`, 32 MiB). */
const primerBytes = 32 * 1024 * 1024 - 64 * 1024;

let isPrimed = false;

/** Uninitialized memory for a body, or a piece of one. Throws an HttpFailure when there is none. */
export function allocateBody(bytes: number): Uint8Array {
  try {
    if (bytes >= largeBytes && !isPrimed) keepFreedMemory();
    return bytes < pooledBelowBytes ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes);
  } catch (cause) {
    throw new HttpFailure('too-large', `there is no memory for ${bytes} bytes`, { cause });
  }
}

/**
 * Makes glibc's malloc keep up to 64 MiB of freed memory for the next body instead of returning all above 8 MiB to the
 * kernel, which would hand it out again page by page, each page faulted in and zeroed: 10 to 15 % of the throughput of
 * large GETs (`bench/store.bench.ts`). malloc doubles the size of the largest block that it got from `mmap` and that was
 * freed (mallopt(3), M_TRIM_THRESHOLD); so one such block is allocated, never touched, and freed at once. Once a process;
 * without effect with other allocators.
 */
function keepFreedMemory(): void {
  isPrimed = true;
  new ArrayBuffer(primerBytes).transfer(0);
}
