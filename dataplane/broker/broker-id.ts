import { reserveZone } from '../cluster/reserve-zone.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Ids of one zone are a thousand apart from those of the next. */
const brokersPerZone = 1_000;

/** The id of a broker: zone index × 1000 + ordinal. A zone has its index from its first broker on, for ever. */
export async function brokerIdOf(
  store: ObjectStore,
  runtime: Runtime,
  { zone, ordinal }: { readonly zone: string; readonly ordinal: number },
  signal?: AbortSignal,
): Promise<number> {
  return (await reserveZone(store, runtime, zone, signal)) * brokersPerZone + ordinal;
}
