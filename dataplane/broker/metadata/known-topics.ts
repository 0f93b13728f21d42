import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { ClusterError } from '../../cluster/errors.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../../store/errors.ts';

/** The state is not read more often than this for the sake of topics that it lacks. */
const readIntervalMs = 50;

/**
 * The cluster state for a request that names topics. A topic that is unknown here may have been created a moment ago by
 * another broker, and a client that is told so takes "unknown" for an answer: so the state is then read again, as of some
 * moment after the call. At most every 50 ms for all clients together, which is how long they wait at most for a read to
 * begin. When it fails, what is known has to do.
 */
export async function stateKnowing(
  { cluster, runtime }: { readonly cluster: ClusterClient; readonly runtime: Runtime },
  isKnown: (state: ClusterState) => boolean,
): Promise<ClusterState> {
  const { current } = cluster;
  if (current !== undefined && isKnown(current)) return current;
  await readSince(cluster, runtime, runtime.monotonicMs());
  if (cluster.current === undefined)
    throw new ClusterError('WENT_BACK', 'meta/cluster cannot be read: is it the right bucket?');
  return cluster.current;
}

interface Read {
  readonly beganMs: number;
  readonly done: Promise<unknown>;
}

const lastReads = new WeakMap<ClusterClient, Read>();

/** Waits for one read that has begun at `sinceMs` or later, whether it succeeds or not. */
async function readSince(cluster: ClusterClient, runtime: Runtime, sinceMs: number): Promise<void> {
  while ((cluster.readAtMs ?? Number.NEGATIVE_INFINITY) < sinceMs) {
    const last = lastReads.get(cluster);
    if (last !== undefined && last.beganMs >= sinceMs) return void (await last.done);
    const nowMs = runtime.monotonicMs();
    const lastMs = Math.max(
      last?.beganMs ?? Number.NEGATIVE_INFINITY,
      cluster.readAtMs ?? Number.NEGATIVE_INFINITY,
    );
    if (lastMs + readIntervalMs > nowMs) await sleep(runtime, lastMs + readIntervalMs - nowMs);
    else lastReads.set(cluster, { beganMs: nowMs, done: cluster.refresh().catch(expectFailure) });
  }
}

function expectFailure(error: unknown): void {
  if (!(error instanceof StoreError || error instanceof ClusterError)) throw error;
}
