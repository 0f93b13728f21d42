import { rm, open } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { withCluster } from './cluster.ts';
import type { Place } from './place.ts';

/** Makes the disk full, again when something has been deleted, or gives the space back. */
export interface FullDisk {
  readonly fill: (cluster: Cluster) => Promise<void>;
  readonly free: (cluster: Cluster) => Promise<void>;
}

/** How long nothing must be acknowledged until the disk counts as full. */
const stillMs = 1_500;

/**
 * Fills the disk under three brokers that clients produce to, kills one of them on it, and frees it. Appends wait or fail
 * in a way that is tried again, everything goes on when there is space, and nothing is lost. Returns how many batches were
 * acknowledged.
 */
export async function fillUpAndGoOn(
  place: Place,
  disk: FullDisk,
  options: { readonly injectFullDisk: boolean },
): Promise<number> {
  let acknowledged = 0;
  const work = async (cluster: Cluster): Promise<void> => {
    for (let round = 0; round < 2; round++) {
      cluster.tell('the disk gets full');
      await standStill(cluster, disk);
      cluster.tell(`it is full, after ${cluster.ledger.acknowledgedCount} batches`);
      if (round === 1) {
        const victim = cluster.pick(cluster.running);
        cluster.tell(`kill broker ${victim.id}`);
        await victim.kill();
        cluster.start(victim.id);
        await sleep(cluster.fraction() * 500);
      }
      cluster.tell('there is space again');
      await disk.free(cluster);
      await cluster.progress(5);
    }
    await cluster.finish();
    await cluster.verify();
    acknowledged = cluster.ledger.acknowledgedCount;
  };
  await withCluster(() => Promise.resolve(place), work, options);
  return acknowledged;
}

/** Background work deletes what is no longer needed, so a full disk may have a little space again: it is filled again. */
async function standStill(cluster: Cluster, disk: FullDisk): Promise<void> {
  let count = -1;
  let sinceMs = 0;
  await cluster.until('nothing is acknowledged any more', async () => {
    await disk.fill(cluster);
    await sleep(20);
    const nowMs = performance.now();
    if (cluster.ledger.acknowledgedCount !== count) {
      count = cluster.ledger.acknowledgedCount;
      sinceMs = nowMs;
    }
    return nowMs - sinceMs > stillMs;
  });
}

/** A file that takes all the space of a small file system. */
function ballast(file: string): FullDisk {
  return {
    fill: async () => {
      const handle = await open(file, 'a');
      try {
        for (const size of [1 << 20, 1 << 16, 1 << 12]) await append(handle, Buffer.alloc(size));
      } finally {
        await handle.close();
      }
    },
    free: async () => {
      await rm(file, { force: true });
    },
  };
}

async function append(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  for (;;) {
    try {
      const { bytesWritten } = await handle.write(bytes);
      if (bytesWritten < bytes.length) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}

if (import.meta.main) {
  const root = process.argv[2] ?? '';
  const place = {
    url: pathToFileURL(path.join(root, 'store')).href,
    env: {},
    faults: () => ({}),
    calm: () => undefined,
    // The whole file system goes with the last process in its namespace.
    close: () => Promise.resolve(),
  };
  const count = await fillUpAndGoOn(place, ballast(path.join(root, 'ballast')), { injectFullDisk: false });
  process.stdout.write(`${count} batches acknowledged\n`);
}
