import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { ClusterError } from '../../cluster/errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../../store/errors.ts';

/** A state younger than this is not read again for the sake of a topic that it lacks. */
const youngMs = 50;

/**
 * The cluster state for a request that names topics. A topic that is unknown here may have been created a moment ago by
 * another broker, and a client that was told so takes "unknown" for an answer: so the state is read again then, at most
 * every 50 ms for all clients together. When that fails, what is known has to do.
 */
export async function stateKnowing(
  { cluster, runtime }: { readonly cluster: ClusterClient; readonly runtime: Runtime },
  isKnown: (state: ClusterState) => boolean,
): Promise<ClusterState> {
  const { current, readAtMs } = cluster;
  if (current !== undefined && isKnown(current)) return current;
  if (current !== undefined && readAtMs !== undefined && runtime.monotonicMs() - readAtMs < youngMs)
    return current;
  try {
    const state = await cluster.refresh();
    // By now there may be a newer one.
    if (state !== undefined) return cluster.current ?? state;
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof ClusterError) || current === undefined) throw error;
    return current;
  }
  throw new ClusterError('WENT_BACK', 'meta/cluster has disappeared: is it the right bucket?');
}
