import type { Runtime } from '../runtime/runtime.ts';
import { compareAndSwap } from '../store/compare-and-swap.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { decodeClusterState, encodeClusterState } from './cluster-codec.ts';
import { namePattern } from './cluster-json.ts';
import { clusterKey } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { emptyCluster, mintHexId } from './new-cluster.ts';

/**
 * The index of a zone in `meta/cluster.zones`, where it is put when it is not there yet: before a broker of it has an id, so
 * before anybody has a session. Brokers of two new zones that start at the same moment get two indexes. A name that no zone
 * can have is not written; the registration of the broker says what is wrong with it.
 */
export async function reserveZone(
  store: ObjectStore,
  runtime: Runtime,
  zone: string,
  signal?: AbortSignal,
): Promise<number> {
  const found = await store.get(clusterKey, { signal });
  let base =
    found.kind === 'found'
      ? { state: decodeClusterState(found.body, clusterKey), etag: found.info.etag }
      : undefined;
  for (;;) {
    const zones = base?.state.zones ?? [];
    if (zones.includes(zone)) return zones.indexOf(zone);
    if (!namePattern.test(zone)) return zones.length;
    const before = base?.state ?? emptyCluster(runtime.random);
    const next: ClusterState = { ...before, version: before.version + 1, zones: [...zones, zone] };
    const result = await compareAndSwap(store, runtime, {
      key: clusterKey,
      expected: base?.etag ?? 'absent',
      bytes: encodeClusterState(next, base?.state),
      id: mintHexId(runtime.random),
      // Whoever has put it there: it is there.
      isOurs: (current) => decodeClusterState(current, clusterKey).zones.includes(zone),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.kind === 'applied') return decodeClusterState(result.bytes, clusterKey).zones.indexOf(zone);
    base =
      result.current === undefined
        ? undefined
        : { state: decodeClusterState(result.current.bytes, clusterKey), etag: result.current.etag };
  }
}
