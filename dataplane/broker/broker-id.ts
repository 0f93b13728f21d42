import { decodeClusterState } from '../cluster/cluster-codec.ts';
import { clusterKey } from '../cluster/cluster-state.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Ids of one zone are a thousand apart from those of the next. */
const brokersPerZone = 1_000;

/**
 * The id of a broker: zone index × 1000 + ordinal. A zone has its index from its first broker on, for ever
 * (`meta/cluster.zones`). Brokers of two zones that both appear for the first time must not be started at the same moment:
 * they could take the same index for theirs.
 */
export async function brokerIdOf(
  store: ObjectStore,
  { zone, ordinal }: { readonly zone: string; readonly ordinal: number },
): Promise<number> {
  const found = await store.get(clusterKey);
  const zones = found.kind === 'found' ? decodeClusterState(found.body, clusterKey).zones : [];
  const index = zones.indexOf(zone);
  return (index === -1 ? zones.length : index) * brokersPerZone + ordinal;
}
